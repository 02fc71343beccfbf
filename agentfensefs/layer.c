/*
 * The source as a layer of files. See layer.h; it knows nothing of levels, nodes or requests.
 */
#include "layer.h"

#include "cleanup.h"
#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* Opens one component: in our own clone nothing can lead out; elsewhere mounts must not. */
static int open_one(
	const struct af_layer *layer, int dirfd, const char *name, int flags, mode_t mode)
{
	int fd;

	if (!layer->alone)
		return path_openat2(dirfd, name, flags | O_NOFOLLOW, mode,
			RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
	fd = openat(dirfd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

int layer_open(struct af_layer *layer, const char *path, bool read_only)
{
	struct mount_attr nodev = {.attr_set = MOUNT_ATTR_NODEV};
	af_autoclose int plain = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int clone;

	if (plain < 0 || fstat(plain, &layer->root) != 0)
		return -errno;
	clone = (int)syscall(
		SYS_open_tree, plain, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (read_only) {
		nodev.attr_set |= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME;
		nodev.attr_clr = MOUNT_ATTR__ATIME;
	}
	/* So a device that takes a file's place is not even opened. */
	if (clone >= 0)
		syscall(SYS_mount_setattr, clone, "", AT_EMPTY_PATH, &nodev, sizeof(nodev));
	layer->alone = clone >= 0;
	layer->root_fd = clone >= 0 ? clone : af_steal_fd(&plain);
	return 0;
}

void layer_close(struct af_layer *layer)
{
	if (layer->root_fd >= 0)
		close(layer->root_fd);
	layer->root_fd = -1;
}

int layer_stat(const struct af_layer *layer, int dirfd, const char *name, struct stat *st)
{
	if (!layer->alone) {
		af_autoclose int fd = open_one(layer, dirfd, name, O_PATH, 0);

		if (fd < 0)
			return fd;
		return fstat(fd, st) != 0 ? -errno : 0;
	}
	return fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) != 0 ? -errno : 0;
}

int layer_open_path(const struct af_layer *layer, int dirfd, const char *name)
{
	return open_one(layer, dirfd, name, O_PATH, 0);
}

int layer_open_dir(const struct af_layer *layer, int dirfd, const char *name)
{
	return open_one(layer, dirfd, name, O_PATH | O_DIRECTORY, 0);
}

int layer_open_steps(const struct af_layer *layer, const char *path)
{
	int fd = fcntl(layer->root_fd, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	while (fd >= 0 && *path) {
		char name[NAME_MAX + 1];
		size_t len = strcspn(path, "/");
		int next;

		if (len > NAME_MAX) {
			close(fd);
			return -ENAMETOOLONG;
		}
		memcpy(name, path, len);
		name[len] = '\0';
		path += path[len] ? len + 1 : len;
		next = layer_open_dir(layer, fd, name);
		close(fd);
		fd = next;
	}
	return fd;
}

struct af_fd_path layer_fd_path(int fd)
{
	struct af_fd_path path;

	snprintf(path.text, sizeof(path.text), "/proc/self/fd/%d", fd);
	return path;
}

int layer_reopen(int path_fd, int flags, struct stat *st)
{
	int fd;

	if (fstat(path_fd, st) != 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -ESTALE;
	fd = open(layer_fd_path(path_fd).text,
		(flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Whether fd is a regular file; *st is filled. */
static int check_regular(int fd, struct stat *st)
{
	if (fstat(fd, st) != 0)
		return -errno;
	return S_ISREG(st->st_mode) ? 0 : -ESTALE;
}

int layer_open_file(
	const struct af_layer *layer, int dirfd, const char *name, int flags, struct stat *st)
{
	/*
	 * O_NONBLOCK keeps a FIFO from blocking; on a regular file it only matters where another
	 * process holds a lease.
	 */
	af_autoclose int fd = open_one(layer, dirfd, name,
		(flags & ~(O_TRUNC | O_CREAT | O_EXCL)) | O_NONBLOCK | O_NOCTTY, 0);
	int err;

	if (fd == -EAGAIN) {
		af_autoclose int path_fd = layer_open_path(layer, dirfd, name);

		return path_fd < 0 ? path_fd : layer_reopen(path_fd, flags & ~O_TRUNC, st);
	}
	if (fd == -ENXIO || fd == -ELOOP)
		return -ESTALE;
	if (fd < 0)
		return fd;
	err = check_regular(fd, st);
	return err ? err : af_steal_fd(&fd);
}

int layer_truncate(int fd, off_t size)
{
	/* By its path too: truncation does not need a descriptor that may write, as open(2)'s. */
	if (ftruncate(fd, size) == 0 || truncate(layer_fd_path(fd).text, size) == 0)
		return 0;
	return -errno;
}

int layer_open_list(int dirfd)
{
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	int fd = openat(dirfd, ".", flags);

	/* A directory that may be listed but not passed: "." is already beyond it. */
	if (fd < 0 && errno == EACCES)
		fd = open(layer_fd_path(dirfd).text, flags);
	return fd < 0 ? -errno : fd;
}

int layer_create(const struct af_layer *layer, int dirfd, const char *name, int flags, mode_t mode,
	struct stat *st)
{
	af_autoclose int fd = open_one(layer, dirfd, name,
		(flags & ~O_TRUNC) | O_CREAT | O_NONBLOCK | O_NOCTTY, mode & 07777);
	int err;

	if (fd == -ENXIO || fd == -ELOOP)
		return -ESTALE;
	if (fd < 0)
		return fd;
	err = check_regular(fd, st);
	if (!err && (flags & O_TRUNC))
		err = layer_truncate(fd, 0);
	return err ? err : af_steal_fd(&fd);
}

int layer_tmpfile(int dirfd, int flags, mode_t mode, struct stat *st)
{
	af_autoclose int fd = openat(dirfd, ".",
		(flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_TMPFILE | O_CLOEXEC, mode & 07777);

	if (fd < 0 || fstat(fd, st) != 0)
		return -errno;
	return af_steal_fd(&fd);
}

int layer_link(int path_fd, int dirfd, const char *name)
{
	if (linkat(AT_FDCWD, layer_fd_path(path_fd).text, dirfd, name, AT_SYMLINK_FOLLOW) != 0)
		return -errno;
	return 0;
}
