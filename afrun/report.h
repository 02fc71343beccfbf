/*
 * --report: one JSON object about the run.
 */
#ifndef AF_REPORT_H
#define AF_REPORT_H

#include "plan.h"
#include "refusals.h"
#include "supervise.h"
#include "writes.h"

/* Returns 0 or -errno. */
int report_write(FILE *out, const struct af_plan *plan, const char *runtime,
	const struct af_outcome *outcome, const struct af_refusals *refusals,
	const struct af_writes *writes);

/*
 * Opens the target of --report or --audit: a path (created or emptied), `-` (stdout) or `fd:N` (a
 * descriptor of the caller's). Returns a descriptor that the caller owns, or -errno.
 */
int report_open(const char *target);

#endif
