/*
 * The command line as written. See opts.h; it looks at nothing but its arguments.
 */
#include "opts.h"

#include "log.h"

#include <bsd/stdlib.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#ifndef AF_VERSION
#define AF_VERSION "0.1"
#endif

enum { UNDO_KEEP_DEFAULT = 10, UNDO_KEEP_MAX = 1000000 };

enum long_only {
	OPT_JSON = 256,
	OPT_DIFF,
	OPT_ONLY,
	OPT_EXCLUDE,
	OPT_CONFLICT,
	OPT_HOLD,
	OPT_NO_HOLD,
	OPT_UNDO,
	OPT_UNDO_KEEP,
	OPT_HISTORY,
	OPT_STATE,
	OPT_DISCARD,
	OPT_FSCK,
	OPT_DAEMON,
	OPT_TABLE,
	OPT_VERSION,
};

static const char short_options[] = ":n0p:P:r:qvh";

static const struct option long_options[] = {
	{"dry-run", no_argument, NULL, 'n'},
	{"null", no_argument, NULL, '0'},
	{"json", no_argument, NULL, OPT_JSON},
	{"diff", no_argument, NULL, OPT_DIFF},
	{"only", required_argument, NULL, OPT_ONLY},
	{"exclude", required_argument, NULL, OPT_EXCLUDE},
	{"conflict", required_argument, NULL, OPT_CONFLICT},
	{"hold", required_argument, NULL, OPT_HOLD},
	{"no-hold", no_argument, NULL, OPT_NO_HOLD},
	{"undo", no_argument, NULL, OPT_UNDO},
	{"undo-keep", required_argument, NULL, OPT_UNDO_KEEP},
	{"history", no_argument, NULL, OPT_HISTORY},
	{"state", required_argument, NULL, OPT_STATE},
	{"discard", no_argument, NULL, OPT_DISCARD},
	{"fsck", no_argument, NULL, OPT_FSCK},
	{"daemon", no_argument, NULL, OPT_DAEMON},
	{"table", required_argument, NULL, OPT_TABLE},
	{"preset", required_argument, NULL, 'p'},
	{"policy", required_argument, NULL, 'P'},
	{"rule", required_argument, NULL, 'r'},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

#define BIT(action) (1U << (action))
#define PLANS (BIT(SYNC_MERGE) | BIT(SYNC_SHOW) | BIT(SYNC_DIFF))

/* Which actions an option says something to; those that are not here go with all. */
static const struct {
	int option;
	unsigned int actions;
} uses[] = {
	{'0', PLANS | BIT(SYNC_HISTORY)},
	{OPT_JSON, BIT(SYNC_MERGE) | BIT(SYNC_SHOW) | BIT(SYNC_HISTORY)},
	{OPT_ONLY, PLANS},
	{OPT_EXCLUDE, PLANS},
	{OPT_CONFLICT, PLANS},
	{OPT_HOLD, PLANS},
	{OPT_NO_HOLD, PLANS},
	{OPT_UNDO_KEEP, BIT(SYNC_MERGE)},
	{OPT_STATE, PLANS | BIT(SYNC_UNDO) | BIT(SYNC_HISTORY)},
	{OPT_TABLE, BIT(SYNC_DAEMON)},
	{'p', PLANS},
	{'P', PLANS},
	{'r', PLANS},
};

/* What is known while the line is read: the actions asked for, and all options seen. */
struct parser {
	struct sync_opts *opts;
	unsigned int actions;
	bool seen[512];
};

static const char *option_name(int option)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == option)
			return o->name;
	return "";
}

static int no_memory(void)
{
	log_error("options: %s", strerror(ENOMEM));
	return -ENOMEM;
}

static int add_text(const char ***texts, size_t *count, const char *text)
{
	const char **more = reallocarray(*texts, *count + 1, sizeof(*more));

	if (!more)
		return no_memory();
	*texts = more;
	more[(*count)++] = text;
	return 0;
}

static int add_rules(struct sync_opts *opts, enum sync_rules_kind kind, const char *text)
{
	struct sync_rules *more =
		reallocarray(opts->rules, opts->rules_count + 1, sizeof(*opts->rules));

	if (!more)
		return no_memory();
	opts->rules = more;
	more[opts->rules_count++] = (struct sync_rules){.kind = kind, .text = text};
	return 0;
}

static int set_conflict(struct sync_opts *opts, const char *text)
{
	static const char *const names[] = {
		[CONFLICT_LWW] = "lww",
		[CONFLICT_KEEP] = "keep",
		[CONFLICT_BOTH] = "both",
		[CONFLICT_FAIL] = "fail",
		[CONFLICT_MERGE] = "merge",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			opts->conflict = (enum conflict_strategy)i;
			return 0;
		}
	}
	log_error("--conflict: %s: not one of lww, keep, both, fail, merge", text);
	return -EINVAL;
}

static int set_undo_keep(struct sync_opts *opts, const char *text)
{
	const char *bad = NULL;

	opts->undo_keep = (unsigned int)strtonum(text, 0, UNDO_KEEP_MAX, &bad);
	if (!bad)
		return 0;
	log_error("--undo-keep: %s: not a number from 0 to %d", text, UNDO_KEEP_MAX);
	return -EINVAL;
}

static int set_value(struct sync_opts *opts, int option, const char *value)
{
	switch (option) {
	case 'p':
		return add_rules(opts, SYNC_RULES_PRESET, value);
	case 'P':
		return add_rules(opts, SYNC_RULES_FILE, value);
	case 'r':
		return add_rules(opts, SYNC_RULES_TEXT, value);
	case OPT_EXCLUDE:
		return add_text(&opts->exclude, &opts->exclude_count, value);
	case OPT_HOLD:
		return add_text(&opts->hold, &opts->hold_count, value);
	case OPT_CONFLICT:
		return set_conflict(opts, value);
	case OPT_UNDO_KEEP:
		return set_undo_keep(opts, value);
	case OPT_ONLY:
		opts->only = value;
		return 0;
	case OPT_TABLE:
		opts->table = value;
		return 0;
	default:
		opts->state = value;
		return 0;
	}
}

