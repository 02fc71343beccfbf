/*
 * OPEN, CREATE, TMPFILE, RELEASE. See op.h; handle.c has what they open, op_data.c uses it.
 */
#include "op.h"

#include "change.h"
#include "cleanup.h"
#include "copyup.h"
#include "cred.h"
#include "handle.h"

#include <fcntl.h>
#include <string.h>

/*
 * What of open(2)'s flags the source's file is opened with. Appending is done with each write
 * (op_data.c), since F_SETFL can change it; O_DIRECT is between the caller and the kernel, and
 * O_NOATIME would need an ownership that we may not have.
 */
static int backing_flags(int flags)
{
	return (flags & (O_ACCMODE | O_TRUNC | O_EXCL | O_SYNC | O_DSYNC)) | O_CLOEXEC;
}

static bool wants_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

/* The regular file of the node, opened; -ESTALE where another has taken its place. */
static int open_backing(struct af_fs *fs, struct af_inode *inode, int flags, struct stat *st)
{
	struct af_dirfd *dirfd;
	struct af_found found;
	struct af_place place;
	int fd, err;

	inode_place(&fs->table, inode, &place);
	if (place.fd >= 0) {
		inode_put(&fs->table, place.parent);
		return layer_reopen(place.fd, flags, st);
	}
	if (!place.parent)
		return -ESTALE;
	err = dirfd_get(fs, place.parent, &dirfd);
	inode_put(&fs->table, place.parent);
	if (err)
		return err;
	fd = overlay_open_file(fs, &dirfd->at, place.name, flags, &found);
	/* Refused is the file, unless even its attributes are out of reach. */
	if (fd == -ENOENT ||
		(fd == -EACCES && overlay_stat(fs, &dirfd->at, place.name, &found) != 0))
		fd = -ESTALE;
	dirfd_put(&fs->dirfds, dirfd);
	*st = found.st;
	if (fd >= 0 && !inode_is(inode, st)) {
		close(fd);
		return -ESTALE;
	}
	err = fd >= 0 && (flags & O_TRUNC) ? layer_truncate(fd, 0) : 0;
	if (flags & O_TRUNC)
		stale_written(fs, inode);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Opens the file and makes its handle; what may be written is the delta's first. */
static int open_handle(struct af_fs *fs, struct af_inode *inode, struct fuse_file_info *fi)
{
	struct stat st;
	int fd, err = 0;

	if (fs->upper && wants_write(fi->flags)) {
		pthread_rwlock_rdlock(&fs->rename_lock);
		err = copyup_node(fs, inode, fi->flags & O_TRUNC ? COPYUP_EMPTY : COPYUP_DATA);
		pthread_rwlock_unlock(&fs->rename_lock);
	}
	if (err)
		return err;
	fd = open_backing(fs, inode, backing_flags(fi->flags), &st);
	return fd < 0 ? fd : handle_new(fs, inode, fd, &st, fi);
}

static int open_node(struct op_ctx *op, struct fuse_file_info *fi)
{
	enum af_level need = wants_write(fi->flags) ? AF_WRITE : AF_READ;
	struct gate_op what = {op->req, "open"};
	int err = gate_need(op->fs, &op->view, what, op->inode, need, NULL);

	if (err)
		return err;
	kcache_touched(op->inode);
	do
		err = open_handle(op->fs, op->inode, fi);
	while (op_again(op, err));
	return err;
}

void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct op_ctx op;
	int err = op_begin(&op, req, ino, AF_COUNT_OPEN);

	if (!err)
		err = open_node(&op, fi);
	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_open(req, fi) != 0)
		handle_free(op.fs, file_of(fi));
	op_end(&op);
}

/* Answers CREATE and TMPFILE: a node and its first handle; fd is taken over. */
static void reply_created(struct op_ctx *op, int err, int fd, const struct stat *st,
	const struct fuse_entry_param *entry, struct fuse_file_info *fi)
{
	struct af_inode *inode = err ? NULL : inode_get(&op->fs->table, entry->ino);

	if (!err && !inode)
		err = -ESTALE;
	if (!err)
		err = handle_new(op->fs, inode, fd, st, fi);
	else if (fd >= 0)
		close(fd);
	if (err) {
		if (inode)
			op_unlook(op, entry);
		fuse_reply_err(op->req, -err);
	} else if (fuse_reply_create(op->req, entry, fi) != 0) {
		handle_free(op->fs, file_of(fi));
		op_unlook(op, entry);
	}
	inode_put(&op->fs->table, inode);
}

/* Makes the file and its node; returns its descriptor. */
static int create(struct op_ctx *op, const char *name, mode_t mode, int flags, struct stat *st,
	struct fuse_entry_param *entry)
{
	struct gate_op what = {op->req, "create"};
	struct af_dirfd *dirfd;
	struct af_found found = {.upper = op->fs->upper != NULL};
	struct af_step step;
	int fd, err = strlen(name) > NAME_MAX ? -ENAMETOOLONG : 0;

