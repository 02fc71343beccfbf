/*
 * A plan made into a merge: entries and steps written to a journal, objects staged, and then
 * committed. What happens from there on, here and after a kill, is finish.c's.
 */
#include "apply.h"

#include "cleanup.h"
#include "log.h"
#include "merge.h"

#include <fcntl.h>
#include <string.h>

/* The steps that put something at a path, by path and then in order. */
struct made {
	struct made_step {
		const struct merge_step *step;
	} * steps; /* owned */
	size_t count;
};

static int compare_made(const void *a, const void *b)
{
	const struct merge_step *one = ((const struct made_step *)a)->step;
	const struct merge_step *other = ((const struct made_step *)b)->step;
	int order = strcmp(one->path, other->path);

	return order ? order : (one > other) - (one < other);
}

static bool puts_object(const struct merge_step *step)
{
	return step->kind == STEP_PUT || step->kind == STEP_MKDIR || step->kind == STEP_LINK;
}

static int index_made(struct made *made, const struct merge *merge)
{
	made->count = 0;
	made->steps = reallocarray(NULL, merge->step_count + 1, sizeof(*made->steps));
	if (!made->steps)
		return -ENOMEM;
	for (size_t i = 0; i < merge->step_count; i++) {
		if (puts_object(&merge->steps[i]))
			made->steps[made->count++].step = &merge->steps[i];
	}
	qsort(made->steps, made->count, sizeof(*made->steps), compare_made);
	return 0;
}

/* The last step before this one that puts something at the path, or NULL. */
static const struct merge_step *find_made(
	const struct made *made, const char *path, const struct merge_step *before)
{
	const struct merge_step *found = NULL;
	size_t low = 0, high = made->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(made->steps[middle].step->path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < made->count && strcmp(made->steps[low].step->path, path) == 0; low++) {
		if (made->steps[low].step < before)
			found = made->steps[low].step;
	}
	return found;
}

