/*
 * What is done with an open file: its data. See op.h. Rights were checked when it was opened; the
 * kernel keeps reads and writes to what the descriptor was opened for.
 */
#include "op.h"

#include "cleanup.h"

#include <fcntl.h>
#include <sys/uio.h>

/* A longer copy is made in parts, so that no thread is busy with one for long. */
enum { MAX_COPY = 16 << 20 };

/* A buffer of this thread, grown as needed and freed with the thread. */
static _Thread_local struct {
	char *data;
	size_t size;
} scratch;

static char *scratch_get(size_t size)
{
	if (scratch.size < size) {
		char *bigger = realloc(scratch.data, size);

		if (!bigger)
			return NULL;
		scratch.data = bigger;
		scratch.size = size;
	}
	return scratch.data;
}

void op_thread_fini(void)
{
	free(scratch.data);
	scratch.data = NULL;
	scratch.size = 0;
}

static struct af_file *begin(fuse_req_t req, const struct fuse_file_info *fi, enum af_count kind)
{
	counters_add(&fs_of(req)->counters, kind);
	kcache_touched(file_of(fi)->inode);
	return file_of(fi);
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct af_file *file = begin(req, fi, AF_COUNT_READ);
	char *data = scratch_get(size);
	ssize_t got;

	(void)ino;
	if (!data) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	got = pread(file->fd, data, size, offset);
	if (got < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_buf(req, data, (size_t)got);
}

/* ENOSPC where a write (at the end: offset -1) would go beyond the quota; *before for afterwards. */
static int may_grow(
	fuse_req_t req, const struct af_file *file, off_t offset, size_t size, struct stat *before)
{
	struct af_upper *upper = fs_of(req)->upper;
	struct stat st;

	if (!upper_has_quota(upper))
		return 0;
	if (offset < 0)
		offset = fstat(file->fd, &st) == 0 ? st.st_size : 0;
	return -upper_may_grow(upper, file->fd, offset + (off_t)size, before);
}

void op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t size, off_t offset,
	struct fuse_file_info *fi)
{
	const struct af_file *file = begin(req, fi, AF_COUNT_WRITE);
	struct stat before;
	struct iovec iov = {.iov_base = (char *)(uintptr_t)data, .iov_len = size};
	/* The source's true end, whoever else appends to it. fi->flags is as of this write. */
	int append = (fi->flags & O_APPEND) ? RWF_APPEND : 0;
	ssize_t put;
	int err;

	(void)ino;
	if (append && fi->writepage)
		append = 0; /* pages of a mapping have their place */
	err = may_grow(req, file, append ? -1 : offset, size, &before);
	if (err) {
		fuse_reply_err(req, err);
		return;
	}
	put = pwritev2(file->fd, &iov, 1, offset, append);
	err = put < 0 ? errno : 0;
	upper_charge_growth(fs_of(req)->upper, &before, file->fd);
	stale_written(fs_of(req), file->inode);
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_write(req, (size_t)put);
}

/* close(2)'s chance to tell what the source's filesystem only finds out then (NFS, quotas). */
void op_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct af_file *file = begin(req, fi, AF_COUNT_FLUSH);
	int copy = dup(file->fd);

	(void)ino;
	if (copy < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_err(req, close(copy) == 0 ? 0 : errno);
}

void op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	const struct af_file *file = begin(req, fi, AF_COUNT_OTHER);
	const struct af_upper *upper = fs_of(req)->upper;
	bool sync = !upper || upper->sync; /* volatile: nobody will look after a crash */
	/* What the filesystem makes durable besides this file is not to be without its record. */
	int err = -upper_log_sync(fs_of(req));

	(void)ino;
	if (!err && sync && (datasync ? fdatasync(file->fd) : fsync(file->fd)) != 0)
		err = errno;
	fuse_reply_err(req, err);
}

void op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
	struct fuse_file_info *fi)
{
	const struct af_file *file = begin(req, fi, AF_COUNT_OTHER);
	struct stat before;
	bool frees = mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE);
	int err = may_grow(req, file, offset, frees ? 0 : (size_t)length, &before);

	if (err) {
		fuse_reply_err(req, err);
		return;
	}
	err = fallocate(file->fd, mode, offset, length) != 0 ? errno : 0;
	upper_charge_growth(fs_of(req)->upper, &before, file->fd);

	(void)ino;
	stale_written(fs_of(req), file->inode);
	fuse_reply_err(req, err);
}

void op_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	const struct af_file *file = begin(req, fi, AF_COUNT_OTHER);
	off_t found = lseek(file->fd, offset, whence);

	(void)ino;
	if (found < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_lseek(req, found);
}

void op_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t off_in,
	struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t off_out,
	struct fuse_file_info *fi_out, size_t len, int flags)
{
	const struct af_file *from = begin(req, fi_in, AF_COUNT_OTHER);
	const struct af_file *to = begin(req, fi_out, AF_COUNT_WRITE);
	size_t part = len < MAX_COPY ? len : MAX_COPY;
	struct stat before;
	int err = may_grow(req, to, off_out, part, &before);
	ssize_t copied;

	if (err) {
		fuse_reply_err(req, err);
		return;
	}
	copied = copy_file_range(from->fd, &off_in, to->fd, &off_out, part, (unsigned)flags);
	err = copied < 0 ? errno : 0;
	upper_charge_growth(fs_of(req)->upper, &before, to->fd);

	(void)ino_in;
	(void)ino_out;
	stale_written(fs_of(req), to->inode);
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_write(req, (size_t)copied);
}
