/*
 * Whiteouts. See whiteout.h. When a name is to be taken away is not decided here.
 */
#include "whiteout.h"

#include "cleanup.h"
#include "fs.h"
#include "lend.h"
#include "remove.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

/* Below what any filesystem allows an inode (ext4: 65,000 links). */
enum { MAX_LINKS = 30000 };

/* Another device for new whiteouts to be links to; the old one stays where it is linked. Locked. */
static int next_device(struct af_upper *upper)
{
	int work_fd = upper->delta.work_fd;

	if (upper->white_name[0])
		unlinkat(work_fd, upper->white_name, 0);
	upper_temp_name(upper, upper->white_name);
	upper->white_links = 0;
	if (mknodat(work_fd, upper->white_name, S_IFCHR | 0600, 0) != 0) {
		upper->white_name[0] = '\0';
		return -errno;
	}
	return 0;
}

static int link_device(struct af_upper *upper, int dirfd, const char *name)
{
	int err = 0;

	pthread_mutex_lock(&upper->white_lock);
	if (!upper->white_name[0] || upper->white_links >= MAX_LINKS)
		err = next_device(upper);
	if (!err && linkat(upper->delta.work_fd, upper->white_name, dirfd, name, 0) != 0)
		err = -errno;
	/* A filesystem where devices cannot be linked, or not as often. */
	if (err == -EMLINK || err == -EPERM) {
		err = next_device(upper);
		if (!err &&
			renameat2(upper->delta.work_fd, upper->white_name, dirfd, name,
				RENAME_NOREPLACE) != 0)
			err = -errno;
		if (!err)
			upper->white_name[0] = '\0';
	}
	upper->white_links++;
	pthread_mutex_unlock(&upper->white_lock);
	return err;
}

int whiteout_make(struct af_fs *fs, int upper_dirfd, const char *name)
{
	return link_device(fs->upper, upper_dirfd, name);
}

/*
 * Renames a directory of ours that is about to be removed, in the upper, to work. What its owner may
 * not write to they may not move either, as its ".." changes.
 */
static int exchange_dir(
	int upper_dirfd, const char *name, int work_fd, const char *temp, unsigned int flags)
{
	af_autoclose int fd =
		openat(upper_dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct af_lent lent;
	int err;

	if (fd < 0)
		return -errno;
	lend_take(&lent, fd);
	if (renameat2(upper_dirfd, name, work_fd, temp, flags) == 0)
		return 0;
	err = -errno;
	lend_end(&lent);
	return err;
}

int whiteout_replace(struct af_fs *fs, int upper_dirfd, const char *name, bool is_dir)
{
	int work_fd = fs->upper->delta.work_fd;
	char temp[UPPER_NAME_SIZE];
	int err;

	upper_temp_name(fs->upper, temp);
	err = link_device(fs->upper, work_fd, temp);
	if (err)
		return err;
	if (is_dir)
		err = exchange_dir(upper_dirfd, name, work_fd, temp, RENAME_EXCHANGE);
	else if (renameat(work_fd, temp, upper_dirfd, name) != 0)
		err = -errno;
	if (err) {
		unlinkat(work_fd, temp, 0);
		return err;
	}
	/* What cannot be removed now is when the delta is opened again. */
	if (is_dir)
		remove_tree(work_fd, temp);
	return 0;
}

int whiteout_remove_dir(struct af_fs *fs, int upper_dirfd, const char *name)
{
	int work_fd = fs->upper->delta.work_fd;
	char temp[UPPER_NAME_SIZE];
	int err;

	if (unlinkat(upper_dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -errno;
	/* Whiteouts of what the source no longer has. */
	upper_temp_name(fs->upper, temp);
	err = exchange_dir(upper_dirfd, name, work_fd, temp, RENAME_NOREPLACE);
	if (!err)
		remove_tree(work_fd, temp);
	return err;
}

static int unlink_all(int upper_dirfd)
{
	af_autoclosedir DIR *stream = NULL;
	const struct dirent *entry;
	int err = 0, fd = layer_open_list(upper_dirfd);

	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		return fd < 0 ? fd : -errno;
	while (!err && (errno = 0, entry = readdir(stream))) {
		struct stat st;

		if (entry->d_type != DT_CHR && entry->d_type != DT_UNKNOWN)
			continue;
		if (fstatat(upper_dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			delta_is_whiteout(&st) && unlinkat(upper_dirfd, entry->d_name, 0) != 0)
			err = -errno;
	}
	return err ? err : -errno;
}

int whiteout_clean(int upper_dirfd)
{
	struct timespec times[2];
	struct af_lent lent;
	struct stat st;
	int err;

	if (fstat(upper_dirfd, &st) != 0)
		return -errno;
	lend_take(&lent, upper_dirfd);
	err = unlink_all(upper_dirfd);
	lend_end(&lent);
	/* For whoever looks nothing has changed in it. */
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	utimensat(upper_dirfd, "", times, AT_EMPTY_PATH);
	return err;
}
