/*
 * What may stand in a row of the daemon's table (table.h) as an option.
 */
#ifndef AF_TABLE_OPTION_H
#define AF_TABLE_OPTION_H

#include "log.h"
#include "table.h"

#include <errno.h>

/* A component of a pattern that has one of these is matched, any other is a name. */
#define TABLE_WILDCARDS "*?[\\"

/* Where messages say that something is wrong. */
struct table_place {
	const char *file;
	unsigned int line;
};

/* Reports FILE:LINE: what: why; -EINVAL. */
static inline int table_wrong(const struct table_place *place, const char *what, const char *why)
{
	log_error("%s:%u: %s: %s", place->file, place->line, what, why);
	return -EINVAL;
}

/*
 * OPTION[,OPTION]...: checks each as far as it can be without the delta, and adds them to the row; a
 * backslash before a comma keeps it. 0, -EINVAL, reported, or -ENOMEM.
 */
int table_add_options(struct table_row *row, const struct table_place *place, const char *text);

#endif
