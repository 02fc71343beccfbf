/*
 * A merge under way, in memory as in its journal, and the parts that carry it out.
 *
 * Phases, each durable before the next begins:
 *     staging     the journal gets the entries and steps, STATE/stage the copied objects; a kill is
 *                 rolled back by forgetting both, for neither source nor delta has been touched
 *     committed   steps are done, one after the other; a kill is rolled forward. How far it had
 *                 come is seen by where the objects are (step_place()), not written down
 *     aborted     something failed that will not get better: all steps are taken back
 *     applied     the source is durable; what was merged is taken out of the delta
 *     ended       stage and journal are filed under undo/ID
 *
 * An object that can be moved stays in the delta until its own step is done: so a delta whose merge
 * was killed misses at most one object, and that one is in stage.
 */
#ifndef AF_MERGE_H
#define AF_MERGE_H

#include "attrs.h"
#include "delta.h"
#include "journal.h"
#include "parents.h"
#include "plan.h"
#include "state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In memory alone: what is not known is not there. */
enum merge_phase {
	MERGE_STAGING,
	MERGE_COMMITTED,
	MERGE_ABORTED,
	MERGE_APPLIED,
	MERGE_ENDED,
};

struct merge_entry {
	uint32_t letter; /* enum plan_letter */
	bool stays;
	char *path, *old_path;  /* owned; old_path may be NULL */
	struct plan_seen upper; /* what the delta had at path; mode 0: nothing, or a whiteout */
};

struct merge_step {
	enum plan_step_kind kind;
	uint32_t entry;
	bool take;              /* the object is moved out of the delta, not copied */
	bool keep_attrs;        /* as in struct plan_step; known until it is staged */
	char *path, *from;      /* owned; from may be NULL */
	struct plan_seen seen;  /* at path before; of STEP_ATTRS, mode 0: an earlier step made it */
	struct plan_seen put;   /* what is there afterwards; mode 0: nothing */
	struct plan_seen upper; /* what the delta had at `from`; mode 0: nothing */
	uint64_t shown_ino;     /* of what is taken: its DELTA_XATTR_INO; 0: none */
	struct attrs before, after; /* of STEP_ATTRS */
};

/*
 * A directory in which names change: its times, for whoever takes the merge back, and its mode; and the
 * mtime that it gets in the end, or MERGE_DIR_KEEP: it keeps what it has then.
 */
#define MERGE_DIR_KEEP INT64_MIN
struct merge_dir {
	char *path; /* owned */
	uint32_t mode;
	uint64_t dev, ino; /* ino 0: the source has none there, or not yet */
	int64_t atime_ns, mtime_ns, after_ns;
	int64_t upper_ns; /* the mtime that it has in the delta, or MERGE_DIR_KEEP: none */
};

struct merge {
	struct sync_state *state; /* borrowed */
	enum merge_phase phase;
	char id[MERGE_ID_SIZE];
	bool is_foreign;  /* its journal is of another state directory: not to be believed */
	char *delta_path; /* owned */
	uint64_t upper_ino, upper_dev;
	int64_t time_ns;    /* when it began, CLOCK_REALTIME */
	int64_t applied_ns; /* when the last step was done */

	struct merge_entry *entries; /* owned, as the two below */
	size_t entry_count;
	struct merge_step *steps;
	size_t step_count;
	struct merge_dir *dirs;
	size_t dir_count;

	struct af_journal journal;
	int stage_fd;          /* owned; readable */
	struct parents source; /* by source_fd */
	struct parents upper;  /* root_fd -1: the delta is gone or in use: nothing is taken of it */
	bool can_take;         /* delta and stage are on one filesystem and mount */
	bool is_closed;        /* no other user can reach anything in the delta */
	bool recovering;       /* what we find may be half of what we did */
	bool is_undo;          /* the journal is of an undo of merge id */
	bool undoing;          /* what comes out of the source is not the delta's any more */
	bool progress;         /* stderr is a terminal */
	struct plan *plan;     /* borrowed; NULL when recovering: is told of entries that stay */
};

void merge_init(struct merge *merge, struct sync_state *state, int source_fd, int upper_fd);
void merge_fini(struct merge *merge);

/* What is to be known again of a file. */
struct plan_seen merge_seen(const struct stat *st);
/*
 * Whether it is the same (NULL: nothing is there), unchanged; of a directory only that it is the
 * same with the same mode. A rename changes ctime, so that is compared only before.
 */
bool merge_is_same(const struct plan_seen *seen, const struct stat *st, bool compare_ctime);

/* ---- record.c: the journal ---------------------------------------------------------------------- */

/* Each appends: 0 or -errno. */
int record_begin(struct merge *merge);
int record_entry(struct merge *merge, const struct merge_entry *entry);
int record_dir(struct merge *merge, const struct merge_dir *dir);
/* A step may be recorded again: the last one holds. */
int record_step(struct merge *merge, size_t step);
/* An entry whose steps were taken back. */
int record_stays(struct merge *merge, uint32_t entry);
/* From here on the merge is in this phase; time_ns: of MERGE_APPLIED. */
int record_phase(struct merge *merge, enum merge_phase phase);
/* The only record of an undo's own journal. */
int record_undo(struct af_journal *journal, const char *id);
/*
 * Reads all of the journal that merge->journal is into the merge. -EBADMSG: damaged; -EXDEV: of
 * another state directory. The second says so to a user.
 */
