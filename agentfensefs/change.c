/*
 * Names made and removed. See change.h; those that move are change_rename.c's.
 */
#include "change.h"

#include "change_internal.h"
#include "cleanup.h"
#include "cred.h"
#include "fs.h"
#include "lend.h"
#include "merge.h"
#include "whiteout.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/xattr.h>

/* What is to be made. */
struct maker {
	enum { MAKE_FILE, MAKE_DIR, MAKE_NODE, MAKE_SYMLINK, MAKE_LINK } kind;
	mode_t mode;
	int flags;
	const char *target;
	int path_fd;
	struct stat *st;
};

static int make(
	const struct af_layer *layer, int dirfd, const char *name, const struct maker *maker)
{
	switch (maker->kind) {
	case MAKE_FILE:
		return layer_create(layer, dirfd, name, maker->flags, maker->mode, maker->st);
	case MAKE_DIR:
		return mkdirat(dirfd, name, maker->mode & 07777) != 0 ? -errno : 0;
	case MAKE_NODE:
		return mknodat(dirfd, name, maker->mode, 0) != 0 ? -errno : 0;
	case MAKE_SYMLINK:
		return symlinkat(maker->target, dirfd, name) != 0 ? -errno : 0;
	case MAKE_LINK:
		return layer_link(maker->path_fd, dirfd, name);
	}
	return -EINVAL;
}

/* What a new file inherits from its directory: the group and the default ACL. */
static bool has_heritage(int dirfd, struct stat *st)
{
	return fstat(dirfd, st) == 0 &&
		((st->st_mode & S_ISGID) ||
			getxattr(layer_fd_path(dirfd).text, "system.posix_acl_default", NULL, 0) >
				0);
}

/* A directory in work in which a new file inherits what it would in `like`. */
static int make_nursery(struct af_fs *fs, int like, const struct stat *st, const char *temp)
{
	char acl[4 + 8 * 512];
	int work_fd = fs->upper->delta.work_fd;
	af_autoclose int fd = -1;
	ssize_t len;
	int err;

	if (mkdirat(work_fd, temp, 0700) != 0)
		return -errno;
	fd = openat(work_fd, temp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchown(fd, (uid_t)-1, st->st_gid) != 0)
		return -errno;
	err = cred_chmod(layer_fd_path(fd).text, 0700 | (st->st_mode & S_ISGID));
	if (err)
		return err;
	len = getxattr(layer_fd_path(like).text, "system.posix_acl_default", acl, sizeof(acl));
	if (len > 0 && fsetxattr(fd, "system.posix_acl_default", acl, (size_t)len, 0) != 0)
		return -errno;
	return af_steal_fd(&fd);
}

int change_set_opaque(int dirfd, const char *name)
{
	af_autoclose int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct af_lent lent;
	int err, end;

	if (fd < 0)
		return -errno;
	lend_take(&lent, fd);
	err = setxattr(layer_fd_path(fd).text, DELTA_XATTR_OPAQUE, "y", 1, 0) != 0 ? -errno : 0;
	end = lend_end(&lent);
	return err ? err : end;
}

/* Moves what was made in `dirfd` over the whiteout at name. */
static int over_whiteout(struct af_fs *fs, int dirfd, const char *temp, const struct layer_dir *at,
	const char *name, const struct maker *maker)
{
	struct stat low;
	int err = 0;

	if (maker->kind != MAKE_DIR)
		return renameat(dirfd, temp, at->upper, name) != 0 ? -errno : 0;
	if (overlay_lower_has(fs, at, name, &low) && S_ISDIR(low.st_mode))
		err = change_set_opaque(dirfd, temp);
	if (!err && renameat2(dirfd, temp, at->upper, name, RENAME_EXCHANGE) != 0)
		err = -errno;
	if (!err)
		unlinkat(dirfd, temp, 0); /* the whiteout */
	return err;
}

/*
 * Where a whiteout is: made in work and then put in its place in one step, so that at no moment, and
 * after no crash, the source's own can be seen.
 */
