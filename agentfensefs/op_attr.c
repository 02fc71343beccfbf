/*
 * GETATTR, SETATTR, READLINK, STATFS. See op.h.
 */
#include "op.h"

#include "cleanup.h"
#include "copyup.h"
#include "cred.h"
#include "links.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int fd_show(const struct af_fs *fs, const struct af_inode *inode,
	const struct af_verdict *verdict, int fd, struct stat *st)
{
	if (fstat(fd, st) != 0)
		return -errno;
	links_count_names(fs, inode, st);
	st->st_ino = inode->shown;
	attr_show(&fs->owners, verdict, fd, "", st);
	return 0;
}

/* The attributes of what the node's name is now. */
static int name_show(struct af_fs *fs, struct af_inode *inode, const struct af_place *place,
	const struct af_verdict *verdict, struct stat *st)
{
	struct af_dirfd *dirfd;
	struct af_found found;
	int err = dirfd_get(fs, place->parent, &dirfd);

	if (err)
		return err;
	op_hold_still(fs);
	err = op_stat_name(fs, dirfd, place->name, &found);
	err = dirfd_name_error(err);
	if (!err && !inode_is(inode, &found.st))
		err = -ESTALE;
	op_let_go(fs);
	*st = found.st;
	if (!err)
		links_count_names(fs, inode, st);
	st->st_ino = inode->shown;
	if (!err && !attr_is_covered(st))
		attr_show(&fs->owners, verdict, overlay_seen(&dirfd->at, &found), place->name, st);
	dirfd_put(&fs->dirfds, dirfd);
	return err;
}

/* The node's attributes as the mount shows them. */
static int node_show(
	struct af_fs *fs, struct af_inode *inode, const struct af_verdict *verdict, struct stat *st)
{
	struct af_place place;
	struct af_found root;
	struct layer_dir at;
	int fd, err;

	inode_place(&fs->table, inode, &place);
	overlay_root(fs, &at);
	if (inode == fs->table.root) {
		err = overlay_stat_root(fs, &root);
		*st = root.st;
		attr_show(&fs->owners, verdict, overlay_seen(&at, &root), "", st);
	} else if (place.fd >= 0)
		err = fd_show(fs, inode, verdict, place.fd, st);
	else if (place.parent)
		err = name_show(fs, inode, &place, verdict, st);
	else
		err = -ESTALE;
	inode_put(&fs->table, place.parent);
	if (err != -ESTALE && err != -ENOENT)
		return err;
	/* fstat(2) of an open file works, whatever others have done to its name in the source. */
	fd = op_handle_fd(fs, inode);
	if (fd < 0)
		return -ESTALE;
	err = fd_show(fs, inode, verdict, fd, st);
	close(fd);
	return err;
}

static void reply_attr(struct op_ctx *op, const struct af_verdict *verdict, const struct stat *st)
{
	double timeout_s = op_attr_timeout(op->fs, verdict, st);

	kcache_granted(op->fs, op->inode, timeout_s);
	fuse_reply_attr(op->req, st, timeout_s);
}

/* Files that are open keep what they were opened for, so what is open has attributes. */
static bool is_open(struct af_fs *fs, const struct af_inode *inode)
{
	bool open;

	pthread_mutex_lock(&fs->table.lock);
	open = !LIST_EMPTY(&inode->files);
	pthread_mutex_unlock(&fs->table.lock);
	return open;
}

static int getattr(struct op_ctx *op, const struct fuse_file_info *fi, struct af_verdict *verdict,
	struct stat *st)
{
	int err = gate_verdict(op->fs, &op->view, op->inode, verdict);

	if (err)
		return err;
	if (!gate_visible(verdict) && op->inode != op->fs->table.root && !fi &&
		!is_open(op->fs, op->inode))
		return -ENOENT;
	if (!fi && op->fs->audit)
		audit_infer(
			op->fs, op->req, &op->view, op->inode, verdict, kcache_is_fresh(op->inode));
	if (fi && S_ISREG(op->inode->type))
		return fd_show(op->fs, op->inode, verdict, file_of(fi)->fd, st);
	return node_show(op->fs, op->inode, verdict, st);
}

void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct af_verdict verdict;
	struct op_ctx op;
	struct stat st;
	int err = op_begin(&op, req, ino, AF_COUNT_GETATTR);

	if (!err)
		do
			err = getattr(&op, fi, &verdict, &st);
		while (op_again(&op, err));
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_attr(&op, &verdict, &st);
	op_end(&op);
}

static int set_owner(const struct af_fs *fs, int fd, const struct stat *attr, int to_set)
{
	uid_t uid =
		to_set & FUSE_SET_ATTR_UID ? owners_uid_in(&fs->owners, attr->st_uid) : (uid_t)-1;
	gid_t gid =
		to_set & FUSE_SET_ATTR_GID ? owners_gid_in(&fs->owners, attr->st_gid) : (gid_t)-1;

	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) != 0 ? -errno : 0;
}

