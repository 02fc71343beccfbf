/*
 * One directory tree as a layer of files (the source, or a delta's upper): every *at() call on it, and
 * nothing about levels.
 *
 * Names are single components and directories are held descriptors (O_PATH), so no path is resolved
 * twice, no symlink is followed and nothing leaves the source. Filesystems mounted inside the source
 * are not entered: as root the layer is a private clone of the source's mount alone
 * (open_tree(2), OPEN_TREE_CLONE), in which nothing else is mounted; otherwise each step is an
 * openat2(2) with RESOLVE_NO_XDEV, and -EXDEV names a covered directory.
 *
 * All functions return 0 (or a descriptor that the caller owns) or -errno.
 */
#ifndef AF_LAYER_H
#define AF_LAYER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct af_layer {
	int root_fd; /* O_PATH; owned */
	bool alone;  /* the mount is our own clone: nothing is mounted inside it */
	struct stat root;
};

/* A directory of the mount: its descriptors in both layers, each -1 where that has none. */
struct layer_dir {
	int lower, upper;
};

/*
 * Opens the directory at path (which may be /proc/self/fd/N) as a layer. With read_only, a clone of
 * our own cannot be written to at all, nor are its access times.
 */
int layer_open(struct af_layer *layer, const char *path, bool read_only);
void layer_close(struct af_layer *layer);

int layer_stat(const struct af_layer *layer, int dirfd, const char *name, struct stat *st);
/* O_PATH descriptor of whatever name is; never follows, never blocks. */
int layer_open_path(const struct af_layer *layer, int dirfd, const char *name);
int layer_open_dir(const struct af_layer *layer, int dirfd, const char *name);
/* The directory at a path from the root, component by component. */
int layer_open_steps(const struct af_layer *layer, const char *path);
/*
 * Opens a regular file (-ESTALE if it is none) with open(2)'s flags but O_TRUNC, which must wait until
 * the caller knows what was opened (*st). A FIFO that took its place does not block.
 */
int layer_open_file(
	const struct af_layer *layer, int dirfd, const char *name, int flags, struct stat *st);
/* The same for what an O_PATH descriptor names. */
int layer_reopen(int path_fd, int flags, struct stat *st);
int layer_truncate(int fd, off_t size);
/* Opens for reading the directory that an O_PATH descriptor names. */
int layer_open_list(int dirfd);
int layer_create(const struct af_layer *layer, int dirfd, const char *name, int flags, mode_t mode,
	struct stat *st);
int layer_tmpfile(int dirfd, int flags, mode_t mode, struct stat *st);
/* Whether link(2) from the inode of an O_PATH or open descriptor. */
int layer_link(int path_fd, int dirfd, const char *name);

/* Text for /proc/self/fd/N, by which calls that take no O_PATH descriptor reach its inode. */
struct af_fd_path {
	char text[32];
};
struct af_fd_path layer_fd_path(int fd);

#endif
