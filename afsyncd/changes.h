/*
 * From a delta and its source to a plan.
 *
 *     origin.c    the delta's log in memory: what each path was when it was first changed
 *     scan.c      the delta's upper, walked by descriptor: every entry, in order; what is refused and why
 *     source.c    the source at single paths, by descriptor and never through a symlink: what is there now
 *     changes.c   scan + origins -> changes: added, modified, deleted, renamed, type, mode
 *     conflict.c  a change against the source now: none, already so, conflict; who wins
 *     plan.c      changes + verdicts + holds + options -> entries and steps (plan.h); pure
 */
#ifndef AF_CHANGES_H
#define AF_CHANGES_H

#include "delta.h"
#include "plan.h"
#include "policy.h"

enum conflict_strategy {
	CONFLICT_LWW,
	CONFLICT_KEEP,
	CONFLICT_BOTH,
	CONFLICT_FAIL,
	CONFLICT_MERGE
};

struct sync_hold; /* hold.h */
struct sync_only; /* only.h: --only and --exclude */

struct plan_options {
	enum conflict_strategy conflict;
	const char *conflict_id;      /* for NAME.conflict-ID */
	const struct sync_hold *hold; /* NULL: nothing is held (--no-hold) */
	const struct sync_only *only; /* NULL: everything */
	struct af_policy *policy; /* the caller's own; NULL: the delta's, if it is to be believed */
	bool progress;
};

/*
 * Reads the delta and what it concerns of the source, and plans. source_fd: O_PATH of the source's
 * root. 0 with *plan (plan_fini()), or -errno, reported.
 */
int changes_plan(struct plan *plan, struct af_delta *delta, int source_fd,
	const struct plan_options *options);

#endif
