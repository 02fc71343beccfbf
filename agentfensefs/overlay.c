/*
 * What is seen of two layers. See overlay.h. Nothing here changes anything, and nothing knows levels.
 */
#include "fs.h"

#include "cleanup.h"

#include <endian.h>
#include <string.h>
#include <sys/xattr.h>

void layer_dir_close(struct layer_dir *dir)
{
	int saved = errno;

	if (dir->lower >= 0)
		close(dir->lower);
	if (dir->upper >= 0)
		close(dir->upper);
	*dir = (struct layer_dir){-1, -1};
	errno = saved;
}

/* The delta may lie inside its own source; there it does not exist. */
static bool is_delta(const struct af_fs *fs, const struct stat *st)
{
	return fs->upper && S_ISDIR(st->st_mode) && st->st_ino == fs->upper->dir.st_ino &&
		st->st_dev == fs->upper->dir.st_dev;
}

static int lower_stat(
	const struct af_fs *fs, const struct layer_dir *at, const char *name, struct stat *st)
{
	int err;

	if (at->lower < 0)
		return -ENOENT;
	err = layer_stat(&fs->layer, at->lower, name, st);
	return !err && is_delta(fs, st) ? -ENOENT : err;
}

/* The number that the upper's file was given when it was copied up; else its own. */
static uint64_t shown_ino(int dirfd, const char *name, const struct stat *st)
{
	char path[NAME_MAX + 40];
	uint64_t ino;

	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return st->st_ino;
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	if (lgetxattr(path, DELTA_XATTR_INO, &ino, sizeof(ino)) != sizeof(ino))
		return st->st_ino;
	return le64toh(ino);
}

static bool is_opaque(int dirfd, const char *name)
{
	char path[NAME_MAX + 40], value;

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	return lgetxattr(path, DELTA_XATTR_OPAQUE, &value, 1) == 1 && value == 'y';
}

/* The directory that the upper has at name: is the lower's part of it? Fills the identity. */
static int join_dirs(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	struct af_found *found)
{
	struct stat low;
	int err = lower_stat(fs, at, name, &low);

	if (err == -EXDEV)
		return err;
	if (err || !S_ISDIR(low.st_mode) || is_opaque(at->upper, name)) {
		found->ino = 0;
		return 0;
	}
	found->st.st_dev = low.st_dev;
	found->st.st_ino = found->ino = low.st_ino;
	found->st.st_nlink = 1; /* nobody has counted what both hold */
	return 1;
}

