/*
 * A committed merge carried out to its end: step by step, then durable, then out of the delta,
 * then filed. The same for a merge just begun and for one that was killed; see merge.h for the phases.
 */
#include "merge.h"

#include "cleanup.h"
#include "log.h"
#include "progress.h"

#include <fcntl.h>
#include <string.h>

bool finish_is_soft(int err)
{
	switch (-err) {
	case ESTALE:
	case EACCES:
	case EPERM:
	case EBUSY:
	case EXDEV:
	case ENAMETOOLONG:
	case EMLINK:
	case ETXTBSY:
		return true;
	default:
		return false;
	}
}

int finish_sync(const struct merge *merge)
{
	return syncfs(merge->stage_fd) == 0 ? 0 : -errno;
}

/* ---- entries that stay -------------------------------------------------------------------------- */

static void tell_plan(const struct merge *merge, uint32_t index, const char *why)
{
	struct plan_entry *entry;

	if (!merge->plan)
		return;
	entry = &merge->plan->entries[index];
	entry->letter = PLAN_CONFLICT;
	entry->stays = true;
	entry->unlisted = false;
	free(entry->why);
	/* Without memory for the reason it is a conflict all the same. */
	entry->why = strdup(why);
}

static bool is_at_or_in(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* Whether it belongs to a rename: is one side of it, or in a directory that is. */
static bool is_of_rename(const struct merge_entry *entry, const struct merge_entry *rename)
{
	return rename->letter == PLAN_RENAMED && rename->old_path &&
		(is_at_or_in(entry->path, rename->path) ||
			is_at_or_in(entry->path, rename->old_path));
}

/* Marks all that belongs to a rename that is marked. Whether something came. */
static bool mark_renamed(const struct merge *merge, bool *marked, const struct merge_entry *rename)
{
	bool more = false;

	for (size_t i = 0; i < merge->entry_count; i++) {
		if (marked[i] || merge->entries[i].stays ||
			!is_of_rename(&merge->entries[i], rename))
			continue;
		marked[i] = true;
		more |= merge->entries[i].letter == PLAN_RENAMED;
	}
	return more;
}

/*
 * What cannot stay without this one, or go: where what moved does not arrive, it does not leave either, and
 * the other way round. The caller's to free; NULL: no memory.
 */
static bool *mark_group(const struct merge *merge, uint32_t entry)
{
	bool *marked = calloc(merge->entry_count, sizeof(*marked)), more = true;

	if (!marked)
		return NULL;
	marked[entry] = true;
	for (size_t i = 0; i < merge->entry_count; i++)
		if (is_of_rename(&merge->entries[entry], &merge->entries[i]))
			marked[i] = true;
	while (more) {
		more = false;
		for (size_t i = 0; i < merge->entry_count; i++)
			if (marked[i] && merge->entries[i].letter == PLAN_RENAMED)
				more |= mark_renamed(merge, marked, &merge->entries[i]);
	}
	return marked;
}

/* Takes back what has been done of these. What cannot be is left and told. */
static int revert_entries(struct merge *merge, const bool *marked)
{
	for (size_t i = merge->step_count; i-- > 0;) {
		int err;

		if (!marked[merge->steps[i].entry])
			continue;
		err = step_revert(merge, i);
		if (err && !finish_is_soft(err) && err != -EEXIST && err != -ENOENT)
			return err;
		if (err)
			log_warn("%s: could not be taken back: %s", merge->steps[i].path,
				strerror(-err));
	}
	return 0;
}

static int record_staying(struct merge *merge, const bool *marked)
{
	int err = 0;

	for (size_t i = 0; i < merge->entry_count && !err; i++) {
		if (!marked[i])
			continue;
		merge->entries[i].stays = true;
		if (merge->plan)
			merge->plan->entries[i].stays = true;
		if (merge->entries[i].letter == PLAN_RENAMED)
			tell_plan(merge, (uint32_t)i, "not all of it could be moved");
		err = record_stays(merge, (uint32_t)i);
	}
	return err;
}

int finish_drop_entry(struct merge *merge, uint32_t entry, int err)
{
	const char *why = err == -ESTALE ? "changed meanwhile" : strerror(-err);
	af_autofree bool *marked = NULL;
	int reverted = 0;

	if (merge->entries[entry].stays)
		return 0;
	marked = mark_group(merge, entry);
	if (!marked)
		return -ENOMEM;
	if (merge->phase == MERGE_COMMITTED)
		reverted = revert_entries(merge, marked);
	if (!reverted)
		reverted = record_staying(merge, marked);
	if (!reverted)
		tell_plan(merge, entry, why);
	return reverted;
}

/* ---- steps -------------------------------------------------------------------------------------- */

static int run_step(struct merge *merge, size_t index)
{
	enum step_place place = STEP_TO_DO;
	int err = merge->recovering ? step_place(merge, index, &place) : 0;

	if (err)
		return err;
	return place == STEP_DONE ? step_settle(merge, index) : step_do(merge, index);
}

static int run_steps(struct merge *merge)
{
	struct progress progress;
	int err = 0;

	progress_begin(&progress, merge->progress, "merging", merge->step_count);
	for (size_t i = 0; i < merge->step_count && !err; i++) {
		uint32_t entry = merge->steps[i].entry;

		progress_tell(&progress, i);
		if (merge->entries[entry].stays)
			continue;
		err = run_step(merge, i);
		if (finish_is_soft(err))
			err = finish_drop_entry(merge, entry, err);
	}
	progress_end(&progress);
	return err;
}

/* Everything as it was. What the source has made of it meanwhile stays, and is told. */
static int take_back(struct merge *merge)
{
	int err = 0;

	for (size_t i = merge->step_count; i-- > 0 && !err;) {
		if (merge->entries[merge->steps[i].entry].stays)
			continue;
		err = step_revert(merge, i);
		if (finish_is_soft(err) || err == -EEXIST || err == -ENOENT) {
			log_warn("%s: could not be taken back: %s", merge->steps[i].path,
				strerror(-err));
			err = 0;
		}
	}
	if (!err)
		err = dirs_restore_times(merge);
	if (!err)
		err = finish_sync(merge);
	return err ? err : state_drop(merge->state);
}

/* why: what failed, or 0 where that was in another process. */
static int abort_merge(struct merge *merge, int why)
{
	int err;

	if (merge->phase != MERGE_ABORTED && record_phase(merge, MERGE_ABORTED) != 0)
		/* Then a kill from here on is rolled forward: as good an end. */
		merge->phase = MERGE_ABORTED;
	if (why)
		log_error("%s: not merged: %s", merge->delta_path, strerror(-why));
	err = take_back(merge);
	if (err)
		log_error("%s: could not be taken back: %s; the next merge tries again",
			merge->delta_path, strerror(-err));
	return why ? why : err;
}

/* ---- the end ------------------------------------------------------------------------------------ */

/* Objects of entries that stay were never used: undo has no need of them. */
static void remove_unused(const struct merge *merge)
{
	for (size_t i = 0; i < merge->step_count; i++) {
		const struct merge_step *step = &merge->steps[i];
		struct object_name name = object_name(i);
		struct stat st;

		if (!merge->entries[step->entry].stays || step->kind == STEP_ATTRS ||
			fstatat(merge->stage_fd, name.text, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
			st.st_ino != step->put.ino)
			continue;
		if (unlinkat(merge->stage_fd, name.text, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0))
			log_info("%s: %s", name.text, strerror(errno));
	}
}

static int finish_applied(struct merge *merge, struct af_delta *delta)
{
	int err = 0;

	if (merge->phase == MERGE_APPLIED) {
		remove_unused(merge);
		err = delta ? clean_delta(merge, delta) : 0;
		if (!err)
			err = record_phase(merge, MERGE_ENDED);
	}
	return err ? err : state_file(merge->state, merge->id);
}

int finish_merge(struct merge *merge, struct af_delta *delta)
{
	int err = 0;

	if (merge->phase == MERGE_ABORTED)
		return abort_merge(merge, 0);
	if (merge->phase == MERGE_COMMITTED) {
		err = run_steps(merge);
		if (!err)
			err = dirs_restore_modes(merge);
		if (!err)
			err = dirs_set_times(merge);
		if (!err)
			err = finish_sync(merge);
		if (!err)
			err = record_phase(merge, MERGE_APPLIED);
		if (err)
			return abort_merge(merge, err);
	}
	err = finish_applied(merge, delta);
	if (err)
		log_error("%s: merged, but not ended: %s; the next merge does so",
			merge->delta_path, strerror(-err));
	return err;
}