int record_load(struct merge *merge);
const char *record_why_not(int err);

/* ---- stage.c ------------------------------------------------------------------------------------ */

/*
 * Makes what a step brings ready, or finds that it can be moved later, and fills in put, upper, before
 * and after. made: the earlier step that puts the object (STEP_LINK: at `from`; STEP_ATTRS: at path), or
 * NULL. content: of STEP_PUT, instead of the delta's; may be NULL. -ESTALE where the delta or the source
 * is no longer what the plan saw.
 */
int stage_step(struct merge *merge, size_t index, const struct merge_step *made,
	const char *content, size_t content_size);
/* Copies a step's object into stage. 0 or -errno. */
int stage_copy(struct merge *merge, size_t index);
/*
 * Opens `from` in the delta (*fd is the caller's, also with an error), and checks that it is what
 * was seen there, if anything was: -ESTALE.
 */
int stage_open_upper(
	struct merge *merge, const struct merge_step *step, int flags, int *fd, struct stat *st);

/* ---- take.c ------------------------------------------------------------------------------------- */

/* Finds out whether anything of the delta may be moved. */
void take_prepare(struct merge *merge, const struct af_delta *delta);
/* Whether what has this status in the delta may be moved. */
bool take_is_possible(const struct merge *merge, const struct stat *st);
/* Notes of what will be taken what it loses by that. 0 or -errno. */
int take_look(struct merge *merge, size_t index);
/* Moves a step's object from the delta into stage, or copies it where somebody has it open. */
int take_object(struct merge *merge, size_t index);
/* Back into the delta, if it is in stage. 0, -EEXIST: there is another now; -errno. */
int take_give_back(struct merge *merge, size_t index);

/* ---- step.c ------------------------------------------------------------------------------------- */

enum step_place { STEP_TO_DO, STEP_DONE };

/* How far a step has come, by where its objects are. 0 or -errno. */
int step_place(struct merge *merge, size_t index, enum step_place *place);
/* The rest of a step after which we may have been killed. 0 or -errno. */
int step_settle(struct merge *merge, size_t index);
/* Does it. -ESTALE: the source moved on; nothing was done then. 0 or another -errno. */
int step_do(struct merge *merge, size_t index);
/*
 * Takes it back, wholly or not at all, whether done or not; what was taken out of the delta returns
 * there. -ESTALE: the source moved on. 0 or another -errno.
 */
int step_revert(struct merge *merge, size_t index);

/* ---- dirs.c ------------------------------------------------------------------------------------- */

/* Notes every directory whose names will change, in merge->dirs and the journal. 0 or -errno. */
int dirs_note(struct merge *merge);
/* Gives the directory this mode. 0 or -errno. */
int dirs_set_mode(int dirfd, const char *name, mode_t mode);
/* Makes one of the caller's that is read-only writable: 1 if so; 0: it is not; or -errno. */
int dirs_lend_write(int dirfd, const char *name);
/*
 * The directories' modes as they were, where steps had to be allowed to write there; and after all is taken
 * back their times too. As far as the caller may; 0 or -errno: of the first failure.
 */
int dirs_restore_modes(struct merge *merge);
/* The times that the directories had in the sandbox, as far as they are to get them and the caller may. */
int dirs_set_times(struct merge *merge);
/*
 * What is taken out of the delta's directories, or put there, is no change by the sandbox: their times as
 * they were, before names in one were changed (0 or -errno) and before the merge.
 */
int dirs_keep_time(int dirfd, const struct stat *before);
void dirs_keep_upper_times(struct merge *merge);
int dirs_restore_times(struct merge *merge);

/* ---- finish.c ----------------------------------------------------------------------------------- */

/* From committed to ended. delta NULL: it cannot be had (any more). 0 or -errno, reported. */
int finish_merge(struct merge *merge, struct af_delta *delta);
/* Whether an error is one path's own, so that its entry stays and the others go on. */
bool finish_is_soft(int err);
/* An entry stays, because of an error of its steps; the plan is told. 0 or -errno of the journal. */
int finish_drop_entry(struct merge *merge, uint32_t entry, int err);
/* Makes everything on the source's filesystem durable. 0 or -errno. */
int finish_sync(const struct merge *merge);

/* ---- clean.c ------------------------------------------------------------------------------------ */

/* Takes what was merged out of the delta and its log. 0 or -errno. */
int clean_delta(struct merge *merge, struct af_delta *delta);

/* ---- recover.c, undo.c -------------------------------------------------------------------------- */

/* Finishes or rolls back what is under way in the state. 0 or -errno, reported. */
int recover_merge(struct sync_state *state, int source_fd);
/* Goes on with an undo: its own journal is STATE/journal. 0 or -errno, reported. */
int undo_resume(struct sync_state *state, int source_fd, const char *id);
/* Forgets all merges but the newest `keep`. */
void undo_prune(const struct sync_state *state, unsigned int keep);

#endif
