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

static int log_source(const struct af_fs *fs, struct af_upper *upper, const char *path)
{
	struct stat st;
	struct delta_source source = {
		.dev = fs->layer.root.st_dev,
		.ino = fs->layer.root.st_ino,
		.path = path,
		.is_volatile = !upper->sync,
	};

	if (fstat(upper->delta.upper_fd, &st) != 0)
		return -errno;
	source.upper_dev = st.st_dev;
	source.upper_ino = st.st_ino;
	return delta_log_source(&upper->delta.log, &source);
}

/* The first records of a new delta, or one that was merged; its root's attributes. */
static int begin_new(struct af_fs *fs, struct af_upper *upper, const char *source)
{
	int err = log_source(fs, upper, source);

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

static int begin(struct af_fs *fs, struct af_upper *upper, const struct fs_options *options,
	const char *policy_text)
{
	af_autofree char *source = realpath(options->source, NULL);
	struct delta_policy policy = {.text = policy_text};
	struct delta_mount mount = {.time_ns = delta_now_ns()};
	int err = source ? 0 : -errno;

	if (!err)
		err = upper->delta.is_new ? begin_new(fs, upper, source)
					  : check_source(fs, upper, options->delta);
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

int upper_open(struct af_fs *fs, const struct fs_options *options, const char *policy_text)
{
	struct delta_fault fault = {{0}};
	struct af_upper *upper;
	int err;

	if (!options->delta)
		return 0;
	upper = calloc(1, sizeof(*upper));
	if (!upper)
		return -ENOMEM;
	if (is_source(fs, options->delta)) {
		log_error("delta: %s: it is the source itself", options->delta);
		free(upper);
		return -ECANCELED;
	}
	upper->delta.is_volatile = options->is_volatile;
	err = delta_open(&upper->delta, options->delta, DELTA_WRITE, &fault);
	if (err) {
		log_error("delta: %s: %s", options->delta, fault.text);
		free(upper);
		return err;
	}
	init_locks(upper);
	upper->sync = !upper->delta.is_volatile;
	upper->layer = (struct af_layer){.root_fd = upper->delta.upper_fd, .alone = true};
	upper->limit_bytes = options->quota_bytes;
	upper->limit_files = options->quota_files;
	if (fstat(upper->delta.dir_fd, &upper->dir) != 0 ||
		fstat(upper->delta.upper_fd, &upper->layer.root) != 0)
		err = -errno;
	if (!err)
		err = begin(fs, upper, options, policy_text);
	if (!err)
		err = upper_count_used(upper);
	if (err) {
		if (err != -ECANCELED)
			log_error("delta: %s: %s", options->delta, strerror(-err));
		delta_close(&upper->delta);
		free(upper);
		return err;
	}
	fs->upper = upper;
	return 0;
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
