/*
 * The command line and -o options of agentfensefs, as one structure. Parsing only: nothing is
 * opened, mounted or compiled here.
 */
#ifndef AF_OPTIONS_H
#define AF_OPTIONS_H

#include "policy.h"

#include <fuse_opt.h>
#include <stdbool.h>
#include <sys/types.h>

enum fs_mode { FS_MOUNT, FS_EXPLAIN, FS_CHECK, FS_PRESETS, FS_HELP, FS_VERSION };
enum fs_cache { FS_CACHE_AUTO, FS_CACHE_NEVER, FS_CACHE_ALWAYS };

enum fs_source_kind { FS_RULES_FILE, FS_RULES_PRESET, FS_RULES_TEXT };

/* One policy=, preset= or rule=, in the order given. */
struct fs_rules_source {
	enum fs_source_kind kind;
	char *text;         /* as given; owned */
	char *absolute;     /* a file's path, however the process's directory changes; owned */
	const char *origin; /* of a rule: "-o" or "command line" */
};

/* How it is to be mounted, as far as mount(2) can be told. */
struct fs_mount {
	char *name;          /* fsname: what /proc/mounts shows as the source; owned */
	unsigned long flags; /* MS_* */
	bool allow_other;
	bool unusual; /* there is an option that only libfuse's own way of mounting knows */
};

struct fs_options {
	char *source; /* owned, as all texts here */
	char *mountpoint;
	struct fs_rules_source *rules;
	size_t rules_count;
	enum fs_mode mode;
	enum af_level default_level;
	bool has_default;
	bool is_volatile;
	bool audit_all;
	bool passthrough;

	char *delta;                       /* NULL: writes go to the source */
	uint64_t quota_bytes, quota_files; /* 0: no limit */

	char *audit;
	enum fs_cache cache;
	unsigned int threads;
	bool foreground;
	bool debug;
	struct fs_mount mount;
	int ready_fd; /* -1: none */
	int hold_fd;  /* see hold.h; -1: none */
	bool lend;
	uid_t lend_uid;
	gid_t lend_gid;
	struct fuse_args mount_args; /* what libfuse is to parse */

	bool json;
	bool nul;
	char *explain_source;
	char **paths; /* borrowed from argv */
	size_t paths_count;
};

/*
 * Returns 0, or the exit status of the program (1: a bad value; 2: usage), reported.
 * *options is to be released with options_fini() in any case.
 */
int options_parse(struct fs_options *options, int argc, char **argv);
void options_fini(struct fs_options *options);

/* Adds one source of rules, after those there are. Returns 0, or 1 when out of memory. */
int options_add_rules(struct fs_options *options, enum fs_source_kind kind, const char *value,
	const char *origin);
/* Notes an option of mount(8) or libfuse, for mount and mount_args. Returns 0, or 1 (no memory). */
int options_add_mount(struct fs_options *options, const char *option);
/* Reads and checks all rules anew; reported. again: not for the first time. NULL on error. */
struct af_rules *options_load_rules(const struct fs_options *options, bool again);

/* The rules as one policy file, newly allocated. NULL on error, reported. */
char *options_rules_text(const struct af_rules *rules);

void options_print_help(void);

#endif
