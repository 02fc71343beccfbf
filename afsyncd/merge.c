/*
 * A merge in memory. See merge.h.
 */
#include "merge.h"

#include <stdlib.h>
#include <unistd.h>

void merge_init(struct merge *merge, struct sync_state *state, int source_fd, int upper_fd)
{
	*merge = (struct merge){.state = state, .journal = {.fd = -1}, .stage_fd = -1};
	parents_init(&merge->source, source_fd);
	parents_init(&merge->upper, upper_fd);
}

void merge_fini(struct merge *merge)
{
	for (size_t i = 0; i < merge->entry_count; i++) {
		free(merge->entries[i].path);
		free(merge->entries[i].old_path);
	}
	for (size_t i = 0; i < merge->step_count; i++) {
		free(merge->steps[i].path);
		free(merge->steps[i].from);
		attrs_fini(&merge->steps[i].before);
		attrs_fini(&merge->steps[i].after);
	}
	for (size_t i = 0; i < merge->dir_count; i++)
		free(merge->dirs[i].path);
	free(merge->entries);
	free(merge->steps);
	free(merge->dirs);
	free(merge->delta_path);
	journal_close(&merge->journal);
	if (merge->stage_fd >= 0)
		close(merge->stage_fd);
	parents_fini(&merge->source);
	parents_fini(&merge->upper);
	*merge = (struct merge){.journal = {.fd = -1}, .stage_fd = -1};
}

struct plan_seen merge_seen(const struct stat *st)
{
	return (struct plan_seen){
		.mode = st->st_mode,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = attrs_ns(st->st_mtim),
		.ctime_ns = attrs_ns(st->st_ctim),
	};
}

bool merge_is_same(const struct plan_seen *seen, const struct stat *st, bool compare_ctime)
{
	if (!st || !seen->mode)
		return !st && !seen->mode;
	/* Its owner's bits may be others for as long as it is filled or moved (step.c). */
	if (S_ISDIR(seen->mode))
		return seen->dev == st->st_dev && seen->ino == st->st_ino &&
			(seen->mode | S_IRWXU) == (st->st_mode | S_IRWXU);
	return seen->dev == st->st_dev && seen->ino == st->st_ino && seen->mode == st->st_mode &&
		seen->size == (uint64_t)st->st_size && seen->mtime_ns == attrs_ns(st->st_mtim) &&
		(!compare_ctime || seen->ctime_ns == attrs_ns(st->st_ctim));
}
