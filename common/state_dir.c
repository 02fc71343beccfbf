/*
 * Where afsyncd and afrun keep things of a source. See state_dir.h.
 */
#include "state_dir.h"

#include "cleanup.h"
#include "io.h"
#include "path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

enum {
	RESOLVE_HERE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
};

int state_dir_sub(int dirfd, const char *name, bool make)
{
	af_autoclose int fd = -1;
	struct stat st;

	if (make && mkdirat(dirfd, name, 0700) != 0 && errno != EEXIST)
		return -errno;
	fd = path_openat2(dirfd, name, OPEN_DIR, 0, RESOLVE_HERE);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) != 0)
		return -errno;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return -EPERM;
	/* Whatever umask or default ACL made of it, and whoever was lent it meanwhile. */
	if (st.st_uid == geteuid() && (st.st_mode & 0777) != 0700 && fchmod(fd, 0700) != 0)
		return -errno;
	return af_steal_fd(&fd);
}

/* Makes all directories of an absolute path, as mkdir -p; 0700. */
static int make_path(const char *path)
{
	af_autofree char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(copy, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

/* Newly allocated, or NULL with errno. */
static char *home_path(int source_fd)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	struct stat st;
	int len;

	if (fstat(source_fd, &st) != 0)
		return NULL;
	if (xdg && xdg[0] == '/') {
		len = asprintf(&path, "%s/agentfense/%jx-%jx", xdg, (uintmax_t)st.st_dev,
			(uintmax_t)st.st_ino);
	} else if (home && home[0] == '/') {
		len = asprintf(&path, "%s/.local/state/agentfense/%jx-%jx", home,
			(uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	} else {
		errno = ENOENT;
		return NULL;
	}
	return len < 0 ? NULL : path;
}

/* A directory that the caller named, or that is in their home: symlinks on the way are theirs. */
static int open_named(const char *dir, bool make)
{
	af_autoclose int fd = -1;
	struct stat st;
	int err = make ? make_path(dir) : 0;

	if (err)
		return err;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	return st.st_uid == geteuid() || st.st_uid == 0 ? af_steal_fd(&fd) : -EPERM;
}

static int write_ignore(int dirfd)
{
	af_autoclose int fd = openat(
		dirfd, ".gitignore", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? 0 : -errno;
	return io_write_all(fd, "*\n", 2);
}

static int open_any(int source_fd, const char *source, const char *dir, bool make, char **where)
{
	af_autofree char *home = NULL;

	if (!dir && faccessat(source_fd, ".", W_OK, AT_EACCESS) == 0) {
		/* Only the root ends in a slash itself. */
		if (asprintf(where, "%s/" STATE_DIR_NAME, strcmp(source, "/") == 0 ? "" : source) <
			0) {
			*where = NULL;
			return -ENOMEM;
		}
		return state_dir_sub(source_fd, STATE_DIR_NAME, make);
	}
	if (!dir) {
		home = home_path(source_fd);
		if (!home)
			return -errno;
		dir = home;
	}
	*where = strdup(dir);
	return *where ? open_named(dir, make) : -ENOMEM;
}

int state_dir_open(int source_fd, const char *source, const char *dir, bool make, char **where)
{
	af_autoclose int fd = -1;
	int err;

	*where = NULL;
	fd = open_any(source_fd, source, dir, make, where);
	if (fd < 0)
		return fd;
	err = make ? write_ignore(fd) : 0;
	return err ? err : af_steal_fd(&fd);
}

/* Whether the directory holds nothing but the .gitignore. */
static bool is_unused(int dirfd)
{
	af_autoclosedir DIR *stream = NULL;
	const struct dirent *entry;
	int fd = openat(dirfd, ".", OPEN_DIR);

	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		return false;
	while ((errno = 0, entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			strcmp(entry->d_name, ".gitignore") != 0)
			return false;
	return errno == 0;
}

/* Where dirfd/name is what we have open as fd; rmdir(2) itself refuses what is not empty. */
static void remove_named(int fd, int dirfd, const char *name)
{
	struct stat mine, named;

	if (fstat(fd, &mine) != 0 || fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
		mine.st_ino != named.st_ino || mine.st_dev != named.st_dev)
		return;
	if (unlinkat(fd, ".gitignore", 0) != 0 && errno != ENOENT)
		return;
	/* Somebody has begun to use it meanwhile. */
	if (unlinkat(dirfd, name, AT_REMOVEDIR) != 0)
		write_ignore(fd);
}

void state_dir_remove(int source_fd, int state_fd)
{
	af_autofree char *home = home_path(source_fd);

	if (!is_unused(state_fd))
		return;
	remove_named(state_fd, source_fd, STATE_DIR_NAME);
	if (home)
		remove_named(state_fd, AT_FDCWD, home);
}
