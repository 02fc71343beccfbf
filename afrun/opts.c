/*
 * The command line as written. See opts.h; it looks at nothing but its arguments.
 */
#include "opts_internal.h"

#include "channel.h"
#include "cleanup.h"
#include "log.h"

#include <getopt.h>
#include <string.h>

#ifndef AF_VERSION
#define AF_VERSION "0.1"
#endif

enum long_only {
	OPT_DIRECT = 256,
	OPT_SYNC,
	OPT_CONFLICT,
	OPT_STATE,
	OPT_DELTA_SIZE,
	OPT_PIDS,
	OPT_CPUS,
	OPT_CPU_SHARES,
	OPT_LIMITS,
	OPT_KILL_AFTER,
	OPT_BIND,
	OPT_RO_BIND,
	OPT_MOUNT_AT,
	OPT_CHANNEL,
	OPT_ENV_FILE,
	OPT_DRY_RUN,
	OPT_REPORT,
	OPT_AUDIT,
	OPT_VERSION,
	OPT_START,
	OPT_STATUS,
	OPT_STOP,
	OPT_LIST,
	OPT_DIFF,
	OPT_MERGE,
	OPT_IDLE,
	OPT_JSON,
	OPT_IMAGE,
	OPT_DOCKER,
};

static const char short_options[] = "+:C:p:P:r:e:w:n:u:t:c:vqhD:R:m:S:";

static const struct option long_options[] = {
	{"source", required_argument, NULL, 'C'},
	{"preset", required_argument, NULL, 'p'},
	{"policy", required_argument, NULL, 'P'},
	{"rule", required_argument, NULL, 'r'},
	{"env", required_argument, NULL, 'e'},
	{"env-file", required_argument, NULL, OPT_ENV_FILE},
	{"workdir", required_argument, NULL, 'w'},
	{"net", required_argument, NULL, 'n'},
	{"user", required_argument, NULL, 'u'},
	{"timeout", required_argument, NULL, 't'},
	{"kill-after", required_argument, NULL, OPT_KILL_AFTER},
	{"bind", required_argument, NULL, OPT_BIND},
	{"ro-bind", required_argument, NULL, OPT_RO_BIND},
	{"mount-at", required_argument, NULL, OPT_MOUNT_AT},
	{"delta", required_argument, NULL, 'D'},
	{"direct", no_argument, NULL, OPT_DIRECT},
	{"sync", required_argument, NULL, OPT_SYNC},
	{"conflict", required_argument, NULL, OPT_CONFLICT},
	{"state", required_argument, NULL, OPT_STATE},
	{"delta-size", required_argument, NULL, OPT_DELTA_SIZE},
	{"memory", required_argument, NULL, 'm'},
	{"pids", required_argument, NULL, OPT_PIDS},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"cpu-shares", required_argument, NULL, OPT_CPU_SHARES},
	{"limits", required_argument, NULL, OPT_LIMITS},
	{"dry-run", no_argument, NULL, OPT_DRY_RUN},
	{"report", required_argument, NULL, OPT_REPORT},
	{"audit", required_argument, NULL, OPT_AUDIT},
	{"verbose", no_argument, NULL, 'v'},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{"runtime", required_argument, NULL, 'R'},
	{"session", required_argument, NULL, 'S'},
	{"image", required_argument, NULL, OPT_IMAGE},
	{"docker", required_argument, NULL, OPT_DOCKER},
	{"channel", required_argument, NULL, OPT_CHANNEL},
	{"start", no_argument, NULL, OPT_START},
	{"status", no_argument, NULL, OPT_STATUS},
	{"stop", no_argument, NULL, OPT_STOP},
	{"list", no_argument, NULL, OPT_LIST},
	{"diff", no_argument, NULL, OPT_DIFF},
	{"merge", no_argument, NULL, OPT_MERGE},
	{"idle", required_argument, NULL, OPT_IDLE},
	{"json", no_argument, NULL, OPT_JSON},
	{NULL, 0, NULL, 0},
};

