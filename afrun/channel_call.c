/*
 * --status and --stop of a channel, and its line in --list. See channel.h.
 */
#include "channel.h"

#include "cleanup.h"
#include "control.h"
#include "json.h"
#include "list.h"
#include "log.h"
#include "supervise.h"

#include <string.h>

static int connect_in(int dir, const char *name)
{
	char marked[AF_CHANNEL_NAME_SIZE + 1];

	snprintf(marked, sizeof(marked), NAMED_CHANNEL "%s", name);
	return named_connect(dir, marked);
}

/* NAME, "channel", PID, SINCE, and in place of a session's source its use: a line as a session's. */
static void print_state(const char *name, const struct af_channel_state *state)
{
	char when[32];

	list_time(when, sizeof(when), state->started_s);
	printf("%s\tchannel\t%d\t%s\t%d users, %ju of %ju KiB%s\n", name, (int)state->pid, when,
		(int)state->users, (uintmax_t)state->used / 1024, (uintmax_t)state->limit / 1024,
		state->kept ? ", kept" : "");
}

static void write_state(
	struct af_json *json, const char *name, const struct af_channel_state *state)
{
	json_object(json, NULL);
	json_string(json, "channel", name);
	json_int(json, "pid", state->pid);
	json_int(json, "started", state->started_s);
	json_int(json, "users", state->users);
	json_bool(json, "kept", state->kept);
	json_int(json, "size", (int64_t)state->limit);
	json_int(json, "used", (int64_t)state->used);
	json_object_end(json);
}

static void show(struct af_json *json, const char *name, const struct af_channel_state *state)
{
	if (json)
		write_state(json, name, state);
	else
		print_state(name, state);
}

int channel_list(int dir, struct af_json *json)
{
	struct af_words names = {0};
	int err = named_list(dir, NAMED_CHANNEL, &names);

	for (size_t i = 0; i < names.count && !err; i++) {
		af_autoclose int line = connect_in(dir, names.items[i]);
		struct af_channel_state state;
		int bad = line < 0 ? line : control_ask_state(line, &state, sizeof(state));

		if (bad == -EPROTO || bad == -EAGAIN)
			log_warn("channel: %s: %s", names.items[i],
				bad == -EPROTO ? "it is of another version of afrun"
					       : "it does not answer");
		else if (!bad)
			show(json, names.items[i], &state);
	}
	words_fini(&names);
	return err;
}

static int status(const struct af_opts *opts, const char *name, int line)
{
	struct af_channel_state state;
	struct af_json json;
	int err = control_ask_state(line, &state, sizeof(state));

	if (err) {
		log_error("channel: %s: %s", name,
			err == -EPROTO ? "it is of another version of afrun" : strerror(-err));
		return AF_EXIT_FAILED;
	}
	json_init(&json, stdout);
	show(opts->json ? &json : NULL, name, &state);
	if (opts->json)
		putchar('\n');
	return list_finish();
}

/* It ends with its last user, or now. */
static int stop(const char *name, int line)
{
	struct af_control message = {.kind = AF_CONTROL_ASK, .value = AF_ASK_STOP};
	int fds[AF_CONTROL_FDS], count = 0;
	int err = control_send(line, &message, NULL, 0);
	int got = err ? err : control_recv(line, &message, fds, &count);

	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (got > 0 && message.kind == AF_CONTROL_ANSWER)
		return 0;
	log_error("channel: %s: %s", name, strerror(got < 0 ? -got : ECONNRESET));
	return AF_EXIT_FAILED;
}

int channel_call(const struct af_opts *opts)
{
	af_autofree char *path = NULL;
	af_autoclose int dir = named_open(false, &path);
	af_autoclose int line = -1;
	struct af_channel_ask asked;

	if (channel_parse(opts->items[0].text, &asked))
		return AF_EXIT_FAILED;
	line = dir < 0 ? dir : connect_in(dir, asked.name);
	if (line == -ENOENT)
		log_error("channel: %s: there is none", asked.name);
	else if (line < 0)
		log_error("channel: %s/%s: %s", path ? path : "", asked.name, strerror(-line));
	if (line < 0)
		return AF_EXIT_FAILED;
	return opts->session_do == AF_SESSION_STATUS ? status(opts, asked.name, line)
						     : stop(asked.name, line);
}
