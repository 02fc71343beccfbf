/*
 * Who calls a session: see session_server.h. A caller says what it wants (ASK) and waits; only one at a
 * time is handed in.
 */
#include "session_server.h"

#include "clock.h"
#include "cleanup.h"
#include "control.h"
#include "named.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

static void forget(struct server *s, size_t i)
{
	memmove(s->callers + i, s->callers + i + 1, (s->count - i - 1) * sizeof(*s->callers));
	s->count--;
}

static void send_away(struct server *s, size_t i)
{
	const struct caller *caller = &s->callers[i];

	if (caller->fd >= 0)
		close(caller->fd);
	for (int k = 0; caller->merges && k < 2; k++)
		close(caller->streams[k]);
	forget(s, i);
}

static void begin_merge(struct server *s, size_t i)
{
	struct caller caller = s->callers[i];

	forget(s, i);
	if (session_merge_begin(&s->merge, s->run, caller.fd, caller.streams, caller.tells))
		s->current = caller.pid;
}

void callers_hand_in_next(struct server *s)
{
	struct af_control message = {.kind = AF_CONTROL_CALLER};

	for (size_t i = 0; i < s->count && s->up && !s->stopping && !s->current; i++) {
		if (!s->callers[i].asked)
			continue;
		if (s->callers[i].merges) {
			begin_merge(s, i);
			return;
		}
		if (control_send(s->run->sandbox->control, &message, &s->callers[i].fd, 1) == 0) {
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
	server_stop(s);
}

/* fds are taken over where it is to have its turn. */
static bool take_merger(struct server *s, struct caller *caller, const struct af_control *message,
	const int *fds, int *count)
{
	if (*count != 2 || caller->asked || s->stopping) {
		session_merge_refuse(caller->fd);
		return false;
	}
	caller->asked = caller->merges = true;
	caller->tells = message->to;
	memcpy(caller->streams, fds, sizeof(caller->streams));
	*count = 0;
	return true;
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
		case AF_ASK_MERGE:
			stays = take_merger(s, caller, &message, fds, &count);
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

void callers_accept(struct server *s)
{
	pid_t pid;
	af_autoclose int fd = named_accept(s->door->listener, &pid);

	if (fd < 0 || s->count == MAX_CALLERS)
		return;
	s->callers[s->count++] = (struct caller){.fd = af_steal_fd(&fd), .pid = pid};
}

void callers_take(struct server *s, const struct pollfd *polls, size_t count)
{
	/* From the last: what is taken out moves only those behind it. */
	for (size_t i = count; i-- > 0;) {
		if (!polls[i].revents || take_ask(s, &s->callers[i]))
			continue;
		send_away(s, i);
	}
}

void callers_send_away(struct server *s)
{
	while (s->count > 0)
		send_away(s, s->count - 1);
}
