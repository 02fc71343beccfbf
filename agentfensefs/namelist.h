/*
 * Names, each with its NUL, one behind the other in one piece of memory.
 */
#ifndef AF_NAMELIST_H
#define AF_NAMELIST_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct af_namelist {
	char *text; /* owned; freed by whoever has the list */
	size_t used, room;
};

/* Adds a copy of the name, and sets where it begins in text. 0 or -ENOMEM. */
static inline int namelist_add(struct af_namelist *list, const char *name, uint32_t *at)
{
	size_t len = strlen(name) + 1;

	if (list->room - list->used < len) {
		size_t room = list->room * 2 + len + 512;
		char *text = room > UINT32_MAX ? NULL : (char *)realloc(list->text, room);

		if (!text)
			return -ENOMEM;
		list->text = text;
		list->room = room;
	}
	memcpy(list->text + list->used, name, len);
	*at = (uint32_t)list->used;
	list->used += len;
	return 0;
}

#endif
