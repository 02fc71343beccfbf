/*
 * What became of a merge, in a few lines on standard error.
 */
#ifndef AF_TELL_H
#define AF_TELL_H

#include "apply.h"
#include "plan.h"

/* How many of the changes that were asked for stay in the delta. */
size_t tell_count_stays(const struct plan *plan);

/*
 * One line for each change that stays, with why; then one for the whole. result NULL: nothing was done
 * (--conflict fail). delta and source: as messages name them.
 */
void tell_merge(const struct plan *plan, const struct apply_result *result, const char *delta,
	const char *source);

#endif