static int add_item(struct af_opts *opts, enum af_item_kind kind, const char *text)
{
	struct af_item *more =
		reallocarray(opts->items, opts->item_count + 1, sizeof(*opts->items));
	char *copy = strdup(text);

	if (more)
		opts->items = more;
	if (!more || !copy) {
		free(copy);
		log_error("options: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	opts->items[opts->item_count++] = (struct af_item){.kind = kind, .text = copy};
	return 0;
}

/* Takes a copy of NAME=VALUE, and VALUE out of what everybody can see of us. */
static int add_env(struct af_opts *opts, char *text)
{
	int err = add_item(opts, AF_ITEM_ENV, text);
	char *value = strchr(text, '=');

	if (value)
		memset(value + 1, '*', strlen(value + 1));
	return err;
}

static int set_limit(struct af_opts *opts, int option, const char *value)
{
	switch (option) {
	case 'm':
		return limits_set_memory(&opts->limits, value);
	case OPT_PIDS:
		return limits_set_pids(&opts->limits, value);
	case OPT_CPUS:
		return limits_set_cpus(&opts->limits, value);
	case OPT_CPU_SHARES:
		return limits_set_cpu_shares(&opts->limits, value);
	case OPT_LIMITS:
		return limits_set_mode(&opts->limits, value);
	default:
		return opts_set_delta_size(opts, value);
	}
}

static int set_session(struct af_opts *opts, int option, const char *value)
{
	switch (option) {
	case 'S':
		opts->session = value;
		return 0;
	case OPT_IDLE:
		return opts_set_duration("--idle", value, &opts->idle_ms);
	case OPT_JSON:
		opts->json = true;
		return 0;
	default:
		if (opts->session_do != AF_SESSION_RUN) {
			log_error(
				"--start, --status, --diff, --merge, --stop, --list: only one of them");
			return -EINVAL;
		}
		opts->session_do = option == OPT_START ? AF_SESSION_START
			: option == OPT_STATUS         ? AF_SESSION_STATUS
			: option == OPT_STOP           ? AF_SESSION_STOP
			: option == OPT_DIFF           ? AF_SESSION_DIFF
			: option == OPT_MERGE          ? AF_SESSION_MERGE
						       : AF_SESSION_LIST;
		return 0;
	}
}

static int add_channel(struct af_opts *opts, const char *text)
{
	struct af_channel_ask ask;
	int err = channel_parse(text, &ask);

	return err ? err : add_item(opts, AF_ITEM_CHANNEL, text);
}

static int set_repeated(struct af_opts *opts, int option, char *value)
{
	switch (option) {
	case 'p':
		return add_item(opts, AF_ITEM_PRESET, value);
	case 'P':
		return add_item(opts, AF_ITEM_POLICY, value);
	case 'r':
		return add_item(opts, AF_ITEM_RULE, value);
	case 'e':
		return add_env(opts, value);
	case OPT_ENV_FILE:
		return add_item(opts, AF_ITEM_ENV_FILE, value);
	case OPT_CHANNEL:
		return add_channel(opts, value);
	case OPT_BIND:
		return add_item(opts, AF_ITEM_BIND, value);
	default:
		return add_item(opts, AF_ITEM_RO_BIND, value);
	}
}

static int set_text(struct af_opts *opts, int option, const char *value)
{
	switch (option) {
	case 'C':
		opts->source = value;
		return 0;
	case 'D':
		opts->delta = value;
		return 0;
	case OPT_STATE:
		opts->state = value;
		return 0;
	case 'w':
		opts->workdir = value;
		return 0;
	case 'u':
		opts->user = value;
		return 0;
	case 'c':
		opts->script = value;
		return 0;
	case OPT_MOUNT_AT:
		opts->mount_at = value;
		return 0;
	case OPT_REPORT:
		opts->report = value;
		return 0;
	case OPT_IMAGE:
		opts->image = value;
		return 0;
	case OPT_DOCKER:
		opts->docker = opts->docker_command = value;
		return 0;
	default:
		opts->audit = value;
		return 0;
	}
}

static int set_option(struct af_opts *opts, int option, char *value)
{
	switch (option) {
	case 'p':
	case 'P':
	case 'r':
	case 'e':
	case OPT_ENV_FILE:
	case OPT_CHANNEL:
	case OPT_BIND:
	case OPT_RO_BIND:
		return set_repeated(opts, option, value);
	case 'C':
	case 'D':
	case 'w':
	case 'u':
	case 'c':
	case OPT_STATE:
	case OPT_MOUNT_AT:
	case OPT_REPORT:
	case OPT_IMAGE:
	case OPT_DOCKER:
	case OPT_AUDIT:
		return set_text(opts, option, value);
	case 'R':
		return opts_set_runtime(opts, value);
	case 'n':
		return opts_set_net(opts, value);
	case 't':
		return opts_set_duration("--timeout", value, &opts->timeout_ms);
	case OPT_KILL_AFTER:
		return opts_set_duration("--kill-after", value, &opts->kill_after_ms);
	case OPT_SYNC:
		return opts_set_sync(opts, value);
	case OPT_CONFLICT:
		return opts_set_conflict(opts, value);
	case 'm':
	case OPT_PIDS:
	case OPT_CPUS:
	case OPT_CPU_SHARES:
	case OPT_LIMITS:
	case OPT_DELTA_SIZE:
		return set_limit(opts, option, value);
	case 'S':
	case OPT_START:
	case OPT_STATUS:
	case OPT_STOP:
	case OPT_LIST:
	case OPT_DIFF:
	case OPT_MERGE:
	case OPT_IDLE:
	case OPT_JSON:
		return set_session(opts, option, value);
	case OPT_DIRECT:
		opts->direct = true;
		return 0;
	case OPT_DRY_RUN:
		opts->dry_run = true;
		return 0;
	case 'v':
		opts->verbose = true;
		return 0;
	default: /* 'q' */
		opts->quiet = true;
		return 0;
	}
}

/* getopt's own messages would name argv[0] and not be escaped. */
static void report_bad_option(int kind, char **argv)
{
	const char *word = argv[optind - 1];

	if (kind == ':')
		log_error("%s: needs a value", word);
	else if (optopt > 0 && optopt < 256)
		log_error("-%c: no such option; see afrun --help", optopt);
	else
		log_error("%s: no such option, or not used so; see afrun --help", word);
}

static const char *option_name(int option)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == option)
			return o->name;
	return "-c";
}

