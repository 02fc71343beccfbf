/*
 * Times of directories. See decide.h. Pure.
 *
 * Names that come and go change a directory's mtime, in the sandbox and again in the merge: that is no
 * change of its own, and no conflict, but the source's gets the time that it had in the sandbox. Only where
 * nothing in it changed has somebody set the time, and it is merged for itself.
 */
#include "decide_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* A directory of both that nobody but the sandbox has changed since. */
static bool is_ours(const struct fact *fact)
{
	int64_t now = ns_of(&fact->source.st_mtim);

	return S_ISDIR(fact->upper.st_mode) && S_ISDIR(fact->source.st_mode) &&
		!decide_barrier(fact) &&
		(now == ns_of(&fact->upper.st_mtim) ||
			(fact->origin && fact->origin->record.mode != 0 &&
				now == fact->origin->record.mtime_ns));
}

void decide_dir_times(const struct planner *planner)
{
	const struct facts *facts = planner->facts;

	for (size_t i = 0; i < facts->count; i++) {
		size_t up = decide_parent(facts, i);

		if (up != SIZE_MAX && planner->decided[i].fate != FATE_NOTHING)
			planner->decided[up].has_changes = true;
	}
	for (size_t i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->items[i];
		struct decided *decided = &planner->decided[i];

		if (decided->kind != DECIDE_NOTHING || !fact->taken || decided->has_changes ||
			!is_ours(fact) ||
			ns_of(&fact->upper.st_mtim) == ns_of(&fact->source.st_mtim))
			continue;
		decided->kind = DECIDE_ATTRS;
		decided->letter = PLAN_MODE;
		decided->fate = FATE_DO;
		decided->listed = true;
	}
}

int decide_dirs(const struct planner *planner)
{
	const struct facts *facts = planner->facts;
	struct plan *plan = planner->plan;

	plan->dirs = calloc(facts->count + 1, sizeof(*plan->dirs));
	if (!plan->dirs)
		return -ENOMEM;
	for (size_t i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->items[i];
		struct plan_dir *dir = &plan->dirs[plan->dir_count];

		if (!is_ours(fact))
			continue;
		*dir = (struct plan_dir){
			.path = strdup(fact->path), .mtime_ns = ns_of(&fact->upper.st_mtim)};
		if (!dir->path)
			return -ENOMEM;
		plan->dir_count++;
	}
	return 0;
}
