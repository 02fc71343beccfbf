/*
 * The requests: each op_*.c parses, passes the gate, calls the layer and replies, once, in one
 * place. What they share is in op_lookup.c.
 */
#ifndef AF_OP_H
#define AF_OP_H

#include "fs.h"

/* op_lookup.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);

/* What a request works with: the node, in the view it was begun with. */
struct op_ctx {
	struct af_fs *fs;
	fuse_req_t req;
	struct gate_view view;
	struct af_inode *inode;
	bool again; /* tried for the second time */
};

/* -ENOENT (-ESTALE to the kernel) where the id is unknown. Always ended with op_end(). */
int op_begin(struct op_ctx *op, fuse_req_t req, fuse_ino_t ino, enum af_count kind);
void op_end(struct op_ctx *op);
/*
 * Whether to try once more, after waiting for what other requests rename or remove at this moment
 * (-ESTALE) or making room for descriptors. Not for those who hold the rename lock.
 */
bool op_again(struct op_ctx *op, int err);

/*
 * The reply that names a node: makes or finds the node of `name` in dir and counts one lookup (to be
 * taken back with op_unlook() if the reply does not arrive). found is what is there; since is
 * inode_lookup()'s.
 */
int op_entry(struct op_ctx *op, struct af_inode *dir, const struct af_dirfd *dirfd,
	const char *name, const struct af_found *found, const struct af_step *step, uint64_t since,
	struct fuse_entry_param *entry);
/*
 * From op_stat_name() to op_entry() with what it found no file may be copied up, or one file would
 * become two nodes.
 */
void op_hold_still(struct af_fs *fs);
void op_let_go(struct af_fs *fs);
void op_unlook(struct op_ctx *op, const struct fuse_entry_param *entry);
/* The attribute timeout of a node with these attributes and verdict. */
double op_attr_timeout(
	const struct af_fs *fs, const struct af_verdict *verdict, const struct stat *st);

/* Stat of `name` in an open directory; of a covered one, something made up (attr_is_covered). */
int op_stat_name(const struct af_fs *fs, const struct af_dirfd *dirfd, const char *name,
	struct af_found *found);
/* Whether nothing of this name can be visible, whatever it is. */
bool op_hides(const struct af_step *step);

/* op_attr.c */
void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);
void op_readlink(fuse_req_t req, fuse_ino_t ino);
void op_statfs(fuse_req_t req, fuse_ino_t ino);

/* op_xattr.c */
void op_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
	int flags);
void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

/* op_name.c */
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);

/*
 * What is about to lose its name: a descriptor (O_PATH) by which its node is reached afterwards, and
 * that node, if the kernel knows it.
 */
struct op_held {
	int fd;
	mode_t type;
	bool linked;            /* has other names */
	struct af_inode *inode; /* a reference, or NULL */
	bool upper;             /* fd is of the delta's */
	bool pinned;
};
int op_hold_target(struct af_fs *fs, struct af_inode *dir, const struct af_dirfd *dirfd,
	const char *name, struct op_held *held);
/*
 * Looks once more, and pins it: until op_held_end() it is not copied up, so what fd is of is what
 * loses the name. Nothing else that is to be copied up may be waited for meanwhile.
 */
int op_hold_pinned(struct af_fs *fs, struct af_inode *dir, const struct af_dirfd *dirfd,
	const char *name, struct op_held *held);
/* It has lost the name now. */
void op_held_gone(struct af_fs *fs, struct af_inode *dir, const char *name, struct op_held *held);
void op_held_end(struct af_fs *fs, struct op_held *held);

/* op_rename.c */
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	const char *newname, unsigned int flags);

/* op_file.c; handle.c */
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *fi);
void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi);
void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* A copy of the descriptor of some open handle of the node, or -ESTALE. */
int op_handle_fd(struct af_fs *fs, struct af_inode *inode);

/* op_data.c */
void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
	struct fuse_file_info *fi);
void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);
void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
	struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
	struct fuse_file_info *fi_out, size_t len, int flags);

/* Frees what this thread keeps between requests. */
void op_thread_fini(void);

/* op_dir.c */
void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void op_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

/* What is still open when the mount has ended, and no worker runs, is closed. */
void op_files_fini(struct af_fs *fs);
void op_listings_fini(struct af_fs *fs);

/* An open file. */
struct af_file {
	struct af_inode *inode;   /* a reference */
	LIST_ENTRY(af_file) link; /* in its files; protected by the table's lock */
	int fd;
	int32_t backing_id; /* the node's when it was opened; 0: all goes through us */
	bool writable;
	bool kept, settled; /* keep_file()'s */
	bool asked;         /* whether the kernel was asked for a backing id */
};

static inline struct af_file *file_of(const struct fuse_file_info *fi)
{
	return (struct af_file *)(uintptr_t)fi->fh;
}

#endif