static int make_over(
	struct af_fs *fs, const struct layer_dir *at, const char *name, const struct maker *maker)
{
	int work_fd = fs->upper->delta.work_fd, fd = work_fd, made, err;
	char nursery[UPPER_NAME_SIZE], temp[UPPER_NAME_SIZE];
	struct stat st;
	bool apart = maker->kind != MAKE_LINK && has_heritage(at->upper, &st);

	upper_temp_name(fs->upper, nursery);
	upper_temp_name(fs->upper, temp);
	if (apart)
		fd = make_nursery(fs, at->upper, &st, nursery);
	made = fd < 0 ? fd : make(&fs->upper->layer, fd, temp, maker);
	err = made < 0 ? made : over_whiteout(fs, fd, temp, at, name, maker);
	if (err && made >= 0)
		unlinkat(fd, temp, maker->kind == MAKE_DIR ? AT_REMOVEDIR : 0);
	if (err && made > 0)
		close(made);
	if (apart) {
		if (fd >= 0)
			close(fd);
		unlinkat(work_fd, nursery, AT_REMOVEDIR);
	}
	return err ? err : made;
}

static int make_upper(
	struct af_fs *fs, const struct layer_dir *at, const char *name, const struct maker *maker)
{
	struct af_found found;
	int err = overlay_stat(fs, at, name, &found);

	/* The kernel takes a file that has appeared meanwhile for one to open, if it may be. */
	if (!err && maker->kind == MAKE_FILE && !(maker->flags & O_EXCL))
		return -ESTALE;
	if (!err || err == -EXDEV)
		return -EEXIST;
	if (err != -ENOENT)
		return err;
	if (overlay_is_white(at, name))
		return make_over(fs, at, name, maker);
	/* What the source has here and nobody may see: the delta itself. */
	if (at->lower >= 0 && layer_stat(&fs->layer, at->lower, name, &found.st) == 0)
		return -EACCES;
	return make(&fs->upper->layer, at->upper, name, maker);
}

static int make_any(
	struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, const struct maker *maker)
{
	int made;

	if (!fs->upper)
		return make(&fs->layer, dirfd->at.lower, name, maker);
	made = upper_charge(fs->upper, 0, 1);
	if (made)
		return made;
	made = make_upper(fs, &dirfd->at, name, maker);
	if (made < 0 || maker->kind == MAKE_LINK)
		upper_charge(fs->upper, 0, -1);
	return made;
}

int change_create(struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, int flags,
	mode_t mode, struct stat *st)
{
	struct maker maker = {.kind = MAKE_FILE, .mode = mode, .flags = flags, .st = st};

	return make_any(fs, dirfd, name, &maker);
}

int change_tmpfile(
	struct af_fs *fs, const struct af_dirfd *dirfd, int flags, mode_t mode, struct stat *st)
{
	return layer_tmpfile(fs->upper ? dirfd->at.upper : dirfd->at.lower, flags, mode, st);
}

int change_mkdir(struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, mode_t mode)
{
	struct maker maker = {.kind = MAKE_DIR, .mode = mode};

	return make_any(fs, dirfd, name, &maker);
}

int change_mknod(struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, mode_t mode)
{
	struct maker maker = {.kind = MAKE_NODE, .mode = mode};

	return make_any(fs, dirfd, name, &maker);
}

int change_symlink(
	struct af_fs *fs, const struct af_dirfd *dirfd, const char *name, const char *target)
{
	struct maker maker = {.kind = MAKE_SYMLINK, .target = target};

	return make_any(fs, dirfd, name, &maker);
}

int change_link(struct af_fs *fs, int path_fd, const struct af_dirfd *dirfd, const char *name)
{
	struct maker maker = {.kind = MAKE_LINK, .path_fd = path_fd};

	return make_any(fs, dirfd, name, &maker);
}

static int holds_nothing(struct af_fs *fs, const struct layer_dir *dir)
{
	struct merge_entry entry;
	struct af_merge merge;
	int got = merge_open(&merge, fs, dir);

	if (got)
		return got;
	got = merge_next(&merge, &entry);
	merge_close(&merge);
	return got < 0 ? got : !got;
}

