/*
 * Open files. See handle.h.
 */
#include "handle.h"

#include "cleanup.h"
#include "op.h"

#include <fcntl.h>
#include <sys/ioctl.h>

/* include/uapi/linux/fuse.h since Linux 6.9. */
struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define BACKING_OPEN _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

/* The kernel's id for the file, or 0 where it does not take it. */
static int32_t backing_open(struct af_fs *fs, int fd)
{
	struct backing_map map = {.fd = fd};
	int32_t id = ioctl(fuse_session_fd(fs->session), BACKING_OPEN, &map);

	/* All but a file that lies too deep in filesystems upon filesystems: it never will. */
	if (id < 0 && errno != ELOOP && errno != ENOMEM)
		__atomic_store_n(&fs->passthrough, false, __ATOMIC_RELAXED);
	return id > 0 ? id : 0;
}

static void backing_close(struct af_fs *fs, int32_t id)
{
	/* With the session they went by themselves. */
	if (id && fs->session)
		ioctl(fuse_session_fd(fs->session), BACKING_CLOSE, &id);
}

/* What is no larger is read with one request. */
enum { SMALL = 128 << 10 };

/* Whether the kernel may do by itself what is done with the file, and that is worth the two calls. */
static bool may_pass(const struct af_fs *fs, const struct af_file *file, const struct stat *st)
{
	const struct af_inode *inode = file->inode;
	bool writable = inode->key_level >= AF_WRITE;

	if (!__atomic_load_n(&fs->passthrough, __ATOMIC_RELAXED))
		return false;
	/* Pages that are kept when it is opened again cost one call now, and then none. */
	if (!file->writable && st->st_size <= SMALL && file->settled)
		return false;
	/* A write by another name is seen by this one, and in a delta copies up what it has open. */
	if (st->st_nlink > 1 && (writable || fs->upper))
		return false;
	if (!writable)
		return true;
	return !fs->upper || (inode->flags & AF_INODE_UPPER && !upper_has_quota(fs->upper));
}

/*
 * Adds the file to the node's, if it can be one of them: *id, if not 0, is a backing id for it that was
 * made, and is 0 afterwards if it was taken. Returns 1 where one is to be made first.
 */
static int join(struct af_fs *fs, struct af_file *file, const struct stat *st, int32_t *id)
{
	struct af_inode *inode = file->inode;

	if (!inode_is(inode, st) || inode->flags & AF_INODE_REBACKED)
		return -ESTALE;
	if (LIST_EMPTY(&inode->files)) {
		if (*id == 0 && !file->asked && may_pass(fs, file, st))
			return 1;
		__atomic_store_n(&inode->backing_id, *id, __ATOMIC_RELAXED);
		*id = 0;
	}
	inode->refs++;
	LIST_INSERT_HEAD(&inode->files, file, link);
	return 0;
}

static int locked_join(struct af_fs *fs, struct af_file *file, const struct stat *st, int32_t *id)
{
	int rc;

	pthread_mutex_lock(&fs->table.lock);
	rc = join(fs, file, st, id);
	file->backing_id = file->inode->backing_id;
	pthread_mutex_unlock(&fs->table.lock);
	return rc;
}

int handle_new(struct af_fs *fs, struct af_inode *inode, int fd, const struct stat *st,
	struct fuse_file_info *fi)
{
	struct af_file *file = calloc(1, sizeof(*file));
	int32_t id = 0;
	int rc;

	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	*file = (struct af_file){
		.inode = inode,
		.fd = fd,
		.writable = (fi->flags & O_ACCMODE) != O_RDONLY,
	};
	file->kept = keep_file(fs, inode, fd, st, file->writable, &file->settled);
	rc = locked_join(fs, file, st, &id);
	if (rc > 0) {
		file->asked = true;
		id = backing_open(fs, fd);
		rc = locked_join(fs, file, st, &id);
		backing_close(fs, id);
	}
	if (rc) {
		close(fd);
		free(file);
		return rc;
	}
	fi->fh = (uintptr_t)file;
	fi->noflush = !file->writable;
#ifdef FUSE_CAP_PASSTHROUGH
	fi->backing_id = file->backing_id;
#endif
	/*
	 * The kernel would put appended bytes where it thinks the end is; and what it opens by itself
	 * appends for ever, whatever F_SETFL says later. See also op_write().
	 */
	fi->direct_io = (fi->flags & O_APPEND) != 0;
	if (!file->backing_id) {
		fi->keep_cache = file->kept;
		fi->direct_io |= fs->options->cache == FS_CACHE_NEVER;
		fi->direct_io &= fs->kcache.direct_io_mmap;
	}
	return 0;
}

void handle_free(struct af_fs *fs, struct af_file *file)
{
	struct af_inode *inode = file->inode;
	int32_t id = 0;
	bool last;

	pthread_mutex_lock(&fs->table.lock);
	LIST_REMOVE(file, link);
	last = LIST_EMPTY(&inode->files);
	if (last) {
		id = inode->backing_id;
		__atomic_store_n(&inode->backing_id, 0, __ATOMIC_RELAXED);
		inode->flags &= (uint8_t)~AF_INODE_REBACKED;
	}
	pthread_mutex_unlock(&fs->table.lock);
	backing_close(fs, id);
	if (last)
		upper_give_back(fs->upper, file->fd);
	close(file->fd);
	inode_put(&fs->table, inode);
	free(file);
}

int op_handle_fd(struct af_fs *fs, struct af_inode *inode)
{
	const struct af_file *file;
	int fd = -1;

	pthread_mutex_lock(&fs->table.lock);
	file = LIST_FIRST(&inode->files);
	if (file)
		fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&fs->table.lock);
	return fd < 0 ? -ESTALE : fd;
}

static int close_files(void *arg, struct af_inode *inode)
{
	struct af_fs *fs = arg;

	/* No worker runs any more: nobody else changes the list. */
	while (!LIST_EMPTY(&inode->files))
		handle_free(fs, LIST_FIRST(&inode->files));
	return 0;
}

void op_files_fini(struct af_fs *fs)
{
	table_each(&fs->table, close_files, fs);
}
