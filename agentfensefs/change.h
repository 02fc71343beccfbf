/*
 * Every call that makes, removes or moves a name: on the source itself, or with a delta on the upper,
 * where what the source has there is whited out or hidden. Nothing is decided here.
 *
 * The directories' descriptors are copyup_dirfd()'s. The rename lock is held, for writing where a
 * directory moves. All return 0 (or a descriptor) or -errno.
 */
#ifndef AF_CHANGE_H
#define AF_CHANGE_H

#include <stdbool.h>
#include <sys/stat.h>

struct af_dirfd;
struct af_fs;
struct af_inode;
struct op_held;

/* A regular file, opened; *st is what it is. */
int change_create(struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, int flags,
	mode_t mode, struct stat *st);
/* A file without a name, which change_link() may give one. */
int change_tmpfile(
	struct af_fs *fs, const struct af_dirfd *dirfd, int flags, mode_t mode, struct stat *st);
int change_mkdir(struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, mode_t mode);
/* A FIFO, socket or regular file. */
int change_mknod(struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, mode_t mode);
int change_symlink(
	struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, const char *target);
/* Another name of what a descriptor is of (with a delta: of the upper's). */
int change_link(struct af_fs *fs, int path_fd, const struct af_dirfd *dirfd, const char *name);

/* Of the directory dir, whose descriptor dirfd is. */
int change_remove(struct af_fs *fs, struct af_inode *dir, const struct af_dirfd *dirfd,
	const char *name, bool is_dir);

/* With a delta: what is at this side becomes the upper's. Before change_rename(), for the source. */
struct change_side;
int change_prepare(struct af_fs *fs, const struct change_side *side);

struct change_side {
	struct af_inode *dir;
	const struct af_dirfd *dirfd;
	const char *name;
	mode_t type; /* of what is there; 0: nothing */
};
/* flags: RENAME_NOREPLACE, RENAME_EXCHANGE. */
int change_rename(struct af_fs *fs, const struct change_side *from, const struct change_side *to,
	unsigned int flags);

#endif
