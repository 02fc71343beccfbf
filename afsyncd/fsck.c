/*
 * Checking a delta. See fsck.h.
 */
#include "fsck.h"

#include "beneath.h"
#include "cleanup.h"
#include "delta.h"
#include "log.h"
#include "names.h"
#include "remove.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

void fsck_found(struct fsck *fsck, const char *place, const char *path, const char *what)
{
	fsck->problems++;
	fputs(place, stdout);
	if (path && *path) {
		putchar('/');
		names_print(stdout, path);
	}
	fputs(": ", stdout);
	names_print(stdout, what);
	putchar('\n');
}

/* ---- the log ------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool fsck_has_origin(const struct fsck *fsck, const char *path)
{
	return fsck->origin_count &&
		bsearch(&path, fsck->origins, fsck->origin_count, sizeof(*fsck->origins), by_text);
}

static int add_origin(struct fsck *fsck, const char *path)
{
	char *copy = strdup(path);

	if (fsck->origin_count == fsck->origin_room) {
		size_t room = fsck->origin_room ? fsck->origin_room * 2 : 256;
		char **more = reallocarray(fsck->origins, room, sizeof(*more));

		if (more) {
			fsck->origins = more;
			fsck->origin_room = room;
		}
	}
	if (!copy || fsck->origin_count == fsck->origin_room) {
		free(copy);
		return -ENOMEM;
	}
	fsck->origins[fsck->origin_count++] = copy;
	return 0;
}

static void check_source(
	struct fsck *fsck, const struct af_delta *delta, const struct delta_source *source)
{
	struct stat st;

	if (fstat(delta->upper_fd, &st) == 0 &&
		(st.st_dev != source->upper_dev || st.st_ino != source->upper_ino))
		fsck_found(fsck, "upper", NULL, "not the one that the log is of: a copy");
	if (stat(source->path, &st) < 0 || st.st_dev != source->dev || st.st_ino != source->ino)
		fsck_found(fsck, "source", source->path,
			"no longer the directory that the delta was made on");
}

/* Decodes the record; 0, -EBADMSG for one that cannot be, or -ENOMEM. */
static int check_record(struct fsck *fsck, const struct af_delta *delta,
	const struct journal_record *record, uint64_t number)
{
	union {
		struct delta_source source;
		struct delta_policy policy;
		struct delta_mount mount;
		struct delta_origin origin;
		struct delta_remove removed;
		struct delta_rename renamed;
		int64_t time_ns;
	} as;
	int err;

	if ((record->type == DELTA_SOURCE) != (number == 1))
		return -EBADMSG;
	switch ((enum delta_record_type)record->type) {
	case DELTA_SOURCE:
		err = delta_read_source(record, &as.source);
		if (!err)
			check_source(fsck, delta, &as.source);
		return err;
	case DELTA_POLICY:
		return delta_read_policy(record, &as.policy);
	case DELTA_MOUNT:
		return delta_read_mount(record, &as.mount);
	case DELTA_UNMOUNT:
		return delta_read_unmount(record, &as.time_ns);
	case DELTA_ORIGIN:
		err = delta_read_origin(record, &as.origin);
		return err ? err : add_origin(fsck, as.origin.path);
	case DELTA_REMOVE:
		return delta_read_remove(record, &as.removed);
	case DELTA_RENAME:
		return delta_read_rename(record, &as.renamed);
	}
	return -EBADMSG;
}

static void tell_torn(
	struct fsck *fsck, const struct af_delta *delta, uint64_t whole, uint64_t size)
{
	char what[128];

	snprintf(what, sizeof(what), "%" PRIu64 " bytes at its end are no whole record%s",
		size - whole, delta->in_use ? "" : ": to be cut off");
	fsck_found(fsck, "meta/log", NULL, what);
}

static int check_log(struct fsck *fsck, const struct af_delta *delta)
{
	struct journal_reader reader;
	struct journal_record record;
	uint64_t number = 0;
	int err = journal_read(&reader, &delta->log);

	while (!err && (err = journal_next(&reader, &record)) > 0) {
		err = check_record(fsck, delta, &record, ++number);
		if (err == -EBADMSG) {
			char what[64];

			snprintf(what, sizeof(what), "record %" PRIu64 ": cannot be", number);
			fsck_found(fsck, "meta/log", NULL, what);
			err = 0;
		}
	}
	/* A writer may be in the middle of one. */
	if (!err && reader.torn && !delta->in_use)
		tell_torn(fsck, delta, reader.offset, reader.size);
	journal_read_end(&reader);
	if (fsck->origin_count)
		qsort(fsck->origins, fsck->origin_count, sizeof(*fsck->origins), by_text);
	return err;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

/* How many entries work has, or -errno. */
static int count_work(const struct af_delta *delta)
{
	af_autoclose int fd =
		delta->work_fd < 0 ? -1 : beneath_reopen(delta->work_fd, O_RDONLY | O_DIRECTORY);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int count = 0;

	if (delta->work_fd < 0)
		return 0;
	if (!dir)
		return fd < 0 ? fd : -errno;
	af_steal_fd(&fd);
	for (const struct dirent *entry; (entry = readdir(dir));)
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	return count;
}

static int check_work(struct fsck *fsck, const struct af_delta *delta)
{
	char what[64];
	int count = delta->in_use ? 0 : count_work(delta);

	if (count <= 0)
		return count;
	snprintf(what, sizeof(what), "%d left over: to be removed", count);
	fsck_found(fsck, "work", NULL, what);
	return 0;
}

static int check_all(struct fsck *fsck, const struct af_delta *delta)
{
	int err = check_log(fsck, delta);

	if (!delta->trusted)
		fsck_found(fsck, "meta", NULL, "others own a part of it or may write there");
	if (!err)
		err = fsck_upper(fsck, delta->upper_fd);
	return err ? err : check_work(fsck, delta);
}

/* As every use of it does: opening cuts the log's end off, and work is of no use to anybody then. */
static int mend(struct fsck *fsck, const char *path)
{
	struct delta_fault fault;
	struct af_delta delta;
	int err = delta_open(&delta, path, DELTA_MERGE, &fault);

	if (err == -EBUSY)
		return 0;
	if (err) {
		fsck_found(fsck, "delta", NULL, fault.text);
		return 0;
	}
	err = remove_entries(delta.work_fd);
	delta_close(&delta);
	return err;
}

int fsck_delta(const char *path)
{
	struct fsck fsck = {0};
	struct delta_fault fault;
	struct af_delta delta;
	int err = delta_open(&delta, path, DELTA_LOOK, &fault);

	if (err == -EBADMSG || err == -EPROTONOSUPPORT) {
		fsck_found(&fsck, "delta", NULL, fault.text);
		return 1;
	}
	if (err) {
		log_error("%s: %s", path, fault.text);
		return err;
	}
	if (delta.in_use)
		log_notice("%s: in use: only looked at", path);
	err = check_all(&fsck, &delta);
	if (!err && !delta.in_use)
		err = mend(&fsck, path);
	delta_close(&delta);
	for (size_t i = 0; i < fsck.origin_count; i++)
		free(fsck.origins[i]);
	free(fsck.origins);
	if (err)
		log_error("%s: %s", path, strerror(-err));
	else if (fsck.problems == 0)
		log_info("%s: clean", path);
	return err ? err : (int)(fsck.problems < 1000000 ? fsck.problems : 1000000);
}
