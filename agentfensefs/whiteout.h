/*
 * Names taken away from the lower: whiteouts, all of them links to one character device 0:0 in work.
 */
#ifndef AF_WHITEOUT_H
#define AF_WHITEOUT_H

#include <stdbool.h>

struct af_fs;

/* Where the upper has nothing at name; -EEXIST where it has. 0 or -errno, here and below. */
int whiteout_make(struct af_fs *fs, int upper_dirfd, const char *name);
/* In the place of what the upper has at name, which is gone then; a directory with what it holds. */
int whiteout_replace(struct af_fs *fs, int upper_dirfd, const char *name, bool is_dir);
/* Takes away what the upper has at name, a directory that is seen as empty, without a whiteout. */
int whiteout_remove_dir(struct af_fs *fs, int upper_dirfd, const char *name);
/* Unlinks every whiteout directly in an opaque directory of the upper. */
int whiteout_clean(int upper_dirfd);

#endif
