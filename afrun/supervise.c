/*
 * A run from the command's start to its end. See supervise.h.
 *
 *     READY ->           LAUNCH: the command's own descriptors, its arguments and environment
 *     STARTED, FAILED -> it runs, or why not
 *     signals ->         SIGNAL: to the command; to its group where the terminal sent it
 *     STOPPED ->         we stop too, and pass CONT on when we are continued
 *     time is over ->    SIGNAL: TERM to all; later the control socket is closed, which kills all
 *     EXITED ->          the status
 *     end of file ->     nothing is left inside
 *
 * One loop over poll(2); it never blocks anywhere else, but in writes to the caller's terminal.
 */
#include "supervise.h"

#include "cleanup.h"
#include "clock.h"
#include "control.h"
#include "launch.h"
#include "log.h"
#include "terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define LAUNCH_TIMEOUT_MS 30000
/* An image may have to be fetched first. */
#define FETCH_TIMEOUT_MS 900000
#define BACKGROUND_POLL_MS 200
#define DRAIN_TIMEOUT_MS 2000
/* A session's jobs may keep the terminal; then all has come when nothing came for so long. */
#define QUIET_MS 100

struct supervisor {
	const struct af_run *run;
	struct af_outcome *outcome;
	struct af_terminal terminal;
	int64_t started_ms;
	int64_t drained_ms;  /* ended: until then output is waited for */
	int64_t deadline_ms; /* when the next of launch limit, timeout and kill is due; 0: never */
	bool decided;        /* outcome->exit is final */
	bool ended;          /* nothing is left inside */
	bool audit_open;
};

static const int passed_on[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH};

