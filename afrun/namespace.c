/*
 * Namespaces that are our own. See namespace.h.
 */
#include "namespace.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

static int write_text(const char *path, const char *text)
{
	af_autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	return write(fd, text, len) == (ssize_t)len ? 0 : -errno;
}

/* Become root of a user namespace whose only ids are the caller's. */
static int map_ids(uid_t uid, gid_t gid)
{
	char line[32];
	int err = write_text("/proc/self/setgroups", "deny");

	snprintf(line, sizeof(line), "0 %u 1", uid);
	if (!err)
		err = write_text("/proc/self/uid_map", line);
	snprintf(line, sizeof(line), "0 %u 1", gid);
	if (!err)
		err = write_text("/proc/self/gid_map", line);
	return err;
}

int namespace_enter_new(bool userns, uid_t uid, gid_t gid)
{
	int err;

	if (unshare(CLONE_NEWNS | (userns ? CLONE_NEWUSER : 0)) < 0)
		return -errno;
	err = userns ? map_ids(uid, gid) : 0;
	if (!err && mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		err = -errno;
	return err;
}

/* The process is only there to have it, and waits for its end. */
static pid_t start_in_new_users(int *told)
{
	int ends[2];
	pid_t child;
	char byte = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0) {
		if (unshare(CLONE_NEWUSER) < 0 || write(ends[1], &byte, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	*told = ends[0];
	return child < 0 ? -errno : child;
}

/* All below inner are themselves. */
static int map_one(pid_t pid, const char *file, unsigned int inner, unsigned int outer)
{
	char path[64], lines[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	snprintf(lines, sizeof(lines), "0 0 %u\n%u %u 1\n", inner, inner, outer);
	return write_text(path, lines);
}

int namespace_map_users(uid_t inner, uid_t uid, gid_t gid)
{
	int told = -1, fd = -1, err;
	pid_t child = start_in_new_users(&told);
	char path[64], byte;

	if (child < 0)
		return child;
	err = io_read_full(told, &byte, 1) == 1 ? 0 : -EPERM;
	close(told);
	if (!err)
		err = map_one(child, "uid_map", inner, uid);
	if (!err)
		err = map_one(child, "gid_map", inner, gid);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)child);
	if (!err) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		err = fd < 0 ? -errno : 0;
	}
	kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return err ? err : fd;
}
