/*
 * What change.c and change_rename.c share.
 */
#ifndef AF_CHANGE_INTERNAL_H
#define AF_CHANGE_INTERNAL_H

#include "layer.h"

struct af_fs;

/* Whether nothing is in the directory `name`, seen or hidden. 1, 0 or -errno. */
int change_is_empty(struct af_fs *fs, const struct layer_dir *at, const char *name);
/* Marks a directory of the upper: what the lower has below its path is not seen. 0 or -errno. */
int change_set_opaque(int dirfd, const char *name);
/* Logs what the lower has at name (low), which is about to be hidden, unless it was copied up. */
int change_log_gone(struct af_fs *fs, const struct layer_dir *at, const char *name,
	const char *path, const struct stat *low);

#endif
