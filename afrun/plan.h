/*
 * What will be mounted, shown and run: made from the options and facts alone, before anything acts.
 */
#ifndef AF_PLAN_H
#define AF_PLAN_H

#include "identity.h"
#include "opts.h"
#include "rootfs.h"
#include "words.h"

#include <stdint.h>

/* What the plan is made from, besides the options. All borrowed. */
struct af_facts {
	const struct af_host *host;
	const struct af_identity *identity;
	const char *source;     /* real path */
	char *const *bind_real; /* real paths of what --bind and --ro-bind name, in order */
	char *const *caller_env;
	bool stdin_tty, stderr_tty;
};

struct af_plan {
	const struct af_opts *opts;         /* borrowed */
	const struct af_identity *identity; /* borrowed */
	char *source;                       /* real path; owned */
	const char *delta;                  /* absolute; NULL: --direct; borrowed */
	bool delta_temporary;
	struct af_words policy; /* preset=..., policy=..., rule=...: in order */
	struct af_rootfs rootfs;
	struct af_words env;  /* of the command */
	struct af_words argv; /* of the command */
	char *cwd;            /* inside, absolute; owned */
	bool in_session; /* argv is the text of a caller (empty: it is typed), and nothing else */
	bool pty;        /* stdin is a terminal: the command gets one of its own */
	bool tells;      /* somebody watches: the merge says how far it is, and what it did */
};

/* Returns 0 or -errno, reported. Files of --env-file are read here, and nothing else. */
int plan_make(struct af_plan *plan, const struct af_opts *opts, const struct af_facts *facts);
void plan_fini(struct af_plan *plan);

/*
 * SRC[:DST] -> where DST begins, or NULL where it is SRC itself; *src_len is SRC's length. A `\:` is
 * a plain colon of a name; both parts still have it.
 */
const char *plan_split_bind(const char *text, size_t *src_len);
/* A copy of len bytes of text with `\:` turned into `:`. NULL with errno ENOMEM. */
char *plan_unescape(const char *text, size_t len);

/*
 * The filesystem's command line (pure). mount_point, ready_fd, audit_fd and hold_fd (-1: none) are
 * what the mount's maker knows; source_name is how the source is named there.
 */
void plan_fs_argv(const struct af_plan *plan, struct af_words *argv, const char *program,
	const char *source_name, const char *mount_point, int ready_fd, int audit_fd, int hold_fd);

/* What afsyncd is to do. */
enum plan_sync {
	PLAN_SYNC_MERGE,
	PLAN_SYNC_MERGE_LIST, /* ... and to print what was merged: -0's records */
	PLAN_SYNC_LIST,       /* to print what is there, and merge nothing */
};
/* The merger's command line (pure), with the run's own policy. */
void plan_sync_argv(const struct af_plan *plan, struct af_words *argv, const char *program,
	const char *delta, enum plan_sync what);

#endif
