/*
 * What a run in docker needs where dockerd can see it. See docker_place.h.
 */
#include "docker_place.h"

#include "channel.h"
#include "cleanup.h"
#include "embedded.h"
#include "log.h"
#include "named.h"
#include "spawn.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define PREFIX "docker."

enum {
	TRIES = 100,
	SUFFIX_LENGTH = 6,
	REMOVE_TIMEOUT_MS = 20000,
	REMOVE_TRIES = 5,
	REMOVE_PAUSE_MS = 200,
};

/* ---- taking away -------------------------------------------------------------------------------- */

struct remains {
	int dir;
	char path[PATH_MAX];
	const char *docker; /* the client */
};

static void name_container(char name[16], const char *path)
{
	snprintf(name, 16, "afrun-%s", path + strlen(path) - SUFFIX_LENGTH);
}

static int be_silent(void *arg)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)arg;
	for (int i = 0; i < 3; i++)
		if (null < 0 || dup2(null, i) < 0)
			return -errno;
	return 0;
}

/* With its volumes; for a bounded time, since who waits for us hears no signal. */
static void remove_once(const char *docker, char *name)
{
	af_autofree char *program = strdup(docker);
	char rm[] = "rm", force[] = "-f", volumes[] = "-v";
	struct af_child child;
	struct af_spawn spawn = {.argv = (char *[]){program, rm, force, volumes, name, NULL},
		.envp = environ,
		.setup = be_silent};

	if (!program || spawn_start(&spawn, &child, NULL) != 0)
		return;
	if (spawn_wait(&child, REMOVE_TIMEOUT_MS) != 1)
		kill(child.pid, SIGKILL);
	while (waitpid(child.pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(child.pidfd);
}

/* Where our first process never came, it may be just being made. */
static void remove_container(const struct remains *remains)
{
	bool came = faccessat(remains->dir, "control", F_OK, AT_SYMLINK_NOFOLLOW) != 0;
	char name[16];

	name_container(name, remains->path);
	for (int i = 0; i < (came ? 1 : REMOVE_TRIES); i++) {
		if (i > 0)
			poll(NULL, 0, REMOVE_PAUSE_MS);
		remove_once(remains->docker, name);
	}
}

static void remove_mount_point(const struct remains *remains, const char *name)
{
	char path[PATH_MAX + NAME_MAX + 2];

	snprintf(path, sizeof(path), "%s/%s", remains->path, name);
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	rmdir(path);
}

static void remove_channels(const struct remains *remains)
{
	int fd = openat(remains->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (stream && (entry = readdir(stream)))
		if (strncmp(entry->d_name, AF_CHANNEL_PLACE, strlen(AF_CHANNEL_PLACE)) == 0)
			remove_mount_point(remains, entry->d_name);
}

/* The program is what is left of a container. */
static void clean(void *arg)
{
	const struct remains *remains = arg;
	char *slash, parent[PATH_MAX];

	if (faccessat(remains->dir, "inside", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		remove_container(remains);
	remove_mount_point(remains, "view");
	remove_channels(remains);
	unlinkat(remains->dir, "inside", 0);
	unlinkat(remains->dir, "control", 0);
	rmdir(remains->path);
	snprintf(parent, sizeof(parent), "%s", remains->path);
	slash = strrchr(parent, '/');
	if (slash)
		*slash = '\0';
	rmdir(parent);
}

/* Where its run lives, it is locked. */
static void sweep_one(int dirfd, const char *name, const char *docker)
{
	struct remains remains = {.docker = docker};
	char link[64];
	ssize_t len;

	remains.dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (remains.dir < 0)
		return;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", remains.dir);
	len = readlink(link, remains.path, sizeof(remains.path) - 1);
	if (len > 0 && flock(remains.dir, LOCK_EX | LOCK_NB) == 0)
		clean(&remains);
	close(remains.dir);
}

void docker_place_sweep(int dirfd, const char *docker)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	/* Where it is locked, one is just being made. */
	if (!stream || flock(dirfd, LOCK_EX | LOCK_NB) < 0)
		return;
	while ((entry = readdir(stream)))
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
			strlen(entry->d_name) == strlen(PREFIX) + SUFFIX_LENGTH)
			sweep_one(dirfd, entry->d_name, docker);
	flock(dirfd, LOCK_UN);
}

/* ---- making ------------------------------------------------------------------------------------- */

static int listen_in(int dir)
{
	af_autoclose int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control", dir);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
		fchmodat(dir, "control", 0666, 0) < 0 || listen(fd, 1) < 0)
		return -errno;
	return af_steal_fd(&fd);
}

/* A directory that only we have: locked before anybody could take it for a leftover. */
static int make_directory(struct af_docker_place *place, int parent, const char *parent_path)
{
	if (asprintf(&place->path, "%s/" PREFIX "XXXXXX", parent_path) < 0) {
		place->path = NULL;
		return -ENOMEM;
	}
	/* A sweep holds it exclusively. */
	if (flock(parent, LOCK_SH) < 0)
		return -errno;
	if (!mkdtemp(place->path))
		return -errno;
	name_container(place->name, place->path);
	place->dir = open(place->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (place->dir < 0 || flock(place->dir, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	/* The container's user goes through it. */
	if (fchmod(place->dir, 0711) < 0 || mkdirat(place->dir, "view", 0755) < 0)
		return -errno;
	return 0;
}

static int fill(struct af_docker_place *place, const char *docker)
{
	struct remains remains = {.dir = place->dir, .docker = docker};
	int err = embedded_inside(place->dir, "inside");

	if (err)
		return err;
	place->listener = listen_in(place->dir);
	if (place->listener < 0)
		return place->listener;
	snprintf(remains.path, sizeof(remains.path), "%s", place->path);
	return keeper_start(&place->keeper, &place->dir, 1, clean, &remains);
}

static int try_make(struct af_docker_place *place, const char *docker)
{
	af_autofree char *path = NULL;
	af_autoclose int parent = named_open(true, &path);
	int err;

	place->docker = docker;
	if (parent < 0)
		return parent;
	docker_place_sweep(parent, docker);
	err = make_directory(place, parent, path);
	return err ? err : fill(place, docker);
}

int docker_place_make(struct af_docker_place *place, const char *docker)
{
	int err = -ENOENT;

	for (int try = 0; try < TRIES && err == -ENOENT; try++) {
		docker_place_end(place);
		err = try_make(place, docker);
	}
	if (err)
		log_error("docker: a place for the mount: %s", strerror(-err));
	return err;
}

void docker_place_came(const struct af_docker_place *place)
{
	if (place->dir >= 0)
		unlinkat(place->dir, "control", 0);
}

void docker_place_container_gone(const struct af_docker_place *place)
{
	if (place->dir >= 0)
		unlinkat(place->dir, "inside", 0);
}

void docker_place_end(struct af_docker_place *place)
{
	struct remains remains = {.dir = place->dir, .docker = place->docker};

	/* It was never whole: no container. */
	if (place->keeper.life < 0)
		docker_place_container_gone(place);
	keeper_end(&place->keeper);
	/* There is none, or somebody has killed it. */
	if (place->dir >= 0 && faccessat(place->dir, "view", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		snprintf(remains.path, sizeof(remains.path), "%s", place->path);
		clean(&remains);
	}
	if (place->dir >= 0)
		close(place->dir);
	if (place->listener >= 0)
		close(place->listener);
	free(place->path);
	*place = AF_DOCKER_PLACE_NONE;
}
