/*
 * Options. See options.h.
 */
#include "options.h"

#include "cleanup.h"
#include "log.h"

#include <bsd/stdlib.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>

enum { MIN_DEFAULT_THREADS = 2, MAX_DEFAULT_THREADS = 8, MAX_THREADS = 64 };

/* Options of ours, by name; the same as -o NAME[=VALUE] and as --NAME[=VALUE]. */
enum option_key {
	OPT_POLICY,
	OPT_PRESET,
	OPT_RULE,
	OPT_DEFAULT,
	OPT_DELTA,
	OPT_AUDIT,
	OPT_AUDIT_ALL,
	OPT_CACHE,
	OPT_PASSTHROUGH,
	OPT_THREADS,
	OPT_QUOTA,
	OPT_QUOTA_FILES,
	OPT_VOLATILE,
	OPT_FOREGROUND,
	OPT_READY_FD,
	OPT_HOLD_FD,
	OPT_LEND,
	OPT_NONE
};

static const struct {
	const char *name;
	bool has_value;
} known[] = {
	[OPT_POLICY] = {"policy", true},
	[OPT_PRESET] = {"preset", true},
	[OPT_RULE] = {"rule", true},
	[OPT_DEFAULT] = {"default", true},
	[OPT_DELTA] = {"delta", true},
	[OPT_AUDIT] = {"audit", true},
	[OPT_AUDIT_ALL] = {"audit_all", false},
	[OPT_CACHE] = {"cache", true},
	[OPT_PASSTHROUGH] = {"passthrough", true},
	[OPT_THREADS] = {"threads", true},
	[OPT_QUOTA] = {"quota", true},
	[OPT_QUOTA_FILES] = {"quota_files", true},
	[OPT_VOLATILE] = {"volatile", false},
	[OPT_FOREGROUND] = {"foreground", false},
	[OPT_READY_FD] = {"ready_fd", true},
	[OPT_HOLD_FD] = {"hold_fd", true},
	[OPT_LEND] = {"lend", true},
};
_Static_assert(sizeof(known) / sizeof(known[0]) == OPT_NONE, "a name each");

static int set_text(char **field, const char *value)
{
	free(*field);
	*field = strdup(value);
	return *field ? 0 : 1;
}

static int bad_value(const char *name, const char *value, const char *why)
{
	log_error("option %s: %s: %s", name, value, why);
	return 2;
}

static int set_cache(struct fs_options *options, const char *value)
{
	static const char *const names[] = {
		[FS_CACHE_AUTO] = "auto", [FS_CACHE_NEVER] = "never", [FS_CACHE_ALWAYS] = "always"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]) == 0) {
			options->cache = (enum fs_cache)i;
			return 0;
		}
	}
	return bad_value("cache", value, "not auto, never or always");
}

static int set_passthrough(struct fs_options *options, const char *value)
{
	options->passthrough = strcmp(value, "auto") == 0;
	if (options->passthrough || strcmp(value, "no") == 0)
		return 0;
	return bad_value("passthrough", value, "not auto or no");
}

static int set_lend(struct fs_options *options, const char *value)
{
	af_autofree char *copy = strdup(value);
	const char *problem = NULL, *gid_problem = NULL;
	char *colon = copy ? strchr(copy, ':') : NULL;

	if (!colon)
		return bad_value("lend", value, "not UID:GID");
	*colon = '\0';
	options->lend_uid = (uid_t)strtonum(copy, 1, UINT32_MAX - 1, &problem);
	options->lend_gid = (gid_t)strtonum(colon + 1, 1, UINT32_MAX - 1, &gid_problem);
	options->lend = true;
	return problem || gid_problem ? bad_value("lend", value, "not UID:GID, both above 0") : 0;
}

static int set_number(
	const char *name, const char *value, long long min, long long max, long long *number)
{
	const char *problem = NULL;

	*number = strtonum(value, min, max, &problem);
	return problem ? bad_value(name, value, problem) : 0;
}

/* A number above 0, with K, M, G or T for powers of 1024. */
static int set_size(const char *name, const char *value, uint64_t *size)
{
	static const char units[] = "KMGT";
	af_autofree char *digits = strdup(value);
	size_t len = strlen(value);
	const char *unit = len ? strchr(units, value[len - 1]) : NULL;
	int shift = unit && *unit ? (int)(unit - units + 1) * 10 : 0;
	const char *problem = NULL;

	if (!digits)
		return 1;
	if (shift)
		digits[len - 1] = '\0';
	*size = (uint64_t)strtonum(digits, 1, LLONG_MAX >> shift, &problem) << shift;
	return problem ? bad_value(name, value, "not a number of bytes, or of K, M, G or T") : 0;
}

static int set_option(
	struct fs_options *options, enum option_key key, const char *value, const char *origin)
{
	long long number = 0;
	int status;

