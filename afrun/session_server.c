/*
 * A session's server: while its sandbox lives, who asks for what, in turn. See session.h; what a caller
 * and our first process inside say to each other is theirs (supervise.c, inside_session.c).
 *
 * One loop over poll(2). A caller says what it wants (ASK) and waits; only one at a time is handed in.
 */
#include "session.h"

#include "cleanup.h"
#include "clock.h"
#include "control.h"
#include "io.h"
#include "log.h"
#include "embedded.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { MAX_CALLERS = 256 };

struct caller {
	int fd; /* owned */
	pid_t pid;
	bool asked; /* for its turn */
};

struct server {
	const struct af_run *run;
	struct af_door *door;
	struct af_outcome *outcome;
	pid_t current; /* whose text runs, or 0 */
	uint64_t texts;
	int64_t started_ms, idle_since_ms;
	time_t started;
	int64_t deadline_ms; /* of the start, or of the end; 0: none */
	bool up, stopping, ended, audit_open;
	size_t count;
	struct caller callers[MAX_CALLERS]; /* in the order in which they came */
};

static int *control(const struct server *s)
{
	return &s->run->sandbox->control;
}

/* Nothing is left inside once this is closed. */
static void end_inside(struct server *s, int exit)
{
	sandbox_let_go(s->run->sandbox, s->run->limits);
	s->outcome->exit = exit;
	s->ended = true;
}

/* The shell ends by itself, and its EXIT trap runs; for a bounded time. */
static void stop(struct server *s)
{
	struct af_control message = {.kind = AF_CONTROL_END};

	if (s->stopping || s->ended)
		return;
	s->stopping = true;
	s->deadline_ms = now_ms() + s->run->plan->opts->kill_after_ms;
	if (!s->up || control_send(*control(s), &message, NULL, 0) < 0)
		end_inside(s, 0);
}

/* ---- callers ------------------------------------------------------------------------------------- */

static void forget(struct server *s, size_t i)
{
	memmove(s->callers + i, s->callers + i + 1, (s->count - i - 1) * sizeof(*s->callers));
	s->count--;
}

static void send_away(struct server *s, size_t i)
{
	close(s->callers[i].fd);
	forget(s, i);
}

static void hand_in_next(struct server *s)
{
	struct af_control message = {.kind = AF_CONTROL_CALLER};

	for (size_t i = 0; i < s->count && s->up && !s->stopping && !s->current; i++) {
		if (!s->callers[i].asked)
			continue;
		if (control_send(*control(s), &message, &s->callers[i].fd, 1) == 0) {
			s->current = s->callers[i].pid;
			s->texts++;
		}
		send_away(s, i);
		return;
	}
}

static void fill_state(const struct server *s, struct af_session_state *state)
{
	const struct af_plan *plan = s->run->plan;

	memset(state, 0, sizeof(*state));
	state->size = sizeof(*state);
	state->pid = getpid();
	state->caller = s->current;
	for (size_t i = 0; i < s->count; i++)
		state->waiting += s->callers[i].asked;
	state->started_s = s->started;
	state->idle_s = s->current ? 0 : (now_ms() - s->idle_since_ms) / 1000;
	state->idle_ms = plan->opts->idle_ms;
	state->texts = s->texts;
	snprintf(state->source, sizeof(state->source), "%s", plan->source);
	snprintf(state->delta, sizeof(state->delta), "%s", plan->delta ? plan->delta : "");
}

static void answer_status(const struct server *s, int fd)
{
	af_autofree struct af_session_state *state = malloc(sizeof(*state));

	if (!state)
		return;
	fill_state(s, state);
	control_answer_state(fd, state, sizeof(*state));
}

/* What is said from now on is said to whoever stops it. */
static void take_stopper(struct server *s, int fd, int stderr_fd)
{
	int *more = reallocarray(
		s->door->stoppers, s->door->stopper_count + 1, sizeof(*s->door->stoppers));

	if (!more) {
		close(fd);
		return;
	}
	s->door->stoppers = more;
	more[s->door->stopper_count++] = fd;
	if (stderr_fd >= 0 && !s->stopping) {
		session_pass_on(s->door);
		dup3(stderr_fd, s->door->out, O_CLOEXEC);
	}
	stop(s);
}

