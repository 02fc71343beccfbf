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

int session_connect(const char *name)
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
	int fd = session_connect(opts->session);

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
	af_autoclose int fd = session_connect(opts->session);
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

/* ---- --merge ------------------------------------------------------------------------------------- */

static void tell_merged(const struct af_opts *opts, int value)
{
	switch (value) {
	case 0:
		return;
	case 1:
		log_warn(
			"session: %s: not all could be merged; `afrun -S %s --diff` shows the rest",
			opts->session, opts->session);
		return;
	case -EBUSY:
		log_error("session: %s: it cannot be merged now: it ends, writes to the source "
			  "itself (--direct), or has a file open of which a name was removed",
			opts->session);
		return;
	default:
		if (value < 0)
			log_error("session: %s: %s", opts->session, strerror(-value));
	}
}

static int merge(const struct af_opts *opts)
{
	struct af_control message = {.kind = AF_CONTROL_ASK,
		.value = AF_ASK_MERGE,
		.to = !opts->quiet && isatty(STDERR_FILENO)};
	af_autoclose int fd = session_connect(opts->session);
	struct af_control answer = {0};
	int fds[AF_CONTROL_FDS], count = 0, got;

	if (fd < 0)
		return AF_EXIT_FAILED;
	got = control_send(fd, &message, (const int[]){1, 2}, 2);
	if (!got)
		got = control_recv(fd, &answer, fds, &count);
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (got <= 0 || answer.kind != AF_CONTROL_ANSWER) {
		log_error("session: %s: it was gone before it said what was merged", opts->session);
		return AF_EXIT_FAILED;
	}
	tell_merged(opts, answer.value);
	return answer.value < 0 ? AF_EXIT_FAILED : answer.value;
}

int session_call(const struct af_opts *opts, unsigned int closed_std)
{
	log_set_verbose(opts->verbose);
	switch (opts->session_do) {
	case AF_SESSION_STATUS:
		return session_status(opts);
	case AF_SESSION_STOP:
		return stop(opts);
	case AF_SESSION_DIFF:
		return session_diff(opts);
	case AF_SESSION_MERGE:
		return merge(opts);
	default:
		return run(opts, closed_std);
	}
}
