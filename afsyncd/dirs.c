/*
 * The directories that steps write to: read-only ones of the caller's are made writable meanwhile, and in the
 * end they have the modes, and after all is taken back the times, that they had. See merge.h.
 */
#include "merge.h"

#include "cleanup.h"
#include "log.h"
#include "scan.h"

#include <fcntl.h>
#include <stdlib.h>
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

/* ---- noting ------------------------------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int by_path(const void *path, const void *dir)
{
	return facts_compare(path, ((const struct plan_dir *)dir)->path);
}

static int64_t time_in_sandbox(const struct plan *plan, const char *path)
{
	const struct plan_dir *dir =
		bsearch(path, plan->dirs, plan->dir_count, sizeof(*plan->dirs), by_path);

	return dir ? dir->mtime_ns : MERGE_DIR_KEEP;
}

static int64_t time_in_upper(struct merge *merge, const char *path)
{
	struct stat st;
	int fd;

	return parents_get_dir(&merge->upper, path, &fd) == 0 &&
			fstatat(fd, "", &st, AT_EMPTY_PATH) == 0
		? attrs_ns(st.st_mtim)
		: MERGE_DIR_KEEP;
}

/* What the source has there. One that the merge makes itself has no times to go back to. */
static int describe(struct merge *merge, struct merge_dir *dir)
{
	struct stat st;
	int fd, err = parents_get_dir(&merge->source, dir->path, &fd);

	if (err)
		return err == -ENOENT || err == -ENOTDIR || err == -ELOOP || err == -EXDEV ? 0
											   : err;
	if (fstatat(fd, "", &st, AT_EMPTY_PATH) != 0)
		return -errno;
	dir->mode = st.st_mode;
	dir->dev = st.st_dev;
	dir->ino = st.st_ino;
	dir->atime_ns = attrs_ns(st.st_atim);
	dir->mtime_ns = attrs_ns(st.st_mtim);
	dir->after_ns = time_in_sandbox(merge->plan, dir->path);
	return 0;
}

/* has_rest: something stays in the delta, where the times in upper are asked for again. */
static int add_dir(struct merge *merge, const char *path, bool has_rest)
{
	struct merge_dir *dir = &merge->dirs[merge->dir_count];
	int err;

	*dir = (struct merge_dir){
		.path = strdup(path),
		.after_ns = MERGE_DIR_KEEP,
		.upper_ns = has_rest ? time_in_upper(merge, path) : MERGE_DIR_KEEP,
	};
	if (!dir->path)
		return -ENOMEM;
	merge->dir_count++;
	err = describe(merge, dir);
	if (err || (dir->ino == 0 && dir->upper_ns == MERGE_DIR_KEEP)) {
		free(dir->path);
		merge->dir_count--;
		return err;
	}
	return record_dir(merge, dir);
}

int dirs_note(struct merge *merge)
{
	char **paths = calloc(merge->step_count + 1, sizeof(*paths));
	size_t count = 0;
	bool has_rest = false;
	int err = 0;

	for (size_t i = 0; i < merge->entry_count && !has_rest; i++)
		has_rest = merge->entries[i].stays;
	merge->dirs = calloc(merge->step_count + 1, sizeof(*merge->dirs));
	if (!paths || !merge->dirs)
		err = -ENOMEM;
	for (size_t i = 0; i < merge->step_count && !err; i++) {
		const char *path = merge->steps[i].path, *slash = strrchr(path, '/');
		size_t len = slash ? (size_t)(slash - path) : 0;

		if (count && strncmp(paths[count - 1], path, len) == 0 &&
			paths[count - 1][len] == '\0')
			continue;
		paths[count] = strndup(path, len);
		if (!paths[count++])
			err = -ENOMEM;
	}
	if (!err)
		qsort(paths, count, sizeof(*paths), compare_paths);
	for (size_t i = 0; i < count && !err; i++) {
		if (i == 0 || strcmp(paths[i], paths[i - 1]) != 0)
			err = add_dir(merge, paths[i], has_rest);
	}
	for (size_t i = 0; paths && i < count; i++)
		free(paths[i]);
	free(paths);
	return err;
}

/* ---- giving back -------------------------------------------------------------------------------- */

/* A directory that is still the one that was noted, with its status; -ENOENT: it is not. */
static int find_dir(struct merge *merge, const struct merge_dir *dir, int *fd, struct stat *st)
{
	int err = dir->ino ? parents_get_dir(&merge->source, dir->path, fd) : -ENOENT;

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

int dirs_set_times(struct merge *merge)
{
	for (size_t i = 0; i < merge->dir_count; i++) {
		const struct merge_dir *dir = &merge->dirs[i];
		struct stat st;
		int fd, err;

		if (dir->after_ns == MERGE_DIR_KEEP)
			continue;
		err = find_dir(merge, dir, &fd, &st);
		if (!err)
			err = attrs_write_times(fd, attrs_ns(st.st_atim), dir->after_ns);
		if (err && err != -ENOENT && !finish_is_soft(err))
			return err;
	}
	return 0;
}

int dirs_keep_time(int dirfd, const struct stat *before)
{
	return attrs_write_times(dirfd, attrs_ns(before->st_atim), attrs_ns(before->st_mtim));
}

void dirs_keep_upper_times(struct merge *merge)
{
	for (size_t i = 0; i < merge->dir_count; i++) {
		const struct merge_dir *dir = &merge->dirs[i];
		struct stat st;
		int fd;

		if (dir->upper_ns == MERGE_DIR_KEEP ||
			parents_get_dir(&merge->upper, dir->path, &fd) != 0 ||
			fstatat(fd, "", &st, AT_EMPTY_PATH) != 0 ||
			attrs_ns(st.st_mtim) == dir->upper_ns)
			continue;
		if (attrs_write_times(fd, attrs_ns(st.st_atim), dir->upper_ns) != 0)
			log_info("%s: its time in the delta: %s", dir->path, strerror(errno));
	}
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
