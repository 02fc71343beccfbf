/*
 * The delta's log after a merge: the records of what stays, and no others, since the source is not what
 * they say any more. See merge.h.
 */
#include "merge.h"

#include "cleanup.h"
#include "clean.h"

#include <string.h>

struct keep {
	const struct af_journal *old;
	const struct staying *staying;
	bool is_volatile;
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

static int fill(void *arg, struct af_journal *log)
{
	const struct keep *keep = arg;
	struct journal_reader reader;
	struct journal_record record;
	int got = journal_read(&reader, keep->old);

	while (!got && (got = journal_next(&reader, &record)) > 0) {
		struct iovec part = {
			.iov_base = (void *)(uintptr_t)record.data, .iov_len = record.size};

		got = is_kept(keep, &record) ? journal_append(log, record.type, &part, 1) : 0;
	}
	journal_read_end(&reader);
	return got;
}

int clean_log(struct af_delta *delta, const struct staying *staying)
{
	/* A copy of what is read: delta->log is another when it has been replaced. */
	struct af_journal old = delta->log;
	struct keep keep = {.old = &old, .staying = staying, .is_volatile = delta->is_volatile};

	return delta_log_replace(delta, fill, &keep);
}
