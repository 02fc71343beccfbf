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
#include "inside_internal.h"
#include "io.h"
#include "session_text.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { FILTER_MAX = 65535 * sizeof(struct sock_filter) };

/* Of a session: the shell, with its library and one end of a socket to us. */
static int launch_session(struct inside *in, const struct af_command *command, int library)
{
	af_autoclose int theirs = -1;
	af_autoclose int ours = -1;
	int ends[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	in->more = (const int[][2]){{theirs, AF_SESSION_CHANNEL}, {library, AF_SESSION_LIBRARY}};
	in->more_count = 2;
	in->many_texts = true;
	err = inside_start(in, command);
	close(af_steal_fd(&theirs));
	close(library);
	return err ? err : inside_session(in, af_steal_fd(&ours)) < 0 ? -EIO : 1;
}

/* Returns 0 when the command runs, 1 when there is nothing left to do, or -errno. */
static int launch(struct inside *in, const struct af_control *message, int *fds, int count)
{
	bool session = message->value & AF_LAUNCH_SESSION;
	struct af_command command = {0};
	int err;

	if (count < (session ? 2 : 1))
		return -EBADMSG;
	err = control_read_command(fds[0], &command);
	close(fds[0]);
	inside_take_launch(in, message, fds + (session ? 2 : 1), count - (session ? 2 : 1));
	if (!err && in->flags & AF_LAUNCH_PTY)
		err = inside_open_terminal(in, in->control);
	if (!err)
		err = session ? launch_session(in, &command, fds[1]) : inside_start(in, &command);
	if (err < 0)
		inside_tell(in->control, AF_CONTROL_FAILED, -err, AF_STAGE_SETUP);
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

static int tell_end(const struct inside *in, int status)
{
	struct af_control message = {.kind = AF_CONTROL_EXITED, .value = status};
	struct rusage used;

	if (getrusage(RUSAGE_CHILDREN, &used) == 0) {
		message.user_us = used.ru_utime.tv_sec * 1000000 + used.ru_utime.tv_usec;
		message.system_us = used.ru_stime.tv_sec * 1000000 + used.ru_stime.tv_usec;
	}
	return control_send(in->control, &message, NULL, 0);
}

/* Returns 1 when the command has ended and that was told, and nothing is left to do. */
static int reap(struct inside *in)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != in->command)
			continue;
		if (WIFSTOPPED(status)) {
			inside_tell(in->control, AF_CONTROL_STOPPED, WSTOPSIG(status), 0);
			continue;
		}
		tell_end(in, status);
		in->command = 0;
		return !in->lingers;
	}
	return 0;
}

/* What the runtime could not do, or did not. */
static int take_filter(
	struct inside *in, const struct af_control *message, const int *fds, int count)
{
	af_autofree char *text = NULL;
	struct sock_fprog program;
	size_t size = 0;
	int err = count == 1 ? io_read_all(fds[0], FILTER_MAX, &text, &size) : -EBADMSG;

	for (int i = 0; i < count; i++)
		close(fds[i]);
	in->lingers = message->value;
	if (err)
		return err;
	program = (struct sock_fprog){.len = (unsigned short)(size / sizeof(struct sock_filter)),
		.filter = (struct sock_filter *)(void *)text};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
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
	if (message.kind == AF_CONTROL_FILTER && in->command < 0)
		return take_filter(in, &message, fds, count);
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
	int done = inside_tell(in->control, AF_CONTROL_READY, 0, 0);

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
