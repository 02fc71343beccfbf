/*
 * OPENDIR, READDIR, READDIRPLUS: listings are sent. See op.h; listing.c makes them.
 */
#include "listing.h"

#include "cleanup.h"

#include <dirent.h>
#include <string.h>

static struct af_listing *listing_of(const struct fuse_file_info *fi)
{
	return (struct af_listing *)(uintptr_t)fi->fh;
}

static uint32_t thread_of(fuse_req_t req)
{
	pid_t pid = fuse_req_ctx(req)->pid;

	/* 0: of another pid namespace. */
	return pid ? (uint32_t)pid : UINT32_MAX;
}

/* Whether the listing that the kernel has will do, and not only one with attributes. */
static bool names_will_do(struct op_ctx *op)
{
	struct af_habit *habit = &op->inode->habit;

	if (habit_wants_attributes(&op->fs->habits, op->inode, thread_of(op->req)))
		return kcache_is_before(
			atomic_load_explicit(&habit->plus_until_ms, memory_order_relaxed));
	habit_names_sent(&op->fs->habits, op->inode, thread_of(op->req));
	return true;
}

/*
 * The kernel may keep the listing of what is in one layer, as that directory's times tell all changes.
 * Changes through the mount it knows of.
 */
static void set_caching(struct op_ctx *op, struct af_listing *listing, struct fuse_file_info *fi)
{
	struct af_dirfd *dirfd;
	struct stat st;
	bool kept, single = false;
	int upper;

	if (dirfd_get(op->fs, op->inode, &dirfd) == 0) {
		upper = __atomic_load_n(&dirfd->at.upper, __ATOMIC_ACQUIRE);
		single = (upper < 0 || dirfd->at.lower < 0) &&
			fstat(upper < 0 ? dirfd->at.lower : upper, &st) == 0;
		dirfd_put(&op->fs->dirfds, dirfd);
	}
	listing->fills = keep_dir(op->fs, op->inode, single ? &st : NULL, op->view.stamp, &kept);
	fi->cache_readdir = listing->fills;
	fi->keep_cache = kept && names_will_do(op);
}

void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct gate_op what = {req, "opendir"};
	struct af_listing *listing = NULL;
	struct op_ctx op;
	int err = op_begin(&op, req, ino, AF_COUNT_OPENDIR);

	if (!err && op.inode != op.fs->table.root)
		err = gate_need(op.fs, &op.view, what, op.inode, AF_VIEW, NULL);
	if (!err) {
		listing = listing_new(op.fs, op.inode);
		err = listing ? 0 : -ENOMEM;
	}
	if (err) {
		fuse_reply_err(req, -err);
	} else {
		fi->fh = (uintptr_t)listing;
		set_caching(&op, listing, fi);
		if (fuse_reply_open(req, fi) != 0)
			listing_free(op.fs, listing);
	}
	op_end(&op);
}

void op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	listing_free(fs_of(req), listing_of(fi));
	fuse_reply_err(req, 0);
}

enum af_listing_form {
	NAMES,
	PLUS_NAMES, /* as READDIRPLUS has them, but nothing is looked up */
	PLUS,
};

/* A reply being filled. */
struct reply {
	enum af_listing_form form;
	char *data;
	size_t size, used;
	fuse_ino_t *nodes; /* that the reply names, each counted as looked up once */
	size_t count, room;
};

static bool put_plain(
	struct op_ctx *op, struct reply *reply, const struct af_listing *listing, size_t index)
{
	const struct af_listed *entry = &listing->entries[index];
	struct stat st = {.st_ino = entry->ino, .st_mode = DTTOIF(entry->type)};
	size_t need =
		fuse_add_direntry(op->req, reply->data + reply->used, reply->size - reply->used,
			listing->names.text + entry->name, &st, (off_t)index + 1);

	if (need > reply->size - reply->used)
		return false;
	reply->used += need;
	return true;
}

/* The node of a listed name, looked up; -ENOENT where it is gone or hidden by now. */
static int look_up(struct op_ctx *op, const struct af_dirfd *dirfd, const char *name,
	struct fuse_entry_param *param)
{
	const struct af_verdict *verdict;
	struct af_step step;
	struct af_found found;
	int err = gate_step(op->fs, &op->view, op->inode, name, &step);

	if (err)
		return err;
	op_hold_still(op->fs);
	err = op_stat_name(op->fs, dirfd, name, &found);
	if (!err) {
		verdict = S_ISDIR(found.st.st_mode) ? &step.dir : &step.file;
		err = gate_visible(verdict) ? 0 : -ENOENT;
	}
	if (!err)
		err = op_entry(op, op->inode, dirfd, name, &found, &step, AF_RENAMES_ANY, param);
	op_let_go(op->fs);
	return err;
}

/* Makes room for one node more. */
static bool reserve_node(struct reply *reply)
{
	size_t room = reply->room ? reply->room * 2 : 32;
	fuse_ino_t *nodes;

	if (reply->count < reply->room)
		return true;
	nodes = reallocarray(reply->nodes, room, sizeof(*nodes));
	if (!nodes)
		return false;
	reply->nodes = nodes;
	reply->room = room;
	return true;
}

