/*
 * How much of the delta's space is used, and how much there is. See upper.h.
 */
#include "cleanup.h"
#include "fs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

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
	return -ENOSPC;
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
	return atomic_load(&upper->used_bytes) + more > (int64_t)upper->limit_bytes ? -ENOSPC : 0;
}

/* Directories still to be counted. */
struct pending {
	int *fds;
	size_t count, room;
};

static int count_entry(struct af_upper *upper, struct pending *pending, int dirfd, const char *name)
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
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (pending->count == pending->room) {
		size_t room = pending->room ? pending->room * 2 : 32;
		int *fds = reallocarray(pending->fds, room, sizeof(*fds));

		if (!fds)
			return -ENOMEM;
		pending->fds = fds;
		pending->room = room;
	}
	pending->fds[pending->count] =
		openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pending->fds[pending->count] < 0)
		return -errno;
	pending->count++;
	return 0;
}

static int count_dir(struct af_upper *upper, struct pending *pending, int fd)
{
	af_autoclosedir DIR *stream = fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	if (!stream) {
		err = -errno;
		close(fd);
		return err;
	}
	while (!err && (errno = 0, entry = readdir(stream)))
		err = count_entry(upper, pending, dirfd(stream), entry->d_name);
	return err ? err : -errno;
}

int upper_count_used(struct af_upper *upper)
{
	struct pending pending = {0};
	int fd, err;

	if (!upper_has_quota(upper))
		return 0;
	fd = layer_open_list(upper->delta.upper_fd);
	err = fd < 0 ? fd : count_dir(upper, &pending, fd);
	while (pending.count > 0) {
		fd = pending.fds[--pending.count];
		if (err)
			close(fd);
		else
			err = count_dir(upper, &pending, fd);
	}
	free(pending.fds);
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
