/*
 * Removing whole trees by descriptor: no symlink is followed, no other filesystem entered, no
 * path resolved, and neither depth nor the number of descriptors is bounded by the tree's.
 * Directories whose mode forbids their owner to empty them are made 0700 first. It stops at the
 * first failure.
 */
#ifndef AF_REMOVE_H
#define AF_REMOVE_H

/*
 * Removes `name` in dirfd, whatever it is, and all below it. 0, -ENOENT where there is none,
 * -EXDEV or -EBUSY where something is mounted there or below, or -errno.
 */
int remove_tree(int dirfd, const char *name);
/* Removes everything in the directory, not itself. dirfd may be O_PATH. */
int remove_entries(int dirfd);

#endif
