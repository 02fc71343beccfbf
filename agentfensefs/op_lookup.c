/*
 * LOOKUP, FORGET, and what every reply that names a node has in common. See op.h.
 */
#include "op.h"

#include "cleanup.h"
#include "links.h"

#include <string.h>

_Static_assert((int)AF_ROOT_ID == (int)FUSE_ROOT_ID, "the root's id is the kernel's");

int op_begin(struct op_ctx *op, fuse_req_t req, fuse_ino_t ino, enum af_count kind)
{
	struct af_fs *fs = fs_of(req);

	counters_add(&fs->counters, kind);
	*op = (struct op_ctx){.fs = fs, .req = req, .view = gate_begin(fs)};
	op->inode = inode_get(&fs->table, ino);
	return op->inode ? 0 : -ESTALE;
}

void op_end(struct op_ctx *op)
{
	inode_put(&op->fs->table, op->inode);
	gate_end(op->fs, &op->view);
}

bool op_again(struct op_ctx *op, int err)
{
	if (op->again || (err != -ESTALE && err != -EMFILE && err != -ENFILE))
		return false;
	op->again = true;
	if (err == -ESTALE) {
		pthread_rwlock_wrlock(&op->fs->rename_lock);
		pthread_rwlock_unlock(&op->fs->rename_lock);
	} else {
		dirfds_flush(&op->fs->dirfds);
	}
	return true;
}

bool op_hides(const struct af_step *step)
{
	return !gate_visible(&step->file) && !gate_visible(&step->dir);
}

int op_stat_name(const struct af_fs *fs, const struct af_dirfd *dirfd, const char *name,
	struct af_found *found)
{
	int err = overlay_stat(fs, &dirfd->at, name, found);
	struct stat parent;

	if (err != -EXDEV)
		return err;
	if (fstat(dirfd->at.lower, &parent) != 0)
		return -errno;
	attr_covered(&parent, name, &found->st);
	found->ino = found->st.st_ino;
	return 0;
}

void op_hold_still(struct af_fs *fs)
{
	if (fs->upper)
		pthread_rwlock_rdlock(&fs->upper->swap_lock);
}

void op_let_go(struct af_fs *fs)
{
	if (fs->upper)
		pthread_rwlock_unlock(&fs->upper->swap_lock);
}

/*
 * A file with several names may be written through one of another level, which is another node: the
 * kernel then asks each time, and drops cached pages when times or size have changed.
 */
double op_attr_timeout(
	const struct af_fs *fs, const struct af_verdict *verdict, const struct stat *st)
{
	if (S_ISREG(st->st_mode) && st->st_nlink > 1 && verdict->level < AF_WRITE)
		return 0;
	return fs->kcache.timeout_s;
}

int op_entry(struct op_ctx *op, struct af_inode *dir, const struct af_dirfd *dirfd,
	const char *name, const struct af_found *found, const struct af_step *step, uint64_t since,
	struct fuse_entry_param *entry)
{
	struct af_fs *fs = op->fs;
	const struct stat *st = &found->st;
	const struct af_verdict *verdict = S_ISDIR(st->st_mode) ? &step->dir : &step->file;
	bool covered = attr_is_covered(st);
	bool moved;
	struct af_inode *inode =
		inode_lookup_as(&fs->table, dir, name, st, overlay_ino(&dirfd->at, name, found),
			(enum af_level)verdict->level, covered, since, &moved);

	if (!inode)
		return -errno;
	if (moved) {
		gate_moved(fs);
		stale_listings(fs);
		op->view.stamp = 0;
	} else {
		gate_remember(fs, &op->view, inode, step);
	}
	if (found->upper && !S_ISDIR(st->st_mode) && !(inode->flags & AF_INODE_UPPER))
		inode_flag(&fs->table, inode, AF_INODE_UPPER);
	*entry = (struct fuse_entry_param){.ino = inode->id, .attr = *st};
	if (!found->upper)
		links_count_names(fs, inode, &entry->attr);
	entry->attr.st_ino = inode->shown;
	if (!covered)
		attr_show(
			&fs->owners, verdict, overlay_seen(&dirfd->at, found), name, &entry->attr);
	entry->entry_timeout = fs->kcache.timeout_s;
	entry->attr_timeout = op_attr_timeout(fs, verdict, st);
	kcache_granted(fs, inode, entry->attr_timeout);
	inode_put(&fs->table, inode);
	return 0;
}

void op_unlook(struct op_ctx *op, const struct fuse_entry_param *entry)
{
	inode_forget(&op->fs->table, entry->ino, 1);
}

static int lookup(struct op_ctx *op, const char *name, struct fuse_entry_param *entry)
{
	struct gate_op what = {op->req, "lookup"};
	uint64_t since = table_renames(&op->fs->table);
	struct af_dirfd *dirfd;
	const struct af_verdict *verdict;
	struct af_step step;
	struct af_found found;
	int err;

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	err = gate_step(op->fs, &op->view, op->inode, name, &step);
	if (err)
		return err;
	/* Hidden whatever it is: the source is not asked, so not even the time tells. */
	if (op_hides(&step)) {
		gate_hidden(op->fs, &op->view, what, op->inode, name, &step.file);
		return -ENOENT;
	}
	err = dirfd_get(op->fs, op->inode, &dirfd);
	if (err)
		return err == -EXDEV ? -ENOENT : err;
	op_hold_still(op->fs);
	err = op_stat_name(op->fs, dirfd, name, &found);
	if (!err) {
		verdict = S_ISDIR(found.st.st_mode) ? &step.dir : &step.file;
		if (!gate_visible(verdict)) {
			gate_hidden(op->fs, &op->view, what, op->inode, name, verdict);
			err = -ENOENT;
		}
	}
	if (!err && !S_ISDIR(found.st.st_mode))
		habit_looked_up(&op->fs->habits, op->inode);
	if (!err)
		err = op_entry(op, op->inode, dirfd, name, &found, &step, since, entry);
	op_let_go(op->fs);
	dirfd_put(&op->fs->dirfds, dirfd);
	return err;
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {0};
	struct op_ctx op;
	int err = op_begin(&op, req, parent, AF_COUNT_LOOKUP);

	/* The kernel looks up again, under no lock, what it remembers; a rename may come between. */
	if (!err)
		do
			err = lookup(&op, name, &entry);
		while (err == -EAGAIN || op_again(&op, err));
	if (err == -ENOENT && kcache_negative_timeout(op.fs) > 0) {
		/* Node id 0: there is nothing, and that may be remembered. */
		entry = (struct fuse_entry_param){.entry_timeout = kcache_negative_timeout(op.fs)};
		fuse_reply_entry(req, &entry);
	} else if (err) {
		fuse_reply_err(req, -err);
	} else if (fuse_reply_entry(req, &entry) != 0) {
		op_unlook(&op, &entry);
	}
	op_end(&op);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct af_fs *fs = fs_of(req);

	counters_add(&fs->counters, AF_COUNT_FORGET);
	inode_forget(&fs->table, ino, nlookup);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	struct af_fs *fs = fs_of(req);

	counters_add(&fs->counters, AF_COUNT_FORGET);
	for (size_t i = 0; i < count; i++)
		inode_forget(&fs->table, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}
