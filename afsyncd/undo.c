/*
 * A whole merge taken back, and the history of merges. See apply.h.
 *
 * undo/ID has the journal of the merge and what its steps displaced. First everything is looked at: where
 * the source has moved on, nothing is done. Then STATE/journal says that the undo is under way, and
 * the steps are taken back in reverse order; each can be taken back twice, so a kill is met by going on.
 */
#include "apply.h"

#include "cleanup.h"
#include "log.h"
#include "merge.h"
#include "path.h"
#include "undo_check.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

/* Reads undo/ID into the merge, ready to be taken back. 0 or -errno. */
static int load(struct merge *merge, struct sync_state *state, int source_fd, const char *id)
{
	int err;

	merge_init(merge, state, source_fd, -1);
	merge->undoing = merge->recovering = true;
	merge->stage_fd = path_openat2(state->undo_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (merge->stage_fd < 0)
		return merge->stage_fd;
	err = journal_open(&merge->journal, merge->stage_fd, STATE_JOURNAL, MERGE_LOG_KIND,
		MERGE_LOG_VERSION, O_RDONLY);
	if (!err)
		err = record_load(merge);
	/* Only what ended is filed. */
	return !err && merge->phase != MERGE_ENDED ? -EBADMSG : err;
}

/* ---- taking back -------------------------------------------------------------------------------- */

static int begin(struct merge *merge, const char *id)
{
	struct sync_state *state = merge->state;
	struct af_journal journal;
	int err = journal_create(
		&journal, state->dir_fd, STATE_JOURNAL, MERGE_LOG_KIND, MERGE_LOG_VERSION);

	if (err)
		return err;
	err = record_undo(&journal, id);
	if (!err)
		err = journal_sync(&journal);
	journal_close(&journal);
	return err;
}

/* All steps: 0; 1: but for some, which are told; or -errno. */
static int revert_steps(struct merge *merge)
{
	int left = 0;

	for (size_t i = merge->step_count; i-- > 0;) {
		int err;

		if (merge->entries[merge->steps[i].entry].stays)
			continue;
		err = step_revert(merge, i);
		if (!err)
			continue;
		if (!finish_is_soft(err) && err != -ENOENT && err != -EEXIST)
			return err;
		log_warn("%s: could not be taken back: %s", merge->steps[i].path,
			err == -ESTALE ? "changed meanwhile" : strerror(-err));
		left = 1;
	}
	return left;
}

/*
 * From begun to ended, also after a kill: 0 or -errno; 1: something could not be taken back. Then what
 * it was stays where it is.
 */
static int take_back(struct merge *merge)
{
	int left = revert_steps(merge);
	int err = left < 0 ? left : dirs_restore_times(merge);

	if (!err)
		err = finish_sync(merge);
	if (!err && !left)
		err = state_forget(merge->state, merge->id);
	if (!err)
		err = state_drop(merge->state);
	if (!err && left)
		log_warn("%s: not all was taken back: what the rest had been stays in undo/%s",
			merge->id, merge->id);
	return err ? err : left;
}

int undo_resume(struct sync_state *state, int source_fd, const char *id)
{
	struct merge merge;
	int err = load(&merge, state, source_fd, id);

	/* Gone: it had been taken back, and only this was left to be said. */
	if (err == -ENOENT)
		err = state_drop(state);
	else if (!err)
		err = take_back(&merge);
	if (err < 0)
		log_error("%s: the undo that was interrupted: %s", id, record_why_not(err));
	merge_fini(&merge);
	return err < 0 ? err : 0;
}

static int undo_id(struct sync_state *state, int source_fd, const char *id)
{
	struct merge merge;
	int err = load(&merge, state, source_fd, id);

	if (err) {
		log_error("%s: %s", id,
			err == -ENOENT ? "no such merge; see --history" : record_why_not(err));
	} else {
		err = undo_check(&merge);
		if (!err)
			err = begin(&merge, id);
		if (!err)
			err = take_back(&merge);
		if (err > 0)
			err = -ESTALE;
		else if (err && err != -ESTALE)
			log_error("%s: %s", id, strerror(-err));
	}
	merge_fini(&merge);
	return err;
}

int undo_merge(struct sync_state *state, int source_fd, const char *id)
{
	char **ids;
	size_t count;
	int err;

	if (id && !state_is_id(id)) {
		log_error("%s: not the id of a merge; see --history", id);
		return -EINVAL;
	}
	if (id)
		return undo_id(state, source_fd, id);
	err = state_list(state, &ids, &count);
	if (err) {
		log_error("the history: %s", strerror(-err));
		return err;
	}
	if (count > 0) {
		err = undo_id(state, source_fd, ids[count - 1]);
	} else {
		log_error("there is no merge to undo");
		err = -ENOENT;
	}
	state_list_free(ids, count);
	return err;
}

/* ---- the history -------------------------------------------------------------------------------- */

void undo_prune(const struct sync_state *state, unsigned int keep)
{
	char **ids;
	size_t count;
	int err = state_list(state, &ids, &count);

	if (err)
		return;
	for (size_t i = 0; i + keep < count && !err; i++) {
		err = state_forget(state, ids[i]);
		if (err)
			log_warn("undo/%s: %s", ids[i], strerror(-err));
	}
	state_list_free(ids, count);
}

static int print_one(const struct sync_state *state, const char *id, bool json, bool nul)
{
	struct merge merge;
	int err = load(&merge, (struct sync_state *)(uintptr_t)state, -1, id);

	if (!err)
		history_print(stdout, &merge, json, nul);
	else
		log_warn("undo/%s: %s", id, record_why_not(err));
	merge_fini(&merge);
	return err == -ENOMEM ? err : 0;
}

int undo_print_history(struct sync_state *state, bool json, bool nul)
{
	char **ids;
	size_t count;
	int err = state_list(state, &ids, &count);

	if (err) {
		log_error("the history: %s", strerror(-err));
		return err;
	}
	for (size_t i = count; i-- > 0 && !err;)
		err = print_one(state, ids[i], json, nul);
	state_list_free(ids, count);
	return err;
}
