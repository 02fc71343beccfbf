/*
 * --dry-run: the commands that would be run, for a person to read.
 */
#ifndef AF_SHOW_H
#define AF_SHOW_H

#include "backend.h"

#include <stdio.h>

/* place: where the mount would be, below it. Returns 0 or -errno. */
int show_plan(
	FILE *out, const struct af_plan *plan, const struct af_backend *backend, const char *place);

#endif
