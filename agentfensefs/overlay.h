/*
 * The two layers as one: what is seen at a name is what the upper (the delta) has there, unless that is
 * a whiteout, else what the lower (the source) has. Without a delta there is only the source.
 *
 *     overlay.c    what is seen: stat, open; nothing is changed
 *     merge.c      listings of both
 *     upper.c      the delta: opened, locked, its log, its temporary files
 *     copyup.c     from the lower to the upper, before the first change
 *     whiteout.c   names taken away from the lower
 *     change.c     every call that makes, removes or moves a name
 *
 * Identity: a node is the lower's inode for a directory that both have (it is the same before and
 * after its copy-up), else the inode that is seen. What is shown as st_ino stays the lower's across
 * copy-up; the upper remembers it in an xattr.
 */
#ifndef AF_OVERLAY_H
#define AF_OVERLAY_H

#include "layer.h"

struct af_fs;

struct af_found {
	struct stat st; /* its attributes; st_dev and st_ino are its identity as a node */
	uint64_t ino;   /* as which it is shown; 0: overlay_ino() tells */
	bool upper;     /* it is in the upper; a directory: at least also there */
};

/* Of a name in an open directory. -EXDEV: something else is mounted there. */
int overlay_stat(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	struct af_found *found);
/* The number as which what was found there is shown. */
uint64_t overlay_ino(const struct layer_dir *at, const char *name, const struct af_found *found);
/* O_PATH descriptor of what is seen (the upper's of a directory that both have). */
int overlay_open_path(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	struct af_found *found);
/* Both parts of a directory, each -1 where there is none; the caller's. -ENOTDIR for anything else. */
int overlay_open_dir(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	struct layer_dir *dir, struct af_found *found);
/* As layer_open_file(). */
int overlay_open_file(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	int flags, struct af_found *found);

/* The root of the mount, and what a descriptor of one of its files or directories is. */
void overlay_root(const struct af_fs *fs, struct layer_dir *at);
int overlay_stat_root(const struct af_fs *fs, struct af_found *found);

/*
 * Whether the lower has something at this name that is to be taken away when the name is; *st is that.
 * at must not be below an opaque directory without saying so (at->lower is -1 then).
 */
bool overlay_lower_has(
	const struct af_fs *fs, const struct layer_dir *at, const char *name, struct stat *st);
/* Whether the upper has a whiteout at this name. */
bool overlay_is_white(const struct layer_dir *at, const char *name);

/* The descriptor in which name is seen: for calls that take a directory and a name. */
static inline int overlay_seen(const struct layer_dir *at, const struct af_found *found)
{
	return found->upper ? at->upper : at->lower;
}

void layer_dir_close(struct layer_dir *dir);

#endif
