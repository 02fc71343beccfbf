/*
 * Removing whole trees. See remove.h.
 *
 * Two directories are open at a time: the topmost one, and one directly in it that is emptied. A
 * directory found in the latter that is not empty itself is moved up into the topmost one, where
 * its turn comes. So depth costs neither descriptors nor stack, and no way back up by ".." has
 * to be trusted.
 */
#include "remove.h"

#include "cleanup.h"
#include "path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static const uint64_t stay = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;

/* Where nested directories are moved to, and the number that names the next one. */
struct top {
	int fd;
	unsigned int next;
};

/* Removes one entry of dir, an open directory; d_type is what readdir(3) said. */
typedef int (*remove_fn)(struct top *top, int dir, const char *name, unsigned char d_type);

/* Gives the owner of an open directory all rights to it. */
static int grant(int fd)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return chmod(link, 0700) == 0 ? 0 : -errno;
}

/* ... and of the directory `name` in dir, which must be searchable for that. */
static int grant_at(int dir, const char *name)
{
	af_autoclose int fd = path_openat2(dir, name, O_PATH | O_DIRECTORY, 0, stay);

	if (fd == -EACCES && grant(dir) == 0)
		fd = path_openat2(dir, name, O_PATH | O_DIRECTORY, 0, stay);
	return fd < 0 ? fd : grant(fd);
}

/* A descriptor that can be read, of the directory `name` in dir. */
static int open_dir(int dir, const char *name)
{
	int fd = path_openat2(dir, name, O_RDONLY | O_DIRECTORY, 0, stay);

	if (fd == -EACCES && grant_at(dir, name) == 0)
		fd = path_openat2(dir, name, O_RDONLY | O_DIRECTORY, 0, stay);
	return fd;
}

/* Another descriptor, one that can be read, of dirfd itself. */
static int reopen_dir(int dirfd)
{
	int fd = path_openat2(dirfd, ".", O_RDONLY | O_DIRECTORY, 0, stay);

	if (fd == -EACCES && grant(dirfd) == 0)
		fd = path_openat2(dirfd, ".", O_RDONLY | O_DIRECTORY, 0, stay);
	return fd;
}

/* unlinkat(2) in a directory of the tree. */
static int unlink_in(int dir, const char *name, int flags)
{
	if (unlinkat(dir, name, flags) == 0)
		return 0;
	if (errno != EACCES)
		return -errno;
	if (grant(dir) != 0)
		return -EACCES;
	return unlinkat(dir, name, flags) == 0 ? 0 : -errno;
}

static bool is_not_empty(int err)
{
	return err == -ENOTEMPTY || err == -EEXIST;
}

/* Moves the directory `name` of dir into the topmost one, under a name that is free there. */
static int move_up(struct top *top, int dir, const char *name)
{
	bool granted = false;

	for (;;) {
		char up[32];

		snprintf(up, sizeof(up), ".remove-%u", top->next++);
		/* What it may replace, an empty directory, was to be removed as well. */
		if (renameat(dir, name, top->fd, up) == 0)
			return 0;
		if (errno == EACCES && !granted) {
			/* Its ".." changes, so the directory itself must be writable. */
			granted = true;
			if (grant_at(dir, name) != 0 || grant(top->fd) != 0)
				return -EACCES;
		} else if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) {
			return -errno;
		}
	}
}

static int remove_or_move(struct top *top, int dir, const char *name, unsigned char d_type)
{
	int err = d_type == DT_DIR ? -EISDIR : unlink_in(dir, name, 0);

	if (err == -EISDIR)
		err = unlink_in(dir, name, AT_REMOVEDIR);
	return is_not_empty(err) ? move_up(top, dir, name) : err;
}

/*
 * Calls remove_one for every entry until there is none left. A stream may leave out what came while it
 * was read, hence the last pass, which finds nothing. fd is taken over.
 */
static int empty(int fd, struct top *top, remove_fn remove_one)
{
	af_autoclosedir DIR *dir = fdopendir(fd);
	bool found = true;

	if (!dir) {
		int err = -errno;

		close(fd);
		return err;
	}
	while (found) {
		struct dirent *entry;

		found = false;
		while (errno = 0, (entry = readdir(dir))) {
			int err;

			if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
				continue;
			err = remove_one(top, dirfd(dir), entry->d_name, entry->d_type);
			if (err && err != -ENOENT)
				return err;
			found |= err == 0;
		}
		if (errno)
			return -errno;
		rewinddir(dir);
	}
	return 0;
}

/* Removes an entry of the topmost directory, with what is below it or with that moved up. */
static int remove_whole(struct top *top, int dir, const char *name, unsigned char d_type)
{
	int err = d_type == DT_DIR ? -EISDIR : unlink_in(dir, name, 0);
	int fd;

	if (err != -EISDIR)
		return err;
	err = unlink_in(dir, name, AT_REMOVEDIR);
	if (!is_not_empty(err))
		return err;
	fd = open_dir(dir, name);
	if (fd < 0)
		return fd;
	err = empty(fd, top, remove_or_move);
	return err ? err : unlink_in(dir, name, AT_REMOVEDIR);
}

int remove_entries(int dirfd)
{
	int fd = reopen_dir(dirfd);
	struct top top = {.fd = fd};

	return fd < 0 ? fd : empty(fd, &top, remove_whole);
}

int remove_tree(int dirfd, const char *name)
{
	af_autoclose int fd = -1;
	int err;

	if (!path_is_component(name))
		return -EINVAL;
	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno != EISDIR)
		return -errno;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (!is_not_empty(-errno))
		return -errno;
	fd = open_dir(dirfd, name);
	if (fd < 0)
		return fd;
	err = remove_entries(fd);
	if (err)
		return err;
	return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 ? 0 : -errno;
}
