/*
 * Requests that make or remove one name: MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR. See op.h.
 *
 * The rename lock is held for reading from the decision to the call, so that no directory moves
 * between the two.
 */
#include "op.h"

#include "change.h"
#include "cleanup.h"
#include "copyup.h"
#include "cred.h"
#include "links.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A name to be made or removed, decided and within reach. */
struct name_ctx {
	struct op_ctx op;
	const char *name;
	struct af_step step;
	struct af_dirfd *dirfd;
};

/* Takes the rename lock; ended with name_end() in any case. */
static int name_begin(struct name_ctx *ctx, fuse_req_t req, fuse_ino_t parent, const char *name)
{
	int err;

	*ctx = (struct name_ctx){.name = name};
	/* Locked before the view is taken: what is decided in it holds until the lock is given up. */
	pthread_rwlock_rdlock(&fs_of(req)->rename_lock);
	err = op_begin(&ctx->op, req, parent, AF_COUNT_NAMES);
	if (!err && strlen(name) > NAME_MAX)
		err = -ENAMETOOLONG;
	if (!err)
		err = gate_step(ctx->op.fs, &ctx->op.view, ctx->op.inode, name, &ctx->step);
	return err;
}

static void name_end(struct name_ctx *ctx)
{
	if (ctx->dirfd)
		dirfd_put(&ctx->op.fs->dirfds, ctx->dirfd);
	op_end(&ctx->op);
}

static void name_unlock(struct name_ctx *ctx)
{
	pthread_rwlock_unlock(&ctx->op.fs->rename_lock);
}

static int refuse(struct name_ctx *ctx, const char *what, const struct af_verdict *verdict, int err)
{
	struct gate_op op = {ctx->op.req, what};

	gate_refused(
		ctx->op.fs, &ctx->op.view, op, ctx->op.inode, ctx->name, verdict, AF_WRITE, err);
	return -err;
}

static void grant(struct name_ctx *ctx, const char *what, const struct af_verdict *verdict)
{
	struct gate_op op = {ctx->op.req, what};

	gate_granted(ctx->op.fs, &ctx->op.view, op, ctx->op.inode, ctx->name, verdict, AF_WRITE);
}

static int name_dirfd(struct name_ctx *ctx)
{
	int err = copyup_dirfd(ctx->op.fs, ctx->op.inode, &ctx->dirfd);

	kcache_touched(ctx->op.inode);
	return err == -EXDEV ? -EACCES : err;
}

/* That the name may be made, that the caller makes it, and the directory to make it in. */
static int may_make(struct name_ctx *ctx, const char *what, bool is_dir)
{
	const struct af_verdict *verdict = is_dir ? &ctx->step.dir : &ctx->step.file;
	int err;

	if (verdict->level < AF_WRITE)
		return refuse(ctx, what, verdict, EACCES);
	grant(ctx, what, verdict);
	err = name_dirfd(ctx);
	return err ? err : cred_become(ctx->op.fs, ctx->op.req);
}

/* Answers with the node that the name has become. */
static void reply_made(struct name_ctx *ctx, int err)
{
	struct fuse_entry_param entry;
	struct af_found found;

	op_hold_still(ctx->op.fs);
	if (!err)
		err = overlay_stat(ctx->op.fs, &ctx->dirfd->at, ctx->name, &found);
	if (!err)
		err = op_entry(&ctx->op, ctx->op.inode, ctx->dirfd, ctx->name, &found, &ctx->step,
			AF_RENAMES_ANY, &entry);
	op_let_go(ctx->op.fs);
	name_unlock(ctx);
	if (err)
		fuse_reply_err(ctx->op.req, -err);
	else if (fuse_reply_entry(ctx->op.req, &entry) != 0)
		op_unlook(&ctx->op, &entry);
	name_end(ctx);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	struct name_ctx ctx;
	int err = name_begin(&ctx, req, parent, name);
	bool device = S_ISCHR(mode) || S_ISBLK(mode);

	(void)rdev;
	if (!err && (device || attr_is_setid(mode, false)))
		err = refuse(&ctx, "mknod", &ctx.step.file, EPERM);
	if (!err)
		err = may_make(&ctx, "mknod", false);
	if (!err)
		err = change_mknod(ctx.op.fs, ctx.dirfd, name, mode);
	reply_made(&ctx, err);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct name_ctx ctx;
	int err = name_begin(&ctx, req, parent, name);

	if (!err)
		err = may_make(&ctx, "mkdir", true);
	if (!err)
		err = change_mkdir(ctx.op.fs, ctx.dirfd, name, mode);
	reply_made(&ctx, err);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	struct name_ctx ctx;
	int err = name_begin(&ctx, req, parent, name);

	if (!err)
		err = may_make(&ctx, "symlink", false);
	if (!err)
		err = change_symlink(ctx.op.fs, ctx.dirfd, name, target);
	reply_made(&ctx, err);
}

/* Because of the old name. */
static int refuse_link(
	struct name_ctx *ctx, struct af_inode *old, const struct af_verdict *verdict, int err)
{
	struct gate_op op = {ctx->op.req, "link"};

	gate_refused(ctx->op.fs, &ctx->op.view, op, old, NULL, verdict, AF_WRITE, err);
	return -err;
}

/* What link(2) from old may do. Tools copy where they are told EXDEV. */
static int may_link(struct name_ctx *ctx, struct af_inode *old)
{
	struct af_verdict verdict;
	int err = gate_verdict(ctx->op.fs, &ctx->op.view, old, &verdict);

	if (err)
		return err;
	if (!gate_visible(&verdict))
		return refuse_link(ctx, old, &verdict, ENOENT);
	if (ctx->step.file.level < AF_WRITE)
		return refuse(ctx, "link", &ctx->step.file, EACCES);
	if (verdict.level < AF_WRITE)
		return refuse_link(ctx, old, &verdict, verdict.level >= AF_READ ? EXDEV : EACCES);
	grant(ctx, "link", &verdict);
	return name_dirfd(ctx);
}

