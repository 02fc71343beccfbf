/*
 * One delta that is watched: whether its mount has ended, what was tried of it, and why it is not merged.
 * See watch.h. Whoever made it is not trusted: what is read here has bounds, and nothing waits.
 */
#include "watch.h"

#include "cleanup.h"
#include "delta.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

enum {
	FIRST_WAIT_MS = 1,
	LAST_WAIT_MS = 2048,
	MAX_READ = 64 << 20, /* bytes of a log; beyond, that it has changed must do */
};

/* Where nobody but the delta's owner says what there is. */
enum { RESOLVE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };

/* What its log says. */
struct told {
	uint64_t source_dev, source_ino;
	char *source; /* owned */
	bool mounted; /* since it was merged */
	bool torn;
	int64_t mount_ns; /* when last; 0: unknown */
};

int64_t watch_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void watch_postpone(struct watched *delta)
{
	delta->wait_ms = delta->wait_ms ? 2 * delta->wait_ms : FIRST_WAIT_MS;
	delta->dirty = delta->wait_ms <= LAST_WAIT_MS;
	delta->look_at_ms = watch_now_ms() + delta->wait_ms;
}

/* ---- stamps ------------------------------------------------------------------------------------- */

static int64_t ns_of(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct watch_stamp stamp(int dirfd, const char *name, int flags)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, flags) != 0)
		return (struct watch_stamp){0};
	return (struct watch_stamp){.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = ns_of(st.st_mtim),
		.ctime_ns = ns_of(st.st_ctim)};
}

