/*
 * From a delta and its source to a plan.
 *
 *     origin.c    the delta's log in memory: what each path was when it was first changed
 *     scan.c      the delta's upper, walked by descriptor: every entry, in order; what is refused and why
 *     source.c    the source at single paths, by descriptor and never through a symlink: what is there now
 *     gather.c    one path of the delta: compared with the log, the source, the policy, the lists
 *     changes.c   ... for all of them, and for what goes with directories: facts.h
 *     conflict.c  a change against the source now: none, already so, conflict; who wins
 *     plan.c      facts + strategy -> entries (plan.h); pure, as those that follow
 *     plan_moves.c  what goes with directories and renames
 *     plan_links.c  what are names of one file
 *     plan_steps.c  entries -> steps
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
