/*
 * RENAME: both names and, where a directory moves, everything below it at both paths. See op.h.
 *
 * A directory moves under the rename lock held for writing: no decision about a path below it is
 * under way, and those kept in nodes become stale with it.
 */
#include "op.h"

#include "change.h"
#include "cleanup.h"
#include "tree.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

/* One of the two names. */
struct side {
	struct af_inode *dir; /* a reference */
	const char *name;
	struct af_dirfd *dirfd;
	struct af_step step;
	struct op_held held; /* what it names; fd -1: nothing */
};

struct rename {
	struct op_ctx op;
	struct side from, to;
	unsigned int flags;
};

static const struct af_verdict *verdict_as(const struct side *side, mode_t type)
{
	return S_ISDIR(type) ? &side->step.dir : &side->step.file;
}

/* write on side's name for something of this type. */
static int need_write(struct rename *rn, const struct side *side, mode_t type)
{
	struct gate_op what = {rn->op.req, "rename"};
	const struct af_verdict *verdict = verdict_as(side, type);

	if (verdict->level >= AF_WRITE) {
		gate_granted(
			rn->op.fs, &rn->op.view, what, side->dir, side->name, verdict, AF_WRITE);
		return 0;
	}
	gate_refused(
		rn->op.fs, &rn->op.view, what, side->dir, side->name, verdict, AF_WRITE, EACCES);
	return -EACCES;
}

static int side_open(struct rename *rn, struct side *side)
{
	int err = dirfd_get(rn->op.fs, side->dir, &side->dirfd);

	kcache_touched(side->dir);
	return err == -EXDEV ? -EACCES : err;
}

/* The whole directory at `from` may be at `to`'s path; asked of both sides for an exchange. */
static int tree_check(struct rename *rn, const struct side *from, const struct side *to)
{
	struct gate_op what = {rn->op.req, "rename"};
	size_t len;
	af_autofree char *old_path = inode_path(&rn->op.fs->table, from->dir, from->name, &len);
	af_autofree char *new_path = inode_path(&rn->op.fs->table, to->dir, to->name, &len);
	int err;

	if (!old_path || !new_path)
		return errno == ENOENT ? -ENOENT : -ENOMEM;
	err = tree_may_move(rn->op.fs, &rn->op.view, from->dirfd, from->name, old_path, new_path);
	if (err == -EXDEV)
		gate_refused(rn->op.fs, &rn->op.view, what, from->dir, from->name, &from->step.dir,
			AF_WRITE, EXDEV);
	return err;
}

static int decide(struct rename *rn)
{
	struct side *from = &rn->from, *to = &rn->to;
	bool exchange = rn->flags & RENAME_EXCHANGE;
	int err;

	/* What is hidden or not writable is refused before the source is asked about it. */
	if (from->step.file.level < AF_WRITE && from->step.dir.level < AF_WRITE)
		return need_write(rn, from, S_IFREG);
	if (to->step.file.level < AF_WRITE && to->step.dir.level < AF_WRITE)
		return need_write(rn, to, S_IFREG);
	err = side_open(rn, from);
	if (!err)
		err = side_open(rn, to);
	if (!err)
		err = op_hold_target(rn->op.fs, from->dir, from->dirfd, from->name, &from->held);
	if (!err)
		err = need_write(rn, from, from->held.type);
	if (!err)
		err = need_write(rn, to, from->held.type);
	if (err)
		return err;
	err = op_hold_target(rn->op.fs, to->dir, to->dirfd, to->name, &to->held);
	if (err == -ENOENT && !exchange)
		return 0;
	if (!err)
		err = need_write(rn, to, to->held.type);
	if (!err && exchange)
		err = need_write(rn, from, to->held.type);
	return err;
}

static int check_trees(struct rename *rn)
{
	int err = 0;

	if (S_ISDIR(rn->from.held.type))
		err = tree_check(rn, &rn->from, &rn->to);
	if (!err && (rn->flags & RENAME_EXCHANGE) && S_ISDIR(rn->to.held.type))
		err = tree_check(rn, &rn->to, &rn->from);
	return err;
}

/* The names have moved: so do the nodes. */
static void move_nodes(struct rename *rn)
{
	struct af_fs *fs = rn->op.fs;
	struct side *from = &rn->from, *to = &rn->to;

	if (from->held.inode && from->held.inode == to->held.inode)
		return; /* two names of one file: rename(2) does nothing */
	if (!(rn->flags & RENAME_EXCHANGE))
		op_held_gone(fs, to->dir, to->name, &to->held);
	if (from->held.inode)
		inode_rename(
			&fs->table, from->held.inode, from->dir, from->name, to->dir, to->name);
	if ((rn->flags & RENAME_EXCHANGE) && to->held.inode)
		inode_rename(&fs->table, to->held.inode, to->dir, to->name, from->dir, from->name);
	if (S_ISDIR(from->held.type) || S_ISDIR(to->held.type))
		gate_moved(fs);
}

