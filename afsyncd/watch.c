/*
 * Deltas that come and whose mounts end. See watch.h. It merges nothing.
 */
#include "watch.h"

#include "cleanup.h"
#include "delta.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>

enum { DIR_EVENTS = IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_MASK_ADD };
enum { META_EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_MASK_ADD };

int watch_init(struct watch *watch)
{
	*watch = (struct watch){.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
	return watch->fd < 0 ? -errno : 0;
}

void watch_fini(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		free(watch->deltas[i].path);
	free(watch->deltas);
	if (watch->fd >= 0)
		close(watch->fd);
	*watch = (struct watch){.fd = -1};
}

static int watch_dir(struct watch *watch, const char *path, uint32_t events)
{
	int wd = inotify_add_watch(watch->fd, path, events);

	if (wd < 0 && errno != ENOENT && errno != ENOTDIR && errno != EACCES)
		log_error("watch: %s: %s", path, strerror(errno));
	return wd;
}

static struct watched *find(struct watch *watch, const char *path)
{
	for (size_t i = 0; i < watch->count; i++)
		if (strcmp(watch->deltas[i].path, path) == 0)
			return &watch->deltas[i];
	return NULL;
}

static struct watched *add(struct watch *watch, const char *path)
{
	struct watched *delta;

	if (watch->count == watch->room) {
		size_t room = watch->room ? watch->room * 2 : 16;
		struct watched *more = reallocarray(watch->deltas, room, sizeof(*more));

		if (!more)
			return NULL;
		watch->deltas = more;
		watch->room = room;
	}
	delta = &watch->deltas[watch->count];
	*delta = (struct watched){.path = strdup(path), .wd = -1, .dirty = true};
	if (!delta->path)
		return NULL;
	watch->count++;
	return delta;
}

/* A path that a row's pattern matches: a delta, or about to become one. */
static int found(struct watch *watch, const struct table_row *row, const char *path)
{
	struct watched *delta = find(watch, path);
	af_autofree char *meta = NULL;

	if (asprintf(&meta, "%s/meta", path) < 0) {
		meta = NULL;
		return -ENOMEM;
	}
	if (!delta)
		delta = add(watch, path);
	if (!delta)
		return -ENOMEM;
	if (!delta->seen)
		delta->row = row;
	delta->seen = true;
	/* Until it has a meta. The watch is made first, so that nothing comes in between. */
	watch_dir(watch, path, DIR_EVENTS);
	if (delta->wd < 0) {
		delta->wd = watch_dir(watch, meta, META_EVENTS);
		delta->dirty |= delta->wd >= 0;
	}
	return 0;
}

/* The pattern's first `len` bytes, matched; each match is passed on. How many, or -errno. */
static int match(struct watch *watch, const struct table_row *row, size_t len,
	int (*fn)(struct watch *watch, const struct table_row *row, const char *path))
{
	af_autofree char *pattern = strndup(row->pattern, len ? len : 1);
	glob_t matches = {0};
	int err = pattern ? 0 : -ENOMEM;

	if (!err && glob(pattern, GLOB_NOSORT | GLOB_ONLYDIR, NULL, &matches) == GLOB_NOSPACE)
		err = -ENOMEM;
	for (size_t i = 0; i < matches.gl_pathc && !err; i++)
		err = fn(watch, row, matches.gl_pathv[i]);
	if (!err)
		err = (int)matches.gl_pathc;
	globfree(&matches);
	return err;
}

static int watch_parent(struct watch *watch, const struct table_row *row, const char *path)
{
	(void)row;
	watch_dir(watch, path, DIR_EVENTS);
	return 0;
}

/* The directories in which something that the pattern matches may appear. */
static int watch_way(struct watch *watch, const struct table_row *row)
{
	const char *pattern = row->pattern;

	for (const char *slash = pattern; slash; slash = strchr(slash + 1, '/')) {
		const char *next = strchr(slash + 1, '/');
		size_t len = (size_t)(slash - pattern);
		size_t next_len = next ? (size_t)(next - pattern) : strlen(pattern);
		size_t wild = strcspn(pattern, "*?[");
		int got;

		/* What is there and has no wildcard is passed through. */
		got = wild < next_len ? 0 : match(watch, row, next_len, watch_parent);
		if (got > 0 && next)
			continue;
		got = match(watch, row, len, watch_parent);
		if (got < 0)
			return got;
	}
	return 0;
}

int watch_scan(struct watch *watch, const struct table *table)
{
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < watch->count; i++)
		watch->deltas[i].seen = false;
	for (size_t i = 0; i < table->count && !err; i++) {
		const struct table_row *row = &table->rows[i];

		err = watch_way(watch, row);
		if (!err)
			err = match(watch, row, strlen(row->pattern), found);
		err = err > 0 ? 0 : err;
	}
	for (size_t i = 0; i < watch->count; i++) {
		if (!watch->deltas[i].seen && !watch->deltas[i].child && !err)
			free(watch->deltas[i].path);
		else
			watch->deltas[kept++] = watch->deltas[i];
	}
	watch->count = kept;
	return err;
}