	if (!err)
		err = gate_step(op->fs, &op->view, op->inode, name, &step);
	if (err)
		return err;
	if (attr_is_setid(mode, false))
		err = EPERM;
	else if (step.file.level < AF_WRITE)
		err = EACCES;
	if (err) {
		gate_refused(op->fs, &op->view, what, op->inode, name, &step.file, AF_WRITE, err);
		return -err;
	}
	gate_granted(op->fs, &op->view, what, op->inode, name, &step.file, AF_WRITE);
	kcache_touched(op->inode);
	err = cred_become(op->fs, op->req);
	if (!err)
		err = copyup_dirfd(op->fs, op->inode, &dirfd);
	if (err)
		return err == -EXDEV ? -EACCES : err;
	fd = change_create(op->fs, dirfd, name, backing_flags(flags), mode, st);
	found.st = *st;
	found.ino = st->st_ino;
	err = fd < 0 ? fd
		     : op_entry(op, op->inode, dirfd, name, &found, &step, AF_RENAMES_ANY, entry);
	dirfd_put(&op->fs->dirfds, dirfd);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

void op_create(
	fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param entry = {0};
	struct stat st = {0};
	struct op_ctx op;
	int fd = -1, err;

	pthread_rwlock_rdlock(&fs_of(req)->rename_lock);
	err = op_begin(&op, req, parent, AF_COUNT_NAMES);
	if (!err) {
		fd = create(&op, name, mode, fi->flags, &st, &entry);
		err = fd < 0 ? fd : 0;
	}
	pthread_rwlock_unlock(&op.fs->rename_lock);
	reply_created(&op, err, fd, &st, &entry, fi);
	op_end(&op);
}

/* A file that has no name yet: its node keeps a descriptor, by which link(2) finds it. */
static int tmpfile_node(
	struct op_ctx *op, int fd, const struct stat *st, struct fuse_entry_param *entry)
{
	struct af_verdict verdict = {.level = AF_WRITE};
	int path_fd = open(layer_fd_path(fd).text, O_PATH | O_CLOEXEC);
	struct af_inode *inode;

	if (path_fd < 0)
		return -errno;
	inode = inode_nameless(&op->fs->table, st, AF_WRITE, path_fd);
	if (!inode) {
		close(path_fd);
		return -ENOMEM;
	}
	if (op->fs->upper)
		inode_flag(&op->fs->table, inode, AF_INODE_UPPER);
	*entry = (struct fuse_entry_param){
		.ino = inode->id,
		.attr = *st,
		.attr_timeout = op->fs->kcache.timeout_s,
		.entry_timeout = op->fs->kcache.timeout_s,
	};
	attr_show(&op->fs->owners, &verdict, fd, "", &entry->attr);
	inode_put(&op->fs->table, inode);
	return 0;
}

static int make_tmpfile(
	struct op_ctx *op, mode_t mode, int flags, struct stat *st, struct fuse_entry_param *entry)
{
	struct gate_op what = {op->req, "tmpfile"};
	struct af_verdict verdict;
	struct af_dirfd *dirfd;
	int fd, err = gate_verdict(op->fs, &op->view, op->inode, &verdict);

	if (!err && attr_is_setid(mode, false)) {
		gate_refused(op->fs, &op->view, what, op->inode, NULL, &verdict, AF_WRITE, EPERM);
		return -EPERM;
	}
	if (!err)
		err = gate_need_create(op->fs, &op->view, what, op->inode);
	if (!err)
		err = cred_become(op->fs, op->req);
	if (!err)
		err = copyup_dirfd(op->fs, op->inode, &dirfd);
	if (err)
		return err == -EXDEV ? -EACCES : err;
	/* O_EXCL (no link later) is the kernel's to enforce on its own inode too. */
	fd = change_tmpfile(op->fs, dirfd, backing_flags(flags), mode, st);
	dirfd_put(&op->fs->dirfds, dirfd);
	if (fd < 0)
		return fd;
	err = tmpfile_node(op, fd, st, entry);
	if (err)
		close(fd);
	return err ? err : fd;
}

void op_tmpfile(fuse_req_t req, fuse_ino_t parent, mode_t mode, struct fuse_file_info *fi)
{
	struct fuse_entry_param entry = {0};
	struct stat st = {0};
	struct op_ctx op;
	int fd = -1, err;

	pthread_rwlock_rdlock(&fs_of(req)->rename_lock);
	err = op_begin(&op, req, parent, AF_COUNT_NAMES);
	if (!err) {
		fd = make_tmpfile(&op, mode, fi->flags, &st, &entry);
		err = fd < 0 ? fd : 0;
	}
	pthread_rwlock_unlock(&op.fs->rename_lock);
	reply_created(&op, err, fd, &st, &entry, fi);
	op_end(&op);
}

void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct af_fs *fs = fs_of(req);

	(void)ino;
	counters_add(&fs->counters, AF_COUNT_RELEASE);
	handle_free(fs, file_of(fi));
	fuse_reply_err(req, 0);
}
