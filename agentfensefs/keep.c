/*
 * What the kernel keeps. See keep.h.
 */
#include "keep.h"

#include "cleanup.h"
#include "fs.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <time.h>
#include <xxhash.h>

/*
 * What changes again so soon may have the same times: those are of a clock of some milliseconds, or of
 * two seconds.
 */
enum { SETTLED_S = 3 };

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* Whether each change that is made on this machine, and none is elsewhere, sets the change time. */
static bool tells_changes(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	switch (fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
	case OVERLAYFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/* Once it is known; of the source and the delta alike. */
static bool tells(struct af_fs *fs)
{
	int known = __atomic_load_n(&fs->kcache.tells_changes, __ATOMIC_RELAXED);

	if (known == 0) {
		bool all = tells_changes(fs->layer.root_fd) &&
			(!fs->upper || tells_changes(fs->upper->layer.root_fd));

		known = all ? 1 : -1;
		__atomic_store_n(&fs->kcache.tells_changes, known, __ATOMIC_RELAXED);
	}
	return known > 0;
}

/* The state that has these attributes, or 0. */
static uint64_t state_of(struct af_fs *fs, const struct stat *st, uint32_t view)
{
	struct {
		uint64_t dev, ino, size;
		int64_t times[4];
		uint64_t view;
	} what = {st->st_dev, st->st_ino, (uint64_t)st->st_size,
		{st->st_mtim.tv_sec, st->st_mtim.tv_nsec, st->st_ctim.tv_sec, st->st_ctim.tv_nsec},
		view};
	struct timespec now;

	switch (fs->options->cache) {
	case FS_CACHE_NEVER:
		return 0;
	case FS_CACHE_ALWAYS:
		return (uint64_t)view + 1;
	case FS_CACHE_AUTO:
		break;
	}
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (now.tv_sec - st->st_ctim.tv_sec < SETTLED_S || !tells(fs))
		return 0;
	return XXH3_64bits(&what, sizeof(what)) | 1;
}

/* Whether nobody has the file (opened for reading only) open for writing, or mapped so. */
static bool is_not_written(int fd)
{
	return fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

bool keep_file(struct af_fs *fs, struct af_inode *inode, int fd, const struct stat *st,
	bool writable, bool *settled)
{
	bool always = fs->options->cache == FS_CACHE_ALWAYS, kept;
	uint64_t state = writable && !always ? 0 : state_of(fs, st, 0);

	if (state && !always && !is_not_written(fd))
		state = 0;
	pthread_mutex_lock(&fs->table.lock);
	kept = state != 0 && inode->keep.state == state;
	inode->keep.state = state;
	pthread_mutex_unlock(&fs->table.lock);
	*settled = state != 0;
	return kept;
}

bool keep_dir(
	struct af_fs *fs, struct af_inode *inode, const struct stat *st, uint32_t view, bool *kept)
{
	struct af_keep *keep = &inode->keep;
	uint64_t state = st ? state_of(fs, st, view) : 0;
	bool filled;

	pthread_mutex_lock(&fs->table.lock);
	*kept = state != 0 && keep->state == state && !keep->mixed;
	if (keep->state != state && keep->fillers > 0)
		keep->mixed = true;
	keep->state = state;
	filled = state != 0 && !keep->mixed;
	if (filled)
		keep->fillers++;
	pthread_mutex_unlock(&fs->table.lock);
	return filled;
}

void keep_dir_closed(struct af_fs *fs, struct af_inode *inode)
{
	struct af_keep *keep = &inode->keep;

	pthread_mutex_lock(&fs->table.lock);
	if (--keep->fillers == 0 && keep->mixed) {
		keep->mixed = false;
		keep->state = 0;
	}
	pthread_mutex_unlock(&fs->table.lock);
}