int signals_open(struct af_signals *signals)
{
	struct sigaction action;
	sigset_t ours;

	sigemptyset(&ours);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		if (sigaction(passed_on[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&ours, passed_on[i]);
	if (sigprocmask(SIG_BLOCK, &ours, &signals->mask) < 0)
		return -errno;
	signals->fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals->fd < 0 ? -errno : 0;
}

static void decide(struct supervisor *s, int exit)
{
	if (s->decided)
		return;
	s->outcome->exit = exit;
	s->decided = true;
}

/*
 * Closing the socket ends our first process inside, and the kernel everything else there. What the
 * command's terminal still holds is copied, for a bounded time.
 */
static void end_inside(struct supervisor *s)
{
	sandbox_let_go(s->run->sandbox, s->run->limits);
	s->drained_ms = now_ms() + DRAIN_TIMEOUT_MS;
	s->deadline_ms = s->run->plan->in_session ? now_ms() + QUIET_MS : s->drained_ms;
	s->ended = true;
}

static void copy_output(struct supervisor *s)
{
	terminal_copy_output(&s->terminal);
	if (s->ended && s->run->plan->in_session && now_ms() + QUIET_MS < s->drained_ms)
		s->deadline_ms = now_ms() + QUIET_MS;
}

static void send_signal(const struct supervisor *s, int number, enum af_signal_to to)
{
	struct af_control message = {.kind = AF_CONTROL_SIGNAL, .value = number, .to = (int32_t)to};

	/* Where nobody is there any more, the end is already on its way to us. */
	if (s->run->sandbox->control >= 0)
		control_send(s->run->sandbox->control, &message, NULL, 0);
}

static void report_failure(struct supervisor *s, int error, int stage)
{
	const struct af_plan *plan = s->run->plan;

	if (stage == AF_STAGE_EXEC) {
		log_error("%s: %s", plan->argv.items[0], strerror(error));
		decide(s, error == ENOENT ? AF_EXIT_NOT_FOUND : AF_EXIT_NOT_RUNNABLE);
	} else if (stage == AF_STAGE_WORKDIR) {
		log_error("--workdir: %s: %s", plan->cwd, strerror(error));
		decide(s, AF_EXIT_FAILED);
	} else {
		log_error("sandbox: cannot start the command: %s", strerror(error));
		decide(s, AF_EXIT_FAILED);
	}
}

static void launch(struct supervisor *s)
{
	int err;

	if (!s->run->plan->in_session && limits_apply(s->run->limits)) {
		decide(s, AF_EXIT_FAILED);
		end_inside(s);
		return;
	}
	err = launch_command(s->run, &s->terminal);
	if (err)
		report_failure(s, -err, AF_STAGE_SETUP);
}

static void command_started(struct supervisor *s)
{
	int64_t timeout_ms = s->run->plan->opts->timeout_ms;

	s->outcome->started = true;
	s->started_ms = now_ms();
	s->deadline_ms = timeout_ms ? s->started_ms + timeout_ms : 0;
}

static struct timeval time_of(int64_t us)
{
	return (struct timeval){.tv_sec = us / 1000000, .tv_usec = us % 1000000};
}

static void command_exited(struct supervisor *s, const struct af_control *message)
{
	int status = message->value;

	if (s->run->limits->by_runtime) {
		s->outcome->usage.ru_utime = time_of(message->user_us);
		s->outcome->usage.ru_stime = time_of(message->system_us);
	}
	s->outcome->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	decide(s,
		s->outcome->timed_out         ? AF_EXIT_TIMED_OUT
			: WIFSIGNALED(status) ? AF_EXIT_SIGNAL + WTERMSIG(status)
					      : WEXITSTATUS(status));
}

/* Stops as the command did, so that whoever waits for us (a shell) sees it. */
static void stop_too(struct supervisor *s)
{
	terminal_give_back(&s->terminal);
	kill(getpid(), SIGSTOP);
}

/* One message from inside. */
static void take_message(
	struct supervisor *s, const struct af_control *message, int *fds, int count)
{
	switch ((enum af_control_kind)message->kind) {
	case AF_CONTROL_READY:
		launch(s);
		break;
	case AF_CONTROL_TERMINAL:
		if (count == 1 && s->terminal.tty >= 0)
			terminal_attach(&s->terminal, af_steal_fd(&fds[0]));
		break;
	case AF_CONTROL_STARTED:
		command_started(s);
		break;
	case AF_CONTROL_FAILED:
		report_failure(s, message->value, message->to);
		break;
	case AF_CONTROL_STOPPED:
		stop_too(s);
		break;
	case AF_CONTROL_EXITED:
		command_exited(s, message);
		/* The sandbox stays, and nothing more comes of the text; or it waits to be ended. */
		if (s->run->plan->in_session || s->run->limits->by_runtime)
			end_inside(s);
		break;
	default:
		break;
	}
}

int supervise_accept(const struct af_run *run)
{
	pid_t pid = sandbox_accept(run->sandbox);

	if (pid > 0)
		limits_follow(run->limits, pid);
	return pid < 0 ? pid : 0;
}

static void read_control(struct supervisor *s)
{
	struct af_control message;
	int fds[AF_CONTROL_FDS] = {-1, -1, -1, -1}, count, got;

	if (sandbox_is_awaited(s->run->sandbox) && supervise_accept(s->run) == 0)
		return;
	got = control_recv(s->run->sandbox->control, &message, fds, &count);

	if (got > 0)
		take_message(s, &message, fds, count);
	for (int i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (got > 0)
		return;
	if (!s->decided && s->run->plan->in_session)
		log_error("session: it ended before the command did");
	else if (!s->decided)
		log_error(s->outcome->started ? "sandbox: it ended before the command did"
					      : "sandbox: it could not be set up; nothing was run");
	decide(s, AF_EXIT_FAILED);
	end_inside(s);
}

static void take_signal(struct supervisor *s, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	if (number == SIGWINCH) {
		terminal_resize(&s->terminal);
		return;
	}
	if (number == SIGCONT)
		terminal_take(&s->terminal);
	if (s->outcome->started || number == SIGCONT || number == SIGTSTP) {
		/* What a key of the terminal sends, it sends to all of the foreground. */
		send_signal(s, number,
			info->ssi_code == SI_KERNEL || number == SIGCONT ? AF_TO_GROUP
									 : AF_TO_COMMAND);
		/* A session's shell never stops, and before the command is there nobody does. */
		if (number == SIGTSTP && (s->run->plan->in_session || !s->outcome->started))
			stop_too(s);
		return;
	}
	decide(s, AF_EXIT_SIGNAL + number);
	end_inside(s);
}

static void read_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->run->signals->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		take_signal(s, &info);
}

int supervise_launch_timeout_ms(const struct af_run *run)
{
	return run->limits->by_runtime ? FETCH_TIMEOUT_MS : LAUNCH_TIMEOUT_MS;
}

static void time_is_over(struct supervisor *s)
{
	const struct af_opts *opts = s->run->plan->opts;

	if (s->ended) {
		/* Its last output should have come by now. */
		terminal_close(&s->terminal);
	} else if (!s->outcome->started) {
		log_error("sandbox: not set up within %d s",
			supervise_launch_timeout_ms(s->run) / 1000);
		decide(s, AF_EXIT_FAILED);
		end_inside(s);
	} else if (!s->outcome->timed_out) {
		s->outcome->timed_out = true;
		log_info("timeout: SIGTERM to everything inside");
		send_signal(s, SIGTERM, AF_TO_ALL);
		s->deadline_ms = now_ms() + opts->kill_after_ms;
	} else {
		log_info("timeout: SIGKILL to everything inside");
		decide(s, AF_EXIT_TIMED_OUT);
		end_inside(s);
	}
}

static void fail(struct supervisor *s, const char *why)
{
	if (!s->decided)
		log_error("%s", why);
	decide(s, AF_EXIT_FAILED);
	end_inside(s);
}

static int wait_ms(const struct supervisor *s)
{
	int64_t left = s->deadline_ms ? s->deadline_ms - now_ms() : -1;

	if (s->deadline_ms && left < 0)
		left = 0;
	if (s->terminal.master >= 0 && !s->terminal.foreground &&
		(left < 0 || left > BACKGROUND_POLL_MS))
		left = BACKGROUND_POLL_MS;
	return left > 60000 ? 60000 : (int)left;
}

enum {
	POLL_SIGNALS,
	POLL_CONTROL,
	POLL_DAEMON,
	POLL_RUNTIME,
	POLL_CHANNELS,
	POLL_AUDIT,
	POLL_TTY,
	POLL_MASTER,
	POLL_COUNT
};

static void set_polls(const struct supervisor *s, struct pollfd polls[POLL_COUNT])
{
	const struct af_run *run = s->run;
	const struct af_terminal *terminal = &s->terminal;
	bool typed = terminal_has_input(terminal);

	polls[POLL_SIGNALS] = (struct pollfd){.fd = run->signals->fd, .events = POLLIN};
	polls[POLL_CONTROL] = (struct pollfd){.fd = sandbox_line(run->sandbox), .events = POLLIN};
	polls[POLL_DAEMON] = (struct pollfd){.fd = run->mount->daemon.pidfd, .events = POLLIN};
	polls[POLL_RUNTIME] = (struct pollfd){
		.fd = s->outcome->started ? -1 : run->sandbox->runtime.pidfd, .events = POLLIN};
	polls[POLL_CHANNELS] = (struct pollfd){.fd = run->channels->watch, .events = POLLIN};
	polls[POLL_AUDIT] = (struct pollfd){
		.fd = s->audit_open ? run->refusals->pipe_read : -1, .events = POLLIN};
	polls[POLL_TTY] = (struct pollfd){
		.fd = terminal_wants_input(terminal) ? terminal->tty : -1, .events = POLLIN};
	polls[POLL_MASTER] = (struct pollfd){
		.fd = terminal->master, .events = (short)(POLLIN | (typed ? POLLOUT : 0))};
}

static void take_polls(struct supervisor *s, const struct pollfd polls[POLL_COUNT])
{
	if (polls[POLL_AUDIT].revents)
		s->audit_open = refusals_read(s->run->refusals);
	if (polls[POLL_TTY].revents)
		terminal_read_input(&s->terminal);
	if (polls[POLL_MASTER].revents & POLLOUT)
		terminal_pass_input(&s->terminal);
	if (polls[POLL_MASTER].revents & (POLLIN | POLLHUP | POLLERR))
		copy_output(s);
	if (polls[POLL_SIGNALS].revents)
		read_signals(s);
	if (polls[POLL_CONTROL].revents && !s->ended)
		read_control(s);
	if (polls[POLL_DAEMON].revents && !s->ended)
		fail(s, "mount: agentfensefs ended while the command ran");
	if (polls[POLL_CHANNELS].revents && !s->ended)
		fail(s, "channel: the process that holds it ended while the command ran");
	/* While something of it may still hold the control socket. */
	if (polls[POLL_RUNTIME].revents && !s->ended && !s->outcome->started)
		fail(s, "sandbox: it could not be set up; nothing was run");
}

static void serve(struct supervisor *s)
{
	struct pollfd polls[POLL_COUNT];

	while (!s->ended || s->terminal.master >= 0) {
		set_polls(s, polls);
		if (poll(polls, POLL_COUNT, wait_ms(s)) < 0 && errno != EINTR) {
			log_error("poll: %s", strerror(errno));
			decide(s, AF_EXIT_FAILED);
			end_inside(s);
			return;
		}
		take_polls(s, polls);
		if (s->deadline_ms && now_ms() >= s->deadline_ms)
			time_is_over(s);
		if (s->terminal.master >= 0 && !s->terminal.foreground)
			terminal_take(&s->terminal);
	}
}

void supervise_run(const struct af_run *run, struct af_outcome *outcome)
{
	struct supervisor s = {
		.run = run, .outcome = outcome, .terminal = AF_TERMINAL_NONE, .audit_open = true};
	int err = run->plan->pty ? terminal_open(&s.terminal) : 0;

	s.started_ms = now_ms();
	/* A caller waits for its turn as long as it takes. */
	s.deadline_ms = run->plan->in_session ? 0 : s.started_ms + supervise_launch_timeout_ms(run);
	if (err) {
		log_error("terminal: %s", strerror(-err));
		decide(&s, AF_EXIT_FAILED);
		end_inside(&s);
	}
	serve(&s);
	terminal_close(&s.terminal);
	sandbox_end(run->sandbox, run->limits->by_runtime ? NULL : &outcome->usage);
	outcome->wall_s = (double)(now_ms() - s.started_ms) / 1000;
}
