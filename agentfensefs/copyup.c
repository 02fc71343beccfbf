/*
 * Copy-up of files: see copyup.h. Which names a hard-linked file has is links.c's.
 */
#include "copyup.h"

#include "cleanup.h"
#include "copy.h"
#include "copyup_dir.h"
#include "fs.h"
#include "links.h"
#include "merge.h"
#include "op.h"

#include <fcntl.h>
#include <string.h>

/* A copy being made. */
struct copy {
	struct af_fs *fs;
	struct af_inode *inode;     /* NULL: not known */
	struct stat st;             /* the lower's */
	int lower_fd;               /* O_PATH; owned */
	char temp[UPPER_NAME_SIZE]; /* in work; "": it has no name until it has its own */
	int fd; /* of the copy: readable if it is a regular file, else O_PATH; owned */
	struct copy_result result;
	bool has_result;
	bool charged;
	int64_t charged_bytes;
	struct af_link_target *targets; /* the names that it gets; the first by rename */
	size_t count;
};

void copyup_pin(struct af_fs *fs, const struct af_inode *inode)
{
	if (fs->upper && inode)
		pthread_mutex_lock(&fs->upper->stripes[inode->id % UPPER_STRIPES]);
}

void copyup_unpin(struct af_fs *fs, const struct af_inode *inode)
{
	if (fs->upper && inode)
		pthread_mutex_unlock(&fs->upper->stripes[inode->id % UPPER_STRIPES]);
}

