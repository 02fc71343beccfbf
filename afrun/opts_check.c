/*
 * Whether the options fit together. See opts.h.
 *
 * A text of a session has few of its own: what makes a sandbox was settled when the session began.
 */
#include "opts.h"

#include "log.h"
#include "named.h"

#include <errno.h>
#include <string.h>

static int check_delta(const struct af_opts *opts)
{
	if (opts->direct &&
		(opts->delta || opts->delta_size || opts->conflict || opts->state ||
			opts->sync_given)) {
		log_error("--direct: there is no delta then, for --delta, --delta-size, --sync, "
			  "--conflict or --state");
		return -EINVAL;
	}
	return 0;
}

static int check_runtime(const struct af_opts *opts)
{
	if (!opts->in_docker && (opts->image || opts->docker_command)) {
		log_error("%s: needs --runtime docker", opts->image ? "--image" : "--docker");
		return -EINVAL;
	}
	if (opts->in_docker && !opts->image) {
		log_error("--runtime: docker: in which image? --image IMAGE");
		return -EINVAL;
	}
	/* Docker would take them for options. */
	if (opts->in_docker && (!opts->image[0] || opts->image[0] == '-')) {
		log_error("--image: %s: not the name of an image", opts->image);
		return -EINVAL;
	}
	return 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

/* Every option that was given must be one of those. */
static int allow_only(const char *const *names, const char *why, const int *given, size_t count,
	const char *(*name)(int option))
{
	for (size_t i = 0; i < count; i++) {
		const char *text = name(given[i]);

		if (is_one_of(text, names))
			continue;
		log_error("%s%s: %s", text[0] == '-' ? "" : "--", text, why);
		return -EINVAL;
	}
	return 0;
}

static int check_start(const struct af_opts *opts)
{
	if (opts->script || opts->command[0]) {
		log_error("--start: %s: a session is started first, and then given commands",
			opts->script ? "-c" : opts->command[0]);
		return -EINVAL;
	}
	if (opts->timeout_ms) {
		log_error("--timeout: is for a command; --idle ends a session");
		return -EINVAL;
	}
	return 0;
}

/* Whether --status or --stop is of a channel. */
static bool asks_channel(const struct af_opts *opts)
{
	return !opts->session && opts->item_count > 0 &&
		(opts->session_do == AF_SESSION_STATUS || opts->session_do == AF_SESSION_STOP);
}

static int check_channel(
	const struct af_opts *opts, const int *given, size_t count, const char *(*name)(int option))
{
	static const char *const of_channel[] = {
		"channel", "status", "stop", "json", "verbose", "quiet", NULL};
	int err = allow_only(of_channel, "has no meaning with a channel's --status or --stop",
		given, count, name);

	if (!err && opts->item_count == 1 && !opts->command[0])
		return 0;
	if (!err)
		log_error("--channel: --status and --stop are of one, and run no command");
	return -EINVAL;
}

static int check_session(
	const struct af_opts *opts, const int *given, size_t count, const char *(*name)(int option))
{
	static const char *const of_text[] = {
		"session", "-c", "timeout", "kill-after", "verbose", "quiet", NULL};
	static const char *const of_question[] = {
		"session", "status", "stop", "diff", "merge", "json", "verbose", "quiet", NULL};
	static const char *const of_list[] = {
		"list", "source", "state", "json", "verbose", "quiet", NULL};

	if (asks_channel(opts))
		return check_channel(opts, given, count, name);
	if (!opts->session && opts->session_do != AF_SESSION_LIST) {
		log_error(opts->session_do == AF_SESSION_RUN
				? "--idle, --json: are for sessions: -S NAME"
				: "--start, --status, --diff, --merge, --stop: which session? -S NAME");
		return -EINVAL;
	}
	if (opts->session && opts->session_do == AF_SESSION_LIST) {
		log_error("--list: is of all sessions; --status is of one");
		return -EINVAL;
	}
	if (opts->session && !name_is_good(opts->session)) {
		log_error("--session: %s: a name has 1 to 64 of A-Z a-z 0-9 . _ -, and begins "
			  "with no dot or dash",
			opts->session);
		return -EINVAL;
	}
	if (opts->session_do == AF_SESSION_START)
		return check_start(opts);
	if (opts->session_do == AF_SESSION_RUN)
		return allow_only(of_text, "belongs to the session's --start", given, count, name);
	if (opts->script || opts->command[0]) {
		log_error("%s: --status, --diff, --merge, --stop and --list run no command",
			opts->script ? "-c" : opts->command[0]);
		return -EINVAL;
	}
	return allow_only(opts->session_do == AF_SESSION_LIST ? of_list : of_question,
		"has no meaning with --status, --diff, --merge, --stop or --list", given, count,
		name);
}

int opts_check(
	const struct af_opts *opts, const int *given, size_t count, const char *(*name)(int option))
{
	if (opts->script && opts->command[0]) {
		log_error("-c: %s: a command was given too", opts->command[0]);
		return -EINVAL;
	}
	if (opts->session || opts->session_do != AF_SESSION_RUN || opts->idle_ms || opts->json) {
		int err = check_session(opts, given, count, name);

		if (err)
			return err;
	}
	if (opts->idle_ms && opts->session_do != AF_SESSION_START) {
		log_error("--idle: belongs to the session's --start");
		return -EINVAL;
	}
	return check_runtime(opts) ? -EINVAL : check_delta(opts);
}
