/*
 * A command's process inside, with exactly the descriptors, directory, environment and terminal that
 * were planned. See inside_internal.h.
 */
#include "inside_internal.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

/* What the command's process tells when it could not become the command. */
struct launch_failure {
	int error;
	int stage; /* enum af_launch_stage */
};

int inside_tell(int fd, enum af_control_kind kind, int value, int to)
{
	struct af_control message = {.kind = (int32_t)kind, .value = value, .to = to};

	return control_send(fd, &message, NULL, 0);
}

int inside_open_terminal(struct inside *in, int fd)
{
	struct af_control message = {.kind = AF_CONTROL_TERMINAL};
	af_autoclose int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	if (master < 0 || unlockpt(master) < 0)
		return -errno;
	if (ptsname_r(master, name, sizeof(name)) != 0)
		return -errno;
	if (ioctl(master, TIOCSWINSZ, &in->size) < 0)
		return -errno;
	in->terminal = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (in->terminal < 0 || (!in->many_texts && ioctl(in->terminal, TIOCSCTTY, 0) < 0) ||
		tcsetattr(in->terminal, TCSANOW, &in->modes) < 0)
		return -errno;
	return control_send(fd, &message, &master, 1);
}

void inside_take_launch(
	struct inside *in, const struct af_control *launch, const int *fds, int count)
{
	static const unsigned int absent[] = {AF_LAUNCH_NO_IN | AF_LAUNCH_PTY,
		AF_LAUNCH_NO_OUT | AF_LAUNCH_PTY_OUT, AF_LAUNCH_NO_ERR | AF_LAUNCH_PTY_ERR};
	int next = 0;

	in->flags = (unsigned int)launch->value;
	in->size = launch->size;
	in->modes = launch->modes;
	in->own_memory = launch->own_memory;
	in->own_pids = launch->own_pids;
	in->expendable = launch->expendable;
	for (int i = 0; i < 3; i++)
		in->std[i] = in->flags & absent[i] || next >= count ? -1 : fds[next++];
}

/* In the command's process: 0, 1 and 2 as planned, and nothing else. */
static int place_descriptors(const struct inside *in)
{
	static const unsigned int from_terminal[] = {
		AF_LAUNCH_PTY, AF_LAUNCH_PTY_OUT, AF_LAUNCH_PTY_ERR};

	for (int i = 0; i < 3; i++) {
		int from = in->flags & from_terminal[i] ? in->terminal : in->std[i];

		if (from < 0)
			close(i);
		else if (dup2(from, i) < 0)
			return -errno;
	}
	if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return -errno;
	for (size_t i = 0; i < in->more_count; i++)
		if (dup2(in->more[i][0], in->more[i][1]) < 0)
			return -errno;
	return 0;
}

/* One that is not to be had is no reason not to run: it was said that these are weaker. */
static void limit_self(const struct inside *in)
{
	struct rlimit memory = {.rlim_cur = in->own_memory, .rlim_max = in->own_memory};
	/* We are one of the user's processes as well. */
	struct rlimit pids = {.rlim_cur = in->own_pids + 1, .rlim_max = in->own_pids + 1};
	af_autoclose int fd = -1;

	if (in->own_memory)
		setrlimit(RLIMIT_AS, &memory);
	if (in->own_pids)
		setrlimit(RLIMIT_NPROC, &pids);
	if (in->expendable)
		fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		io_write_all(fd, "500", 3);
}

__attribute__((noreturn)) static void become_command(
	const struct inside *in, const struct af_command *command, int report)
{
	struct launch_failure failure = {.stage = AF_STAGE_SETUP};
	int err = (in->many_texts ? setsid() : setpgid(0, 0)) < 0 ? -errno : 0;

	if (!err && in->terminal >= 0 && tcsetpgrp(in->terminal, getpid()) < 0)
		err = -errno;
	if (!err)
		err = place_descriptors(in);
	if (!err) {
		failure.stage = AF_STAGE_WORKDIR;
		err = chdir(command->cwd) < 0 ? -errno : 0;
	}
	if (!err) {
		failure.stage = AF_STAGE_EXEC;
		limit_self(in);
		environ = command->envp;
		sigprocmask(SIG_SETMASK, &in->mask, NULL);
		execvp(command->argv[0], command->argv);
		err = -errno;
	}
	failure.error = -err;
	io_write_all(report, &failure, sizeof(failure));
	_exit(127);
}

int inside_start(struct inside *in, const struct af_command *command)
{
	struct launch_failure failure;
	int ends[2], err;
	ssize_t got;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	in->command = fork();
	if (in->command == 0)
		become_command(in, command, ends[1]);
	err = in->command < 0 ? -errno : 0;
	close(ends[1]);
	got = err ? 0 : io_read_full(ends[0], &failure, sizeof(failure));
	close(ends[0]);
	for (int i = 0; i < 3; i++)
		if (in->std[i] >= 0)
			close(af_steal_fd(&in->std[i]));
	if (err)
		return err;
	if (got != (ssize_t)sizeof(failure))
		return inside_tell(in->control, AF_CONTROL_STARTED, 0, 0);
	inside_tell(in->control, AF_CONTROL_FAILED, failure.error, failure.stage);
	return 1;
}
