/*
 * Decisions without a mount: --explain and --check.
 */
#ifndef AF_EXPLAIN_H
#define AF_EXPLAIN_H

#include "options.h"

/*
 * Prints a record for each path, from the options or from stdin. Messages go to stderr.
 * Returns the exit status of the program.
 */
int explain_paths(const struct fs_options *options);

/* Validates the rules, and warns of those that can never decide. Returns the exit status. */
int explain_check(const struct fs_options *options);

#endif