/* wd -1: all, since events were lost. */
static void mark(struct watch *watch, int wd)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (wd >= 0 && watch->deltas[i].wd != wd)
			continue;
		watch->deltas[i].dirty = true;
		watch->deltas[i].tries = 0;
	}
}

/* Its directory is gone: what comes at its path later is another. */
static void unmark(struct watch *watch, int wd)
{
	for (size_t i = 0; i < watch->count; i++)
		if (watch->deltas[i].wd == wd)
			watch->deltas[i].wd = -1;
}

bool watch_read(struct watch *watch)
{
	_Alignas(struct inotify_event) char buffer[65536];
	bool scan = false;
	ssize_t got;

	while ((got = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		for (char *at = buffer; at < buffer + got;) {
			const struct inotify_event *event = (const void *)at;

			if (event->mask & (IN_CLOSE_WRITE | IN_Q_OVERFLOW))
				mark(watch, event->mask & IN_Q_OVERFLOW ? -1 : event->wd);
			scan |= !(event->mask & IN_CLOSE_WRITE);
			if (event->mask & IN_IGNORED)
				unmark(watch, event->wd);
			at += sizeof(*event) + event->len;
		}
	}
	return scan;
}

/* Whether a mount was begun since the delta was merged, by a log that we only read. */
static bool was_mounted(int meta_fd, struct stat *st)
{
	struct journal_record record;
	struct journal_reader reader;
	struct af_journal log;
	bool mounted = false;

	if (journal_open(&log, meta_fd, "log", DELTA_LOG_KIND, DELTA_LOG_VERSION, O_RDONLY) != 0)
		return false;
	if (fstat(log.fd, st) == 0 && journal_read(&reader, &log) == 0) {
		while (!mounted && journal_next(&reader, &record) > 0)
			mounted = record.type == DELTA_MOUNT;
		journal_read_end(&reader);
	}
	journal_close(&log);
	return mounted;
}

static bool is_locked(int meta_fd)
{
	af_autoclose int fd =
		openat(meta_fd, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 || flock(fd, LOCK_SH | LOCK_NB) != 0;
}

enum watch_state watch_look(struct watched *delta)
{
	af_autofree char *path = NULL;
	af_autoclose int meta_fd = -1;
	struct stat log;

	if (asprintf(&path, "%s/meta", delta->path) < 0) {
		path = NULL;
		return WATCH_IDLE;
	}
	meta_fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* First the log: a delta that is being made must find its lock free. */
	if (meta_fd < 0 || !was_mounted(meta_fd, &log))
		return WATCH_IDLE;
	if (is_locked(meta_fd))
		return WATCH_BUSY;
	if (delta->log_ino == log.st_ino && delta->log_size == (uint64_t)log.st_size)
		return WATCH_IDLE;
	delta->log_ino = log.st_ino;
	delta->log_size = (uint64_t)log.st_size;
	return WATCH_READY;
}
