/*
 * The first process of a session's sandbox: it hands each caller's text to the shell, with the caller's
 * own descriptors, and tells the caller how it went. See inside_internal.h.
 *
 *     server             here                     shell (session_shell.c)
 *                        the shell is up     <-   text end
 *     CALLER (a socket) ->
 *
 *     caller             here
 *                        READY ->
 *     LAUNCH ->          terminal, STARTED   ->   text, 0 1 2
 *     SIGNAL ->          to the text's processes; to the shell as AF_SESSION_SIGNAL
 *                        EXITED              <-   text end
 *
 *     server             DONE ->
 *
 * A caller that goes away ends its text: its processes are killed, the shell is called back. A shell
 * that does not come back is killed, and the session is over.
 */
#include "cleanup.h"
#include "clock.h"
#include "inside_internal.h"
#include "inside_tree.h"
#include "session_text.h"

#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* The shell goes on with a text's next command when the first was ended; so it is told again. */
#define AGAIN_MS 20
#define SHELL_TIMEOUT_MS 5000

struct session {
	struct inside *in;
	int channel; /* to the shell; -1: told to end. Owned */
	int caller;  /* whose turn it is, or -1. Owned */
	bool up;     /* the shell takes texts */
	bool taken;  /* a caller was handed in, and DONE not told */
	bool running;
	bool back; /* the shell is back from a text that was ended; its processes may be there yet */
	int status; /* back: of the text */
	bool stopping;
	int ending;         /* the signal by which the text is being ended, or 0 */
	int64_t give_up_ms; /* then the shell is killed; 0: never */
	struct af_processes before;
};

static void signal_shell(const struct session *s, int value)
{
	sigqueue(s->in->command, AF_SESSION_SIGNAL, (union sigval){.sival_int = value});
}

static void close_caller(struct session *s)
{
	if (s->caller >= 0)
		close(af_steal_fd(&s->caller));
}

/* The caller has nothing running (any more). */
static void finish(struct session *s)
{
	close_caller(s);
	if (s->taken)
		inside_tell(s->in->control, AF_CONTROL_DONE, 0, 0);
	s->taken = false;
	if (s->stopping && s->channel >= 0)
		close(af_steal_fd(&s->channel));
}

static void end_text(struct session *s, int signal_number)
{
	s->ending = signal_number;
	signal_shell(s, AF_SHELL_END | signal_number);
}

/* Nobody waits for it any more. */
static void abandon(struct session *s, int signal_number)
{
	/* The shell first: it would go on to the next command. */
	end_text(s, signal_number);
	processes_signal(&s->before, s->in->command, SIGKILL);
	s->give_up_ms = now_ms() + SHELL_TIMEOUT_MS;
}

/* ---- texts --------------------------------------------------------------------------------------- */