static int make_link(struct name_ctx *ctx, struct af_inode *old)
{
	struct af_pathfd path;
	int err = may_link(ctx, old);

	if (!err)
		err = copyup_node(ctx->op.fs, old, COPYUP_DATA);
	if (!err)
		err = pathfd_get(ctx->op.fs, old, &path);
	if (err)
		return err;
	kcache_touched(old);
	err = change_link(ctx->op.fs, path.fd, ctx->dirfd, ctx->name);
	pathfd_put(&path);
	return err;
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	struct name_ctx ctx;
	int err = name_begin(&ctx, req, parent, name);
	struct af_inode *old = inode_get(&ctx.op.fs->table, ino);

	if (!err)
		err = old ? make_link(&ctx, old) : -ESTALE;
	inode_put(&ctx.op.fs->table, old);
	reply_made(&ctx, err);
}

/* A descriptor of what is about to lose its name, if the kernel knows it; *st is what it is. */
static int hold(
	struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, struct af_found *found)
{
	int fd = overlay_open_path(fs, &dirfd->at, name, found);

	if (fd == -EMFILE || fd == -ENFILE) {
		dirfds_flush(&fs->dirfds);
		fd = overlay_open_path(fs, &dirfd->at, name, found);
	}
	return fd == -EXDEV ? -EBUSY : fd;
}

int op_hold_target(struct af_fs *fs, struct af_inode *dir, const struct af_dirfd *dirfd,
	const char *name, struct op_held *held)
{
	struct af_found found;

	*held = (struct op_held){.fd = hold(fs, dirfd, name, &found)};
	if (held->fd < 0)
		return held->fd;
	held->type = found.st.st_mode & S_IFMT;
	held->upper = found.upper;
	held->linked = !S_ISDIR(found.st.st_mode) && found.st.st_nlink > 1;
	held->inode = inode_find(&fs->table, dir, name, &found.st);
	return 0;
}

int op_hold_pinned(struct af_fs *fs, struct af_inode *dir, const struct af_dirfd *dirfd,
	const char *name, struct op_held *held)
{
	struct af_inode *inode = held->inode;
	int err;

	if (!fs->upper || !inode || held->upper)
		return 0;
	copyup_pin(fs, inode);
	close(held->fd);
	err = op_hold_target(fs, dir, dirfd, name, held);
	if (!err && held->inode == inode) {
		inode_put(&fs->table, inode);
		held->pinned = true;
		return 0;
	}
	copyup_unpin(fs, inode);
	inode_put(&fs->table, inode);
	return err ? err : -ESTALE;
}

void op_held_gone(struct af_fs *fs, struct af_inode *dir, const char *name, struct op_held *held)
{
	struct af_unname how = {.linked = held->linked, .max_linked = fs->dirfds.limit};
	struct stat st;

	if (fs->upper && !held->upper && held->fd >= 0 && !S_ISDIR(held->type) &&
		fstat(held->fd, &st) == 0)
		links_name_gone(fs, &st);
	if (!held->inode)
		return;
	kcache_touched(held->inode);
	how.path_fd = af_steal_fd(&held->fd);
	if (held->upper)
		inode_flag(&fs->table, held->inode, AF_INODE_UPPER);
	inode_unname(&fs->table, held->inode, dir, name, how);
}

void op_held_end(struct af_fs *fs, struct op_held *held)
{
	if (held->pinned)
		copyup_unpin(fs, held->inode);
	held->pinned = false;
	inode_put(&fs->table, held->inode);
	held->inode = NULL;
	if (held->fd >= 0)
		close(held->fd);
	held->fd = -1;
}

static int remove_name(struct name_ctx *ctx, const char *what, bool is_dir)
{
	const struct af_verdict *verdict = is_dir ? &ctx->step.dir : &ctx->step.file;
	struct op_held held;
	int err;

	if (verdict->level < AF_WRITE)
		return refuse(ctx, what, verdict, gate_visible(verdict) ? EACCES : ENOENT);
	grant(ctx, what, verdict);
	err = name_dirfd(ctx);
	if (err)
		return err;
	err = op_hold_target(ctx->op.fs, ctx->op.inode, ctx->dirfd, ctx->name, &held);
	if (err)
		return err;
	/* unlinkat(2) itself refuses a directory for a file and the other way round. */
	err = op_hold_pinned(ctx->op.fs, ctx->op.inode, ctx->dirfd, ctx->name, &held);
	if (!err)
		err = change_remove(ctx->op.fs, ctx->op.inode, ctx->dirfd, ctx->name, is_dir);
	if (!err)
		op_held_gone(ctx->op.fs, ctx->op.inode, ctx->name, &held);
	op_held_end(ctx->op.fs, &held);
	return err;
}

static void reply_removed(struct name_ctx *ctx, int err)
{
	name_unlock(ctx);
	fuse_reply_err(ctx->op.req, -err);
	name_end(ctx);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct name_ctx ctx;
	int err = name_begin(&ctx, req, parent, name);

	reply_removed(&ctx, err ? err : remove_name(&ctx, "unlink", false));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct name_ctx ctx;
	int err = name_begin(&ctx, req, parent, name);

	reply_removed(&ctx, err ? err : remove_name(&ctx, "rmdir", true));
}
