/*
 * The delta's log after a merge: the records of what stays, and no others, since the source is not what
 * they say any more. See merge.h.
 *
 * What was done to a file's attributes and taken back has changed its ctime, by which it is known that
 * xattrs which differ were changed by the sandbox (gather.c): so its ORIGIN gets the new one.
 */
#include "clean.h"

#include "cleanup.h"

#include <string.h>

struct keep {
	const struct af_journal *old;
	const struct staying *staying; /* NULL: all of it stays */
	bool is_volatile;
	struct merge *merge;
	struct touched {
		const struct merge_step *step; /* STEP_ATTRS */
	} * touched;                           /* owned; by path */
	size_t touched_count;
};

static bool is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return len == 0 || (strncmp(path, dir, len) == 0 && path[len] == '/');
}

/* Whether a path stays, or has to do with one that does: is above or below it. */
static bool is_related(const struct staying *staying, const char *path)
{
	for (size_t i = 0; i < staying->count; i++)
		if (strcmp(staying->paths[i], path) == 0 || is_within(staying->paths[i], path) ||
			is_within(path, staying->paths[i]))
			return true;
	return false;
}

static bool is_kept(const struct keep *keep, const struct journal_record *record)
{
	struct delta_origin origin;
	struct delta_remove removed;
	struct delta_rename renamed;

	if (!keep->staying)
		return true;
	switch ((enum delta_record_type)record->type) {
	case DELTA_SOURCE:
	case DELTA_POLICY:
		return true;
	case DELTA_MOUNT:
		/* It tells whether a volatile delta outlived its machine; others are as merged. */
		return keep->is_volatile;
	case DELTA_UNMOUNT:
		return false;
	case DELTA_ORIGIN:
		return delta_read_origin(record, &origin) == 0 &&
			is_related(keep->staying, origin.path);
	case DELTA_REMOVE:
		return delta_read_remove(record, &removed) == 0 &&
			is_related(keep->staying, removed.path);
	case DELTA_RENAME:
		return delta_read_rename(record, &renamed) == 0 &&
			(is_related(keep->staying, renamed.from) ||
				is_related(keep->staying, renamed.to));
	}
	return false;
}

/* ---- origins ------------------------------------------------------------------------------------ */

static int compare_steps(const void *a, const void *b)
{
	const struct touched *x = a, *y = b;

	return strcmp(x->step->path, y->step->path);
}

static int compare_path(const void *path, const void *item)
{
	return strcmp(path, ((const struct touched *)item)->step->path);
}

static int list_touched(struct keep *keep)
{
	const struct merge *merge = keep->merge;

	keep->touched = reallocarray(NULL, merge->step_count + 1, sizeof(*keep->touched));
	if (!keep->touched)
		return -ENOMEM;
	for (size_t i = 0; i < merge->step_count; i++) {
		const struct merge_step *step = &merge->steps[i];

		if (step->kind == STEP_ATTRS && S_ISREG(step->seen.mode))
			keep->touched[keep->touched_count++].step = step;
	}
	qsort(keep->touched, keep->touched_count, sizeof(*keep->touched), compare_steps);
	return 0;
}

/* Whether the ctime was changed by us alone; then the origin has the new one. */
static bool renew_origin(const struct keep *keep, struct delta_origin *origin)
{
	const struct touched *found = bsearch(origin->path, keep->touched, keep->touched_count,
		sizeof(*keep->touched), compare_path);
	struct stat st;

	if (!found || origin->ctime_ns != found->step->seen.ctime_ns ||
		parents_stat(&keep->merge->source, origin->path, &st) != 0 ||
		!merge_is_same(&found->step->seen, &st, false))
		return false;
	origin->ctime_ns = attrs_ns(st.st_ctim);
	return true;
}

static int keep_record(
	const struct keep *keep, const struct journal_record *record, struct af_journal *log)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)record->data, .iov_len = record->size};
	struct delta_origin origin;

	if (!is_kept(keep, record))
		return 0;
	if (record->type == DELTA_ORIGIN && keep->touched_count > 0 &&
		delta_read_origin(record, &origin) == 0 && renew_origin(keep, &origin))
		return delta_log_origin(log, &origin);
	return journal_append(log, record->type, &part, 1);
}

static int fill(void *arg, struct af_journal *log)
{
	const struct keep *keep = arg;
	struct journal_reader reader;
	struct journal_record record;
	int got = journal_read(&reader, keep->old);

	while (!got && (got = journal_next(&reader, &record)) > 0)
		got = keep_record(keep, &record, log);
	journal_read_end(&reader);
	return got;
}

/* staying NULL: see struct keep. */
static int replace(struct merge *merge, struct af_delta *delta, const struct staying *staying)
{
	/* A copy of what is read: delta->log is another when it has been replaced. */
	struct af_journal old = delta->log;
	struct keep keep = {
		.old = &old, .staying = staying, .is_volatile = delta->is_volatile, .merge = merge};
	int err = list_touched(&keep);

	if (!err && (staying || keep.touched_count > 0))
		err = delta_log_replace(delta, fill, &keep);
	free(keep.touched);
	return err;
}

int clean_log(struct merge *merge, struct af_delta *delta, const struct staying *staying)
{
	return replace(merge, delta, staying);
}

int clean_taken_back(struct merge *merge, struct af_delta *delta)
{
	return replace(merge, delta, NULL);
}
