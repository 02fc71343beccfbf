/*
 * --status and --diff of a session, and its line in --list. See session.h.
 */
#include "channel.h"
#include "cleanup.h"
#include "control.h"
#include "json.h"
#include "list.h"
#include "log.h"
#include "named.h"
#include "path.h"
#include "session.h"

#include <string.h>

static void write_state(
	struct af_json *json, const char *name, const struct af_session_state *state)
{
	json_object(json, NULL);
	json_string(json, "session", name);
	json_int(json, "pid", state->pid);
	json_string(json, "state", state->caller ? "running" : "idle");
	if (state->caller)
		json_int(json, "caller", state->caller);
	else
		json_null(json, "caller");
	json_int(json, "waiting", state->waiting);
	json_int(json, "commands", (int64_t)state->texts);
	json_int(json, "started", state->started_s);
	json_int(json, "idle_s", state->idle_s);
	if (state->idle_ms)
		json_double(json, "idle_limit_s", (double)state->idle_ms / 1000);
	else
		json_null(json, "idle_limit_s");
	json_string(json, "source", state->source);
	json_string(json, "delta", state->delta[0] ? state->delta : NULL);
	json_object_end(json);
}

/* NAME, STATE, PID, SINCE, SOURCE: columns for people, a line each for cut(1) and awk(1). */
static void print_state(const char *name, const struct af_session_state *state)
{
	char when[32], source[4 * PATH_MAX];

	list_time(when, sizeof(when), state->started_s);
	log_escape(source, sizeof(source), state->source,
		strnlen(state->source, sizeof(state->source)));
	printf("%s\t%s\t%d\t%s\t%s\n", name, state->caller ? "running" : "idle", (int)state->pid,
		when, source);
}

/* Newly allocated, or NULL, reported. */
static struct af_session_state *get_state(const char *name)
{
	struct af_session_state *state = calloc(1, sizeof(*state));
	af_autoclose int fd = session_connect(name);
	int err = !state ? -ENOMEM : fd < 0 ? fd : control_ask_state(fd, state, sizeof(*state));

	if (!err)
		return state;
	/* That there is none was said. */
	if (fd >= 0)
		log_error("session: %s: %s", name,
			err == -EPROTO ? "it is of another version of afrun" : strerror(-err));
	free(state);
	return NULL;
}

int session_status(const struct af_opts *opts)
{
	af_autofree struct af_session_state *state = get_state(opts->session);
	struct af_json json;

	if (!state)
		return AF_EXIT_FAILED;
	if (opts->json) {
		json_init(&json, stdout);
		write_state(&json, opts->session, state);
		putchar('\n');
	} else {
		print_state(opts->session, state);
	}
	return list_finish();
}

/* afsyncd reads a delta that is in use, with the policy that is in it. */
int session_diff(const struct af_opts *opts)
{
	af_autofree struct af_session_state *state = get_state(opts->session);
	af_autofree char *program = path_find_program("afsyncd");

	if (!state)
		return AF_EXIT_FAILED;
	if (!state->delta[0]) {
		log_error("session: %s: it writes to the source itself (--direct)", opts->session);
		return AF_EXIT_FAILED;
	}
	if (program)
		execlp(program, program, "--diff", "--", state->delta, state->source, (char *)NULL);
	log_error("afsyncd: cannot be run: %s", strerror(errno));
	return AF_EXIT_FAILED;
}

/* One that ends meanwhile is not there. */
static void show_one(
	int dir, const char *name, struct af_session_state *state, struct af_json *json)
{
	af_autoclose int fd = named_connect(dir, name);
	int err = fd < 0 ? fd : control_ask_state(fd, state, sizeof(*state));

	if (err == -EPROTO || err == -EAGAIN)
		log_warn("session: %s: %s", name,
			err == -EPROTO ? "it is of another version of afrun"
				       : "it does not answer");
	else if (!err && json)
		write_state(json, name, state);
	else if (!err)
		print_state(name, state);
}

int session_list(int dir, struct af_json *json)
{
	af_autofree struct af_session_state *state = calloc(1, sizeof(*state));
	struct af_words names = {0};
	int err = state ? named_list(dir, "", &names) : -ENOMEM;

	for (size_t i = 0; i < names.count && !err; i++)
		show_one(dir, names.items[i], state, json);
	words_fini(&names);
	return err;
}
