/*
 * Starting another program. See spawn.h; what the program is for is the caller's business.
 */
#include "spawn.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

/* What a child that could not become the program tells its parent. */
struct spawn_failure {
	int error; /* positive errno */
	bool in_setup;
};

static int inherit(const struct af_spawn *spawn)
{
	for (size_t i = 0; i < spawn->keep_count; i++)
		if (spawn->keep[i] >= 0 && fcntl(spawn->keep[i], F_SETFD, 0) < 0)
			return -errno;
	return 0;
}

__attribute__((noreturn)) static void child_run(const struct af_spawn *spawn, int report)
{
	struct spawn_failure failure = {.in_setup = true};
	sigset_t none;
	int err;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, spawn->mask ? spawn->mask : &none, NULL);
	err = spawn->setup ? spawn->setup(spawn->arg) : 0;
	if (err == 0)
		err = inherit(spawn);
	if (err == 0) {
		failure.in_setup = false;
		execvpe(spawn->argv[0], spawn->argv, spawn->envp);
		err = -errno;
	}
	failure.error = -err;
	io_write_all(report, &failure, sizeof(failure));
	_exit(127);
}

int spawn_start(const struct af_spawn *spawn, struct af_child *child, bool *in_setup)
{
	struct spawn_failure failure;
	af_autoclose int report_read = -1, report_write = -1;
	int ends[2];
	pid_t pid;
	ssize_t got;

	*child = AF_CHILD_NONE;
	if (in_setup)
		*in_setup = false;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	report_read = ends[0];
	report_write = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child_run(spawn, report_write);
	close(af_steal_fd(&report_write));
	got = io_read_full(report_read, &failure, sizeof(failure));
	if (got == (ssize_t)sizeof(failure)) {
		waitpid(pid, NULL, 0);
		if (in_setup)
			*in_setup = failure.in_setup;
		return -failure.error;
	}
	child->pid = pid;
	child->pidfd = pidfd_open(pid, 0);
	return child->pidfd < 0 ? -errno : 0;
}

int spawn_wait(const struct af_child *child, int timeout_ms)
{
	struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
	int got = poll(&ended, 1, timeout_ms);

	return got < 0 ? -errno : got;
}
