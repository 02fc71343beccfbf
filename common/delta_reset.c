/*
 * Making a delta's log anew, and emptying a delta, so that a crash at any point leaves the old one
 * or the new one.
 *
 * A reset is committed when upper is exchanged for an empty directory. From before that on there is
 * an empty log beside the old one; the next who has the lock puts it into its place if upper is
 * empty.
 */
#include "delta_internal.h"

#include "cleanup.h"
#include "path.h"
#include "remove.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

/* In work: the empty upper before the exchange, the old one after it. */
#define EXCHANGED "upper"

int delta_is_empty(int dir_fd)
{
	af_autoclose int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return -errno;
	af_steal_fd(&fd);
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	if (errno)
		return -errno;
	return entry ? 0 : 1;
}

static int ignore_missing(int rc)
{
	return rc == -ENOENT ? 0 : rc;
}

static int sync_dir(const struct af_delta *delta, int fd)
{
	return delta->is_volatile ? 0 : journal_sync_dir(fd);
}

/* ---- logs ------------------------------------------------------------------------------------ */

static int make(const struct af_delta *delta, const char *name, struct af_journal *log)
{
	int rc = ignore_missing(remove_tree(delta->meta_fd, name));

	*log = (struct af_journal){.fd = -1};
	if (rc)
		return rc;
	return (delta->is_volatile ? journal_create_unsynced : journal_create)(
		log, delta->meta_fd, name, DELTA_LOG_KIND, DELTA_LOG_VERSION);
}

/* Puts the log with this name into the other's place; *log becomes the delta's. */
static int replace(struct af_delta *delta, const char *name, struct af_journal *log)
{
	if (renameat(delta->meta_fd, name, delta->meta_fd, DELTA_LOG) < 0)
		return -errno;
	journal_close(&delta->log);
	delta->log = *log;
	*log = (struct af_journal){.fd = -1};
	return sync_dir(delta, delta->meta_fd);
}

int delta_log_replace(
	struct af_delta *delta, int (*fill)(void *arg, struct af_journal *log), void *arg)
{
	struct af_journal log;
	int rc = make(delta, DELTA_LOG_NEXT, &log);

	if (!rc)
		rc = fill(arg, &log);
	if (!rc && !delta->is_volatile)
		rc = journal_sync(&log);
	if (!rc)
		rc = replace(delta, DELTA_LOG_NEXT, &log);
	if (log.fd >= 0) {
		journal_close(&log);
		unlinkat(delta->meta_fd, DELTA_LOG_NEXT, 0);
	}
	return rc;
}

/* No record; but what lies beside the log is durable before the log is. */
static int fill_new(void *arg, struct af_journal *log)
{
	const struct af_delta *delta = arg;

	(void)log;
	return sync_dir(delta, delta->dir_fd);
}

int delta_log_make(struct af_delta *delta)
{
	return delta_log_replace(delta, fill_new, delta);
}

int delta_recover(const struct af_delta *delta)
{
	int rc = ignore_missing(remove_tree(delta->meta_fd, DELTA_LOG_NEXT));

	if (rc || faccessat(delta->meta_fd, DELTA_LOG_RESET, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return rc;
	rc = delta_is_empty(delta->upper_fd);
	if (rc <= 0)
		return rc < 0 ? rc : remove_tree(delta->meta_fd, DELTA_LOG_RESET);
	if (renameat(delta->meta_fd, DELTA_LOG_RESET, delta->meta_fd, DELTA_LOG) < 0)
		return -errno;
	return sync_dir(delta, delta->meta_fd);
}

/* ---- upper ----------------------------------------------------------------------------------- */

static int exchange_upper(struct af_delta *delta)
{
	int fd, rc = ignore_missing(remove_tree(delta->work_fd, EXCHANGED));

	if (rc)
		return rc;
	if (mkdirat(delta->work_fd, EXCHANGED, S_IRWXU) < 0)
		return -errno;
	fd = path_openat2(delta->work_fd, EXCHANGED, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return fd;
	if (renameat2(delta->work_fd, EXCHANGED, delta->dir_fd, DELTA_UPPER, RENAME_EXCHANGE) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	close(delta->upper_fd);
	delta->upper_fd = fd;
	rc = sync_dir(delta, delta->dir_fd);
	return rc ? rc : sync_dir(delta, delta->work_fd);
}

int delta_reset(struct af_delta *delta)
{
	struct af_journal log;
	int rc = make(delta, DELTA_LOG_RESET, &log);

	if (!rc)
		rc = exchange_upper(delta);
	if (!rc)
		rc = replace(delta, DELTA_LOG_RESET, &log);
	journal_close(&log);
	if (rc)
		return rc;
	delta->is_new = true;
	return remove_entries(delta->work_fd);
}
