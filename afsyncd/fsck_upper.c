/*
 * Each entry of a delta's upper by itself: is it what agentfensefs leaves there? See fsck.h; nothing is
 * opened but directories.
 */
#include "fsck.h"

#include "beneath.h"
#include "cleanup.h"
#include "delta.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/xattr.h>

/* Directories that are still to be looked into: paths, the last first. */
struct todo {
	char **paths;
	size_t count, room;
};

static int push(struct todo *todo, char *path)
{
	if (todo->count == todo->room) {
		size_t room = todo->room ? todo->room * 2 : 64;
		char **more = reallocarray(todo->paths, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		todo->paths = more;
		todo->room = room;
	}
	todo->paths[todo->count++] = path;
	return 0;
}

/* Whether bookkeeping of this name has a value that it can have. */
static bool value_is_right(const char *file, const char *name, bool is_dir)
{
	char value[16];
	ssize_t len = getxattr(file, name, value, sizeof(value));

	if (strcmp(name, DELTA_XATTR_OPAQUE) == 0)
		return is_dir && len == 1 && value[0] == 'y';
	return strcmp(name, DELTA_XATTR_INO) == 0 && len == 8;
}

static void check_xattr(
	struct fsck *fsck, const char *path, const char *file, const char *name, bool is_dir)
{
	char theirs[XATTR_NAME_MAX + 1];

	if (strcmp(name, "security.capability") == 0)
		fsck_found(fsck, "upper", path, "capabilities");
	else if (strncmp(name, DELTA_XATTR_PREFIX, strlen(DELTA_XATTR_PREFIX)) == 0 &&
		delta_xattr_unescape(theirs, sizeof(theirs), name) == -ENODATA &&
		!value_is_right(file, name, is_dir))
		fsck_found(fsck, "upper", path, "bookkeeping that cannot be: user.overlay.*");
}

static int check_xattrs(struct fsck *fsck, const char *path, int object, bool is_dir)
{
	char file[64], names[65536];
	ssize_t len;

	snprintf(file, sizeof(file), "/proc/self/fd/%d", object);
	len = listxattr(file, names, sizeof(names));
	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1)
		check_xattr(fsck, path, file, names + i, is_dir);
	return 0;
}

static int check_entry(struct fsck *fsck, const char *path, int object, const struct stat *st)
{
	bool is_dir = S_ISDIR(st->st_mode);

	if (delta_is_whiteout(st) && !fsck_has_origin(fsck, path))
		fsck_found(fsck, "upper", path, "a whiteout of what the log does not know");
	else if ((S_ISCHR(st->st_mode) && !delta_is_whiteout(st)) || S_ISBLK(st->st_mode))
		fsck_found(fsck, "upper", path, "a device");
	if (S_ISREG(st->st_mode) &&
		((st->st_mode & S_ISUID) ||
			(st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP)))
		fsck_found(fsck, "upper", path, "set-id bits");
	if (S_ISREG(st->st_mode) || is_dir)
		return check_xattrs(fsck, path, object, is_dir);
	return 0;
}

/* One name in the open directory `dir`, whose path is dir_path ("" for upper itself). */
static int check_name(
	struct fsck *fsck, struct todo *todo, int dir, const char *dir_path, const char *name)
{
	af_autofree char *path = NULL;
	af_autoclose int object = beneath_open(dir, name);
	struct stat st;
	int err;

	if (asprintf(&path, "%s%s%s", dir_path, *dir_path ? "/" : "", name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (object < 0 || fstat(object, &st) < 0) {
		fsck_found(fsck, "upper", path, strerror(object < 0 ? -object : errno));
		return 0;
	}
	err = check_entry(fsck, path, object, &st);
	if (!err && S_ISDIR(st.st_mode)) {
		err = push(todo, path);
		if (!err)
			path = NULL;
	}
	return err;
}

static int check_dir(struct fsck *fsck, struct todo *todo, int upper_fd, const char *path)
{
	af_autoclose int object = *path ? beneath_open(upper_fd, path) : dup(upper_fd);
	af_autoclose int fd = object < 0 ? -1 : beneath_reopen(object, O_RDONLY | O_DIRECTORY);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int err = 0;

	if (!dir) {
		fsck_found(fsck, "upper", path, strerror(fd < 0 ? -fd : errno));
		return 0;
	}
	af_steal_fd(&fd);
	while (!err && (errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			err = check_name(fsck, todo, dirfd(dir), path, entry->d_name);
	return err ? err : -errno;
}

int fsck_upper(struct fsck *fsck, int upper_fd)
{
	struct todo todo = {0};
	int err = check_xattrs(fsck, NULL, upper_fd, true);

	if (!err)
		err = check_dir(fsck, &todo, upper_fd, "");
	while (!err && todo.count > 0) {
		af_autofree char *path = todo.paths[--todo.count];

		err = check_dir(fsck, &todo, upper_fd, path);
	}
	for (size_t i = 0; i < todo.count; i++)
		free(todo.paths[i]);
	free(todo.paths);
	return err;
}