int change_is_empty(struct af_fs *fs, const struct layer_dir *at, const char *name)
{
	struct af_found found;
	struct layer_dir dir;
	struct af_lent lent;
	int got = overlay_open_dir(fs, at, name, &dir, &found);

	if (got)
		return got;
	got = holds_nothing(fs, &dir);
	if (got == -EACCES && dir.upper >= 0 && lend_take(&lent, dir.upper)) {
		got = holds_nothing(fs, &dir);
		lend_end(&lent);
	}
	layer_dir_close(&dir);
	/* rmdir(2) needs no right to read. What the source has in it we cannot know. */
	return got == -EACCES ? 0 : got;
}

int change_log_gone(struct af_fs *fs, const struct layer_dir *at, const char *name,
	const char *path, const struct stat *low)
{
	struct af_found found;
	uint64_t ino;
	char text[NAME_MAX + 40];
	int err = overlay_stat(fs, at, name, &found);

	/* What was copied up has had its record since. */
	snprintf(text, sizeof(text), "/proc/self/fd/%d/%s", at->upper, name);
	if (!err && found.upper &&
		lgetxattr(text, DELTA_XATTR_INO, &ino, sizeof(ino)) == (ssize_t)sizeof(ino))
		return 0;
	return upper_log_origin(fs, at->lower, name, path, low, NULL);
}

/*
 * What the removal of an upper's file gives back to the quota, if it is the last name. The space of a
 * file that is open is given back when it is closed.
 */
static void give_back(struct af_fs *fs, const struct af_found *found)
{
	bool last = S_ISDIR(found->st.st_mode) || found->st.st_nlink <= 1;
	struct af_inode *inode;
	bool open = false;

	if (!found->upper || !last || !upper_has_quota(fs->upper))
		return;
	inode = inode_known(&fs->table, &found->st, AF_WRITE);
	if (inode) {
		pthread_mutex_lock(&fs->table.lock);
		open = !LIST_EMPTY(&inode->files);
		pthread_mutex_unlock(&fs->table.lock);
		inode_put(&fs->table, inode);
	}
	upper_charge(fs->upper,
		S_ISREG(found->st.st_mode) && !open ? -(int64_t)found->st.st_blocks * 512 : 0, -1);
}

static int remove_upper(struct af_fs *fs, struct af_inode *dir, const struct layer_dir *at,
	const char *name, bool is_dir)
{
	struct af_found found;
	struct stat low;
	size_t len;
	af_autofree char *path = inode_path(&fs->table, dir, name, &len);
	int err = path ? overlay_stat(fs, at, name, &found) : -ENOENT;

	if (err)
		return err == -EXDEV ? -EBUSY : err;
	if (is_dir != S_ISDIR(found.st.st_mode))
		return is_dir ? -ENOTDIR : -EISDIR;
	if (is_dir) {
		int empty = change_is_empty(fs, at, name);

		if (empty <= 0)
			return empty ? empty : -ENOTEMPTY;
	}
	if (overlay_lower_has(fs, at, name, &low)) {
		err = change_log_gone(fs, at, name, path, &low);
		if (!err)
			err = upper_log_remove(fs, path, is_dir);
		if (!err)
			err = found.upper ? whiteout_replace(fs, at->upper, name, is_dir)
					  : whiteout_make(fs, at->upper, name);
	} else if (is_dir) {
		err = whiteout_remove_dir(fs, at->upper, name);
	} else {
		err = unlinkat(at->upper, name, 0) != 0 ? -errno : 0;
	}
	if (!err)
		give_back(fs, &found);
	return err;
}

int change_remove(struct af_fs *fs, struct af_inode *dir, const struct af_dirfd *dirfd,
	const char *name, bool is_dir)
{
	int err;

	if (!fs->upper)
		return unlinkat(dirfd->at.lower, name, is_dir ? AT_REMOVEDIR : 0) != 0 ? -errno : 0;
	/* Copied up in the moment between the look and the whiteout. */
	do
		err = remove_upper(fs, dir, &dirfd->at, name, is_dir);
	while (err == -EEXIST);
	return err;
}
