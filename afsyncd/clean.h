/*
 * What clean.c and clean_log.c share.
 */
#ifndef AF_CLEAN_H
#define AF_CLEAN_H

#include "delta.h"
#include "merge.h"

#include <stddef.h>

/* The paths whose changes stay in the delta. */
struct staying {
	const char **paths; /* owned; sorted */
	size_t count;
};

/* Leaves in the log what concerns them. 0 or -errno. */
int clean_log(struct merge *merge, struct af_delta *delta, const struct staying *staying);

#endif
