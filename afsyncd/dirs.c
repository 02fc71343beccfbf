/*
 * The directories that steps write to: read-only ones of the caller's are made writable meanwhile, and in the
 * end they have the modes, and after all is taken back the times, that they had. See merge.h.
 */
#include "merge.h"

#include "cleanup.h"
#include "log.h"

#include <fcntl.h>
#include <string.h>

int dirs_set_mode(int dirfd, const char *name, mode_t mode)
{
	af_autoclose int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char link[32];
	struct stat st;

	if (fd < 0 || fstatat(fd, "", &st, AT_EMPTY_PATH) != 0)
		return -errno;
	if ((st.st_mode & 07777) == mode)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return chmod(link, mode) == 0 ? 0 : -errno;
}

int dirs_lend_write(int dirfd, const char *name)
{
	struct stat st;
	int err;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & S_IWUSR))
		return 0;
	err = dirs_set_mode(dirfd, name, (st.st_mode & 07777) | S_IWUSR);
	return err ? err : 1;
}

/* ---- giving back -------------------------------------------------------------------------------- */

/* A directory that is still the one that was noted, with its status; -ENOENT: it is not. */
static int find_dir(struct merge *merge, const struct merge_dir *dir, int *fd, struct stat *st)
{
	int err = parents_get_dir(&merge->source, dir->path, fd);

	if (err)
		return err == -ENOTDIR || err == -ELOOP ? -ENOENT : err;
	if (fstatat(*fd, "", st, AT_EMPTY_PATH) != 0)
		return -errno;
	return st->st_ino == dir->ino && st->st_dev == dir->dev ? 0 : -ENOENT;
}

/* Takes back what was lent. */
static int restore_mode(const struct merge_dir *dir, int fd, const struct stat *st)
{
	if ((dir->mode & S_IWUSR) || st->st_mode != (dir->mode | S_IWUSR))
		return 0;
	return dirs_set_mode(fd, ".", dir->mode & 07777);
}

static bool gets_attrs(const struct merge *merge, const char *path)
{
	for (size_t i = 0; i < merge->step_count; i++) {
		const struct merge_step *step = &merge->steps[i];

		if (step->kind == STEP_ATTRS && strcmp(step->path, path) == 0 &&
			!merge->entries[step->entry].stays)
			return true;
	}
	return false;
}

int dirs_restore_modes(struct merge *merge)
{
	for (size_t i = 0; i < merge->dir_count; i++) {
		const struct merge_dir *dir = &merge->dirs[i];
		struct stat st;
		int fd, err;

		if ((dir->mode & S_IWUSR) || gets_attrs(merge, dir->path))
			continue;
		err = find_dir(merge, dir, &fd, &st);
		if (!err)
			err = restore_mode(dir, fd, &st);
		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}

static int restore_times(struct merge *merge, const struct merge_dir *dir)
{
	struct stat st;
	int fd, err = find_dir(merge, dir, &fd, &st);

	if (!err)
		err = restore_mode(dir, fd, &st);
	if (!err)
		err = attrs_write_times(fd, dir->atime_ns, dir->mtime_ns);
	return err == -ENOENT ? 0 : err;
}

int dirs_restore_times(struct merge *merge)
{
	int first = 0;

	for (size_t i = merge->dir_count; i-- > 0;) {
		int err = restore_times(merge, &merge->dirs[i]);

		if (!err)
			continue;
		log_warn("%s: its times could not be restored: %s", merge->dirs[i].path,
			strerror(-err));
		if (!first && !finish_is_soft(err))
			first = err;
	}
	return first;
}
