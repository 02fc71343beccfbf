/*
 * Removing whole trees by descriptor: no symlink is followed, no other filesystem entered, no path resolved, and
 * neither depth nor the number of descriptors is bounded by the tree's.
 */
#ifndef AF_REMOVE_H
#define AF_REMOVE_H

/* Removes `name` in dirfd, whatever it is, and all below it. -ENOENT where there is none. 0 or -errno. */
int remove_tree(int dirfd, const char *name);
/* Removes everything in the directory, not itself. dirfd may be O_PATH. */
int remove_entries(int dirfd);

#endif
