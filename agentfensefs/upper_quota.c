/*
 * How much of the delta's space is used, and how much there is. See upper.h.
 */
#include "audit.h"
#include "cleanup.h"
#include "fs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

static int full(struct af_upper *upper)
{
	if (!atomic_exchange(&upper->was_full, true))
		audit_quota(upper->audit, (uint64_t)atomic_load(&upper->used_bytes));
	return -ENOSPC;
}

int upper_charge(struct af_upper *upper, int64_t bytes, int64_t files)
{
	int64_t used_bytes, used_files;

	if (!upper_has_quota(upper))
		return 0;
	used_bytes = atomic_fetch_add(&upper->used_bytes, bytes) + bytes;
	used_files = atomic_fetch_add(&upper->used_files, files) + files;
	if ((bytes <= 0 || !upper->limit_bytes || used_bytes <= (int64_t)upper->limit_bytes) &&
		(files <= 0 || !upper->limit_files || used_files <= (int64_t)upper->limit_files))
		return 0;
	atomic_fetch_sub(&upper->used_bytes, bytes);
	atomic_fetch_sub(&upper->used_files, files);
	return full(upper);
}

void upper_charge_growth(struct af_upper *upper, const struct stat *before, int fd)
{
	struct stat now;

	if (upper_has_quota(upper) && fstat(fd, &now) == 0)
		atomic_fetch_add(
			&upper->used_bytes, ((int64_t)now.st_blocks - before->st_blocks) * 512);
}

void upper_give_back(struct af_upper *upper, int fd)
{
	struct stat st;

	if (upper_has_quota(upper) && fstat(fd, &st) == 0 && st.st_nlink == 0)
		atomic_fetch_sub(&upper->used_bytes, (int64_t)st.st_blocks * 512);
}

int upper_may_grow(struct af_upper *upper, int fd, off_t end, struct stat *before)
{
	int64_t more;

	if (!upper_has_quota(upper))
		return 0;
	if (fstat(fd, before) != 0)
		return -errno;
	/* At most what would be new; rewriting in place costs nothing. */
	more = end - (int64_t)before->st_blocks * 512;
	if (!upper->limit_bytes || more <= 0)
		return 0;
	if (atomic_load(&upper->used_bytes) + more > (int64_t)upper->limit_bytes)
		return full(upper);
	return 0;
}

/* Directories still to be counted: paths, so that a wide tree costs no descriptors. */
struct pending {
	char **paths;
	size_t count, room;
};

static int push(struct pending *pending, const char *dir, const char *name)
{
	char *path = NULL;

	if (pending->count == pending->room) {
		size_t room = pending->room ? pending->room * 2 : 32;
		char **paths = reallocarray(pending->paths, room, sizeof(*paths));

		if (!paths)
			return -ENOMEM;
		pending->paths = paths;
		pending->room = room;
	}
	if (asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", name) < 0)
		return -ENOMEM;
	pending->paths[pending->count++] = path;
	return 0;
}

static int count_entry(struct af_upper *upper, struct pending *pending, const char *dir, int dirfd,
	const char *name)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return -errno;
	if (delta_is_whiteout(&st))
		return 0;
	upper->used_files++;
	if (S_ISREG(st.st_mode))
		upper->used_bytes += (int64_t)st.st_blocks * 512 / (int64_t)st.st_nlink;
	return S_ISDIR(st.st_mode) ? push(pending, dir, name) : 0;
}

static int count_dir(struct af_upper *upper, struct pending *pending, const char *path)
{
	af_autoclose int at = layer_open_steps(&upper->layer, path);
	int fd = at < 0 ? at : layer_open_list(at), err = 0;
	af_autoclosedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	/* What is closed to us is what its owner has closed: a quota is no reason to refuse the mount. */
	if (!stream)
		return fd == -EACCES ? 0 : fd < 0 ? fd : -errno;
	while (!err && (errno = 0, entry = readdir(stream)))
		err = count_entry(upper, pending, path, at, entry->d_name);
	return err ? err : -errno;
}

int upper_count_used(struct af_upper *upper)
{
	struct pending pending = {0};
	int err;

	if (!upper_has_quota(upper))
		return 0;
	err = count_dir(upper, &pending, "");
	while (pending.count > 0) {
		af_autofree char *path = pending.paths[--pending.count];

		if (!err)
			err = count_dir(upper, &pending, path);
	}
	free(pending.paths);
	return err;
}

/* What is left of a limit, in units, no more than the filesystem has. */
static uint64_t left(uint64_t limit, int64_t used, uint64_t unit, uint64_t there)
{
	uint64_t rest = used >= 0 && (uint64_t)used > limit ? 0 : limit - (uint64_t)used;

	return rest / unit < there ? rest / unit : there;
}

int upper_statfs(struct af_fs *fs, struct statvfs *st)
{
	struct af_upper *upper = fs->upper;
	struct layer_dir root;

	overlay_root(fs, &root);
	if (fstatvfs(upper ? root.upper : root.lower, st) != 0)
		return -errno;
	if (upper && upper->limit_bytes) {
		st->f_blocks = upper->limit_bytes / st->f_frsize;
		st->f_bavail = st->f_bfree = left(upper->limit_bytes,
			atomic_load(&upper->used_bytes), st->f_frsize, st->f_bavail);
	}
	if (upper && upper->limit_files) {
		st->f_files = upper->limit_files;
		st->f_favail = st->f_ffree =
			left(upper->limit_files, atomic_load(&upper->used_files), 1, st->f_favail);
	}
	return 0;
}
