/*
 * The plan of a merge: what is to happen to the source, and what stays in the delta and why. Made by
 * plan.c as a pure function of what was read of the delta, the source, the policy and the options;
 * shown by show.c and diff.c, carried out by apply.c. Paths are relative to the source's root,
 * without a slash at either end.
 */
#ifndef AF_PLAN_H
#define AF_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * As SPEC's letters. Every change in the delta has an entry, a line of --dry-run unless it is
 * `unlisted`: apply.c takes out of the delta what belongs to the entries that do not stay.
 */
enum plan_letter {
	PLAN_ADDED = 'A',
	PLAN_MODIFIED = 'M',
	PLAN_DELETED = 'D',
	PLAN_RENAMED = 'R',
	PLAN_TYPE = 'T',
	PLAN_MODE = 'P',     /* mode, owner, times or xattrs only */
	PLAN_CONFLICT = 'C', /* with steps where the strategy resolves it (lww, both, merge) */
	PLAN_HELD = 'Q',
};

struct plan_entry {
	enum plan_letter letter;
	char *path;     /* owned */
	char *old_path; /* owned; R: where it was, else NULL */
	char *why;      /* owned; C and Q: the reason in a few words, else NULL */
	bool stays;     /* nothing is done about it: it stays in the delta */
	bool unlisted;  /* not shown: not asked for (it stays), or the source is like it already */
	bool is_dir;    /* what is or was at path is a directory */
	struct stat upper; /* what the delta has at path; st_mode 0: nothing (deleted) */
};

/* What was seen at a path of the source when the plan was made, to be seen again just before. */
struct plan_seen {
	uint32_t mode; /* with the type; 0: nothing was there */
	uint64_t dev, ino, size;
	int64_t mtime_ns, ctime_ns;
};

enum plan_step_kind {
	STEP_MKDIR, /* a directory with the attributes that upper/from has */
	STEP_PUT,  /* a file, symlink or FIFO-free object: upper/from, or content (a merged text) */
	STEP_LINK, /* another name of what an earlier step put at `from` (a path of the source) */
	STEP_ATTRS,  /* mode, owner, times and xattrs as upper/from; the content is the source's */
	STEP_REMOVE, /* a non-directory, or a directory that earlier steps have emptied */
};

/* In the order in which they are done; attributes of directories come after what is in them. */
struct plan_step {
	enum plan_step_kind kind;
	size_t entry;          /* index of the entry that it belongs to */
	char *path;            /* owned */
	char *from;            /* owned; see the kinds; NULL for STEP_REMOVE */
	struct plan_seen seen; /* at path */
	char *content;       /* owned; STEP_PUT of a three-way merge: the text instead of upper's */
	size_t content_size; /* bytes */
	bool keep_attrs; /* STEP_PUT of a file: mode, owner and xattrs are the source's at path */
};

/* A directory that the source has and only the sandbox has changed. */
struct plan_dir {
	char *path;       /* owned */
	int64_t mtime_ns; /* in the sandbox */
};

struct plan {
	struct plan_entry *entries; /* sorted by path */
	size_t entry_count;
	struct plan_step *steps;
	size_t step_count;
	struct plan_dir *dirs; /* as facts_compare() sorts them */
	size_t dir_count;
	bool failed; /* --conflict fail and there is a conflict: steps is empty */
};

void plan_fini(struct plan *plan);

#endif
