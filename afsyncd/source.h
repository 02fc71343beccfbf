/*
 * The source at single paths: what is there now, compared with what the delta has and with what the log
 * says. By descriptor, never through a symlink, never into another filesystem; only regular files are read.
 */
#ifndef AF_SOURCE_H
#define AF_SOURCE_H

#include "facts.h"

struct source {
	int root;   /* O_PATH; borrowed */
	char *dir;  /* owned: the directory that was looked into last ... */
	int dir_fd; /* ... and its descriptor; -ENOENT and the like where there is none */
};

void source_init(struct source *source, int root);
void source_fini(struct source *source);

/*
 * O_PATH descriptor of what is at path, and its attributes; -ENOENT, also where a directory above it is
 * missing or is none; *st is all 0 then. -EXDEV: on another filesystem. The caller closes it.
 */
int source_open(struct source *source, const char *path, struct stat *st);

/*
 * Calls fn with each entry of the directory: its path, and its attributes. Not in any order. 0, -errno, or
 * what fn returned first that is not 0.
 */
int source_list(struct source *source, const char *path,
	int (*fn)(void *arg, const char *path, const struct stat *st), void *arg);

/*
 * Whether a symlink to target at path would lead out of the source by symlinks that are there already, or
 * none can tell. That it does not do so by itself is known (hold.h). 1, 0 or -ENOMEM.
 */
int source_leads_out(const struct source *source, const char *path, const char *target);

/* Whether two objects of one type and size (O_PATH) have the same content or target: 1, 0 or -errno. */
int source_same_content(int a, int b, const struct stat *st);
/* Whether the content (or target) is what an origin says: 1, 0, or -errno; 0 where it has no hash. */
int source_is_hash(int object, const struct stat *st, const struct delta_origin *origin);
/*
 * Whether both have the same xattrs: of the delta's as its user has set them, of the source's those of users
 * and ACLs. 1, 0 or -errno.
 */
int source_same_xattrs(int upper, int source);
/*
 * What an object's xattrs sum up to (copy.h), in_delta: as its user has set them. *known is false where
 * they are not ours to read. 0 or -errno.
 */
int source_sum_xattrs(int object, bool in_delta, uint64_t *sum, bool *known);
/* The content of a text, newly allocated; NULL where it is none, or larger than DELTA_TEXT_MAX. */
char *source_text(int object, size_t *size);

#endif
