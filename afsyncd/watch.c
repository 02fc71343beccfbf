/*
 * Deltas that come and go, and what is told about them. See watch.h. It merges nothing.
 */
#include "watch.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

/* Of a delta's directory, until it has a meta, and where another may come; of its meta. */
enum {
	DIR_EVENTS = IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF,
	META_EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO,
};

int watch_init(struct watch *watch)
{
	*watch = (struct watch){.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
	return watch->fd < 0 ? -errno : 0;
}

static void free_delta(struct watched *delta)
{
	free(delta->path);
	free(delta);
}

void watch_fini(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		free_delta(watch->deltas[i]);
	free(watch->deltas);
	free(watch->spots);
	if (watch->fd >= 0)
		close(watch->fd);
	*watch = (struct watch){.fd = -1};
}

/* ---- spots -------------------------------------------------------------------------------------- */

/* Where it is or would be: numbers are given in order, mostly. */
static size_t spot_place(const struct watch *watch, int wd)
{
	size_t low = 0, high = watch->spot_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (watch->spots[middle].wd < wd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct watch_spot *find_spot(struct watch *watch, int wd)
{
	size_t place = spot_place(watch, wd);

	return place < watch->spot_count && watch->spots[place].wd == wd ? &watch->spots[place]
									 : NULL;
}

static struct watch_spot *add_spot(struct watch *watch, int wd)
{
	size_t place = spot_place(watch, wd);
	struct watch_spot *spot;

	if (watch->spot_count == watch->spot_room) {
		size_t room = watch->spot_room ? watch->spot_room * 2 : 64;
		struct watch_spot *more = reallocarray(watch->spots, room, sizeof(*more));

		if (!more)
			return NULL;
		watch->spots = more;
		watch->spot_room = room;
	}
	spot = &watch->spots[place];
	memmove(spot + 1, spot, (watch->spot_count - place) * sizeof(*spot));
	*spot = (struct watch_spot){.wd = wd};
	watch->spot_count++;
	return spot;
}

static void report_failure(struct watch *watch, int err)
{
	if (err == ENOENT || err == ENOTDIR || err == EACCES)
		return;
	if (!watch->is_full && !watch->was_full)
		log_error("watch: %s: from now on all is looked at every %d s",
			err == ENOSPC ? "more directories than fs.inotify.max_user_watches"
				      : strerror(err),
			WATCH_AGAIN_MS / 1000);
	watch->is_full = true;
}

int watch_want(struct watch *watch, int dir_fd, uint32_t mask, bool leads)
{
	struct watch_spot *spot;
	char name[32];
	int wd;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", dir_fd);
	wd = inotify_add_watch(watch->fd, name, mask | IN_ONLYDIR | IN_MASK_ADD);
	spot = wd < 0 ? NULL : find_spot(watch, wd);
	if (wd >= 0 && !spot)
		spot = add_spot(watch, wd);
	if (!spot) {
		report_failure(watch, wd < 0 ? errno : ENOMEM);
		return -1;
	}
	/* What it was watched for in the last scan is asked for again, or is needed no more. */
	if (!spot->wanted && (spot->mask & ~mask)) {
		inotify_add_watch(watch->fd, name, mask | IN_ONLYDIR);
		spot->mask = 0;
		spot->leads = false;
	}
	spot->mask |= mask;
	spot->leads |= leads;
	spot->wanted = true;
	return wd;
}

/* Those that the scan had no use for. */
static void drop_spots(struct watch *watch)
{
	size_t kept = 0;

	for (size_t i = 0; i < watch->spot_count; i++) {
		if (watch->spots[i].wanted)
			watch->spots[kept++] = watch->spots[i];
		else
			inotify_rm_watch(watch->fd, watch->spots[i].wd);
	}
	watch->spot_count = kept;
}

/* ---- deltas ------------------------------------------------------------------------------------- */

static size_t place_of(const struct watch *watch, const char *path, bool *is_there)
{
	size_t low = 0, high = watch->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(watch->deltas[middle]->path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*is_there = low < watch->count && strcmp(watch->deltas[low]->path, path) == 0;
	return low;
}

static struct watched *new_delta(const char *path)
{
	struct watched *delta = calloc(1, sizeof(*delta));

	if (!delta)
		return NULL;
	delta->path = strdup(path);
	delta->meta_wd = -1;
	delta->dirty = true;
	if (delta->path)
		return delta;
	free(delta);
	return NULL;
}

static struct watched *insert(struct watch *watch, size_t place, const char *path)
{
	struct watched **at, *delta = new_delta(path);

	if (delta && watch->count == watch->room) {
		size_t room = watch->room ? watch->room * 2 : 64;
		struct watched **more = reallocarray(watch->deltas, room, sizeof(struct watched *));

		if (!more) {
			free_delta(delta);
			return NULL;
		}
		watch->deltas = more;
		watch->room = room;
	}
	if (!delta)
		return NULL;
	at = &watch->deltas[place];
	memmove(at + 1, at, (watch->count - place) * sizeof(struct watched *));
	*at = delta;
	watch->count++;
	return delta;
}

void watch_renew(struct watched *delta)
{
	delta->dirty = true;
	delta->log = (struct watch_stamp){0};
	delta->mount_ns = 0;
	delta->why = WATCH_NO_REASON;
	delta->look_at_ms = 0;
	delta->wait_ms = 0;
	delta->streak = 0;
	delta->rest_until_ms = 0;
}

void watch_renew_all(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++)
		watch_renew(watch->deltas[i]);
}

/* Directories are watched for coming, for going their parents tell. */
static void attach(struct watch *watch, struct watched *delta, int dir_fd)
{
	int wd = -1;
	af_autoclose int meta_fd = -1;

	watch_want(watch, dir_fd, DIR_EVENTS, true);
	meta_fd = path_openat2(dir_fd, "meta", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (meta_fd >= 0)
		wd = watch_want(watch, meta_fd, META_EVENTS, false);
	if (wd >= 0 && wd != delta->meta_wd)
		watch_renew(delta);
	/* Of what cannot be watched nobody tells. */
	delta->dirty |= wd < 0;
	delta->meta_wd = wd;
}

static int found(struct watch *watch, const struct table_row *row, const char *path, int dir_fd)
{
	bool is_there;
	size_t place = place_of(watch, path, &is_there);
	struct watched *delta = is_there ? watch->deltas[place] : insert(watch, place, path);

	if (!delta)
		return -ENOMEM;
	if (delta->seen)
		return 0;
	delta->seen = true;
	delta->row = row;
	delta->literal = row->literal;
	attach(watch, delta, dir_fd);
	return 0;
}

int watch_scan(struct watch *watch, const struct table *table)
{
	size_t kept = 0;
	int err = 0;

	watch->was_full = watch->is_full;
	watch->was_over = watch->is_over;
	watch->is_full = watch->is_over = false;
	for (size_t i = 0; i < watch->spot_count; i++)
		watch->spots[i].wanted = false;
	for (size_t i = 0; i < watch->count; i++) {
		watch->deltas[i]->seen = false;
		watch->deltas[i]->row = NULL;
	}
	for (size_t i = 0; i < table->count && !err; i++)
		err = watch_way(watch, &table->rows[i], found);
	if (!err)
		drop_spots(watch);
	for (size_t i = 0; i < watch->count; i++) {
		struct watched *delta = watch->deltas[i];

		if (!delta->seen && !delta->child && !err)
			free_delta(delta);
		else
			watch->deltas[kept++] = delta;
	}
	watch->count = kept;
	return err;
}

/* ---- events ------------------------------------------------------------------------------------- */

/* Whether deltas may have come or gone. */
static bool take_event(struct watch *watch, const struct inotify_event *event)
{
	struct watch_spot *spot = find_spot(watch, event->wd);
	bool led = spot && spot->leads;

	if (event->mask & IN_Q_OVERFLOW) {
		for (size_t i = 0; i < watch->spot_count; i++)
			watch->spots[i].touched = true;
		return true;
	}
	if (!spot)
		return false;
	spot->touched = true;
	/* The directory is gone: its number is free. */
	if (event->mask & IN_IGNORED) {
		size_t after = watch->spot_count - (size_t)(spot - watch->spots) - 1;

		memmove(spot, spot + 1, after * sizeof(*spot));
		watch->spot_count--;
		return true;
	}
	return led;
}

static void mark_touched(struct watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		struct watched *delta = watch->deltas[i];
		struct watch_spot *spot =
			delta->meta_wd < 0 ? NULL : find_spot(watch, delta->meta_wd);

		if (!spot)
			delta->meta_wd = -1;
		if (!spot || !spot->touched)
			continue;
		delta->dirty = true;
		delta->look_at_ms = 0;
		delta->wait_ms = 0;
	}
	for (size_t i = 0; i < watch->spot_count; i++)
		watch->spots[i].touched = false;
}

bool watch_read(struct watch *watch)
{
	_Alignas(struct inotify_event) char buffer[65536];
	bool scan = false, any = false;
	ssize_t got;

	while ((got = read(watch->fd, buffer, sizeof(buffer))) > 0) {
		any = true;
		for (char *at = buffer; at < buffer + got;) {
			const struct inotify_event *event = (const void *)at;

			scan |= take_event(watch, event);
			at += sizeof(*event) + event->len;
		}
	}
	if (any)
		mark_touched(watch);
	return scan;
}