/* ---- the merge ---------------------------------------------------------------------------------- */

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int add_entries(struct merge *merge, const struct plan *plan)
{
	merge->entries = calloc(plan->entry_count + 1, sizeof(*merge->entries));
	if (!merge->entries)
		return -ENOMEM;
	for (size_t i = 0; i < plan->entry_count; i++) {
		const struct plan_entry *from = &plan->entries[i];
		struct merge_entry *entry = &merge->entries[merge->entry_count++];

		*entry = (struct merge_entry){.letter = from->letter, .stays = from->stays};
		if (from->upper.st_mode && !delta_is_whiteout(&from->upper))
			entry->upper = merge_seen(&from->upper);
		if (copy_text(&entry->path, from->path) != 0 ||
			copy_text(&entry->old_path, from->old_path) != 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_step(struct merge *merge, const struct plan_step *from)
{
	struct merge_step *step = &merge->steps[merge->step_count++];

	*step = (struct merge_step){
		.kind = from->kind,
		.entry = (uint32_t)from->entry,
		.seen = from->seen,
		.keep_attrs = from->keep_attrs,
	};
	if (copy_text(&step->path, from->path) != 0 || copy_text(&step->from, from->from) != 0)
		return -ENOMEM;
	/* Only what is removed has nothing in the delta to be like. */
	if (!step->from && step->kind != STEP_REMOVE)
		return copy_text(&step->from, from->path);
	return 0;
}

static bool has_attrs_step(const struct plan *plan, size_t after, const char *path)
{
	for (size_t i = plan->step_count; i-- > after + 1;) {
		if (plan->steps[i].kind == STEP_ATTRS && strcmp(plan->steps[i].path, path) == 0)
			return true;
	}
	return false;
}

/*
 * All steps of the plan; and for each directory that it makes, its attributes once more at the end, the
 * deepest first: until then it must be possible to fill it, and filling it changes its times.
 */
static int add_steps(struct merge *merge, const struct plan *plan)
{
	int err = 0;

	merge->steps = calloc(plan->step_count * 2 + 1, sizeof(*merge->steps));
	if (!merge->steps)
		return -ENOMEM;
	for (size_t i = 0; i < plan->step_count && !err; i++) {
		if (plan->steps[i].entry >= plan->entry_count)
			return -EINVAL;
		err = add_step(merge, &plan->steps[i]);
	}
	for (size_t i = plan->step_count; i-- > 0 && !err;) {
		struct plan_step attrs = plan->steps[i];

		if (attrs.kind != STEP_MKDIR || has_attrs_step(plan, i, attrs.path))
			continue;
		attrs.kind = STEP_ATTRS;
		attrs.seen = (struct plan_seen){0};
		err = add_step(merge, &attrs);
	}
	return err;
}

/*
 * Where a path gets another type, the plan removes what is there and then puts the new one. Both in one
 * step, so that something is there at every moment.
 */
static void join_replacements(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->step_count; i++) {
		struct plan_step *step = &plan->steps[i], *next = step + 1;

		if (step->kind == STEP_REMOVE && i + 1 < plan->step_count &&
			next->kind != STEP_REMOVE && next->kind != STEP_ATTRS &&
			next->entry == step->entry && strcmp(next->path, step->path) == 0) {
			next->seen = step->seen;
			free(step->path);
			free(step->from);
		} else {
			plan->steps[kept++] = *step;
		}
	}
	plan->step_count = kept;
}

/* ---- staging ------------------------------------------------------------------------------------ */

static int stage_one(struct merge *merge, size_t index, const struct made *made,
	const struct plan_step *plan_step)
{
	struct merge_step *step = &merge->steps[index];
	const struct merge_step *earlier = NULL;
	int err;

	if (step->kind == STEP_LINK)
		earlier = find_made(made, step->from, step);
	else if (step->kind == STEP_ATTRS)
		earlier = find_made(made, step->path, step);
	if (!merge->entries[step->entry].stays) {
		err = stage_step(merge, index, earlier, plan_step ? plan_step->content : NULL,
			plan_step ? plan_step->content_size : 0);
		if (finish_is_soft(err))
			err = finish_drop_entry(merge, step->entry, err);
		if (err)
			return err;
	}
	return record_step(merge, index);
}

static int stage_all(struct merge *merge, const struct plan *plan)
{
	struct made made;
	int err = index_made(&made, merge);

	for (size_t i = 0; i < merge->step_count && !err; i++)
		err = stage_one(merge, i, &made, i < plan->step_count ? &plan->steps[i] : NULL);
	free(made.steps);
	return err;
}

static int begin(struct merge *merge, const struct plan *plan)
{
	int err = record_begin(merge);

	for (size_t i = 0; i < merge->entry_count && !err; i++)
		err = record_entry(merge, &merge->entries[i]);
	if (!err)
		err = dirs_note(merge);
	if (!err)
		err = stage_all(merge, plan);
	if (!err)
		err = finish_sync(merge);
	if (!err && merge->state->dir_fd >= 0 && fsync(merge->state->dir_fd) != 0)
		err = -errno;
	return err ? err : record_phase(merge, MERGE_COMMITTED);
}

static int open_files(struct merge *merge)
{
	merge->stage_fd = state_make_stage(merge->state);
	if (merge->stage_fd < 0)
		return merge->stage_fd;
	/* Durable with all that is staged, by one sync of the filesystem. */
	return journal_create_unsynced(&merge->journal, merge->state->dir_fd, STATE_JOURNAL,
		MERGE_LOG_KIND, MERGE_LOG_VERSION);
}

static int prepare(struct merge *merge, const struct af_delta *delta, struct plan *plan,
	const struct apply_options *options)
{
	struct stat upper;
	int err;

	snprintf(merge->id, sizeof(merge->id), "%s", state_next_id(merge->state));
	merge->plan = plan;
	merge->progress = options->progress;
	merge->time_ns = delta_now_ns();
	take_prepare(merge, delta);
	if (fstatat(delta->upper_fd, "", &upper, AT_EMPTY_PATH) != 0)
		return -errno;
	merge->upper_dev = upper.st_dev;
	merge->upper_ino = upper.st_ino;
	err = copy_text(&merge->delta_path, options->delta_path ? options->delta_path : "");
	if (!err)
		err = add_entries(merge, plan);
	return err ? err : add_steps(merge, plan);
}

/* Rolls back what is not committed: neither the source nor the delta has been touched. */
static void roll_back(const struct merge *merge, int err)
{
	int dropped = state_drop(merge->state);

	log_error("%s: not merged: %s", merge->delta_path, strerror(-err));
	if (dropped)
		log_error("%s: what was staged could not be removed: %s", merge->delta_path,
			strerror(-dropped));
}

static int run(struct merge *merge, struct af_delta *delta, const struct plan *plan)
{
	int err = open_files(merge);

	if (!err)
		err = begin(merge, plan);
	if (err) {
		roll_back(merge, err);
		return err;
	}
	return finish_merge(merge, delta);
}

/* The source has everything already. */
static int clean(struct merge *merge, struct af_delta *delta)
{
	int err = clean_delta(merge, delta);

	if (err)
		log_error("%s: could not be emptied: %s", merge->delta_path, strerror(-err));
	return err;
}

static bool has_work(const struct plan *plan)
{
	for (size_t i = 0; i < plan->entry_count; i++) {
		if (!plan->entries[i].stays)
			return true;
	}
	return false;
}

static void count(const struct plan *plan, struct apply_result *result)
{
	for (size_t i = 0; i < plan->entry_count; i++) {
		if (plan->entries[i].unlisted)
			continue;
		if (plan->entries[i].stays)
			result->stays++;
		else
			result->merged++;
	}
}

int apply_plan(struct sync_state *state, int source_fd, struct af_delta *delta, struct plan *plan,
	const struct apply_options *options, struct apply_result *result)
{
	struct merge merge;
	int err;

	*result = (struct apply_result){0};
	if (plan->failed || !has_work(plan)) {
		count(plan, result);
		return 0;
	}
	join_replacements(plan);
	merge_init(&merge, state, source_fd, delta->upper_fd);
	err = prepare(&merge, delta, plan, options);
	if (err)
		log_error("%s: not merged: %s", options->delta_path, strerror(-err));
	else if (plan->step_count > 0)
		err = run(&merge, delta, plan);
	else
		err = clean(&merge, delta);
	count(plan, result);
	if (!err && merge.phase == MERGE_ENDED) {
		snprintf(result->id, sizeof(result->id), "%s", merge.id);
		undo_prune(state, options->undo_keep);
	}
	merge_fini(&merge);
	return err;
}