/* Returns false when the caller is not to be asked again: it was served, or is gone. */
static bool take_ask(struct server *s, struct caller *caller)
{
	struct af_control message;
	int fds[AF_CONTROL_FDS], count;
	int got = control_recv(caller->fd, &message, fds, &count);
	bool stays = false;

	if (got == -EAGAIN)
		return true;
	if (got > 0 && message.kind == AF_CONTROL_ASK) {
		switch ((enum af_ask)message.value) {
		case AF_ASK_RUN:
			caller->asked = stays = !s->stopping;
			break;
		case AF_ASK_STATUS:
			answer_status(s, caller->fd);
			break;
		case AF_ASK_STOP:
			take_stopper(s, af_steal_fd(&caller->fd), count > 0 ? fds[0] : -1);
			break;
		case AF_ASK_JOIN: /* a channel's */
			break;
		}
	}
	for (int i = 0; i < count; i++)
		close(fds[i]);
	return stays;
}

static void accept_caller(struct server *s)
{
	pid_t pid;
	af_autoclose int fd = named_accept(s->door->listener, &pid);

	if (fd < 0 || s->count == MAX_CALLERS)
		return;
	s->callers[s->count++] = (struct caller){.fd = af_steal_fd(&fd), .pid = pid};
}

static void take_callers(struct server *s, const struct pollfd *polls, size_t count)
{
	/* From the last: what is taken out moves only those behind it. */
	for (size_t i = count; i-- > 0;) {
		if (!polls[i].revents || take_ask(s, &s->callers[i]))
			continue;
		if (s->callers[i].fd >= 0)
			close(s->callers[i].fd);
		forget(s, i);
	}
}

/* ---- the sandbox --------------------------------------------------------------------------------- */

static int launch(const struct server *s)
{
	const struct af_run *run = s->run;
	const struct af_plan *plan = run->plan;
	struct af_control message = {.kind = AF_CONTROL_LAUNCH,
		.value = AF_LAUNCH_SESSION | AF_LAUNCH_NO_IN | AF_LAUNCH_NO_OUT,
		.own_memory = run->limits->own_memory,
		.own_pids = run->limits->own_pids,
		.expendable = run->limits->limits && run->limits->limits->memory != 0};
	af_autoclose int command =
		control_write_command(plan->cwd, plan->argv.items, plan->env.items);
	af_autoclose int library = embedded_shell();
	int err = command < 0 ? command : library < 0 ? library : limits_apply(run->limits);

	if (err)
		return err;
	return control_send(*control(s), &message, (const int[]){command, library, 2}, 3);
}

static void shell_ended(struct server *s, int status)
{
	int exit = WIFSIGNALED(status) ? AF_EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);

	s->outcome->signal = WIFSIGNALED(status) && !s->stopping ? WTERMSIG(status) : 0;
	if (!s->up) {
		log_error("session: bash ended with status %d before it took a command; it must be "
			  "bash 5 with `enable -f`",
			exit);
		exit = AF_EXIT_FAILED;
	} else if (!s->stopping) {
		log_error("session: its shell ended with status %d", exit);
	}
	end_inside(s, s->stopping ? 0 : exit);
}

static void take_message(struct server *s, const struct af_control *message)
{
	int err;

	switch ((enum af_control_kind)message->kind) {
	case AF_CONTROL_READY:
		err = launch(s);
		if (err) {
			log_error("session: cannot start its shell: %s", strerror(-err));
			end_inside(s, AF_EXIT_FAILED);
		}
		break;
	case AF_CONTROL_STARTED:
		s->outcome->started = true;
		break;
	case AF_CONTROL_FAILED:
		log_error("session: %s: %s",
			message->to == AF_STAGE_WORKDIR ? s->run->plan->cwd
							: s->run->plan->argv.items[0],
			strerror(message->value));
		end_inside(s, AF_EXIT_FAILED);
		break;
	case AF_CONTROL_DONE:
		s->current = 0;
		s->idle_since_ms = now_ms();
		if (s->up)
			break;
		s->up = true;
		s->deadline_ms = 0;
		if (session_is_up(s->door))
			stop(s);
		break;
	case AF_CONTROL_EXITED:
		shell_ended(s, message->value);
		break;
	default:
		break;
	}
}

static void read_control(struct server *s)
{
	struct af_control message;
	int fds[AF_CONTROL_FDS], count, got;

	if (sandbox_is_awaited(s->run->sandbox) && supervise_accept(s->run) == 0)
		return;
	got = control_recv(*control(s), &message, fds, &count);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (got > 0) {
		take_message(s, &message);
		return;
	}
	log_error(s->up ? "session: its sandbox ended"
			: "sandbox: it could not be set up; nothing was run");
	end_inside(s, AF_EXIT_FAILED);
}