/* What the upper has at name: 1, 0 where it has nothing, -ENOENT for a whiteout, or -errno. */
static int upper_stat(const struct layer_dir *at, const char *name, struct af_found *found)
{
	if (at->upper < 0)
		return 0;
	if (fstatat(at->upper, name, &found->st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (delta_is_whiteout(&found->st))
		return -ENOENT;
	found->upper = true;
	return 1;
}

int overlay_stat(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	struct af_found *found)
{
	int err;

	found->upper = false;
	err = upper_stat(at, name, found);
	if (err < 0)
		return err;
	if (err > 0 && S_ISDIR(found->st.st_mode)) {
		err = join_dirs(fs, at, name, found);
		return err < 0 ? err : 0;
	}
	if (err > 0) {
		found->ino = 0;
		return 0;
	}
	err = lower_stat(fs, at, name, &found->st);
	found->ino = found->st.st_ino;
	return err;
}

uint64_t overlay_ino(const struct layer_dir *at, const char *name, const struct af_found *found)
{
	return found->ino ? found->ino : shown_ino(at->upper, name, &found->st);
}

/* That fd, just opened by name, is what overlay_stat() has found. */
static int check_same(int fd, const struct af_found *found, bool merged)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (merged)
		return S_ISDIR(st.st_mode) ? 0 : -ESTALE;
	return st.st_ino == found->st.st_ino && st.st_dev == found->st.st_dev ? 0 : -ESTALE;
}

int overlay_open_path(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	struct af_found *found)
{
	af_autoclose int fd = -1;
	int err;

	if (at->upper < 0) {
		*found = (struct af_found){0};
		fd = layer_open_path(&fs->layer, at->lower, name);
		if (fd >= 0 && fstat(fd, &found->st) != 0)
			return -errno;
		found->ino = found->st.st_ino;
		if (fd >= 0 && is_delta(fs, &found->st))
			return -ENOENT;
		return fd < 0 ? fd : af_steal_fd(&fd);
	}
	err = overlay_stat(fs, at, name, found);
	if (err)
		return err;
	fd = layer_open_path(
		found->upper ? &fs->upper->layer : &fs->layer, overlay_seen(at, found), name);
	if (fd < 0)
		return fd;
	err = check_same(fd, found, found->upper && S_ISDIR(found->st.st_mode));
	return err ? err : af_steal_fd(&fd);
}

int overlay_open_dir(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	struct layer_dir *dir, struct af_found *found)
{
	int err = 0;

	*dir = (struct layer_dir){-1, -1};
	if (at->upper < 0) {
		dir->lower = layer_open_dir(&fs->layer, at->lower, name);
		if (dir->lower >= 0 && fstat(dir->lower, &found->st) != 0)
			err = -errno;
		found->ino = found->st.st_ino;
		found->upper = false;
		if (dir->lower >= 0 && !err && is_delta(fs, &found->st))
			err = -ENOENT;
		if (err)
			layer_dir_close(dir);
		return dir->lower < 0 && !err ? dir->lower : err;
	}
	found->upper = false;
	err = upper_stat(at, name, found);
	if (err > 0 && !S_ISDIR(found->st.st_mode))
		return -ENOTDIR;
	if (err > 0) {
		dir->upper = layer_open_dir(&fs->upper->layer, at->upper, name);
		err = dir->upper < 0 ? dir->upper : join_dirs(fs, at, name, found);
		if (err <= 0) {
			if (err < 0)
				layer_dir_close(dir);
			return err;
		}
	}
	if (err < 0)
		return err;
	if (at->lower < 0)
		return -ENOENT;
	dir->lower = layer_open_dir(&fs->layer, at->lower, name);
	err = dir->lower < 0 ? dir->lower : 0;
	if (!err && !found->upper) {
		err = fstat(dir->lower, &found->st) != 0 ? -errno : 0;
		found->ino = found->st.st_ino;
		if (!err && is_delta(fs, &found->st))
			err = -ENOENT;
	}
	if (err)
		layer_dir_close(dir);
	return err;
}

int overlay_open_file(const struct af_fs *fs, const struct layer_dir *at, const char *name,
	int flags, struct af_found *found)
{
	int fd, err;

	found->upper = false;
	err = upper_stat(at, name, found);
	if (err < 0)
		return err;
	if (err == 0 && at->lower < 0)
		return -ENOENT;
	fd = layer_open_file(err ? &fs->upper->layer : &fs->layer, err ? at->upper : at->lower,
		name, flags, &found->st);
	found->ino = found->st.st_ino;
	return fd;
}

void overlay_root(const struct af_fs *fs, struct layer_dir *at)
{
	at->lower = fs->layer.root_fd;
	at->upper = fs->upper ? fs->upper->layer.root_fd : -1;
}

int overlay_stat_root(const struct af_fs *fs, struct af_found *found)
{
	found->upper = fs->upper != NULL;
	if (fstat(found->upper ? fs->upper->layer.root_fd : fs->layer.root_fd, &found->st) != 0)
		return -errno;
	if (found->upper) {
		found->st.st_dev = fs->layer.root.st_dev;
		found->st.st_ino = fs->layer.root.st_ino;
		found->st.st_nlink = 1;
	}
	found->ino = found->st.st_ino;
	return 0;
}

bool overlay_lower_has(
	const struct af_fs *fs, const struct layer_dir *at, const char *name, struct stat *st)
{
	return lower_stat(fs, at, name, st) == 0;
}

bool overlay_is_white(const struct layer_dir *at, const char *name)
{
	struct stat st;

	return at->upper >= 0 && fstatat(at->upper, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		delta_is_whiteout(&st);
}
