/*
 * Nodes and open files after a merge below them. See refresh.h; all but refresh_kernel() is done while no
 * worker runs, so locks are taken only where what is called expects them.
 */
#include "refresh.h"

#include "cleanup.h"
#include "copyup.h"
#include "fs.h"
#include "log.h"
#include "op.h"

#include <fcntl.h>
#include <string.h>

struct aged {
	struct af_inode *inode; /* a reference */
	size_t depth;
	bool hashed; /* could be found by its identity */
	bool other;  /* what it is of is another inode now */
};

struct aged_list {
	struct af_fs *fs;
	struct aged *items;
	size_t count, room;
};

static bool has_files(const struct af_inode *inode)
{
	return !LIST_EMPTY(&inode->files);
}

static bool is_of_upper(const struct af_inode *inode)
{
	return inode->flags & AF_INODE_UPPER;
}

static int find_linked(void *arg, struct af_inode *inode)
{
	struct stat st;

	(void)arg;
	return inode->fd >= 0 && S_ISREG(inode->type) && is_of_upper(inode) && has_files(inode) &&
		fstat(inode->fd, &st) == 0 && st.st_nlink > 0;
}

bool refresh_can_be(struct af_fs *fs)
{
	return table_each(&fs->table, find_linked, NULL) == 0;
}

/* ---- nodes --------------------------------------------------------------------------------------- */

/* Of the delta, or a directory, which may have been made in it. What is the source's own is no other. */
static int collect(void *arg, struct af_inode *inode)
{
	struct aged_list *list = arg;
	size_t depth = 0;

	if (!inode->parent || (inode->flags & AF_INODE_COVERED) ||
		!(S_ISDIR(inode->type) || is_of_upper(inode)))
		return 0;
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct aged *items = reallocarray(list->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		list->items = items;
		list->room = room;
	}
	for (const struct af_inode *up = inode; up->parent; up = up->parent)
		depth++;
	list->items[list->count++] =
		(struct aged){.inode = inode_ref(&list->fs->table, inode), .depth = depth};
	return 0;
}

static int compare_depth(const void *a, const void *b)
{
	const struct aged *one = a, *two = b;

	return one->depth < two->depth ? -1 : one->depth > two->depth;
}

/* What is seen at its name now; where that is nothing of its kind, who asks for it will look again. */
static void find_again(struct af_fs *fs, struct aged *aged)
{
	struct af_inode *inode = aged->inode;
	struct af_dirfd *dirfd;
	struct af_found found;
	int err = dirfd_get(fs, inode->parent, &dirfd);

	if (err)
		return;
	err = overlay_stat(fs, &dirfd->at, inode->name, &found);
	if (!err)
		found.ino = overlay_ino(&dirfd->at, inode->name, &found);
	dirfd_put(&fs->dirfds, dirfd);
	if (err || (found.st.st_mode & S_IFMT) != inode->type)
		return;
	aged->other = !found.upper || !inode_is(inode, &found.st);
	inode_settle(&fs->table, inode, &found, aged->hashed);
}

/* ---- open files ---------------------------------------------------------------------------------- */

static bool is_written(const struct af_inode *inode)
{
	const struct af_file *file;

	for (file = LIST_FIRST(&inode->files); file; file = LIST_NEXT(file, link))
		if (file->writable)
			return true;
	return false;
}

/* All its handles read what is seen at its name. */
static int reopen(struct af_fs *fs, struct af_inode *inode, int flags)
{
	struct af_dirfd *dirfd;
	struct af_found found;
	struct af_file *file;
	af_autoclose int fd = -1;
	int err = dirfd_get(fs, inode->parent, &dirfd);

	if (err)
		return err;
	fd = overlay_open_file(fs, &dirfd->at, inode->name, flags | O_CLOEXEC, &found);
	dirfd_put(&fs->dirfds, dirfd);
	if (fd < 0)
		return fd;
	for (file = LIST_FIRST(&inode->files); file; file = LIST_NEXT(file, link))
		if (dup3(fd, file->fd, O_CLOEXEC) < 0)
			err = -errno;
	return err;
}

/* Nothing is left of the file's own: a write fails (EBADF), and does not go where it would be lost. */
static void shut(struct af_inode *inode)
{
	af_autoclose int null = open("/dev/null", O_PATH | O_CLOEXEC);
	struct af_file *file;

	for (file = LIST_FIRST(&inode->files); file; file = LIST_NEXT(file, link))
		if (null >= 0)
			dup3(null, file->fd, O_CLOEXEC);
}

static void refresh_files(struct af_fs *fs, struct af_inode *inode)
{
	bool written = is_written(inode);
	int err = 0;

	/* Copied up anew, its handles are the copy's. */
	if (written && !is_of_upper(inode)) {
		pthread_rwlock_rdlock(&fs->rename_lock);
		err = copyup_node(fs, inode, COPYUP_DATA);
		pthread_rwlock_unlock(&fs->rename_lock);
	} else {
		err = reopen(fs, inode, written ? O_RDWR : O_RDONLY);
	}
	if (!err)
		return;
	log_warn("%s: it was merged while it was open, and cannot be written to any more: %s",
		inode->name, strerror(-err));
	if (reopen(fs, inode, O_RDONLY) != 0)
		shut(inode);
}

/* It counts as used for as long as it is open, as before. */
static int charge_removed(void *arg, struct af_inode *inode)
{
	struct af_fs *fs = arg;
	struct stat st;

	if (inode->fd >= 0 && is_of_upper(inode) && has_files(inode) &&
		fstat(inode->fd, &st) == 0 && st.st_nlink == 0)
		atomic_fetch_add(&fs->upper->used_bytes, (int64_t)st.st_blocks * 512);
	return 0;
}

int refresh_nodes(struct af_fs *fs)
{
	struct aged_list list = {.fs = fs};
	int err = table_each(&fs->table, collect, &list);

	if (list.count > 0)
		qsort(list.items, list.count, sizeof(*list.items), compare_depth);
	/* First all: the number that one gets may be another's old one. */
	for (size_t i = 0; i < list.count; i++)
		list.items[i].hashed = inode_unsettle(&fs->table, list.items[i].inode);
	for (size_t i = 0; i < list.count && !err; i++)
		find_again(fs, &list.items[i]);
	/* What is gone by now is open as what was removed is. */
	for (size_t i = 0; i < list.count && !err; i++)
		if (list.items[i].other && has_files(list.items[i].inode))
			refresh_files(fs, list.items[i].inode);
	if (!err && upper_has_quota(fs->upper))
		err = table_each(&fs->table, charge_removed, fs);
	for (size_t i = 0; i < list.count; i++)
		inode_put(&fs->table, list.items[i].inode);
	free(list.items);
	return err;
}

static int drop_pages(void *arg, struct af_inode *inode)
{
	struct af_fs *fs = arg;

	if (S_ISREG(inode->type))
		fuse_lowlevel_notify_inval_inode(fs->session, inode->id, 0, 0);
	return 0;
}

void refresh_kernel(struct af_fs *fs)
{
	kcache_expire_all(fs);
	table_each(&fs->table, drop_pages, fs);
}