static bool is_same_file(const struct watch_stamp *a, const struct watch_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

static bool is_same(const struct watch_stamp *a, const struct watch_stamp *b)
{
	return is_same_file(a, b) && a->size == b->size && a->mtime_ns == b->mtime_ns &&
		a->ctime_ns == b->ctime_ns;
}

/* ---- why not ------------------------------------------------------------------------------------ */

static void tell(struct watched *delta, enum watch_why why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void tell(struct watched *delta, enum watch_why why, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	if (delta->why == why && delta->told)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_error("%s: not merged: %s", delta->path, text);
	delta->why = why;
	delta->told = true;
}

static bool is_empty(int dir_fd)
{
	af_autoclose int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return false;
	af_steal_fd(&fd);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	return true;
}

/* It may be about to be made, or be for somebody to make one in: so it is told only later, if at all. */
static enum watch_state incomplete(struct watched *delta, int dir_fd, const char *what, int err)
{
	int64_t now = watch_now_ms();

	delta->log = (struct watch_stamp){0};
	if (is_empty(dir_fd))
		return WATCH_IDLE;
	if (delta->why != WATCH_INCOMPLETE) {
		delta->why = WATCH_INCOMPLETE;
		delta->told = false;
		delta->tell_at_ms = now + WATCH_AGAIN_MS;
	}
	if (now < delta->tell_at_ms)
		return WATCH_WAITS;
	tell(delta, WATCH_INCOMPLETE, "no delta: %s: %s", what, strerror(-err));
	return WATCH_IDLE;
}

/* ---- the log ------------------------------------------------------------------------------------ */

static int take_record(struct told *told, const struct journal_record *record, bool first)
{
	struct delta_source source;
	struct delta_mount mount;
	int err = 0;

	if (first) {
		err = delta_read_source(record, &source);
		if (err)
			return err;
		told->source_dev = source.dev;
		told->source_ino = source.ino;
		told->source = strdup(source.path);
		return told->source ? 0 : -ENOMEM;
	}
	if (record->type != DELTA_MOUNT)
		return 0;
	err = delta_read_mount(record, &mount);
	told->mounted = true;
	/* One without a time was written after the mount (delta_settle()). */
	if (!err && mount.time_ns)
		told->mount_ns = mount.time_ns;
	return err;
}

static int read_records(struct told *told, const struct af_journal *log)
{
	struct journal_reader reader;
	struct journal_record record;
	bool first = true;
	int err = journal_read(&reader, log);

	while (!err && reader.offset < MAX_READ && (err = journal_next(&reader, &record)) > 0) {
		err = take_record(told, &record, first);
		first = false;
	}
	if (!err && reader.offset >= MAX_READ && reader.offset < reader.size) {
		told->mounted = true;
		told->mount_ns = 0;
	}
	told->torn = reader.torn;
	/* Of what follows a torn record nobody knows. */
	if (reader.torn) {
		told->mounted = true;
		told->mount_ns = 0;
	}
	if (!err && reader.torn && first)
		err = -EBADMSG;
	journal_read_end(&reader);
	return err;
}

static int read_log(struct told *told, int meta_fd)
{
	struct af_journal log;
	int err = journal_open(&log, meta_fd, "log", DELTA_LOG_KIND, DELTA_LOG_VERSION, O_RDONLY);

	if (err)
		return err;
	err = read_records(told, &log);
	journal_close(&log);
	return err;
}

static const char *why_damaged(int err)
{
	if (err == -EBADMSG)
		return "damaged";
	return err == -EPROTONOSUPPORT ? "made by another version" : strerror(-err);
}

/* ---- the look ----------------------------------------------------------------------------------- */

int watch_open(const struct watched *delta)
{
	af_autofree char *literal = strndup(delta->path, delta->literal);
	af_autoclose int fd = literal ? open(literal, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0)
		return -errno;
	if (!delta->path[delta->literal])
		return af_steal_fd(&fd);
	return path_openat2(fd, delta->path + delta->literal, O_PATH | O_DIRECTORY, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

/* 1: held by somebody, 0: free, or -errno; without it nobody knows whether the delta is in use. */
static int is_locked(int meta_fd)
{
	af_autoclose int fd = path_openat2(
		meta_fd, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, RESOLVE);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -errno;
}

static enum watch_state check_source(struct watched *delta, const struct told *told)
{
	if (!delta->source.ino) {
		tell(delta, WATCH_NO_SOURCE, "%s: there is no such directory; waiting for it",
			delta->row->source);
		return WATCH_WAITS;
	}
	if (told->source_dev == delta->source.dev && told->source_ino == delta->source.ino)
		return WATCH_READY;
	tell(delta, WATCH_OTHER_SOURCE,
		"it was made on another directory than %s, on %s; afsyncd DELTA SOURCE does it all "
		"the same",
		delta->row->source, told->source);
	return WATCH_WAITS;
}

static enum watch_state damaged(
	struct watched *delta, enum watch_why why, const char *file, int err)
{
	tell(delta, why, "%s: %s", file, why_damaged(err));
	return WATCH_IDLE;
}

/* Its log is not the one that was looked at last. */
static enum watch_state look_at(struct watched *delta, int meta_fd, struct told *told)
{
	int err = read_log(told, meta_fd);
	int locked = is_locked(meta_fd);

	if (locked > 0)
		return WATCH_BUSY;
	if (err)
		return damaged(delta, WATCH_DAMAGED, "meta/log", err);
	/* What stays of a volatile one keeps its mount's record. */
	if (!told->mounted || (told->mount_ns && told->mount_ns == delta->mount_ns))
		return WATCH_IDLE;
	if (locked < 0)
		return damaged(delta, WATCH_NO_LOCK, "meta/lock", locked);
	return check_source(delta, told);
}

static bool waits_for_source(const struct watched *delta)
{
	return delta->why == WATCH_NO_SOURCE || delta->why == WATCH_OTHER_SOURCE;
}

static enum watch_state settle(
	struct watched *delta, enum watch_state state, const struct told *told)
{
	if (state == WATCH_BUSY)
		delta->log = (struct watch_stamp){0};
	if (state != WATCH_READY)
		return state;
	delta->mount_ns = told->mount_ns;
	delta->why = WATCH_NO_REASON;
	if (told->torn)
		log_warn("%s: meta/log: its end is torn off; merged is what it tells of",
			delta->path);
	return state;
}

static enum watch_state look(struct watched *delta, int dir_fd, int meta_fd)
{
	struct watch_stamp log = stamp(meta_fd, "log", AT_SYMLINK_NOFOLLOW);
	struct watch_stamp source = stamp(AT_FDCWD, delta->row->source, 0);
	struct told told = {0};
	enum watch_state state;
	bool is_same_log = is_same(&log, &delta->log);

	if (!log.ino)
		return is_locked(meta_fd) > 0 ? WATCH_BUSY
					      : incomplete(delta, dir_fd, "meta/log", -ENOENT);
	if (is_same_log && !waits_for_source(delta))
		return WATCH_IDLE;
	if (is_same_log && is_same_file(&source, &delta->source))
		return WATCH_WAITS;
	if (!is_same_log)
		delta->why = WATCH_NO_REASON;
	/* Before it is read: what is written meanwhile makes another of it. */
	delta->log = log;
	delta->source = source;
	state = settle(delta, look_at(delta, meta_fd, &told), &told);
	free(told.source);
	return state;
}

void watch_failed(struct watched *delta)
{
	struct watch_stamp source =
		delta->row ? stamp(AT_FDCWD, delta->row->source, 0) : delta->source;

	if (is_same_file(&source, &delta->source))
		return;
	delta->log = (struct watch_stamp){0};
	delta->mount_ns = 0;
}

enum watch_state watch_look(struct watched *delta, int *dir_fd)
{
	af_autoclose int fd = watch_open(delta);
	af_autoclose int meta_fd = -1;
	enum watch_state state;

	if (fd < 0)
		return WATCH_IDLE;
	meta_fd = path_openat2(fd, "meta", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE);
	if (meta_fd < 0)
		return incomplete(delta, fd, "meta", meta_fd);
	state = look(delta, fd, meta_fd);
	if (state == WATCH_READY)
		*dir_fd = af_steal_fd(&fd);
	return state;
}
