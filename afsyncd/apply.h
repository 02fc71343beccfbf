/*
 * Carrying out a plan: staged, journalled, undoable. Nothing here decides what is merged.
 *
 *     state.c    the state directory: where, lock, layout, ids
 *     stage.c    one object made ready on the source's filesystem: moved, reflinked or copied
 *     apply.c    steps, each an exchange or a rename, what they displaced kept for undo
 *     recover.c  what a merge that was killed left: finished or rolled back, before anything else
 *     undo.c     a whole merge taken back, and the history of merges
 */
#ifndef AF_APPLY_H
#define AF_APPLY_H

#include "delta.h"
#include "plan.h"

struct sync_state;

enum state_use { STATE_LOOK, STATE_CHANGE, STATE_CHANGE_QUIETLY };

/*
 * Opens (makes) the state of the source: SOURCE/.agentfense, or dir if not NULL, or where the source is
 * not the caller's to write $XDG_STATE_HOME/agentfense/KEY. STATE_LOOK (-n) takes no lock and makes
 * nothing (*state may then be NULL); the others wait for the lock, STATE_CHANGE telling once on stderr.
 * A merge that was killed is recovered under the lock, for which its delta is opened: so call this
 * before delta_open(). 0 or -errno, reported.
 */
int state_open(struct sync_state **state, int source_fd, const char *source, const char *dir,
	enum state_use use);
void state_close(struct sync_state *state);
/* The id that the next merge gets (for NAME.conflict-ID); borrowed from the state. */
const char *state_next_id(const struct sync_state *state);

struct apply_options {
	unsigned int undo_keep; /* how many merges can be undone */
	bool progress;          /* stderr is a terminal and not -q */
	const char *delta_path; /* for the history; absolute */
};

struct apply_result {
	char id[64];          /* of the merge, for --undo; "" where there was nothing to do */
	size_t merged, stays; /* entries */
};

/*
 * Carries the plan out. What the source has at a path is compared with the step's `seen` just before it is
 * replaced, and what came out of an exchange just after: where it moved on, that entry's steps are taken back,
 * the entry becomes a conflict that stays (entry->letter, why, stays), and the others go on.
 * When it returns, what was merged is durable and gone from the delta, whose log holds the origins
 * of what stays. 0 or -errno, reported; the source then is as it was, or the next state_open() makes it so.
 */
int apply_plan(struct sync_state *state, int source_fd, struct af_delta *delta, struct plan *plan,
	const struct apply_options *options, struct apply_result *result);

/* The newest merge, or the one with this id. 0, or -errno reported (-ESTALE: the source has moved on: named). */
int undo_merge(struct sync_state *state, int source_fd, const char *id);
/* One line a merge, newest first: ID TAB time TAB delta TAB counts; JSON lines; NUL-terminated. */
int undo_print_history(struct sync_state *state, bool json, bool nul);

#endif
