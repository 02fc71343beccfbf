/*
 * A session's server: while its sandbox lives, who asks for what, in turn. See session.h; what a caller
 * and our first process inside say to each other is theirs (supervise.c, inside_session.c).
 *
 * One loop over poll(2); callers are session_callers.c's.
 */
#include "session_server.h"

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
void server_stop(struct server *s)
{
	struct af_control message = {.kind = AF_CONTROL_END};

	if (s->stopping || s->ended)
		return;
	s->stopping = true;
	s->deadline_ms = now_ms() + s->run->plan->opts->kill_after_ms;
	if (!s->up || control_send(*control(s), &message, NULL, 0) < 0)
		end_inside(s, 0);
}

/* Its process has ended, or is waited for. */
static void end_merge(struct server *s)
{
	int err = session_merge_ended(&s->merge, s->run);

	if (err > 0)
		return;
	s->current = 0;
	s->idle_since_ms = now_ms();
	if (err && !s->ended) {
		log_error("session: its filesystem ended while its writes were merged");
		end_inside(s, AF_EXIT_FAILED);
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
			server_stop(s);
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
			server_stop(s);
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
		server_stop(s);
}

enum {
	POLL_CONTROL,
	POLL_SIGNALS,
	POLL_DAEMON,
	POLL_RUNTIME,
	POLL_CHANNELS,
	POLL_AUDIT,
	POLL_SAID,
	POLL_MERGE,
	POLL_DOOR,
	POLL_CALLERS
};

static size_t set_polls(const struct server *s, struct pollfd *polls)
{
	const struct af_run *run = s->run;
	const int fds[] = {sandbox_line(run->sandbox), run->signals->fd, run->mount->daemon.pidfd,
		run->sandbox->runtime.pidfd, run->channels->watch,
		s->audit_open ? run->refusals->pipe_read : -1, s->door->said, s->merge.child.pidfd,
		s->door->listener};

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
		if (polls[POLL_MERGE].revents)
			end_merge(s);
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
		callers_take(s, polls + POLL_CALLERS, count);
		if (polls[POLL_DOOR].revents)
			callers_accept(s);
		if (!s->ended)
			callers_hand_in_next(s);
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
	s->merge = AF_SESSION_MERGE_NONE;
	s->audit_open = true;
	s->started = time(NULL);
	s->started_ms = s->idle_since_ms = now_ms();
	s->deadline_ms = s->started_ms + supervise_launch_timeout_ms(run);
	serve(s);
	while (session_merge_runs(&s->merge))
		end_merge(s);
	callers_send_away(s);
	sandbox_end(run->sandbox, run->limits->by_runtime ? NULL : &outcome->usage);
	session_speak(door);
	outcome->wall_s = (double)(now_ms() - s->started_ms) / 1000;
}
