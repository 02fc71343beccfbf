/*
 * Which source a delta is merged into. See where.h; it opens the root, and looks at nothing below.
 */
#include "where.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

/* A delta that was copied, or brought along by an archive, is not the one that its log is of. */
static bool is_its_upper(const struct af_delta *delta, const struct delta_source *source)
{
	struct stat st;

	return fstatat(delta->upper_fd, "", &st, AT_EMPTY_PATH) == 0 &&
		st.st_dev == source->upper_dev && st.st_ino == source->upper_ino;
}

/*
 * Who may write to meta says where we would write to: a record is believed only of a delta that nobody
 * but the caller or root can have made.
 */
int where_read_record(const struct af_delta *delta, struct where_record *record)
{
	struct delta_source source = {.path = NULL};
	struct journal_reader reader;
	struct journal_record first;
	int rc;

	*record = (struct where_record){0};
	if (!delta->trusted || delta->is_new)
		return 0;
	rc = journal_read(&reader, &delta->log);
	if (!rc)
		rc = journal_next(&reader, &first);
	if (rc >= 0)
		rc = rc ? delta_read_source(&first, &source) : -EBADMSG;
	if (!rc && is_its_upper(delta, &source)) {
		record->path = strdup(source.path);
		record->dev = source.dev;
		record->ino = source.ino;
		rc = record->path ? 0 : -ENOMEM;
	}
	journal_read_end(&reader);
	return rc;
}

void where_record_fini(struct where_record *record)
{
	free(record->path);
	*record = (struct where_record){0};
}

static bool is_same(int fd, const struct where_record *record)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == record->dev && st.st_ino == record->ino;
}

static int open_named(struct where *where, const char *named, const struct where_record *record)
{
	where->fd = open(named, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (where->fd >= 0)
		where->path = realpath(named, NULL);
	if (!where->path)
		return -errno;
	if (record && record->path && !is_same(where->fd, record))
		log_warn("%s: not what the delta was made on, which is %s", named, record->path);
	return 0;
}

/* The recorded path is a resolved one: a symlink in it now is somebody's doing since. */
static int open_recorded(struct where *where, const struct where_record *record)
{
	int fd = path_openat2(AT_FDCWD, record->path, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);

	if (fd < 0)
		return fd;
	where->fd = fd;
	if (!is_same(fd, record))
		return -ESTALE;
	where->path = strdup(record->path);
	return where->path ? 0 : -ENOMEM;
}

static int report(const char *path, int err)
{
	if (err == -ESTALE)
		log_error(
			"%s: no longer the directory that the delta was made on; name the source: "
			"afsyncd DELTA SOURCE",
			path);
	else if (err)
		log_error("%s: %s", path, strerror(-err));
	return err;
}

int where_open(struct where *where, const char *named, const struct where_record *record)
{
	int err;

	*where = WHERE_NONE;
	if (named) {
		err = report(named, open_named(where, named, record));
	} else if (record && record->path) {
		err = report(record->path, open_recorded(where, record));
	} else {
		log_error("source: the delta does not say what it was made on, or it is a copy, or "
			  "others could have written that; name it: afsyncd DELTA SOURCE");
		err = -EPERM;
	}
	if (err)
		where_fini(where);
	return err;
}

void where_fini(struct where *where)
{
	cleanup_close(&where->fd);
	free(where->path);
	*where = WHERE_NONE;
}