/* Each option in its turn; given gets them all. */
static enum af_opts_result parse(
	struct af_opts *opts, int argc, char **argv, int *given, size_t *count)
{
	int option;

	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == '?' || option == ':') {
			report_bad_option(option, argv);
			return AF_OPTS_ERROR;
		}
		if (option == 'h') {
			usage_print();
			return AF_OPTS_DONE;
		}
		if (option == OPT_VERSION) {
			puts("afrun " AF_VERSION);
			return AF_OPTS_DONE;
		}
		if (set_option(opts, option, optarg))
			return AF_OPTS_ERROR;
		given[(*count)++] = option;
	}
	return AF_OPTS_RUN;
}

enum af_opts_result opts_parse(struct af_opts *opts, int argc, char **argv)
{
	/* Several short ones may be in one word. */
	size_t room = 1, count = 0;
	af_autofree int *given = NULL;
	enum af_opts_result result;

	*opts = (struct af_opts){
		.mount_at = "/workspace", .kill_after_ms = 5000, .docker = "docker"};
	for (int i = 0; i < argc; i++)
		room += strlen(argv[i]);
	given = reallocarray(NULL, room, sizeof(*given));
	if (!given) {
		log_error("options: %s", strerror(ENOMEM));
		return AF_OPTS_ERROR;
	}
	opterr = 0;
	optind = 0;
	result = parse(opts, argc, argv, given, &count);
	opts->command = argv + (optind < argc ? optind : argc);
	if (result == AF_OPTS_RUN && opts_check(opts, given, count, option_name))
		result = AF_OPTS_ERROR;
	return result;
}

void opts_fini(struct af_opts *opts)
{
	for (size_t i = 0; i < opts->item_count; i++)
		free(opts->items[i].text);
	free(opts->items);
	opts->items = NULL;
	opts->item_count = 0;
}
