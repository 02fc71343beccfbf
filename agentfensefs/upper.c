/*
 * The upper layer of a mount: opened and closed, its log, its quota. See upper.h. What is written to it
 * is decided elsewhere.
 */
#include "upper.h"

#include "cleanup.h"
#include "copy.h"
#include "copyup_dir.h"
#include "fs.h"
#include "links.h"
#include "log.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <string.h>

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

void upper_temp_name(struct af_upper *upper, char name[UPPER_NAME_SIZE])
{
	snprintf(name, UPPER_NAME_SIZE, "%x", atomic_fetch_add(&upper->serial, 1));
}

/* ---- the log --------------------------------------------------------------------------------- */

/* The content's hash, and the content of a small text: of a file that is not copied. */
static void hash_content(int path_fd, const struct stat *st, struct copy_result *result)
{
	static const struct copy_options options = {.want_hash = true, .text_max = DELTA_TEXT_MAX};
	struct stat now;
	int fd;

	if (st->st_size > DELTA_TEXT_MAX)
		return;
	fd = layer_reopen(path_fd, O_RDONLY, &now);
	/* Without a hash its size and time tell, less well. */
	if (fd < 0 || copy_hash(fd, &options, result) != 0)
		result->has_hash = false;
	if (fd >= 0)
		close(fd);
}

static void hash_target(int path_fd, struct delta_origin *origin)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(path_fd, "", target, sizeof(target));

	if (len < 0)
		return;
	copy_hash_bytes(target, (size_t)len, origin->hash);
	origin->has_hash = true;
}

/* Without them they are taken for unchanged. */
static void sum_xattrs(int fd, struct delta_origin *origin)
{
	static const struct copy_attrs plain = {.mode_mask = 0};

	origin->has_xattrs = copy_sum_xattrs(fd, &plain, &origin->xattrs) == 0;
}

static int append_origin(struct af_fs *fs, const struct delta_origin *origin)
{
	int err;

	pthread_mutex_lock(&fs->upper->log_lock);
	err = delta_log_origin(&fs->upper->delta.log, origin);
	pthread_mutex_unlock(&fs->upper->log_lock);
	return err;
}

int upper_log_origin(struct af_fs *fs, int lower_dirfd, const char *name, const char *path,
	const struct stat *st, const struct copy_result *result)
{
	struct delta_origin origin = {
		.path = path,
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.size = (uint64_t)st->st_size,
		.ino = st->st_ino,
		.dev = st->st_dev,
		.nlink = st->st_nlink,
		.mtime_ns = ns_of(&st->st_mtim),
		.ctime_ns = ns_of(&st->st_ctim),
		.time_ns = delta_now_ns(),
	};
	struct copy_result own = {0};
	af_autoclose int owned = -1;
	int fd = lower_dirfd, err;

	if (name) {
		owned = layer_open_path(&fs->layer, lower_dirfd, name);
		fd = owned;
	}
	if (fd >= 0 && S_ISREG(st->st_mode) && !result) {
		hash_content(fd, st, &own);
		result = &own;
	}
	if (fd >= 0 && S_ISLNK(st->st_mode))
		hash_target(fd, &origin);
	else if (fd >= 0)
		sum_xattrs(fd, &origin);
	if (result && result->has_hash) {
		origin.has_hash = true;
		memcpy(origin.hash, result->hash, sizeof(origin.hash));
		origin.text = result->text;
		origin.text_size = result->text_size;
	}
	err = append_origin(fs, &origin);
	free(own.text);
	return err;
}

int upper_log_remove(struct af_fs *fs, const char *path, bool is_dir)
{
	struct delta_remove removed = {.path = path, .is_dir = is_dir, .time_ns = delta_now_ns()};
	int err;

	pthread_mutex_lock(&fs->upper->log_lock);
	err = delta_log_remove(&fs->upper->delta.log, &removed);
	pthread_mutex_unlock(&fs->upper->log_lock);
	return err;
}

int upper_log_rename(struct af_fs *fs, const char *from, const char *to, bool is_dir, bool is_new)
{
	struct delta_rename renamed = {.from = from, .to = to, .is_dir = is_dir, .is_new = is_new};
	int err;

	pthread_mutex_lock(&fs->upper->log_lock);
	err = delta_log_rename(&fs->upper->delta.log, &renamed);
	pthread_mutex_unlock(&fs->upper->log_lock);
	return err;
}