static void set_action(struct parser *parser, enum sync_action action)
{
	parser->opts->action = action;
	parser->actions |= BIT(action);
}

static int set_option(struct parser *parser, int option, const char *value)
{
	struct sync_opts *opts = parser->opts;

	parser->seen[option] = true;
	switch (option) {
	case 'n':
		set_action(parser, SYNC_SHOW);
		return 0;
	case OPT_DIFF:
		set_action(parser, SYNC_DIFF);
		return 0;
	case OPT_UNDO:
		set_action(parser, SYNC_UNDO);
		return 0;
	case OPT_HISTORY:
		set_action(parser, SYNC_HISTORY);
		return 0;
	case OPT_DISCARD:
		set_action(parser, SYNC_DISCARD);
		return 0;
	case OPT_FSCK:
		set_action(parser, SYNC_FSCK);
		return 0;
	case OPT_DAEMON:
		set_action(parser, SYNC_DAEMON);
		return 0;
	case '0':
		opts->nul = true;
		return 0;
	case OPT_JSON:
		opts->json = true;
		return 0;
	case OPT_NO_HOLD:
		opts->no_hold = true;
		return 0;
	case 'q':
		opts->quiet = true;
		return 0;
	case 'v':
		opts->verbose = true;
		return 0;
	default:
		return set_value(opts, option, value);
	}
}

/* getopt's own messages would name argv[0] and not be escaped. */
static void report_bad_option(int kind, char **argv)
{
	const char *word = argv[optind - 1];

	if (kind == ':')
		log_error("%s: needs a value", word);
	else if (optopt > 0 && optopt < 256)
		log_error("-%c: no such option; see afsyncd --help", optopt);
	else
		log_error("%s: no such option, or not used so; see afsyncd --help", word);
}

static int check_together(const struct parser *parser)
{
	static const char *const names[] = {
		[SYNC_MERGE] = "a merge",
		[SYNC_SHOW] = "-n",
		[SYNC_DIFF] = "--diff",
		[SYNC_UNDO] = "--undo",
		[SYNC_HISTORY] = "--history",
		[SYNC_DISCARD] = "--discard",
		[SYNC_FSCK] = "--fsck",
		[SYNC_DAEMON] = "--daemon",
	};
	const struct sync_opts *opts = parser->opts;

	if (parser->actions & (parser->actions - 1)) {
		log_error("options: only one of -n, --diff, --undo, --history, --discard, --fsck, "
			  "--daemon");
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		if (parser->seen[uses[i].option] && !(uses[i].actions & BIT(opts->action))) {
			log_error("--%s: not for %s", option_name(uses[i].option),
				names[opts->action]);
			return -EINVAL;
		}
	}
	if (opts->no_hold && opts->hold_count) {
		log_error("--no-hold: --hold was given too");
		return -EINVAL;
	}
	if (opts->json && opts->nul && !opts->only) {
		log_error("--json: -0 was given too");
		return -EINVAL;
	}
	return 0;
}

/* Which word is what. */
static int set_operands(struct sync_opts *opts, int count, char **words)
{
	static const struct {
		int least, most;
		const char *what;
	} wanted[] = {
		[SYNC_MERGE] = {1, 2, "DELTA [SOURCE]"},
		[SYNC_SHOW] = {1, 2, "DELTA [SOURCE]"},
		[SYNC_DIFF] = {1, 2, "DELTA [SOURCE]"},
		[SYNC_UNDO] = {1, 2, "[ID] SOURCE"},
		[SYNC_HISTORY] = {1, 1, "SOURCE"},
		[SYNC_DISCARD] = {1, 1, "DELTA"},
		[SYNC_FSCK] = {1, 1, "DELTA"},
		[SYNC_DAEMON] = {0, 0, "none"},
	};

	if (count < wanted[opts->action].least || count > wanted[opts->action].most) {
		log_error("operands: wanted: %s; see afsyncd --help", wanted[opts->action].what);
		return -EINVAL;
	}
	if (opts->action == SYNC_UNDO || opts->action == SYNC_HISTORY) {
		opts->id = count == 2 ? words[0] : NULL;
		opts->source = words[count - 1];
	} else if (count) {
		opts->delta = words[0];
		opts->source = count == 2 ? words[1] : NULL;
	}
	return 0;
}

enum sync_opts_result opts_parse(struct sync_opts *opts, int argc, char **argv)
{
	struct parser parser = {.opts = opts};
	int option;

	*opts = (struct sync_opts){.undo_keep = UNDO_KEEP_DEFAULT};
	opterr = 0;
	optind = 0;
	while ((option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		if (option == '?' || option == ':') {
			report_bad_option(option, argv);
			return SYNC_OPTS_ERROR;
		}
		if (option == 'h') {
			usage_print();
			return SYNC_OPTS_DONE;
		}
		if (option == OPT_VERSION) {
			puts("afsyncd " AF_VERSION);
			return SYNC_OPTS_DONE;
		}
		if (set_option(&parser, option, optarg))
			return SYNC_OPTS_ERROR;
	}
	if (check_together(&parser) || set_operands(opts, argc - optind, argv + optind))
		return SYNC_OPTS_ERROR;
	return SYNC_OPTS_RUN;
}

void opts_fini(struct sync_opts *opts)
{
	free(opts->exclude);
	free(opts->hold);
	free(opts->rules);
	*opts = (struct sync_opts){0};
}