static void read_signals(struct server *s)
{
	struct signalfd_siginfo info;

	while (read(s->run->signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT ||
			info.ssi_signo == SIGHUP)
			stop(s);
}

static void died(struct server *s, const char *what)
{
	log_error("session: %s ended while it lived", what);
	end_inside(s, AF_EXIT_FAILED);
}

static void time_is_over(struct server *s)
{
	if (!s->up && !s->stopping) {
		log_error("session: not set up within %d s",
			supervise_launch_timeout_ms(s->run) / 1000);
		end_inside(s, AF_EXIT_FAILED);
	} else {
		log_info("session: its shell takes too long to end; it is killed");
		end_inside(s, 0);
	}
}

static bool is_idle(const struct server *s)
{
	return s->up && !s->stopping && !s->current && s->count == 0;
}

static int wait_ms(const struct server *s)
{
	int64_t idle_ms = s->run->plan->opts->idle_ms;
	int64_t at = s->deadline_ms, left;

	if (idle_ms && is_idle(s) && (!at || s->idle_since_ms + idle_ms < at))
		at = s->idle_since_ms + idle_ms;
	if (!at)
		return -1;
	left = at - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void check_time(struct server *s)
{
	int64_t idle_ms = s->run->plan->opts->idle_ms;
	int64_t now = now_ms();

	if (s->ended)
		return;
	if (s->deadline_ms && now >= s->deadline_ms)
		time_is_over(s);
	else if (idle_ms && is_idle(s) && now >= s->idle_since_ms + idle_ms)
		stop(s);
}

enum {
	POLL_CONTROL,
	POLL_SIGNALS,
	POLL_DAEMON,
	POLL_RUNTIME,
	POLL_CHANNELS,
	POLL_AUDIT,
	POLL_SAID,
	POLL_DOOR,
	POLL_CALLERS
};

static size_t set_polls(const struct server *s, struct pollfd *polls)
{
	const struct af_run *run = s->run;
	const int fds[] = {sandbox_line(run->sandbox), run->signals->fd, run->mount->daemon.pidfd,
		run->sandbox->runtime.pidfd, run->channels->watch,
		s->audit_open ? run->refusals->pipe_read : -1, s->door->said, s->door->listener};

	for (size_t i = 0; i < POLL_CALLERS; i++)
		polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	for (size_t i = 0; i < s->count; i++)
		polls[POLL_CALLERS + i] = (struct pollfd){.fd = s->callers[i].fd, .events = POLLIN};
	return s->count;
}

static void serve(struct server *s)
{
	struct pollfd polls[POLL_CALLERS + MAX_CALLERS];

	while (!s->ended) {
		size_t count = set_polls(s, polls);

		if (poll(polls, (nfds_t)(POLL_CALLERS + count), wait_ms(s)) < 0) {
			if (errno == EINTR)
				continue;
			log_error("poll: %s", strerror(errno));
			end_inside(s, AF_EXIT_FAILED);
			return;
		}
		if (polls[POLL_AUDIT].revents)
			s->audit_open = refusals_read(s->run->refusals);
		if (polls[POLL_SAID].revents)
			session_pass_on(s->door);
		if (polls[POLL_CONTROL].revents)
			read_control(s);
		if (polls[POLL_SIGNALS].revents)
			read_signals(s);
		if (polls[POLL_DAEMON].revents && !s->ended)
			died(s, "its filesystem");
		if (polls[POLL_RUNTIME].revents && !s->ended)
			died(s, "its runtime");
		if (polls[POLL_CHANNELS].revents && !s->ended)
			died(s, "a channel's holder");
		take_callers(s, polls + POLL_CALLERS, count);
		if (polls[POLL_DOOR].revents)
			accept_caller(s);
		if (!s->ended)
			hand_in_next(s);
		check_time(s);
	}
}

void session_serve(const struct af_run *run, struct af_door *door, struct af_outcome *outcome)
{
	af_autofree struct server *s = calloc(1, sizeof(*s));

	if (!s) {
		log_error("session: %s", strerror(ENOMEM));
		sandbox_end(run->sandbox, &outcome->usage);
		return;
	}
	s->run = run;
	s->door = door;
	s->outcome = outcome;
	s->audit_open = true;
	s->started = time(NULL);
	s->started_ms = s->idle_since_ms = now_ms();
	s->deadline_ms = s->started_ms + supervise_launch_timeout_ms(run);
	serve(s);
	while (s->count > 0)
		send_away(s, s->count - 1);
	sandbox_end(run->sandbox, run->limits->by_runtime ? NULL : &outcome->usage);
	session_speak(door);
	outcome->wall_s = (double)(now_ms() - s->started_ms) / 1000;
}
