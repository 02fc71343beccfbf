/*
 * The command line as written: its syntax, and which options go together.
 */
#ifndef AF_OPTS_H
#define AF_OPTS_H

#include "changes.h"

#include <stdbool.h>
#include <stddef.h>

enum sync_action {
	SYNC_MERGE,
	SYNC_SHOW, /* -n */
	SYNC_DIFF,
	SYNC_UNDO,
	SYNC_HISTORY,
	SYNC_DISCARD,
	SYNC_FSCK,
	SYNC_DAEMON
};

enum sync_rules_kind { SYNC_RULES_PRESET, SYNC_RULES_FILE, SYNC_RULES_TEXT };

struct sync_rules {
	enum sync_rules_kind kind;
	const char *text;
};

/* Texts are argv's; lists are owned. */
struct sync_opts {
	enum sync_action action;
	const char *delta;  /* NULL for --undo, --history and --daemon */
	const char *source; /* NULL: as the delta says */
	const char *id;     /* of the merge to undo; NULL: the newest */
	const char *state;  /* a directory, or NULL */
	const char *table;  /* of the daemon; NULL: the usual one */
	const char *only;   /* a file of paths, "-", or NULL */
	const char **exclude, **hold;
	size_t exclude_count, hold_count;
	struct sync_rules
		*rules; /* the caller's own policy, in the order written; none: the delta's */
	size_t rules_count;
	enum conflict_strategy conflict;
	unsigned int undo_keep;
	bool no_hold, nul, json, quiet, verbose;
};

enum sync_opts_result { SYNC_OPTS_RUN, SYNC_OPTS_DONE, SYNC_OPTS_ERROR };

/* SYNC_OPTS_DONE: --help or --version was answered. SYNC_OPTS_ERROR: it was reported. */
enum sync_opts_result opts_parse(struct sync_opts *opts, int argc, char **argv);
void opts_fini(struct sync_opts *opts);

/* usage.c: --help. */
void usage_print(void);

#endif
