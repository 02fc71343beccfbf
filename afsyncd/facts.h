/*
 * What is known of one path that the delta changes: everything that plan.c decides by. Gathered by
 * changes.c; nothing here is opened or decided.
 */
#ifndef AF_FACTS_H
#define AF_FACTS_H

#include "delta.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* The first ORIGIN of a path, and what else the log says of it. Texts are the log's own. */
struct origin {
	char *path;                 /* owned */
	struct delta_origin record; /* mode 0: the log has no ORIGIN of the path; text is owned */
	int64_t removed_ns;         /* the last REMOVE; 0: none */
};

struct fact {
	char *path;          /* owned; sorts the facts */
	struct stat upper;   /* st_mode 0: deleted in the delta */
	char *target;        /* owned; of a symlink of the delta, else NULL */
	const char *refused; /* why it is never merged, or NULL */
	bool opaque;         /* a directory that hides what the source has in it */
	bool hidden;         /* deleted by being hidden so */
	bool lost; /* was in a directory that moved, and is not where it would be; goes with it */
	size_t below_first, below_end; /* those of `below` that go with this one */

	const struct origin *origin; /* of the path, or NULL: made in the delta */
	char *old_path;              /* owned; where the log says that it was, or NULL */
	const struct origin *old;    /* ... and what it was there */

	struct stat source;     /* now; st_mode 0: nothing is there */
	bool source_unchanged;  /* the source's content is what the origin says */
	bool source_attrs_same; /* ... its mode and owner too */
	bool same_content;      /* upper and source: type and content (or target) are equal */
	bool same_attrs;        /* ... mode, owner and xattrs too */
	bool content_changed;   /* upper's content is not the origin's (of a moved one: old's) */
	bool attrs_changed;     /* upper's mode, owner or xattrs are not */
	bool mtime_changed;     /* upper's mtime is not; always false for a directory */

	char *forbidden; /* owned; the rule that does not let it be written, or NULL */
	char *held;      /* owned; why it is held back, or NULL */
	bool taken;      /* --only and --exclude ask for it */
	char *merged;    /* owned; the text that a three-way merge gave, or NULL */
	size_t merged_size;
};

struct facts {
	struct fact *items; /* sorted by path; in `below` each directory before what is in it */
	size_t count, room;
};

#endif