static bool put_plus(struct op_ctx *op, struct reply *reply, const struct af_listing *listing,
	size_t index, const struct af_dirfd *dirfd)
{
	const struct af_listed *entry = &listing->entries[index];
	const char *name = listing->names.text + entry->name;
	struct fuse_entry_param param = {
		.attr = {.st_ino = entry->ino, .st_mode = DTTOIF(entry->type)}};
	size_t room = reply->size - reply->used;
	size_t need = fuse_add_direntry_plus(op->req, NULL, 0, name, NULL, 0);

	if (need > room)
		return false;
	/* The kernel ignores node 0, which "." and ".." and what cannot be looked up have. */
	if (dirfd && index >= 2 && reserve_node(reply) && look_up(op, dirfd, name, &param) == 0)
		reply->nodes[reply->count++] = param.ino;
	else
		param = (struct fuse_entry_param){
			.attr = {.st_ino = entry->ino, .st_mode = DTTOIF(entry->type)}};
	reply->used += fuse_add_direntry_plus(
		op->req, reply->data + reply->used, room, name, &param, (off_t)index + 1);
	return true;
}

/* Fills the reply from offset on; dirfd is only for PLUS. */
static void fill(struct op_ctx *op, struct reply *reply, const struct af_listing *listing,
	off_t offset, const struct af_dirfd *dirfd)
{
	size_t index = offset < 0 ? listing->count : (size_t)offset;

	while (index < listing->count &&
		(reply->form == NAMES ? put_plain(op, reply, listing, index)
				      : put_plus(op, reply, listing, index, dirfd)))
		index++;
}

/* Whether the attributes are sent that the kernel has asked for. */
static enum af_listing_form choose_form(struct op_ctx *op, bool plus)
{
	struct af_habits *habits = &op->fs->habits;
	uint32_t thread = thread_of(op->req);

	if (!plus)
		return NAMES;
	if (!habit_wants_attributes(habits, op->inode, thread)) {
		habit_names_sent(habits, op->inode, thread);
		return PLUS_NAMES;
	}
	atomic_store_explicit(&op->inode->habit.plus_until_ms,
		kcache_until_ms(op->fs->kcache.timeout_s), memory_order_relaxed);
	return PLUS;
}

static int list(struct op_ctx *op, struct reply *reply, off_t offset, bool plus,
	const struct fuse_file_info *fi)
{
	struct af_listing *listing = listing_of(fi);
	struct af_dirfd *dirfd = NULL;
	int err;

	reply->form = choose_form(op, plus);
	pthread_mutex_lock(&listing->lock);
	err = listing_load(op, listing, offset);
	/* Where the directory itself is out of reach, its names still are as they were listed. */
	if (!err && reply->form == PLUS && dirfd_get(op->fs, op->inode, &dirfd) != 0) {
		dirfd = NULL;
		if (listing->count > 2)
			err = -ESTALE;
	}
	if (!err)
		fill(op, reply, listing, offset, dirfd);
	pthread_mutex_unlock(&listing->lock);
	if (dirfd)
		dirfd_put(&op->fs->dirfds, dirfd);
	return err;
}

static void reply_list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, bool plus,
	const struct fuse_file_info *fi)
{
	af_autofree char *data = malloc(size);
	struct reply reply = {.data = data, .size = size};
	struct op_ctx op;
	int err = op_begin(&op, req, ino, AF_COUNT_READDIR);

	if (!err)
		err = data ? list(&op, &reply, offset, plus, fi) : -ENOMEM;
	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_buf(req, data, reply.used) != 0)
		for (size_t i = 0; i < reply.count; i++)
			inode_forget(&op.fs->table, reply.nodes[i], 1);
	free(reply.nodes);
	op_end(&op);
}

void op_readdir(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	reply_list(req, ino, size, offset, false, fi);
}

void op_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	reply_list(req, ino, size, offset, true, fi);
}

void op_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct af_dirfd *dirfd;
	struct op_ctx op;
	int fd = -1, err = op_begin(&op, req, ino, AF_COUNT_OTHER);

	(void)datasync;
	(void)fi;
	/* As op_fsync(). */
	if (!err)
		err = upper_log_sync(op.fs);
	if (!err)
		err = dirfd_get(op.fs, op.inode, &dirfd);
	if (!err) {
		fd = layer_open_list(dirfd->at.upper >= 0 ? dirfd->at.upper : dirfd->at.lower);
		err = fd < 0 ? fd : 0;
		if (!err && (!op.fs->upper || op.fs->upper->sync) && fsync(fd) != 0)
			err = -errno;
		dirfd_put(&op.fs->dirfds, dirfd);
	}
	if (fd >= 0)
		close(fd);
	fuse_reply_err(req, err == -ENOENT || err == -EXDEV ? 0 : -err);
	op_end(&op);
}