	switch (key) {
	case OPT_POLICY:
		return options_add_rules(options, FS_RULES_FILE, value, origin);
	case OPT_PRESET:
		return options_add_rules(options, FS_RULES_PRESET, value, origin);
	case OPT_RULE:
		return options_add_rules(options, FS_RULES_TEXT, value, origin);
	case OPT_DEFAULT:
		options->has_default = true;
		if (level_parse(value, &options->default_level) != 0)
			return bad_value("default", value, "not none, view, read or write");
		return 0;
	case OPT_DELTA:
		return set_text(&options->delta, value);
	case OPT_QUOTA:
		return set_size("quota", value, &options->quota_bytes);
	case OPT_QUOTA_FILES:
		return set_size("quota_files", value, &options->quota_files);
	case OPT_VOLATILE:
		options->is_volatile = true;
		return 0;
	case OPT_AUDIT:
		return set_text(&options->audit, value);
	case OPT_AUDIT_ALL:
		options->audit_all = true;
		return 0;
	case OPT_CACHE:
		return set_cache(options, value);
	case OPT_PASSTHROUGH:
		return set_passthrough(options, value);
	case OPT_THREADS:
		status = set_number("threads", value, 1, MAX_THREADS, &number);
		options->threads = (unsigned int)number;
		return status;
	case OPT_FOREGROUND:
		options->foreground = true;
		return 0;
	case OPT_READY_FD:
		status = set_number("ready_fd", value, 0, INT_MAX, &number);
		options->ready_fd = (int)number;
		return status;
	case OPT_HOLD_FD:
		status = set_number("hold_fd", value, 0, INT_MAX, &number);
		options->hold_fd = (int)number;
		return status;
	case OPT_LEND:
		return set_lend(options, value);
	case OPT_NONE:
		break;
	}
	return 2;
}

static enum option_key find_option(const char *name, size_t len)
{
	for (size_t i = 0; i < OPT_NONE; i++)
		if (strlen(known[i].name) == len && strncmp(known[i].name, name, len) == 0)
			return (enum option_key)i;
	return OPT_NONE;
}

static int one_option(struct fs_options *options, const char *option)
{
	size_t len = strcspn(option, "=");
	enum option_key key = find_option(option, len);

	if (key == OPT_NONE)
		return *option == '\0' ? 0 : options_add_mount(options, option);
	if (known[key].has_value != (option[len] == '=')) {
		log_error("option %s: %s", known[key].name,
			known[key].has_value ? "needs a value" : "takes no value");
		return 2;
	}
	return set_option(options, key, option[len] ? option + len + 1 : "", "-o");
}

/* Splits at commas; a backslash takes the meaning from the comma or backslash after it. */
static int split_options(struct fs_options *options, const char *text)
{
	af_autofree char *one = malloc(strlen(text) + 1);
	size_t used = 0;
	int status = 0;

	if (!one)
		return 1;
	for (const char *c = text; !status; c++) {
		if (*c == '\0' || *c == ',') {
			one[used] = '\0';
			used = 0;
			status = one_option(options, one);
			if (*c == '\0')
				break;
		} else {
			if (*c == '\\' && (c[1] == ',' || c[1] == '\\'))
				c++;
			one[used++] = *c;
		}
	}
	return status;
}

enum long_key {
	LONG_EXPLAIN = 256,
	LONG_CHECK,
	LONG_PRESETS,
	LONG_JSON,
	LONG_HELP,
	LONG_OURS /* + enum option_key */
};

static const struct option long_options[] = {
	{"explain", no_argument, NULL, LONG_EXPLAIN},
	{"check", no_argument, NULL, LONG_CHECK},
	{"presets", no_argument, NULL, LONG_PRESETS},
	{"json", no_argument, NULL, LONG_JSON},
	{"help", no_argument, NULL, LONG_HELP},
	{"version", no_argument, NULL, 'V'},
	{"source", required_argument, NULL, 'C'},
	{"null", no_argument, NULL, '0'},
	{"debug", no_argument, NULL, 'd'},
	{"options", required_argument, NULL, 'o'},
	{"policy", required_argument, NULL, LONG_OURS + OPT_POLICY},
	{"preset", required_argument, NULL, LONG_OURS + OPT_PRESET},
	{"rule", required_argument, NULL, LONG_OURS + OPT_RULE},
	{"default", required_argument, NULL, LONG_OURS + OPT_DEFAULT},
	{"delta", required_argument, NULL, LONG_OURS + OPT_DELTA},
	{"audit", required_argument, NULL, LONG_OURS + OPT_AUDIT},
	{"audit-all", no_argument, NULL, LONG_OURS + OPT_AUDIT_ALL},
	{"audit_all", no_argument, NULL, LONG_OURS + OPT_AUDIT_ALL},
	{"cache", required_argument, NULL, LONG_OURS + OPT_CACHE},
	{"passthrough", required_argument, NULL, LONG_OURS + OPT_PASSTHROUGH},
	{"threads", required_argument, NULL, LONG_OURS + OPT_THREADS},
	{"quota", required_argument, NULL, LONG_OURS + OPT_QUOTA},
	{"quota-files", required_argument, NULL, LONG_OURS + OPT_QUOTA_FILES},
	{"quota_files", required_argument, NULL, LONG_OURS + OPT_QUOTA_FILES},
	{"volatile", no_argument, NULL, LONG_OURS + OPT_VOLATILE},
	{"foreground", no_argument, NULL, LONG_OURS + OPT_FOREGROUND},
	{"ready-fd", required_argument, NULL, LONG_OURS + OPT_READY_FD},
	{"hold-fd", required_argument, NULL, LONG_OURS + OPT_HOLD_FD},
	{"lend", required_argument, NULL, LONG_OURS + OPT_LEND},
	{0},
};

