/*
 * The command line as written: syntax is checked here, meaning is the plan's business.
 */
#ifndef AF_OPTS_H
#define AF_OPTS_H

#include "limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Options that may be repeated, kept in the order in which they were written. */
enum af_item_kind {
	AF_ITEM_PRESET,
	AF_ITEM_POLICY,
	AF_ITEM_RULE,
	AF_ITEM_ENV,
	AF_ITEM_ENV_FILE,
	AF_ITEM_BIND,
	AF_ITEM_RO_BIND,
	AF_ITEM_CHANNEL,
};

struct af_item {
	enum af_item_kind kind;
	char *text; /* owned */
};

enum af_sync { AF_SYNC_SUCCESS, AF_SYNC_ALWAYS, AF_SYNC_NEVER };

enum af_session_do {
	AF_SESSION_RUN, /* a text, in a session that lives */
	AF_SESSION_START,
	AF_SESSION_STATUS,
	AF_SESSION_STOP,
	AF_SESSION_DIFF,
	AF_SESSION_MERGE,
	AF_SESSION_LIST, /* of all, and of all channels */
};

struct af_opts {
	const char *source;   /* NULL: the current directory */
	const char *workdir;  /* NULL: the view */
	const char *mount_at; /* "/workspace" unless set */
	const char *user;     /* NULL: not given */
	const char *report;   /* NULL, a path, "-" or "fd:N" */
	const char *audit;
	const char *script;    /* -c */
	char **command;        /* NULL-terminated, empty where none was given; borrowed from argv */
	struct af_item *items; /* owned */
	size_t item_count;
	int64_t timeout_ms;     /* 0: none */
	int64_t kill_after_ms;  /* 0: SIGKILL at once */
	const char *delta;      /* NULL: a temporary one */
	const char *state;      /* NULL: where state_dir.h says */
	const char *conflict;   /* NULL: afsyncd's default */
	const char *delta_size; /* as agentfensefs's quota; NULL: no limit */
	struct af_limits limits;
	enum af_sync sync;
	bool sync_given;
	bool direct;
	bool in_docker; /* -R docker */
	const char *image;
	const char *docker_command; /* NULL: not given */
	const char *docker;         /* the client: "docker" unless given */
	const char *session;        /* NULL: none */
	enum af_session_do session_do;
	int64_t idle_ms; /* 0: no limit */
	bool net_host;
	bool json;
	bool dry_run;
	bool verbose;
	bool quiet;
};

enum af_opts_result { AF_OPTS_RUN, AF_OPTS_DONE, AF_OPTS_ERROR };

/*
 * AF_OPTS_DONE: --help or --version was answered. AF_OPTS_ERROR: it was reported.
 * Values of -e are overwritten in argv, which ps(1) shows to everyone.
 */
enum af_opts_result opts_parse(struct af_opts *opts, int argc, char **argv);
void opts_fini(struct af_opts *opts);

/* usage.c: --help. */
void usage_print(void);

/*
 * A duration as sleep(1) and timeout(1) take it: a decimal number and s, m, h or d (seconds if
 * none). Anything above zero is at least 1 ms. Returns 0 or -EINVAL.
 */
int opts_duration(const char *text, int64_t *ms);

/*
 * Whether what was given fits together (opts_check.c). given: the options as they were written, by the
 * value that getopt_long(3) gave, `name` one's name. 0 or -EINVAL, reported.
 */
int opts_check(const struct af_opts *opts, const int *given, size_t count,
	const char *(*name)(int option));

#endif
