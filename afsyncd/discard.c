/*
 * Throwing a delta away. See discard.h.
 */
#include "discard.h"

#include "cleanup.h"
#include "delta.h"
#include "log.h"
#include "remove.h"

#include <fcntl.h>
#include <string.h>

/* The delta's names, of which the log is the last to go: what has it can be discarded again. */
#define UPPER "upper"
#define WORK "work"
#define META "meta"
#define LOG "log"
#define LOCK "lock"

static int ignore_missing(int err)
{
	return err == -ENOENT ? 0 : err;
}

/* In one step it is no delta any more that could be merged or mounted, with half of what it had. */
static int invalidate(const struct af_delta *delta)
{
	int err;

	if (delta->upper_fd < 0)
		return 0;
	if (delta->work_fd >= 0) {
		err = remove_entries(delta->work_fd);
		if (err || renameat(delta->dir_fd, UPPER, delta->work_fd, UPPER) == 0)
			return err;
	}
	/* What cannot be moved (another filesystem) goes file by file. */
	return remove_tree(delta->dir_fd, UPPER);
}

/* All of meta but the log, and the lock, which is held. */
static int remove_records(int meta_fd)
{
	af_autoclose int fd = openat(meta_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	if (!dir)
		return -errno;
	af_steal_fd(&fd);
	while (!err && (errno = 0, entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, LOG) != 0 &&
			strcmp(name, LOCK) != 0)
			err = remove_tree(meta_fd, name);
	}
	return err ? err : -errno;
}

static int remove_parts(const struct af_delta *delta)
{
	int err = invalidate(delta);

	if (!err)
		err = ignore_missing(remove_tree(delta->dir_fd, WORK));
	if (!err)
		err = remove_records(delta->meta_fd);
	if (!err)
		err = ignore_missing(remove_tree(delta->meta_fd, LOG));
	return err ? err : remove_tree(delta->dir_fd, META);
}

int discard_delta(const char *path)
{
	af_autofree char *real = realpath(path, NULL);
	struct delta_fault fault;
	struct af_delta delta;
	int err;

	if (!real) {
		err = -errno;
		log_error("%s: %s", path, strerror(-err));
		return err;
	}
	/* A new one, or the last that is left of one. */
	if (rmdir(real) == 0)
		return 0;
	err = delta_open(&delta, real, DELTA_DISCARD, &fault);
	if (err) {
		log_error("%s: %s", path, fault.text);
		return err;
	}
	err = remove_parts(&delta);
	if (!err && rmdir(real) < 0)
		err = -errno;
	if (err)
		log_error("%s: %s", path, strerror(-err));
	delta_close(&delta);
	return err;
}
