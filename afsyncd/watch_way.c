/*
 * A pattern's way down the directories: each is watched before it is looked into, so that nothing comes in
 * between. See watch.h. What is found is for the caller.
 */
#include "watch.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"
#include "table_option.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/inotify.h>

/* Of a directory in which something may appear; of one that must only stay where it is. */
enum {
	WAY_EVENTS = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MOVE_SELF,
	SELF_EVENTS = IN_MOVE_SELF,
};

struct walk {
	struct watch *watch;
	const struct table_row *row;
	watch_found_fn *found;
	size_t matches;
	char path[PATH_MAX]; /* of where we are */
};

/* ---- the part without wildcards ----------------------------------------------------------------- */

static int open_dir(const char *path, size_t len)
{
	char text[PATH_MAX];
	int fd;

	snprintf(text, sizeof(text), "%.*s", len ? (int)len : 1, path);
	fd = open(text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The next directory of the way; where there is none yet, the one in which it may appear is watched. */
static int step_down(struct watch *watch, int parent_fd, const char *path, size_t len)
{
	int fd = open_dir(path, len);

	if (fd < 0) {
		watch_want(watch, parent_fd, WAY_EVENTS, true);
		/* It may have come before that. */
		fd = open_dir(path, len);
	}
	if (fd >= 0)
		watch_want(watch, fd, SELF_EVENTS, true);
	return fd;
}

/* The last directory of the literal part, or -ENOENT: it is not there yet. */
static int walk_literal(struct watch *watch, const struct table_row *row)
{
	const char *pattern = row->pattern;
	af_autoclose int fd = open_dir("/", 1);
	size_t len = 0;

	if (fd < 0)
		return fd;
	while (len + 1 < row->literal) {
		int next;

		len += 1 + strcspn(pattern + len + 1, "/");
		next = step_down(watch, fd, pattern, len);
		if (next < 0)
			return -ENOENT;
		close(fd);
		fd = next;
	}
	return af_steal_fd(&fd);
}

/* ---- wildcards ---------------------------------------------------------------------------------- */

static int walk_down(struct walk *walk, int dir_fd, size_t len, const char *rest);

/* An entry that the component matches, and what is below it. */
static int walk_entry(struct walk *walk, int dir_fd, size_t len, const char *name, const char *rest)
{
	size_t room = sizeof(walk->path) - len, name_len = strlen(name);
	af_autoclose int fd = -1;

	if (name_len + 2 > room)
		return 0;
	fd = path_openat2(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
	if (fd < 0)
		return 0;
	snprintf(walk->path + len, room, "%s", name);
	len += name_len;
	if (*rest) {
		walk->path[len++] = '/';
		return walk_down(walk, fd, len, rest + 1);
	}
	if (walk->matches++ >= WATCH_MAX_MATCHES)
		return 0;
	return walk->found(walk->watch, walk->row, walk->path, fd);
}

static int walk_matches(
	struct walk *walk, int dir_fd, size_t len, const char *component, const char *rest)
{
	af_autoclose int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	if (!dir)
		return errno == ENOMEM ? -ENOMEM : 0;
	af_steal_fd(&fd);
	while (!err && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if ((entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
			!path_is_component(name) || fnmatch(component, name, FNM_PERIOD) != 0)
			continue;
		err = walk_entry(walk, dir_fd, len, name, rest);
	}
	return err;
}

/* The path so far is len bytes, with a slash at its end; the rest of the pattern begins with a component. */
static int walk_down(struct walk *walk, int dir_fd, size_t len, const char *rest)
{
	size_t size = strcspn(rest, "/");
	af_autofree char *component = strndup(rest, size);

	if (!component)
		return -ENOMEM;
	watch_want(walk->watch, dir_fd, WAY_EVENTS, true);
	if (component[strcspn(component, TABLE_WILDCARDS)])
		return walk_matches(walk, dir_fd, len, component, rest + size);
	return walk_entry(walk, dir_fd, len, component, rest + size);
}

int watch_way(struct watch *watch, const struct table_row *row, watch_found_fn *found)
{
	struct walk walk = {.watch = watch, .row = row, .found = found};
	af_autoclose int fd = walk_literal(watch, row);
	int err;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (!row->pattern[row->literal])
		return found(watch, row, row->pattern, fd);
	memcpy(walk.path, row->pattern, row->literal);
	err = walk_down(&walk, fd, row->literal, row->pattern + row->literal);
	watch->is_over |= walk.matches > WATCH_MAX_MATCHES;
	if (walk.matches > WATCH_MAX_MATCHES && !watch->was_over)
		log_warn("%s: matches %zu directories: all but %d of them are left out",
			row->pattern, walk.matches, WATCH_MAX_MATCHES);
	return err;
}
