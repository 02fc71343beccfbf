/*
 * The first process (PID 1) of the sandbox's process namespace.
 *
 * It gets the command over the control socket, starts it with exactly the descriptors, directory,
 * environment and terminal that were planned, passes signals on, reaps, and tells how the command
 * ended. When it ends, for whatever reason, the kernel kills everything else inside; so it ends when
 * the control socket does.
 *
 * It runs under the same filter and without any capability, as the user that the command is. It must
 * not be reachable by the command: it is not dumpable (no ptrace, no /proc/1/fd, no /proc/1/environ),
 * and the kernel gives the first process no signal from inside that it does not handle; it has all
 * of them blocked.
 */
#include "inside.h"

#include "cleanup.h"
#include "control.h"
#include "io.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

struct inside {
	int control;
	int child_signals;  /* signalfd: SIGCHLD */
	sigset_t mask;      /* as the caller had it: the command's */
	unsigned int flags; /* enum af_launch_flag */
	struct winsize size;
	struct termios modes;
	uint64_t own_memory, own_pids; /* as in struct af_control */
	bool expendable;
	int std[3]; /* what the command gets as 0, 1 and 2; -1: closed. Owned until it has started */
	int terminal; /* the command's own terminal (slave), or -1 */
	pid_t command;
};

/* What the command's process tells when it could not become the command. */
struct launch_failure {
	int error;
	int stage; /* enum af_launch_stage */
};

static int tell(const struct inside *in, enum af_control_kind kind, int value, int to)
{
	struct af_control message = {.kind = (int32_t)kind, .value = value, .to = to};

	return control_send(in->control, &message, NULL, 0);
}

/* A terminal of the sandbox's own, so that nothing typed into it reaches the caller's. */
static int open_terminal(struct inside *in)
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
	if (in->terminal < 0 || ioctl(in->terminal, TIOCSCTTY, 0) < 0 ||
		tcsetattr(in->terminal, TCSANOW, &in->modes) < 0)
		return -errno;
	return control_send(in->control, &message, &master, 1);
}

/* The command's descriptors, in the order in which LAUNCH has them: those that are there. */
static void take_descriptors(struct inside *in, const int *fds, int count)
{
	static const unsigned int absent[] = {AF_LAUNCH_NO_IN | AF_LAUNCH_PTY,
		AF_LAUNCH_NO_OUT | AF_LAUNCH_PTY_OUT, AF_LAUNCH_NO_ERR | AF_LAUNCH_PTY_ERR};
	int next = 0;

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
	return close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ? -errno : 0;
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
	int err = setpgid(0, 0) < 0 ? -errno : 0;

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

/* Returns 0 when the command runs, 1 when it could not (told), or -errno. */
static int start_command(struct inside *in, const struct af_command *command)
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
		return tell(in, AF_CONTROL_STARTED, 0, 0);
	tell(in, AF_CONTROL_FAILED, failure.error, failure.stage);
	return 1;
}

static int launch(struct inside *in, const struct af_control *message, const int *fds, int count)
{
	struct af_command command = {0};
	int err;

	in->flags = (unsigned int)message->value;
	in->size = message->size;
	in->modes = message->modes;
	in->own_memory = message->own_memory;
	in->own_pids = message->own_pids;
	in->expendable = message->expendable;
	if (count < 1)
		return -EBADMSG;
	err = control_read_command(fds[0], &command);
	close(fds[0]);
	take_descriptors(in, fds + 1, count - 1);
	if (!err && in->flags & AF_LAUNCH_PTY)
		err = open_terminal(in);
	if (!err)
		err = start_command(in, &command);
	if (err < 0)
		tell(in, AF_CONTROL_FAILED, -err, AF_STAGE_SETUP);
	control_command_fini(&command);
	return err;
}

static void pass_signal(const struct inside *in, int signal_number, int to)
{
	if (to == AF_TO_ALL) {
		kill(-1, signal_number);
		kill(-1, SIGCONT);
		return;
	}
	kill(to == AF_TO_GROUP ? -in->command : in->command, signal_number);
}

/* Returns 1 when the command has ended and that was told. */
static int reap(const struct inside *in)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != in->command)
			continue;
		if (WIFSTOPPED(status)) {
			tell(in, AF_CONTROL_STOPPED, WSTOPSIG(status), 0);
			continue;
		}
		tell(in, AF_CONTROL_EXITED, status, 0);
		return 1;
	}
	return 0;
}

/* Returns 1 when there is nothing left to do, 0, or -errno. */
static int answer(struct inside *in)
{
	struct af_control message;
	int fds[AF_CONTROL_FDS], count;
	int got = control_recv(in->control, &message, fds, &count);

	if (got <= 0)
		return got < 0 ? got : 1;
	if (message.kind == AF_CONTROL_LAUNCH && in->command < 0)
		return launch(in, &message, fds, count);
	if (message.kind == AF_CONTROL_SIGNAL && in->command > 0)
		pass_signal(in, message.value, message.to);
	return 0;
}

static int serve(struct inside *in)
{
	struct pollfd polls[] = {
		{.fd = in->control, .events = POLLIN}, {.fd = in->child_signals, .events = POLLIN}};
	struct signalfd_siginfo info;
	int done = tell(in, AF_CONTROL_READY, 0, 0);

	while (done == 0) {
		if (poll(polls, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (polls[1].revents && read(in->child_signals, &info, sizeof(info)) > 0)
			done = reap(in);
		if (done == 0 && polls[0].revents)
			done = answer(in);
	}
	return done < 0 ? done : 0;
}

int inside_main(int control)
{
	struct inside in = {.control = control, .terminal = -1, .command = -1, .std = {-1, -1, -1}};
	sigset_t all, child;

	/* The order matters: nothing of this process may be seen once anything else runs. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || fcntl(control, F_SETFD, FD_CLOEXEC) < 0)
		return 125;
	prctl(PR_SET_NAME, "afrun-inside");
	close_range(3, (unsigned int)control - 1, 0);
	close_range((unsigned int)control + 1, ~0U, 0);
	sigfillset(&all);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &all, &in.mask) < 0)
		return 125;
	in.child_signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (in.child_signals < 0)
		return 125;
	return serve(&in) == 0 ? 0 : 125;
}
