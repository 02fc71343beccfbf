/*
 * Copy-up of directories. See copyup_dir.h. Files are copyup.c's.
 */
#include "copyup_dir.h"

#include "cleanup.h"
#include "copy.h"
#include "cred.h"
#include "fs.h"
#include "lend.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

static int escape_name(void *arg, const char *name, char *out)
{
	(void)arg;
	if (strncmp(name, "user.", 5) != 0 && strncmp(name, "system.posix_acl_", 17) != 0)
		return 1;
	return delta_xattr_escape(out, XATTR_NAME_MAX + 1, name);
}

int copyup_dress(const struct af_fs *fs, int from, const struct stat *st, int to)
{
	static const struct copy_attrs as_root = {
		.owner = true, .mode_mask = 07777, .times = true, .xattr_name = escape_name};
	static const struct copy_attrs as_user = {
		.owner_if_possible = true,
		.mode_mask = 07777,
		.times = true,
		.xattr_name = escape_name,
	};
	/* Root of a user namespace has few ids to give. */
	bool full = geteuid() == 0 && !fs->owners.partial;
	int err;

	/* Set-gid of a directory whose group is not ours would be lost. */
	if (st->st_mode & S_ISGID)
		cred_raise_fsetid(true);
	err = copy_attrs(from, st, to, full ? &as_root : &as_user);
	if (st->st_mode & S_ISGID)
		cred_raise_fsetid(false);
	return err;
}

int copyup_set_ino(int fd, uint64_t ino)
{
	uint64_t value = htole64(ino);

	if (setxattr(layer_fd_path(fd).text, DELTA_XATTR_INO, &value, sizeof(value), 0) != 0)
		return -errno;
	return 0;
}

/*
 * The same where the directory, or (since its ".." changes) a directory that is to be placed, is
 * closed to its owner.
 */