void upper_log_start_sync(struct af_fs *fs)
{
	sync_file_range(fs->upper->delta.log.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int upper_log_sync(struct af_fs *fs)
{
	struct af_upper *upper = fs->upper;
	int err = 0;

	if (!upper || !upper->sync)
		return 0;
	pthread_mutex_lock(&upper->log_lock);
	if (upper->log_synced != upper->delta.log.end)
		err = journal_sync(&upper->delta.log);
	if (!err)
		upper->log_synced = upper->delta.log.end;
	pthread_mutex_unlock(&upper->log_lock);
	return err;
}

/* ---- opened and closed ------------------------------------------------------------------------ */

static void init_locks(struct af_upper *upper)
{
	pthread_rwlockattr_t attr;

	for (size_t i = 0; i < UPPER_STRIPES; i++)
		pthread_mutex_init(&upper->stripes[i], NULL);
	/* Copy-up must not wait for as long as others look without a pause. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&upper->swap_lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&upper->dir_lock, NULL);
	pthread_mutex_init(&upper->log_lock, NULL);
	pthread_mutex_init(&upper->white_lock, NULL);
	pthread_mutex_init(&upper->links_lock, NULL);
}

/* The root of the mount looks as the source's does. */
static int dress_root(const struct af_fs *fs, struct af_upper *upper)
{
	struct layer_dir at = {.lower = fs->layer.root_fd, .upper = upper->delta.upper_fd};
	const struct stat *st = &fs->layer.root;
	/* First: with the mode that it gets we might not write to it. */
	int err = copyup_set_ino(at.upper, st->st_ino);

	return err ? err : copyup_dress(fs, at.lower, st, at.upper);
}

static int log_source(const struct af_fs *fs, struct af_upper *upper)
{
	struct stat st;
	struct delta_source source = {
		.dev = fs->layer.root.st_dev,
		.ino = fs->layer.root.st_ino,
		.path = fs->source_path,
		.is_volatile = !upper->sync,
	};

	if (fstat(upper->delta.upper_fd, &st) != 0)
		return -errno;
	source.upper_dev = st.st_dev;
	source.upper_ino = st.st_ino;
	return delta_log_source(&upper->delta.log, &source);
}

/* The first records of a new delta, or one that was merged; its root's attributes. */
static int begin_new(struct af_fs *fs, struct af_upper *upper)
{
	int err = log_source(fs, upper);

	return err ? err : dress_root(fs, upper);
}

/* That the delta is one of this source. */
static int check_source(struct af_fs *fs, struct af_upper *upper, const char *delta_path)
{
	struct journal_record record;
	struct journal_reader reader;
	struct delta_source source = {0};
	int got = journal_read(&reader, &upper->delta.log);

	if (!got)
		got = journal_next(&reader, &record);
	if (got > 0)
		got = delta_read_source(&record, &source);
	else if (!got)
		got = -EBADMSG;
	if (!got && (source.dev != fs->layer.root.st_dev || source.ino != fs->layer.root.st_ino)) {
		log_error("delta: %s: it was written over another source: %s", delta_path,
			source.path);
		got = -ECANCELED;
	} else if (got) {
		log_error("delta: %s: its log does not begin with its source", delta_path);
		got = -ECANCELED;
	}
	journal_read_end(&reader);
	return got;
}

static int begin(struct af_fs *fs, struct af_upper *upper)
{
	struct delta_policy policy = {.text = fs->policy_text};
	struct delta_mount mount = {.time_ns = delta_now_ns()};
	int err = upper->delta.is_new ? begin_new(fs, upper)
				      : check_source(fs, upper, fs->options->delta);

	if (err)
		return err;
	err = delta_log_policy(&upper->delta.log, &policy);
	if (!err)
		err = delta_boot_id(mount.boot_id);
	if (!err)
		err = delta_log_mount(&upper->delta.log, &mount);
	if (!err && upper->sync)
		err = journal_sync(&upper->delta.log);
	return err;
}

static bool is_source(const struct af_fs *fs, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == fs->layer.root.st_ino &&
		st.st_dev == fs->layer.root.st_dev;
}

/* The delta is open. */
static int set_up(struct af_fs *fs, struct af_upper *upper)
{
	int err = 0;

	init_locks(upper);
	upper->sync = !upper->delta.is_volatile;
	upper->layer = (struct af_layer){.root_fd = upper->delta.upper_fd, .alone = true};
	upper->limit_bytes = fs->options->quota_bytes;
	upper->limit_files = fs->options->quota_files;
	if (fstat(upper->delta.dir_fd, &upper->dir) != 0 ||
		fstat(upper->delta.upper_fd, &upper->layer.root) != 0)
		err = -errno;
	if (!err)
		err = begin(fs, upper);
	if (!err)
		err = upper_count_used(upper);
	if (err && err != -ECANCELED)
		log_error("delta: %s: %s", fs->options->delta, strerror(-err));
	return err;
}

static int open_at(struct af_fs *fs, const char *path, bool quiet)
{
	struct af_upper *upper = calloc(1, sizeof(*upper));
	struct delta_fault fault = {{0}};
	int err;

	if (!upper)
		return -ENOMEM;
	upper->delta.is_volatile = fs->options->is_volatile;
	err = delta_open(&upper->delta, path, DELTA_WRITE, &fault);
	if (err) {
		if (!quiet || err != -EBUSY)
			log_error("delta: %s: %s", fs->options->delta, fault.text);
		free(upper);
		return err;
	}
	err = set_up(fs, upper);
	if (err) {
		delta_close(&upper->delta);
		free(upper);
		return err;
	}
	fs->upper = upper;
	return 0;
}

int upper_open(struct af_fs *fs)
{
	const char *path = fs->options->delta;

	if (!path)
		return 0;
	if (is_source(fs, path)) {
		log_error("delta: %s: it is the source itself", path);
		return -ECANCELED;
	}
	fs->source_path = realpath(fs->options->source, NULL);
	if (!fs->source_path) {
		log_error("source: %s: %s", fs->options->source, strerror(errno));
		return -ECANCELED;
	}
	return open_at(fs, path, false);
}

int upper_reopen(struct af_fs *fs, int dir_fd, bool quiet)
{
	return open_at(fs, layer_fd_path(dir_fd).text, quiet);
}

void upper_close(struct af_upper *upper)
{
	if (!upper)
		return;
	if (delta_log_unmount(&upper->delta.log, delta_now_ns()) == 0 && upper->sync)
		journal_sync(&upper->delta.log);
	if (upper->white_name[0])
		unlinkat(upper->delta.work_fd, upper->white_name, 0);
	links_free(upper->links);
	links_gone_free(upper->gone);
	delta_close(&upper->delta);
	pthread_rwlock_destroy(&upper->swap_lock);
	free(upper);
}