static int set_times(int fd, const struct stat *attr, int to_set)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};

	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		times[0].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_ATIME)
		times[0] = attr->st_atim;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		times[1].tv_nsec = UTIME_NOW;
	else if (to_set & FUSE_SET_ATTR_MTIME)
		times[1] = attr->st_mtim;
	return utimensat(fd, "", times, AT_EMPTY_PATH) != 0 ? -errno : 0;
}

static int set_size(
	const struct af_fs *fs, int fd, const struct stat *attr, const struct fuse_file_info *fi)
{
	struct stat before;
	int err;

	if (fi)
		fd = file_of(fi)->fd;
	if (upper_has_quota(fs->upper) && fstat(fd, &before) != 0)
		return -errno;
	err = layer_truncate(fd, attr->st_size);
	upper_charge_growth(fs->upper, &before, fd);
	return err;
}

/* Everything of to_set on the node of the O_PATH descriptor fd, in the order of passthrough_ll. */
static int apply(const struct af_fs *fs, int fd, const struct stat *attr, int to_set,
	const struct fuse_file_info *fi)
{
	int err = 0;

	if (to_set & FUSE_SET_ATTR_MODE)
		err = cred_chmod(layer_fd_path(fd).text, attr->st_mode & 07777);
	if (!err && (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
		err = set_owner(fs, fd, attr, to_set);
	if (!err && (to_set & FUSE_SET_ATTR_SIZE))
		err = set_size(fs, fd, attr, fi);
	if (!err &&
		(to_set &
			(FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
				FUSE_SET_ATTR_MTIME_NOW)))
		err = set_times(fd, attr, to_set);
	return err;
}

static const char *what_is_set(int to_set)
{
	if (to_set & FUSE_SET_ATTR_MODE)
		return "chmod";
	if (to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		return "chown";
	return to_set & FUSE_SET_ATTR_SIZE ? "truncate" : "utimens";
}

static int setattr(struct op_ctx *op, const struct stat *attr, int to_set,
	const struct fuse_file_info *fi, struct af_verdict *verdict, struct stat *st)
{
	struct gate_op what = {op->req, what_is_set(to_set)};
	/* ftruncate(2): the right was checked when the file was opened, and stays. */
	bool by_handle = fi && (to_set & FUSE_SET_ATTR_SIZE) && file_of(fi)->writable &&
		!(to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID));
	struct af_pathfd path;
	int err;

	if (by_handle)
		err = gate_verdict(op->fs, &op->view, op->inode, verdict);
	else
		err = gate_need(op->fs, &op->view, what, op->inode, AF_WRITE, verdict);
	if (err)
		return err;
	if ((to_set & FUSE_SET_ATTR_MODE) &&
		attr_is_setid(attr->st_mode, S_ISDIR(op->inode->type))) {
		gate_refused(op->fs, &op->view, what, op->inode, NULL, verdict, AF_WRITE, EPERM);
		return -EPERM;
	}
	if (by_handle) {
		path = (struct af_pathfd){.fd = file_of(fi)->fd};
	} else {
		bool empties = (to_set & FUSE_SET_ATTR_SIZE) && attr->st_size == 0;

		err = copyup_pathfd(op->fs, op->inode, empties ? COPYUP_EMPTY : COPYUP_DATA, &path);
		if (err)
			return err == -EXDEV ? -EACCES : err;
	}
	err = apply(op->fs, path.fd, attr, to_set, fi);
	if (to_set & FUSE_SET_ATTR_SIZE)
		stale_written(op->fs, op->inode);
	if (!err)
		err = fd_show(op->fs, op->inode, verdict, path.fd, st);
	if (S_ISDIR(op->inode->type) && op->fs->upper)
		st->st_nlink = path.found.st.st_nlink;
	pathfd_put(&path);
	return err;
}

void op_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct af_verdict verdict;
	struct op_ctx op;
	struct stat st;
	int err = op_begin(&op, req, ino, AF_COUNT_SETATTR);

	if (!err)
		do
			err = setattr(&op, attr, to_set, fi, &verdict, &st);
		while (op_again(&op, err));
	if (err)
		fuse_reply_err(req, -err);
	else
		reply_attr(&op, &verdict, &st);
	op_end(&op);
}

static int read_link(struct op_ctx *op, char *target, size_t size)
{
	struct gate_op what = {op->req, "readlink"};
	struct af_pathfd path;
	ssize_t len;
	int err = gate_need(op->fs, &op->view, what, op->inode, AF_VIEW, NULL);

	if (err)
		return err;
	err = pathfd_get(op->fs, op->inode, &path);
	if (err)
		return err;
	len = readlinkat(path.fd, "", target, size - 1);
	err = len < 0 ? -errno : 0;
	pathfd_put(&path);
	if (!err)
		target[len] = '\0';
	return err;
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX + 1];
	struct op_ctx op;
	int err = op_begin(&op, req, ino, AF_COUNT_OTHER);

	if (!err)
		do
			err = read_link(&op, target, sizeof(target));
		while (op_again(&op, err));
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_readlink(req, target);
	op_end(&op);
}

void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct af_fs *fs = fs_of(req);
	struct statvfs st;

	(void)ino;
	counters_add(&fs->counters, AF_COUNT_OTHER);
	if (upper_statfs(fs, &st) != 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &st);
}
