/*
 * diff(1) and diff3(1) at work on texts that only we hold: each is a sealed descriptor, named to the
 * tool as /proc/self/fd/N, and what the tool writes comes through a pipe.
 */
#ifndef AF_TOOL_H
#define AF_TOOL_H

#include "spawn.h"

#include <stddef.h>
#include <stdio.h>

enum { TOOL_NAME = 32 }; /* bytes: of a descriptor's name */

/* A descriptor with this content, owned by the caller, or -errno. */
int tool_text(const void *data, size_t size);
void tool_name(char name[TOOL_NAME], int fd);

/*
 * Starts argv (in the C locale) with the descriptors `keep`; *out reads its standard output, owned by the
 * caller. 0, or -errno (-ENOENT: there is no such program).
 */
int tool_start(
	char *const argv[], const int *keep, size_t keep_count, struct af_child *child, FILE **out);
/* Waits for its end: the exit status, or -errno (-EIO: a signal ended it). */
int tool_end(struct af_child *child);

#endif
