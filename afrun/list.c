/*
 * --list. See list.h. A line for people, cut(1) and awk(1): NAME, STATE, PID, SINCE, and where.
 */
#include "list.h"

#include "channel.h"
#include "cleanup.h"
#include "docker_place.h"
#include "json.h"
#include "log.h"
#include "named.h"
#include "session.h"
#include "temporary.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>

int list_finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	log_error("stdout: %s", strerror(errno));
	return AF_EXIT_FAILED;
}

void list_time(char *text, size_t size, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&when, &tm) || strftime(text, size, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		snprintf(text, size, "?");
}

struct kept {
	struct af_json *json;
	const char *source;
};

static void show_kept(void *arg, const char *name, const char *path, int64_t since_s)
{
	const struct kept *kept = arg;
	char shown[4 * PATH_MAX], when[32];

	if (kept->json) {
		json_object(kept->json, NULL);
		json_string(kept->json, "kept", path);
		json_string(kept->json, "source", kept->source);
		json_int(kept->json, "since", since_s);
		json_object_end(kept->json);
		return;
	}
	log_escape(shown, sizeof(shown), path, strlen(path));
	list_time(when, sizeof(when), since_s);
	printf("%s\tkept\t-\t%s\t%s\n", name, when, shown);
}

/* Of the directory that -C names, or of the current one. */
static int list_kept(const struct af_opts *opts, struct af_json *json)
{
	const char *named = opts->source ? opts->source : ".";
	af_autofree char *source = realpath(named, NULL);
	af_autoclose int fd = open(named, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct kept kept = {.json = json, .source = source};
	int err = fd < 0 || !source ? -errno
				    : temporary_list(fd, source, opts->state, show_kept, &kept);

	/* Nobody has asked for the current one in particular. */
	if (!err || (!opts->source && !opts->state))
		return 0;
	log_error("--source: %s: %s", named, strerror(-err));
	return err;
}

static int list_named(const struct af_opts *opts, struct af_json *json)
{
	af_autofree char *path = NULL;
	af_autoclose int dir = named_open(false, &path);
	int err = dir < 0 ? dir : 0;

	if (!err)
		docker_place_sweep(dir, opts->docker);
	if (!err)
		err = session_list(dir, json);
	if (!err)
		err = channel_list(dir, json);
	if (!err || err == -ENOENT)
		return 0;
	log_error("session: %s: %s", path ? path : "", strerror(-err));
	return err;
}

int list_all(const struct af_opts *opts)
{
	struct af_json json;
	int err;

	json_init(&json, stdout);
	if (opts->json)
		json_array(&json, NULL);
	err = list_named(opts, opts->json ? &json : NULL);
	if (!err)
		err = list_kept(opts, opts->json ? &json : NULL);
	if (opts->json) {
		json_array_end(&json);
		putchar('\n');
	}
	return err ? AF_EXIT_FAILED : list_finish();
}