/* What getopt_long(3) did not like is in optopt, or is the argument before optind. */
static int bad_flag(char **argv)
{
	if (optopt && optopt < LONG_EXPLAIN && !strstr(argv[optind - 1], "--"))
		log_error("-%c: not an option, or without its value; try 'agentfensefs --help'",
			optopt);
	else
		log_error("%s: not an option, or its value is wrong; try 'agentfensefs --help'",
			argv[optind - 1]);
	return 2;
}

static int one_flag(struct fs_options *options, int key, char **argv)
{
	if (key >= LONG_OURS)
		return set_option(options, (enum option_key)(key - LONG_OURS), optarg ? optarg : "",
			"command line");
	switch (key) {
	case LONG_EXPLAIN:
		options->mode = FS_EXPLAIN;
		return 0;
	case LONG_CHECK:
		options->mode = FS_CHECK;
		return 0;
	case LONG_PRESETS:
		options->mode = FS_PRESETS;
		return 0;
	case LONG_HELP:
	case 'h':
		options->mode = FS_HELP;
		return 0;
	case 'V':
		options->mode = FS_VERSION;
		return 0;
	case LONG_JSON:
		options->json = true;
		return 0;
	case '0':
		options->nul = true;
		return 0;
	case 'C':
		return set_text(&options->explain_source, optarg);
	case 'f':
		options->foreground = true;
		return 0;
	case 'd':
		options->debug = options->foreground = true;
		return 0;
	case 'o':
		return split_options(options, optarg);
	case 'n': /* mount(8): do not write mtab */
	case 's': /* mount(8): tolerate sloppy options */
	case 'v':
		return 0;
	default:
		return bad_flag(argv);
	}
}

/* What remains after the options. */
static int set_operands(struct fs_options *options, int count, char **operands)
{
	if (options->mode == FS_EXPLAIN) {
		options->paths = operands;
		options->paths_count = (size_t)count;
		return 0;
	}
	if (options->mode != FS_MOUNT && count == 0)
		return 0;
	if (options->mode != FS_MOUNT) {
		log_error("%s: unexpected argument", operands[0]);
		return 2;
	}
	if (count != 2) {
		log_error("usage: agentfensefs [-f] [-d] [-o OPT[,OPT]...] SOURCE MOUNTPOINT");
		return 2;
	}
	if (!options->delta &&
		(options->quota_bytes || options->quota_files || options->is_volatile)) {
		log_error("quota, quota_files and volatile are a delta's; add delta=DIR");
		return 2;
	}
	return set_text(&options->source, operands[0]) ||
			set_text(&options->mountpoint, operands[1])
		? 1
		: 0;
}

/*
 * One a processor. More only cost wake-ups, fewer let one slow read hold up everybody: opening and
 * reading small files on two processors takes 0.8 with one thread, 1.0 with two, 1.2 with four.
 */
static unsigned int default_threads(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors < MIN_DEFAULT_THREADS)
		return MIN_DEFAULT_THREADS;
	return processors > MAX_DEFAULT_THREADS ? MAX_DEFAULT_THREADS : (unsigned int)processors;
}

int options_parse(struct fs_options *options, int argc, char **argv)
{
	int key, status = 0;

	opterr = 0;
	*options = (struct fs_options){
		.passthrough = true,
		.threads = default_threads(),
		.ready_fd = -1,
		.hold_fd = -1,
	};
	if (fuse_opt_add_arg(&options->mount_args, "agentfensefs") != 0)
		return 1;
	while (!status && (key = getopt_long(argc, argv, "fdo:C:0hVnsv", long_options, NULL)) != -1)
		status = one_flag(options, key, argv);
	return status ? status : set_operands(options, argc - optind, argv + optind);
}

void options_fini(struct fs_options *options)
{
	for (size_t i = 0; i < options->rules_count; i++) {
		free(options->rules[i].text);
		free(options->rules[i].absolute);
	}
	free(options->rules);
	free(options->source);
	free(options->mountpoint);
	free(options->audit);
	free(options->delta);
	free(options->mount.name);
	free(options->explain_source);
	fuse_opt_free_args(&options->mount_args);
}