/* Without a name where the filesystem can do that: one entry less to make and to move. */
static int open_regular(struct copy *copy)
{
	struct af_upper *upper = copy->fs->upper;

	copy->fd = openat(upper->delta.work_fd, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (copy->fd >= 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return -errno;
	upper_temp_name(upper, copy->temp);
	copy->fd = openat(upper->delta.work_fd, copy->temp,
		O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return copy->fd < 0 ? -errno : 0;
}

static int make_regular(struct copy *copy, enum copyup_how how)
{
	static const struct copy_options options = {
		.want_hash = true, .text_max = DELTA_TEXT_MAX, .keep_holes = true};
	af_autoclose int from = -1;
	struct stat st;
	int err;

	err = open_regular(copy);
	if (err)
		return err;
	if (how == COPYUP_EMPTY)
		return 0;
	from = layer_reopen(copy->lower_fd, O_RDONLY, &st);
	if (from < 0)
		return from;
	err = copy_data(from, copy->fd, &options, &copy->result);
	copy->has_result = !err;
	return err;
}

static int make_symlink(struct copy *copy)
{
	char target[PATH_MAX + 1];
	ssize_t len = readlinkat(copy->lower_fd, "", target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	return symlinkat(target, copy->fs->upper->delta.work_fd, copy->temp) != 0 ? -errno : 0;
}

static int make_object(struct copy *copy, enum copyup_how how)
{
	int work_fd = copy->fs->upper->delta.work_fd;
	int err;

	if (S_ISREG(copy->st.st_mode))
		return make_regular(copy, how);
	upper_temp_name(copy->fs->upper, copy->temp);
	switch (copy->st.st_mode & S_IFMT) {
	case S_IFLNK:
		err = make_symlink(copy);
		break;
	case S_IFIFO:
	case S_IFSOCK:
		err = mknodat(work_fd, copy->temp, (copy->st.st_mode & S_IFMT) | 0600, 0) != 0
			? -errno
			: 0;
		break;
	default:
		return -EPERM; /* devices are never made here */
	}
	if (err)
		return err;
	copy->fd = openat(work_fd, copy->temp, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return copy->fd < 0 ? -errno : 0;
}

/* The copy in work, with everything but its place. */
static int make_copy(struct copy *copy, enum copyup_how how)
{
	int64_t bytes = how == COPYUP_DATA ? (int64_t)copy->st.st_blocks * 512 : 0;
	int err = upper_charge(copy->fs->upper, bytes, 1);

	if (err)
		return err;
	copy->charged = true;
	copy->charged_bytes = bytes;
	err = make_object(copy, how);
	/* First: with the file's own mode we might not write to it. */
	if (!err && S_ISREG(copy->st.st_mode))
		err = copyup_set_ino(copy->fd, copy->inode ? copy->inode->shown : copy->st.st_ino);
	if (!err)
		err = copyup_dress(copy->fs, copy->lower_fd, &copy->st, copy->fd);
	return err;
}

static int remove_temp(const struct copy *copy)
{
	if (!copy->temp[0])
		return 0;
	return unlinkat(copy->fs->upper->delta.work_fd, copy->temp, 0) != 0 ? -errno : 0;
}

static int log_targets(struct copy *copy)
{
	const struct copy_result *result = copy->has_result ? &copy->result : NULL;
	int err = 0;

	for (size_t i = 0; i < copy->count && !err; i++)
		err = upper_log_origin(
			copy->fs, copy->lower_fd, NULL, copy->targets[i].path, &copy->st, result);
	return err;
}

/*
 * The copy and the log, on their way to the disk before it is placed. The log's pages first, without
 * waiting: where a journal commits both at once, its own sync has little left to do.
 */
static int sync_copy(const struct copy *copy)
{
	struct af_upper *upper = copy->fs->upper;

	if (!upper->sync)
		return 0;
	upper_log_start_sync(copy->fs);
	if (S_ISREG(copy->st.st_mode) && fsync(copy->fd) != 0)
		return -errno;
	return copy->count > 0 ? upper_log_sync(copy->fs) : 0;
}

/* Puts the copy at each of its names. The first decides; another that is taken by now stays. */
static int place_all(struct copy *copy)
{
	const struct af_link_target *first = copy->targets;
	int err;

	if (copy->count == 0)
		return remove_temp(copy);
	err = copy->temp[0] ? copyup_place(copy->fs, copy->temp, first->at.upper, first->name)
			    : copyup_place_link(copy->fd, first->at.upper, first->name);
	for (size_t i = 1; i < copy->count && !err; i++)
		copyup_place_link(copy->fd, copy->targets[i].at.upper, copy->targets[i].name);
	return err;
}

/* Handles that read the lower's file read the copy from now on. */
static void switch_handles(struct copy *copy, struct af_inode *inode)
{
	struct af_table *table = &copy->fs->table;
	struct af_file *file;

	pthread_mutex_lock(&table->lock);
	for (file = LIST_FIRST(&inode->files); file; file = LIST_NEXT(file, link))
		dup3(copy->fd, file->fd, O_CLOEXEC);
	pthread_mutex_unlock(&table->lock);
}

/* A node without a name is reached by its own descriptor. */
static void switch_node_fd(struct copy *copy, const struct af_inode *inode)
{
	af_autoclose int path_fd = open(layer_fd_path(copy->fd).text, O_PATH | O_CLOEXEC);

	if (path_fd >= 0)
		dup3(path_fd, inode->fd, O_CLOEXEC);
}

static void switch_node(struct copy *copy, struct af_inode *inode, const struct stat *st)
{
	inode_rekey(&copy->fs->table, inode, st);
	inode_flag(&copy->fs->table, inode, AF_INODE_UPPER);
	if (inode->fd >= 0)
		switch_node_fd(copy, inode);
	if (S_ISREG(copy->st.st_mode))
		switch_handles(copy, inode);
}

/* The file's nodes, one for each level that its names have. */
static void switch_nodes(struct copy *copy, const struct stat *st)
{
	struct af_table *table = &copy->fs->table;

	if (copy->inode)
		switch_node(copy, copy->inode, st);
	for (int level = AF_NONE; level <= AF_WRITE; level++) {
		struct af_inode *known = inode_known(table, &copy->st, (enum af_level)level);

		/* An unlinked file's number may be another's by now; without names it has one node. */
		if (known && copy->count > 0)
			switch_node(copy, known, st);
		inode_put(table, known);
	}
}

/* In one moment for whoever looks: the names, the nodes, the handles. */
static int take_place(struct copy *copy)
{
	struct af_fs *fs = copy->fs;
	struct stat st;
	int err;

	pthread_rwlock_wrlock(&fs->upper->swap_lock);
	err = place_all(copy);
	if (!err && fstat(copy->fd, &st) != 0)
		err = -errno;
	if (!err)
		switch_nodes(copy, &st);
	pthread_rwlock_unlock(&fs->upper->swap_lock);
	return err == -EEXIST ? -ESTALE : err;
}

static void end_copy(struct copy *copy, int err)
{
	if (err) {
		remove_temp(copy);
		if (copy->charged)
			upper_charge(copy->fs->upper, -copy->charged_bytes, -1);
	}
	free(copy->result.text);
	if (copy->fd >= 0)
		close(copy->fd);
	if (copy->lower_fd >= 0)
		close(copy->lower_fd);
	links_targets_free(copy->targets, copy->count);
}

static int run_copy(struct copy *copy, enum copyup_how how)
{
	int err = make_copy(copy, how);

	/* An unlinked file's end is no end of a name: nothing is left to tell. */
	if (!err)
		err = log_targets(copy);
	if (!err)
		err = sync_copy(copy);
	if (!err)
		err = take_place(copy);
	end_copy(copy, err);
	return err;
}

/* What is at name; inode, if not NULL, is what it has to be. */
static int copy_at(struct af_fs *fs, struct af_inode *inode, const struct layer_dir *at,
	const char *name, const char *path, enum copyup_how how)
{
	struct copy copy = {.fs = fs, .inode = inode, .fd = -1};
	struct af_found found;
	int err;

	copy.lower_fd = overlay_open_path(fs, at, name, &found);
	err = copy.lower_fd < 0 ? dirfd_name_error(copy.lower_fd) : 0;
	if (!err && inode && !inode_is(inode, &found.st))
		err = -ESTALE;
	copy.st = found.st;
	if (!err && !found.upper)
		err = links_targets(fs, at, path, &found.st, &copy.targets, &copy.count);
	if (!err && !found.upper)
		return run_copy(&copy, how);
	if (copy.lower_fd >= 0)
		close(copy.lower_fd);
	return err;
}

/* A file that still has the name we know. The stripe is held. */
static int copy_named(
	struct af_fs *fs, struct af_inode *inode, const struct af_place *place, enum copyup_how how)
{
	struct af_dirfd *dirfd;
	size_t len;
	af_autofree char *path = inode_path(&fs->table, place->parent, place->name, &len);
	int err = path ? copyup_dirfd(fs, place->parent, &dirfd) : -ESTALE;

	if (err)
		return err;
	err = copy_at(fs, inode, &dirfd->at, place->name, path, how);
	dirfd_put(&fs->dirfds, dirfd);
	return err;
}

int copyup_name(struct af_fs *fs, const struct layer_dir *at, const char *name, const char *path)
{
	struct af_inode *inode;
	struct af_found found;
	int err = overlay_stat(fs, at, name, &found);

	if (err || found.upper)
		return err;
	inode = inode_known(&fs->table, &found.st, AF_WRITE);
	if (inode) {
		err = copyup_node(fs, inode, COPYUP_DATA);
		inode_put(&fs->table, inode);
		if (!err || err == -ESTALE)
			err = overlay_stat(fs, at, name, &found);
		if (err || found.upper)
			return err;
	}
	/* Known by another name only, or by none. */
	return copy_at(fs, NULL, at, name, path, COPYUP_DATA);
}

/* A file that has lost the name we knew, but may have others. The stripe is held. */
static int copy_nameless(struct af_fs *fs, struct af_inode *inode, enum copyup_how how)
{
	struct copy copy = {.fs = fs, .inode = inode, .fd = -1};
	int err;

	if (inode->flags & AF_INODE_UPPER)
		return 0;
	copy.lower_fd = fcntl(inode->fd, F_DUPFD_CLOEXEC, 0);
	if (copy.lower_fd < 0 || fstat(copy.lower_fd, &copy.st) != 0)
		return -errno;
	err = copy.st.st_nlink > 0
		? links_targets(fs, NULL, NULL, &copy.st, &copy.targets, &copy.count)
		: 0;
	if (err) {
		close(copy.lower_fd);
		return err;
	}
	return run_copy(&copy, how);
}

static int copy_file(struct af_fs *fs, struct af_inode *inode, enum copyup_how how)
{
	struct af_place place;
	int err = -ESTALE;

	if (__atomic_load_n(&inode->flags, __ATOMIC_RELAXED) & AF_INODE_UPPER)
		return 0;
	copyup_pin(fs, inode);
	inode_place(&fs->table, inode, &place);
	if (place.fd >= 0)
		err = copy_nameless(fs, inode, how);
	else if (place.parent)
		err = copy_named(fs, inode, &place, how);
	copyup_unpin(fs, inode);
	inode_put(&fs->table, place.parent);
	return err;
}

/* All directories down to dir, by the path that it has. */
static int make_way_to(struct af_fs *fs, struct af_inode *dir)
{
	size_t len;
	af_autofree char *path = inode_path(&fs->table, dir, NULL, &len);
	struct layer_dir at;
	int err = path ? copyup_dirs(fs, path, &at) : -ENOENT;

	if (!err)
		layer_dir_close(&at);
	return err;
}

int copyup_dirfd(struct af_fs *fs, struct af_inode *dir, struct af_dirfd **out)
{
	struct af_dirfd *dirfd;
	int err = dirfd_get(fs, dir, &dirfd);

	*out = NULL;
	if (!err && fs->upper && dirfd->at.upper < 0) {
		dirfd_put(&fs->dirfds, dirfd);
		err = make_way_to(fs, dir);
		if (!err)
			err = dirfd_get(fs, dir, &dirfd);
		/* Forgotten and opened anew meanwhile it has one; else its path is another's. */
		if (!err && dirfd->at.upper < 0) {
			dirfd_put(&fs->dirfds, dirfd);
			dirfd_forget(&fs->dirfds, dir);
			err = -ESTALE;
		}
	}
	if (!err)
		*out = dirfd;
	return err;
}

int copyup_node(struct af_fs *fs, struct af_inode *inode, enum copyup_how how)
{
	struct af_dirfd *dirfd;
	int err;

	if (!fs->upper)
		return 0;
	if (!S_ISDIR(inode->type))
		return copy_file(fs, inode, how);
	/* Its descriptor stays once it is set, and removal waits for the rename lock. */
	if (inode->fd >= 0)
		return copyup_removed_dir(fs, inode);
	err = copyup_dirfd(fs, inode, &dirfd);
	if (!err)
		dirfd_put(&fs->dirfds, dirfd);
	return err;
}

int copyup_pathfd(
	struct af_fs *fs, struct af_inode *inode, enum copyup_how how, struct af_pathfd *path)
{
	int err = 0;

	if (fs->upper) {
		pthread_rwlock_rdlock(&fs->rename_lock);
		err = copyup_node(fs, inode, how);
		pthread_rwlock_unlock(&fs->rename_lock);
	}
	return err ? err : pathfd_get(fs, inode, path);
}
