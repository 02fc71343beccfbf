/*
 * What a merge or an undo that was killed has left: finished, or rolled back where it had not been
 * committed. See merge.h; under the lock, and before anything else is done.
 */
#include "merge.h"

#include "cleanup.h"
#include "log.h"

#include <fcntl.h>
#include <string.h>

/*
 * The delta of the merge, if it is still the one, and nobody uses it. Without it what still lies in it
 * cannot be merged, and what has been merged stays in it, as changes that the source has already.
 */
static bool open_delta(const struct merge *merge, struct af_delta *delta)
{
	struct delta_fault fault;
	struct stat st;
	int err = delta_open(delta, merge->delta_path, DELTA_MERGE, &fault);

	if (err) {
		log_warn("%s: a merge of it was interrupted, and is ended without it: %s",
			merge->delta_path, fault.text);
		return false;
	}
	if (fstatat(delta->upper_fd, "", &st, AT_EMPTY_PATH) == 0 &&
		st.st_ino == merge->upper_ino && st.st_dev == merge->upper_dev)
		return true;
	/* Emptied since, or another altogether. */
	delta_close(delta);
	return false;
}

static int roll_forward(struct merge *merge)
{
	struct af_delta delta;
	bool had = merge->phase != MERGE_ENDED && open_delta(merge, &delta);
	int err = 0;

	merge->recovering = true;
	merge->upper.root_fd = had ? delta.upper_fd : -1;
	if (merge->phase != MERGE_ENDED) {
		merge->stage_fd = state_open_stage(merge->state);
		err = merge->stage_fd < 0 ? merge->stage_fd : 0;
	}
	if (had && !err)
		take_prepare(merge, &delta);
	if (err)
		log_error("%s: a merge was interrupted, and its stage is lost: %s",
			merge->delta_path, strerror(-err));
	else
		err = finish_merge(merge, had ? &delta : NULL);
	merge->upper.root_fd = -1;
	if (had)
		delta_close(&delta);
	return err;
}

static int drop(const struct sync_state *state)
{
	int err = state_drop(state);

	if (err)
		log_error("what an interrupted merge has staged: %s", strerror(-err));
	return err;
}

int recover_merge(struct sync_state *state, int source_fd)
{
	struct merge merge;
	int err;

	merge_init(&merge, state, source_fd, -1);
	err = journal_open(&merge.journal, state->dir_fd, STATE_JOURNAL, MERGE_LOG_KIND,
		MERGE_LOG_VERSION, O_RDWR);
	if (err == -ENOENT || err == -EBADMSG) {
		/* None, or one whose beginning never reached the disk: nothing was committed. */
		merge_fini(&merge);
		return drop(state);
	}
	if (!err)
		err = record_load(&merge);
	if (err)
		log_error("the journal of an interrupted merge: %s", record_why_not(err));
	else if (merge.is_undo)
		err = undo_resume(state, source_fd, merge.id);
	else if (merge.phase == MERGE_STAGING)
		err = drop(state);
	else
		err = roll_forward(&merge);
	merge_fini(&merge);
	return err;
}
