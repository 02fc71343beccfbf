/*
 * The delta's log after a merge: the records of what stays, and no others, since the source is not what
 * they say any more. See merge.h.
 *
 * What stays may be in a directory, or be another name of a file, that was given attributes: their ORIGIN
 * gets these, for what the source has is the sandbox's then.
 */
#include "clean.h"

#include "cleanup.h"

#include <string.h>

/* A path to which the merge gave attributes. */
struct given {
	const char *path;
	const struct attrs *attrs;
};

struct keep {
	const struct af_journal *old;
	const struct staying *staying;
	bool is_volatile;
	struct given *given; /* owned; by path */
	size_t given_count;
};

/* The first of the staying paths that is not before the text of len bytes. */
static size_t lower_bound(const struct staying *staying, const char *text, size_t len)
{
	size_t low = 0, high = staying->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strncmp(staying->paths[middle], text, len) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the first len bytes of path, as a path, are one that stays. */
static bool has_staying(const struct staying *staying, const char *path, size_t len)
{
	size_t i = lower_bound(staying, path, len);

	return i < staying->count && strncmp(staying->paths[i], path, len) == 0 &&
		staying->paths[i][len] == '\0';
}

static bool has_below(const struct staying *staying, const char *path)
{
	af_autofree char *dir = NULL;
	size_t i;

	if (path[0] == '\0')
		return staying->count > 0;
	/* Out of memory: to keep a record too many does no harm. */
	if (asprintf(&dir, "%s/", path) < 0) {
		dir = NULL;
		return true;
	}
	i = lower_bound(staying, dir, strlen(dir));
	return i < staying->count && strncmp(staying->paths[i], dir, strlen(dir)) == 0;
}

/* Whether a path stays, or has to do with one that does: is above or below it. */
static bool is_related(const struct staying *staying, const char *path)
{
	for (const char *end = path + strcspn(path, "/");; end += 1 + strcspn(end + 1, "/")) {
		if (has_staying(staying, path, (size_t)(end - path)))
			return true;
		if (*end == '\0')
			return has_below(staying, path);
	}
}

static bool is_kept(const struct keep *keep, const struct journal_record *record)
{
	struct delta_origin origin;
	struct delta_remove removed;
	struct delta_rename renamed;

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

static int compare_given(const void *a, const void *b)
{
	const struct given *one = a, *other = b;

	return strcmp(one->path, other->path);
}

static int list_given(struct keep *keep, const struct merge *merge)
{
	keep->given = reallocarray(NULL, merge->step_count + 1, sizeof(*keep->given));
	if (!keep->given)
		return -ENOMEM;
	for (size_t i = 0; i < merge->step_count; i++) {
		const struct merge_step *step = &merge->steps[i];

		if (step->kind == STEP_ATTRS && !merge->entries[step->entry].stays)
			keep->given[keep->given_count++] =
				(struct given){.path = step->path, .attrs = &step->after};
	}
	qsort(keep->given, keep->given_count, sizeof(*keep->given), compare_given);
	return 0;
}

static bool renew_origin(const struct keep *keep, struct delta_origin *origin)
{
	const struct given key = {.path = origin->path};
	const struct given *found =
		bsearch(&key, keep->given, keep->given_count, sizeof(*keep->given), compare_given);

	if (!found || ((origin->mode ^ found->attrs->mode) & S_IFMT) != 0)
		return false;
	origin->mode = found->attrs->mode;
	origin->uid = found->attrs->uid;
	origin->gid = found->attrs->gid;
	origin->has_xattrs = true;
	origin->xattrs = attrs_sum_xattrs(found->attrs);
	return true;
}

static int keep_record(
	const struct keep *keep, const struct journal_record *record, struct af_journal *log)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)record->data, .iov_len = record->size};
	struct delta_origin origin;

	if (!is_kept(keep, record))
		return 0;
	if (record->type == DELTA_ORIGIN && keep->given_count > 0 &&
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

int clean_log(struct merge *merge, struct af_delta *delta, const struct staying *staying)
{
	/* A copy of what is read: delta->log is another when it has been replaced. */
	struct af_journal old = delta->log;
	struct keep keep = {.old = &old, .staying = staying, .is_volatile = delta->is_volatile};
	int err = list_given(&keep, merge);

	if (!err)
		err = delta_log_replace(delta, fill, &keep);
	free(keep.given);
	return err;
}
