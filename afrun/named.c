/*
 * Where sessions and channels are found. See named.h.
 *
 * A name is taken by a lock on NAME.lock, which the kernel gives back with its holder, so what a killed
 * one has left is in nobody's way: the next of that name takes it over.
 */
#include "named.h"

#include "cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* With a mark. */
enum { NAME_LENGTH = 65, FILE_NAME_SIZE = NAME_LENGTH + 8, BACKLOG = 128 };

static const char name_characters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

bool name_is_good(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len < NAME_LENGTH && name[0] != '.' && name[0] != '-' &&
		strspn(name, name_characters) == len;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == getuid();
}

/* Newly allocated, or NULL. */
static char *find_path(void)
{
	const char *given = secure_getenv("XDG_RUNTIME_DIR");
	char run[64];
	char *path = NULL;
	int made;

	snprintf(run, sizeof(run), "/run/user/%u", getuid());
	if (given && given[0] == '/' && is_directory(given))
		made = asprintf(&path, "%s/afrun", given);
	else if (getuid() == 0)
		made = asprintf(&path, "/run/afrun");
	else if (is_directory(run))
		made = asprintf(&path, "%s/afrun", run);
	else
		made = asprintf(&path, "/tmp/afrun-%u", getuid());
	return made < 0 ? NULL : path;
}

int named_open(bool make, char **path)
{
	af_autoclose int fd = -1;
	struct stat st;

	*path = find_path();
	if (!*path)
		return -ENOMEM;
	/* Without a runtime directory of the caller's there is nothing to find. */
	if (make && mkdir(*path, 0700) < 0 && errno != EEXIST)
		return errno == ENOENT ? -ENOTDIR : -errno;
	fd = open(*path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* In /tmp somebody else may have been faster. */
	if (st.st_uid != getuid() || st.st_mode & (S_IRWXG | S_IRWXO))
		return -EACCES;
	return af_steal_fd(&fd);
}

static void make_file_name(char file[FILE_NAME_SIZE], const char *name, const char *suffix)
{
	snprintf(file, FILE_NAME_SIZE, "%.*s%s", NAME_LENGTH, name, suffix);
}

/* By the directory's descriptor: the address is short, and is that directory's. */
static void make_address(struct sockaddr_un *address, int dirfd, const char *name)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%.*s.sock", dirfd,
		NAME_LENGTH, name);
}

/* Whether fd is what has the name still: who had the lock before may have removed it. */
static bool is_named(int fd, int dirfd, const char *file)
{
	struct stat mine, named;

	return fstat(fd, &mine) == 0 && fstatat(dirfd, file, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

static int take_lock(int dirfd, const char *file)
{
	for (;;) {
		af_autoclose int fd =
			openat(dirfd, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return errno == EWOULDBLOCK ? -EEXIST : -errno;
		if (is_named(fd, dirfd, file))
			return af_steal_fd(&fd);
	}
}

int named_listen(int dirfd, const char *name, int *lock_fd)
{
	af_autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	char file[FILE_NAME_SIZE];
	int lock;

	if (fd < 0)
		return -errno;
	make_file_name(file, name, ".lock");
	lock = take_lock(dirfd, file);
	if (lock < 0)
		return lock;
	*lock_fd = lock;
	make_file_name(file, name, ".sock");
	if (unlinkat(dirfd, file, 0) < 0 && errno != ENOENT)
		return -errno;
	make_address(&address, dirfd, name);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, BACKLOG) < 0)
		return -errno;
	return af_steal_fd(&fd);
}

/* Of the last one nothing stays. Who is just coming in finds it gone, and makes it again. */
static void remove_if_empty(int dirfd)
{
	char link[32], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len <= 0)
		return;
	path[len] = '\0';
	rmdir(path);
}

void named_remove(int dirfd, const char *name)
{
	char file[FILE_NAME_SIZE];

	make_file_name(file, name, ".sock");
	unlinkat(dirfd, file, 0);
	make_file_name(file, name, ".lock");
	unlinkat(dirfd, file, 0);
	remove_if_empty(dirfd);
}

int named_connect(int dirfd, const char *name)
{
	af_autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	if (fd < 0)
		return -errno;
	make_address(&address, dirfd, name);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == ECONNREFUSED ? -ENOENT : -errno;
	return af_steal_fd(&fd);
}

int named_accept(int listener, pid_t *pid)
{
	af_autoclose int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred who;
	socklen_t size = sizeof(who);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return -errno;
	/* The directory is closed to others; this is the second lock. */
	if (who.uid != getuid() && who.uid != 0)
		return -EPERM;
	*pid = who.pid;
	return af_steal_fd(&fd);
}

void named_sweep(int dirfd, const char *name)
{
	char file[FILE_NAME_SIZE];
	int lock;

	make_file_name(file, name, ".lock");
	lock = take_lock(dirfd, file);
	if (lock < 0)
		return;
	named_remove(dirfd, name);
	close(lock);
}

/* Whether somebody holds the name's lock. */
static bool lives(int dirfd, const char *name)
{
	char file[FILE_NAME_SIZE];
	af_autoclose int fd = -1;

	make_file_name(file, name, ".lock");
	fd = openat(dirfd, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int named_list(int dirfd, const char *mark, struct af_words *names)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!stream)
		return -errno;
	while ((entry = readdir(stream))) {
		char name[NAME_LENGTH + 1];
		size_t len = strlen(entry->d_name);

		if (len < 6 || len - 5 > NAME_LENGTH ||
			strcmp(entry->d_name + len - 5, ".sock") != 0)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(len - 5), entry->d_name);
		if (strncmp(name, mark, strlen(mark)) != 0 || !name_is_good(name + strlen(mark)))
			continue;
		if (lives(dirfd, name))
			words_add(names, name + strlen(mark));
		else
			named_sweep(dirfd, name);
	}
	words_sort(names);
	return words_error(names);
}