static int send_text(const struct session *s, const struct af_text *text, const int *fds, int count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * AF_CONTROL_FDS)];
		struct cmsghdr align;
	} space = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = sizeof(*text)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *rights;

	if (count > 0) {
		header.msg_control = space.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
		memcpy(CMSG_DATA(rights), fds, sizeof(int) * (size_t)count);
	}
	return sendmsg(s->channel, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int hand_over(struct session *s, int content)
{
	static const unsigned int from_terminal[] = {
		AF_LAUNCH_PTY, AF_LAUNCH_PTY_OUT, AF_LAUNCH_PTY_ERR};
	struct inside *in = s->in;
	struct af_text text = {.terminal = (in->flags & AF_LAUNCH_PTY) != 0,
		.interactive = (in->flags & AF_LAUNCH_INTERACTIVE) != 0};
	int fds[AF_CONTROL_FDS], count = 0;

	if (!text.interactive)
		fds[count++] = content;
	for (int i = 0; i < 3; i++) {
		int fd = in->flags & from_terminal[i] ? in->terminal : in->std[i];

		if (fd < 0)
			text.closed |= 1U << i;
		else
			fds[count++] = fd;
	}
	return send_text(s, &text, fds, count);
}

static void launch(struct session *s, const struct af_control *message, const int *fds, int count)
{
	struct inside *in = s->in;
	int err = count < 1 ? -EBADMSG : processes_list(&s->before);

	inside_take_launch(in, message, fds + 1, count - 1);
	if (!err && in->flags & AF_LAUNCH_PTY)
		err = inside_open_terminal(in, s->caller);
	if (!err)
		err = hand_over(s, fds[0]);
	for (int i = 0; i < 3; i++)
		if (in->std[i] >= 0)
			close(af_steal_fd(&in->std[i]));
	if (in->terminal >= 0)
		close(af_steal_fd(&in->terminal));
	if (count > 0)
		close(fds[0]);
	s->running = !err;
	s->ending = 0;
	s->give_up_ms = 0;
	if (!err) {
		inside_tell(s->caller, AF_CONTROL_STARTED, 0, 0);
		return;
	}
	inside_tell(s->caller, AF_CONTROL_FAILED, -err, AF_STAGE_SETUP);
	finish(s);
}

static void pass_signal(struct session *s, int number, int to)
{
	/* The shell first: it would go on to the next command. */
	if (to == AF_TO_ALL)
		end_text(s, number);
	else if (number != SIGTSTP && number != SIGCONT && number != SIGWINCH)
		signal_shell(s, number);
	/* The kernel spares the shell's own group a terminal's stop: nobody there could continue it. */
	processes_signal(&s->before, s->in->command, number == SIGTSTP ? SIGSTOP : number);
	if (to == AF_TO_ALL)
		processes_signal(&s->before, s->in->command, SIGCONT);
}

static void end_of_text(struct session *s, int status)
{
	s->running = s->back = false;
	s->ending = 0;
	s->give_up_ms = 0;
	if (s->caller >= 0)
		inside_tell(s->caller, AF_CONTROL_EXITED, W_EXITCODE(status & 0xff, 0), 0);
	finish(s);
}

static void take_end(struct session *s)
{
	struct af_text_end end;

	if (recv(s->channel, &end, sizeof(end), MSG_DONTWAIT) != (ssize_t)sizeof(end)) {
		/* Nothing more comes: the shell's end is reaped. */
		close(af_steal_fd(&s->channel));
		return;
	}
	if (!s->up) {
		s->up = true;
		inside_tell(s->in->control, AF_CONTROL_DONE, 0, 0);
		return;
	}
	if (!s->running)
		return;
	/* Of one that was ended nothing is there any more when the next one begins. */
	s->back = s->ending != 0;
	s->status = end.status;
	if (s->back && !s->give_up_ms)
		s->give_up_ms = now_ms() + SHELL_TIMEOUT_MS;
	if (!s->back || processes_signal(&s->before, s->in->command, SIGKILL) == 0)
		end_of_text(s, end.status);
}

/* ---- who speaks to us ---------------------------------------------------------------------------- */

static void take_caller(struct session *s)
{
	struct af_control message;
	int fds[AF_CONTROL_FDS], count;
	int got = control_recv(s->caller, &message, fds, &count);

	if (got > 0 && message.kind == AF_CONTROL_LAUNCH && !s->running) {
		launch(s, &message, fds, count);
		return;
	}
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (got > 0 && message.kind == AF_CONTROL_SIGNAL && s->running)
		pass_signal(s, message.value, message.to);
	if (got > 0)
		return;
	close_caller(s);
	if (s->running)
		abandon(s, s->ending ? s->ending : SIGHUP);
	else
		finish(s);
}

static void stop(struct session *s)
{
	s->stopping = true;
	if (s->running)
		abandon(s, SIGTERM);
	else
		finish(s);
}

/* Returns 1 when the server is gone, 0, or -errno. */
static int take_server(struct session *s)
{
	struct af_control message;
	int fds[AF_CONTROL_FDS], count;
	int got = control_recv(s->in->control, &message, fds, &count);

	if (got <= 0)
		return got < 0 ? got : 1;
	if (message.kind == AF_CONTROL_CALLER && count == 1 && s->caller < 0 && !s->stopping) {
		s->caller = fds[0];
		s->taken = true;
		inside_tell(s->caller, AF_CONTROL_READY, 0, 0);
		return 0;
	}
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (message.kind == AF_CONTROL_END)
		stop(s);
	return 0;
}

/* Returns 1 when the shell has ended and that was told. */
static int reap(const struct session *s)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(s->in->child_signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != s->in->command)
			continue;
		inside_tell(s->in->control, AF_CONTROL_EXITED, status, 0);
		return 1;
	}
	return 0;
}

static void call_back(struct session *s)
{
	size_t left = s->give_up_ms ? processes_signal(&s->before, s->in->command, SIGKILL) : 0;

	if (s->back) {
		if (left == 0 || now_ms() >= s->give_up_ms)
			end_of_text(s, s->status);
		return;
	}
	if (s->give_up_ms && now_ms() >= s->give_up_ms) {
		kill(s->in->command, SIGKILL);
		s->ending = 0;
		return;
	}
	signal_shell(s, AF_SHELL_END | s->ending);
}

static int serve(struct session *s)
{
	struct inside *in = s->in;
	int done = 0;

	while (done == 0) {
		struct pollfd polls[] = {{.fd = in->control, .events = POLLIN},
			{.fd = in->child_signals, .events = POLLIN},
			{.fd = s->channel, .events = POLLIN}, {.fd = s->caller, .events = POLLIN}};
		int ready = poll(polls, 4, s->running && s->ending ? AGAIN_MS : -1);

		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready == 0)
			call_back(s);
		if (polls[2].revents)
			take_end(s);
		if (s->caller >= 0 && polls[3].fd == s->caller && polls[3].revents)
			take_caller(s);
		if (polls[1].revents)
			done = reap(s);
		if (done == 0 && polls[0].revents)
			done = take_server(s);
	}
	return done < 0 ? done : 0;
}

int inside_session(struct inside *in, int channel)
{
	struct session s = {.in = in, .channel = channel, .caller = -1};
	int err = serve(&s);

	if (s.channel >= 0)
		close(s.channel);
	close_caller(&s);
	processes_fini(&s.before);
	return err;
}
