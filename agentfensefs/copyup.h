/*
 * Copy-up: what the lower has is made the upper's before the first change to it.
 *
 * The copy is made in work with all its attributes, synced unless the delta is volatile, told to the
 * log, and renamed into its place; the node then is the copy and every open handle reads it. All
 * names of a file that can be seen stay names of one file.
 */
#ifndef AF_COPYUP_H
#define AF_COPYUP_H

#include "layer.h"

struct af_dirfd;
struct af_fs;
struct af_inode;
struct af_pathfd;

enum copyup_how {
	COPYUP_DATA,
	COPYUP_EMPTY, /* a regular file that is about to be emptied: without its content */
};

/*
 * Makes the node the upper's, with all directories above it. The rename lock is held (either way).
 * Nothing to do without a delta. -ESTALE: its name is another's by now; to be tried again.
 */
int copyup_node(struct af_fs *fs, struct af_inode *inode, enum copyup_how how);
/* The same without the lock, and then pathfd_get(): where a change is made through a descriptor. */
int copyup_pathfd(
	struct af_fs *fs, struct af_inode *inode, enum copyup_how how, struct af_pathfd *path);
/* A directory's descriptors, the upper's among them if there is a delta. As dirfd_get(). */
int copyup_dirfd(struct af_fs *fs, struct af_inode *dir, struct af_dirfd **out);
/* What is seen at name in a directory of the upper, whose whole path is given; known or not. */
int copyup_name(struct af_fs *fs, const struct layer_dir *at, const char *name, const char *path);
/*
 * A directory (its path) with everything below it, and then, in one moment, nothing of the lower is
 * seen in it any more: it can be renamed. The rename lock is held for writing.
 */
int copyup_tree(struct af_fs *fs, const char *path);

/* The node is not copied up by anybody until copyup_unpin(). inode may be NULL. */
void copyup_pin(struct af_fs *fs, const struct af_inode *inode);
void copyup_unpin(struct af_fs *fs, const struct af_inode *inode);

#endif
