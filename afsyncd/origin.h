/*
 * A delta's log in memory: what each path was when it was first changed, when it was deleted, and what
 * moved from where.
 */
#ifndef AF_ORIGIN_H
#define AF_ORIGIN_H

#include "facts.h"

struct origin_rename {
	char *from, *to; /* owned */
};

/* One side of a rename, to be found by its path. */
struct origin_side {
	const char *path; /* the rename's */
	bool is_to;
	size_t number; /* of the rename */
};

struct origins {
	struct origin *items; /* sorted by path */
	size_t count, room;
	struct origin_rename *renames; /* in the order of the log */
	size_t rename_count, rename_room;
	struct origin_side *sides; /* two for each rename, sorted by path, side and number */
	char *policy_text;         /* owned; of the last POLICY; NULL: none */
};

/*
 * Reads the log. A record that is none is left out: what it would have told of is then unknown, which
 * leads to a conflict and no further. with_text: keep the texts of origins. 0 or -errno.
 */
int origins_load(struct origins *origins, struct af_delta *delta, bool with_text);
void origins_fini(struct origins *origins);
/* The path's, or NULL. */
const struct origin *origins_find(const struct origins *origins, const char *path);
/*
 * Where what is at path now was at first, if it was renamed: newly allocated; NULL where it was not (or
 * too often to tell), or with errno ENOMEM. Only an ORIGIN there says that the source had it.
 */
char *origins_old_path(const struct origins *origins, const char *path);

#endif