static int place_lent(int work_fd, const char *temp, int upper_dirfd, const char *name)
{
	af_autoclose int own_fd = openat(work_fd, temp, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct af_lent into, own;
	int err = 0, err_own, err_into;

	if (own_fd < 0)
		return -errno;
	lend_take(&into, upper_dirfd);
	lend_take(&own, own_fd);
	if (renameat2(work_fd, temp, upper_dirfd, name, RENAME_NOREPLACE) != 0)
		err = -errno;
	err_own = lend_end(&own);
	err_into = lend_end(&into);
	return err ? err : err_own ? err_own : err_into;
}

/* What changed in it is not what its user changed. */
static void keep_times(int dirfd, const struct stat *before)
{
	const struct timespec times[2] = {before->st_atim, before->st_mtim};

	utimensat(dirfd, "", times, AT_EMPTY_PATH);
}

int copyup_place(struct af_fs *fs, const char *temp, int upper_dirfd, const char *name)
{
	int work_fd = fs->upper->delta.work_fd;
	struct stat st;
	int err = 0;

	if (fstat(upper_dirfd, &st) != 0)
		return -errno;
	if (renameat2(work_fd, temp, upper_dirfd, name, RENAME_NOREPLACE) != 0)
		err = -errno;
	if (err == -EACCES)
		err = place_lent(work_fd, temp, upper_dirfd, name);
	if (!err)
		keep_times(upper_dirfd, &st);
	return err;
}

int copyup_place_link(int fd, int upper_dirfd, const char *name)
{
	struct af_lent into;
	struct stat st;
	int err, err_into = 0;

	if (fstat(upper_dirfd, &st) != 0)
		return -errno;
	err = layer_link(fd, upper_dirfd, name);
	if (err == -EACCES && lend_take(&into, upper_dirfd)) {
		err = layer_link(fd, upper_dirfd, name);
		err_into = lend_end(&into);
	}
	if (!err)
		keep_times(upper_dirfd, &st);
	return err ? err : err_into;
}

/* Makes the copy in work; its descriptor (O_PATH). */
static int make_dir(struct af_fs *fs, int lower_fd, const struct stat *st, const char *temp)
{
	int work_fd = fs->upper->delta.work_fd;
	af_autoclose int fd = -1;
	int err = mkdirat(work_fd, temp, 0700) != 0 ? -errno : 0;

	if (err)
		return err;
	fd = openat(work_fd, temp, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	err = fd < 0 ? -errno : copyup_set_ino(fd, st->st_ino);
	if (!err)
		err = copyup_dress(fs, lower_fd, st, fd);
	if (err)
		unlinkat(work_fd, temp, AT_REMOVEDIR);
	return err ? err : af_steal_fd(&fd);
}

/* The node of the directory, if there is one, is to know its upper part. */
static void tell_node(struct af_fs *fs, const struct stat *st, int upper_fd)
{
	struct af_inode *inode = inode_known(&fs->table, st, AF_NONE);

	if (inode) {
		dirfd_note_upper(&fs->dirfds, inode, upper_fd);
		stale_changed(fs, inode);
	}
	inode_put(&fs->table, inode);
}

static int make_entry(struct af_fs *fs, const struct layer_dir *parent, const char *name,
	const char *path, struct layer_dir *dir)
{
	char temp[UPPER_NAME_SIZE];
	af_autoclose int fd = -1;
	struct stat st;
	int err;

	if (fstat(dir->lower, &st) != 0)
		return -errno;
	err = upper_charge(fs->upper, 0, 1);
	if (err)
		return err;
	upper_temp_name(fs->upper, temp);
	fd = make_dir(fs, dir->lower, &st, temp);
	err = fd < 0 ? fd : upper_log_origin(fs, dir->lower, NULL, path, &st, NULL);
	if (!err)
		err = copyup_place(fs, temp, parent->upper, name);
	if (err) {
		upper_charge(fs->upper, 0, -1);
		unlinkat(fs->upper->delta.work_fd, temp, AT_REMOVEDIR);
		return err;
	}
	tell_node(fs, &st, fd);
	dir->upper = af_steal_fd(&fd);
	return 0;
}

int copyup_dir_entry(struct af_fs *fs, const struct layer_dir *parent, const char *name,
	const char *path, struct layer_dir *dir)
{
	struct af_found found;
	struct layer_dir again;
	int err = 0;

	pthread_mutex_lock(&fs->upper->dir_lock);
	/* Somebody may have been faster. */
	if (dir->upper < 0)
		err = overlay_open_dir(fs, parent, name, &again, &found);
	if (!err && dir->upper < 0) {
		layer_dir_close(dir);
		*dir = again;
	}
	if (!err && dir->upper < 0)
		err = make_entry(fs, parent, name, path, dir);
	pthread_mutex_unlock(&fs->upper->dir_lock);
	return err;
}

int copyup_removed_dir(struct af_fs *fs, struct af_inode *inode)
{
	int work_fd = fs->upper->delta.work_fd, err = 0;
	char temp[UPPER_NAME_SIZE];
	af_autoclose int fd = -1;
	struct stat st;

	pthread_mutex_lock(&fs->upper->dir_lock);
	if (!(inode->flags & AF_INODE_UPPER)) {
		upper_temp_name(fs->upper, temp);
		err = fstat(inode->fd, &st) != 0 ? -errno : 0;
		fd = err ? err : make_dir(fs, inode->fd, &st, temp);
		if (!err)
			err = fd < 0 ? fd : 0;
		if (!err && unlinkat(work_fd, temp, AT_REMOVEDIR) != 0)
			err = -errno;
		if (!err && dup3(fd, inode->fd, O_CLOEXEC) < 0)
			err = -errno;
		if (!err)
			inode_flag(&fs->table, inode, AF_INODE_UPPER);
	}
	pthread_mutex_unlock(&fs->upper->dir_lock);
	return err;
}

/* The next component of path into name; what follows it. */
static const char *next_name(const char *path, char name[NAME_MAX + 1])
{
	size_t len = strcspn(path, "/");

	memcpy(name, path, len);
	name[len] = '\0';
	return path[len] ? path + len + 1 : path + len;
}

static int dup_root(const struct af_fs *fs, struct layer_dir *at)
{
	struct layer_dir root;

	overlay_root(fs, &root);
	at->lower = fcntl(root.lower, F_DUPFD_CLOEXEC, 0);
	at->upper = at->lower < 0 ? -1 : fcntl(root.upper, F_DUPFD_CLOEXEC, 0);
	if (at->upper < 0) {
		int err = -errno;

		layer_dir_close(at);
		return err;
	}
	return 0;
}

int copyup_dirs(struct af_fs *fs, const char *path, struct layer_dir *at)
{
	af_autofree char *prefix = strdup(path);
	int err = prefix ? dup_root(fs, at) : -ENOMEM;
	const char *rest = path;

	while (!err && *rest) {
		struct layer_dir dir = {-1, -1};
		struct af_found found;
		char name[NAME_MAX + 1];
		const char *next = next_name(rest, name);
		size_t len = (size_t)(rest - path) + strlen(name);

		prefix[len] = '\0';
		err = overlay_open_dir(fs, at, name, &dir, &found);
		if (!err && dir.upper < 0)
			err = copyup_dir_entry(fs, at, name, prefix, &dir);
		prefix[len] = path[len];
		layer_dir_close(at);
		*at = dir;
		rest = next;
	}
	if (err && prefix)
		layer_dir_close(at);
	return err;
}
