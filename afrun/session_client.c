/*
 * Who calls a session. See session.h; a text is seen through as any other run is (supervise.c).
 */
#include "session.h"

#include "channel.h"
#include "cleanup.h"
#include "control.h"
#include "docker_place.h"
#include "io.h"
#include "json.h"
#include "log.h"
#include "named.h"
#include "path.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* More than this is not read of a text. */
enum { TEXT_MAX = 64 << 20 };

static int connect_to(const char *name)
{
	af_autofree char *path = NULL;
	af_autoclose int dir = named_open(false, &path);
	int fd = dir < 0 ? dir : named_connect(dir, name);

	if (fd == -ENOENT)
		log_error(
			"session: %s: there is none; `afrun -S %s --start` starts one", name, name);
	else if (fd < 0)
		log_error("session: %s/%s: %s", path ? path : "", name, strerror(-fd));
	return fd;
}

static int ask(int fd, enum af_ask what, const int *fds, int count)
{
	struct af_control message = {.kind = AF_CONTROL_ASK, .value = (int32_t)what};

	return control_send(fd, &message, fds, count);
}

/* ---- a text -------------------------------------------------------------------------------------- */

/* The words of a command, as a shell reads them. Newly allocated, or NULL. */
static char *quote_words(char *const *words)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (; *words; words++) {
		words_quote(out, *words);
		putc(words[1] ? ' ' : '\n', out);
	}
	return fclose(out) == 0 ? text : NULL;
}

/* As a shell that reads a file: a NUL is not there. */
static void take_out_nuls(char *text, size_t size)
{
	char *to = text;

	for (size_t i = 0; i < size; i++)
		if (text[i])
			*to++ = text[i];
	*to = '\0';
}

/* What is to be run; NULL in *text where it will be typed. 0 or -errno, reported. */
static int make_text(const struct af_opts *opts, char **text)
{
	size_t size = 0;
	int err = 0;

	*text = NULL;
	if (opts->script)
		*text = strdup(opts->script);
	else if (opts->command[0])
		*text = quote_words(opts->command);
	else if (isatty(0))
		return 0;
	else
		err = io_read_all(0, TEXT_MAX, text, &size);
	if (!err && *text && !opts->script && !opts->command[0])
		take_out_nuls(*text, size);
	if (!err && *text)
		return 0;
	err = err ? err : -ENOMEM;
	log_error("session: the text: %s", strerror(-err));
	return err;
}

/* Waits for its turn, and sees its text through. */
static int run_text(const struct af_opts *opts, int fd, char *text, unsigned int closed_std)
{
	struct af_fsmount mount = AF_FSMOUNT_NONE;
	struct af_sandbox sandbox = AF_SANDBOX_NONE;
	struct af_refusals refusals = AF_REFUSALS_NONE;
	struct af_held limits = AF_HELD_NONE;
	struct af_signals signals = {.fd = -1};
	struct af_outcome outcome = {.exit = AF_EXIT_FAILED};
	struct af_plan plan = {.opts = opts, .in_session = true, .pty = isatty(0)};
	struct af_channels channels = AF_CHANNELS_NONE;
	struct af_run run = {
		&plan, &mount, &sandbox, &refusals, &signals, &limits, &channels, closed_std};
	int err = signals_open(&signals);

	if (text)
		words_add(&plan.argv, text);
	if (!err)
		err = words_error(&plan.argv);
	if (!err)
		err = ask(fd, AF_ASK_RUN, NULL, 0);
	if (err) {
		log_error("session: %s", strerror(-err));
	} else {
		sandbox.control = af_steal_fd(&fd);
		supervise_run(&run, &outcome);
	}
	if (fd >= 0)
		close(fd);
	words_fini(&plan.argv);
	if (signals.fd >= 0)
		close(signals.fd);
	return outcome.exit;
}

static int run(const struct af_opts *opts, unsigned int closed_std)
{
	af_autofree char *text = NULL;
	int fd = connect_to(opts->session);

	if (fd < 0)
		return AF_EXIT_FAILED;
	if (make_text(opts, &text)) {
		close(fd);
		return AF_EXIT_FAILED;
	}
	return run_text(opts, fd, text, closed_std);
}

/* ---- --stop -------------------------------------------------------------------------------------- */

static int stop(const struct af_opts *opts)
{
	af_autoclose int fd = connect_to(opts->session);
	struct af_control answer = {0};
	int fds[AF_CONTROL_FDS], count = 0, got, err;

	if (fd < 0)
		return AF_EXIT_FAILED;
	err = ask(fd, AF_ASK_STOP, (const int[]){2}, 1);
	got = err ? err : control_recv(fd, &answer, fds, &count);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (got > 0 && answer.kind == AF_CONTROL_ANSWER)
		return answer.value;
	log_error("session: %s: it was gone before it said how it ended", opts->session);
	return AF_EXIT_FAILED;
}

/* ---- --status, --list ---------------------------------------------------------------------------- */

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
	time_t started = (time_t)state->started_s;
	char when[32] = "?", source[4 * PATH_MAX];
	struct tm tm;

	if (localtime_r(&started, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	log_escape(source, sizeof(source), state->source,
		strnlen(state->source, sizeof(state->source)));
	printf("%s\t%s\t%d\t%s\t%s\n", name, state->caller ? "running" : "idle", (int)state->pid,
		when, source);
}

static int finish_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	log_error("stdout: %s", strerror(errno));
	return AF_EXIT_FAILED;
}

/* Newly allocated, or NULL, reported. */
static struct af_session_state *get_state(const char *name)
{
	struct af_session_state *state = calloc(1, sizeof(*state));
	af_autoclose int fd = connect_to(name);
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

static int status(const struct af_opts *opts)
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
	return finish_output();
}

/* afsyncd reads a delta that is in use, with the policy that is in it. */
static int diff(const struct af_opts *opts)
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
static void list_one(
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

static int list(const struct af_opts *opts)
{
	af_autofree struct af_session_state *state = calloc(1, sizeof(*state));
	af_autofree char *path = NULL;
	af_autoclose int dir = named_open(false, &path);
	struct af_words names = {0};
	struct af_json json;
	int err = !state ? -ENOMEM : dir < 0 ? dir : named_list(dir, "", &names);

	if (err && err != -ENOENT) {
		log_error("session: %s: %s", path ? path : "", strerror(-err));
		words_fini(&names);
		return AF_EXIT_FAILED;
	}
	if (dir >= 0)
		docker_place_sweep(dir, opts->docker);
	json_init(&json, stdout);
	if (opts->json)
		json_array(&json, NULL);
	for (size_t i = 0; i < names.count; i++)
		list_one(dir, names.items[i], state, opts->json ? &json : NULL);
	if (dir >= 0)
		channel_list(dir, opts->json ? &json : NULL);
	if (opts->json) {
		json_array_end(&json);
		putchar('\n');
	}
	words_fini(&names);
	return finish_output();
}

int session_call(const struct af_opts *opts, unsigned int closed_std)
{
	log_set_verbose(opts->verbose);
	switch (opts->session_do) {
	case AF_SESSION_STATUS:
		return status(opts);
	case AF_SESSION_STOP:
		return stop(opts);
	case AF_SESSION_DIFF:
		return diff(opts);
	case AF_SESSION_LIST:
		return list(opts);
	default:
		return run(opts, closed_std);
	}
}