static int do_rename(struct rename *rn)
{
	struct af_fs *fs = rn->op.fs;
	struct side *from = &rn->from, *to = &rn->to;
	struct change_side source = {from->dir, from->dirfd, from->name, from->held.type};
	struct change_side target = {to->dir, to->dirfd, to->name, to->held.type};
	int err;

	/* Two names of one file: rename(2) does nothing. */
	if (from->held.inode && from->held.inode == to->held.inode && !S_ISDIR(from->held.type) &&
		!(rn->flags & RENAME_NOREPLACE))
		return 0;
	err = change_prepare(fs, &source);
	if (!err && !(rn->flags & RENAME_EXCHANGE))
		err = op_hold_pinned(fs, to->dir, to->dirfd, to->name, &to->held);
	if (!err)
		err = change_rename(fs, &source, &target, rn->flags);
	if (!err)
		move_nodes(rn);
	return err;
}

/* Whether a directory is to move: known from its node, which the kernel has just looked up. */
static bool moves_directory(const struct rename *rn, const struct side *side)
{
	struct af_dirfd *dirfd;
	struct af_found found;
	bool is_dir;

	if (side->step.dir.level < AF_WRITE)
		return false;
	if (dirfd_get(rn->op.fs, side->dir, &dirfd) != 0)
		return false;
	is_dir = overlay_stat(rn->op.fs, &dirfd->at, side->name, &found) == 0 &&
		S_ISDIR(found.st.st_mode);
	dirfd_put(&rn->op.fs->dirfds, dirfd);
	return is_dir;
}

static int steps(struct rename *rn)
{
	int err = gate_step(rn->op.fs, &rn->op.view, rn->from.dir, rn->from.name, &rn->from.step);

	if (err)
		return err;
	return gate_step(rn->op.fs, &rn->op.view, rn->to.dir, rn->to.name, &rn->to.step);
}

/* Under the rename lock, held for writing where directories may move. */
static int locked_rename(struct rename *rn, bool for_dirs)
{
	int err = steps(rn);

	if (!err)
		err = decide(rn);
	if (err)
		return err;
	if (!for_dirs && (S_ISDIR(rn->from.held.type) || S_ISDIR(rn->to.held.type)))
		return -EAGAIN; /* became a directory since it was looked at */
	err = check_trees(rn);
	return err ? err : do_rename(rn);
}

static void side_close(struct rename *rn, struct side *side)
{
	op_held_end(rn->op.fs, &side->held);
	if (side->dirfd)
		dirfd_put(&rn->op.fs->dirfds, side->dirfd);
	side->dirfd = NULL;
}

static int rename_once(struct rename *rn, bool for_dirs)
{
	int err;

	if (for_dirs)
		pthread_rwlock_wrlock(&rn->op.fs->rename_lock);
	else
		pthread_rwlock_rdlock(&rn->op.fs->rename_lock);
	/* A view taken under the lock: what is decided in it holds until the lock is given up. */
	gate_end(rn->op.fs, &rn->op.view);
	rn->op.view = gate_begin(rn->op.fs);
	err = locked_rename(rn, for_dirs);
	pthread_rwlock_unlock(&rn->op.fs->rename_lock);
	side_close(rn, &rn->from);
	side_close(rn, &rn->to);
	return err;
}

static int rename_names(struct rename *rn)
{
	int err;

	if (rn->flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	if (strlen(rn->from.name) > NAME_MAX || strlen(rn->to.name) > NAME_MAX)
		return -ENAMETOOLONG;
	err = steps(rn);
	if (err)
		return err;
	err = rename_once(rn, moves_directory(rn, &rn->from) || moves_directory(rn, &rn->to));
	return err == -EAGAIN ? rename_once(rn, true) : err;
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
	const char *newname, unsigned int flags)
{
	struct rename rn = {
		.from = {.name = name, .held = {.fd = -1}},
		.to = {.name = newname, .held = {.fd = -1}},
		.flags = flags,
	};
	int err = op_begin(&rn.op, req, parent, AF_COUNT_NAMES);

	rn.from.dir = rn.op.inode;
	rn.to.dir = inode_get(&rn.op.fs->table, newparent);
	if (!err)
		err = rn.to.dir ? rename_names(&rn) : -ESTALE;
	fuse_reply_err(req, -err);
	inode_put(&rn.op.fs->table, rn.to.dir);
	op_end(&rn.op);
}
