/*
 * Directories that the upper gets because something in them changes: made as the lower's are, one
 * below the other.
 */
#ifndef AF_COPYUP_DIR_H
#define AF_COPYUP_DIR_H

#include "layer.h"

#include <sys/stat.h>

struct af_fs;
struct af_inode;

/*
 * Gives the copy `to` all attributes of the lower's file: copy_attrs() with xattrs that would be bookkeeping stored
 * escaped. 0 or -errno.
 */
int copyup_dress(const struct af_fs *fs, int from, const struct stat *st, int to);
/* Remembers in the upper's fd the number as which the file is shown. 0 or -errno. */
int copyup_set_ino(int fd, uint64_t ino);

/*
 * Renames the finished `temp` in work to `name` in the upper's directory, which keeps its times, and
 * of which we may not have the right to write (then it is lent for the moment). -EEXIST: there is
 * something already.
 */
int copyup_place(struct af_fs *fs, const char *temp, int upper_dirfd, const char *name);
/* The same for a finished file that is open and is to have this name (too). */
int copyup_place_link(int fd, int upper_dirfd, const char *name);

/*
 * The directories along path (each a directory that is seen, from the root), all in the upper when it
 * returns; *at is the last one's. The caller closes it.
 */
int copyup_dirs(struct af_fs *fs, const char *path, struct layer_dir *at);
/* A directory that has lost its name, and whose descriptor in the node is still the lower's. */
int copyup_removed_dir(struct af_fs *fs, struct af_inode *inode);
/* One of them: the directory `name` in parent, whose path is given; dir->upper is set. */
int copyup_dir_entry(struct af_fs *fs, const struct layer_dir *parent, const char *name,
	const char *path, struct layer_dir *dir);

#endif
