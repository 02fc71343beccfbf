/*
 * Temporary deltas. See temporary.h; what is in a delta is not looked at but for whether it is empty.
 *
 * Runs begin and end at the same time as others of the same source, each making what is missing and
 * removing what nobody needs. So whoever finds a directory gone that was there begins again.
 */
#include "temporary.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"
#include "remove.h"
#include "state_dir.h"
#include "words.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	TRIES = 1000,
	OPEN_DIR = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
	RESOLVE_HERE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
};

static const char deltas_name[] = "deltas";

static const char *why_not(int err)
{
	if (err == -EPERM || err == -EACCES)
		return "it belongs to somebody else: name another directory with --state";
	if (err == -ENOTDIR || err == -ELOOP)
		return "it is no directory of ours: name another one with --state";
	return strerror(-err);
}

static int fail(const char *what, int err)
{
	log_error("delta: %s: %s", what, why_not(err));
	return err;
}

/* A name that sorts by time and is nobody else's; the same process may need several. */
static void make_name(char name[48], int try)
{
	time_t now = time(NULL);
	char when[32];
	struct tm tm;

	if (!gmtime_r(&now, &tm) || strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm) == 0)
		when[0] = '\0';
	snprintf(name, 48, try ? "%s-%d-%d" : "%s-%d", when, (int)getpid(), try);
}

/* Where the caller said it relative to their directory: what others, with another one, can use. */
static char *make_absolute(const char *where)
{
	af_autofree char *here = NULL;
	char *path = NULL;

	if (where[0] == '/')
		return strdup(where);
	here = realpath(".", NULL);
	return here && asprintf(&path, "%s/%s", here, where) >= 0 ? path : NULL;
}

static int make_path(const char *where, const char *name, char **path)
{
	af_autofree char *absolute = where ? make_absolute(where) : NULL;

	if (absolute && asprintf(path, "%s/%s/%s", absolute, deltas_name, name) >= 0)
		return 0;
	*path = NULL;
	return -ENOMEM;
}

/* Whether the descriptor is of what has this name still. */
static bool is_named(int fd, int dirfd, const char *name)
{
	struct stat mine, named;

	return fstat(fd, &mine) == 0 && fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

/* -ENOENT where somebody removed something of it meanwhile, -EEXIST where the name is taken. */
static int try_make(struct af_temporary *temporary, int source_fd, const char *source,
	const char *state, char **where)
{
	temporary->state_fd = state_dir_open(source_fd, source, state, true, where);
	if (temporary->state_fd < 0)
		return temporary->state_fd;
	temporary->deltas_fd = state_dir_sub(temporary->state_fd, deltas_name, true);
	if (temporary->deltas_fd < 0)
		return temporary->deltas_fd;
	if (mkdirat(temporary->deltas_fd, temporary->name, 0700) != 0)
		return -errno;
	temporary->lock_fd = openat(temporary->deltas_fd, temporary->name, OPEN_DIR);
	if (temporary->lock_fd < 0)
		return -errno;
	/* Who has it is sweeping, and will find it empty and remove it. */
	if (flock(temporary->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? -ENOENT : -errno;
	return is_named(temporary->lock_fd, temporary->deltas_fd, temporary->name) ? 0 : -ENOENT;
}

int temporary_make(struct af_temporary *temporary, int source_fd, const char *source,
	const char *state, char **path)
{
	af_autofree char *where = NULL;
	int err = -ENOENT;

	*path = NULL;
	for (int try = 0; try < TRIES && (err == -ENOENT || err == -EEXIST); try++) {
		temporary_fini(temporary);
		free(af_steal(&where));
		make_name(temporary->name, try);
		err = try_make(temporary, source_fd, source, state, &where);
	}
	if (!err)
		err = make_path(where, temporary->name, path);
	return err ? fail(where ? where : source, err) : 0;
}

int temporary_name(int source_fd, const char *source, const char *state, char **path)
{
	af_autofree char *where = NULL;
	af_autoclose int fd = state_dir_open(source_fd, source, state, false, &where);
	char name[48];
	int err;

	make_name(name, 0);
	err = where ? make_path(where, name, path) : fd;
	return err ? fail(source, err) : 0;
}

/* ---- what is in them ---------------------------------------------------------------------------- */

bool temporary_is_untouched(int delta_fd)
{
	int fd = path_openat2(delta_fd, "upper", OPEN_DIR, 0, RESOLVE_HERE);
	af_autoclosedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!stream)
		return fd == -ENOENT;
	while ((errno = 0, entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	return errno == 0;
}

/* Whether a delta of another run is kept there, with something in it. */
static bool sweep_one(const struct af_temporary *temporary, const char *name)
{
	af_autoclose int fd = openat(temporary->deltas_fd, name, OPEN_DIR);

	/* In use, or gone. */
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 ||
		!is_named(fd, temporary->deltas_fd, name))
		return false;
	if (!temporary_is_untouched(fd))
		return true;
	remove_tree(temporary->deltas_fd, name);
	return false;
}

size_t temporary_sweep(const struct af_temporary *temporary, char newest[256])
{
	int fd = openat(temporary->deltas_fd, ".", OPEN_DIR);
	af_autoclosedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	size_t count = 0;

	newest[0] = '\0';
	while (stream && (entry = readdir(stream))) {
		if (!path_is_component(entry->d_name) ||
			strcmp(entry->d_name, temporary->name) == 0 ||
			!sweep_one(temporary, entry->d_name))
			continue;
		if (count++ == 0 || strcmp(entry->d_name, newest) > 0)
			snprintf(newest, 256, "%s", entry->d_name);
	}
	return count;
}

static int add_kept(const struct af_temporary *temporary, struct af_words *names)
{
	int fd = openat(temporary->deltas_fd, ".", OPEN_DIR);
	af_autoclosedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!stream)
		return -errno;
	while ((entry = readdir(stream)))
		if (path_is_component(entry->d_name) && sweep_one(temporary, entry->d_name))
			words_add(names, entry->d_name);
	words_sort(names);
	return words_error(names);
}

/* Its log is written at the first change of each path. */
static int64_t time_of(const struct af_temporary *temporary, const char *name)
{
	struct stat st;
	char log[256 + 16];

	snprintf(log, sizeof(log), "%s/meta/log", name);
	return fstatat(temporary->deltas_fd, log, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mtime : 0;
}

int temporary_list(int source_fd, const char *source, const char *state,
	void (*show)(void *arg, const char *name, const char *path, int64_t since_s), void *arg)
{
	struct af_temporary temporary = AF_TEMPORARY_NONE;
	af_autofree char *where = NULL;
	struct af_words names = {0};
	int err = 0;

	temporary.state_fd = state_dir_open(source_fd, source, state, false, &where);
	temporary.deltas_fd = temporary.state_fd < 0
		? temporary.state_fd
		: state_dir_sub(temporary.state_fd, deltas_name, false);
	if (temporary.deltas_fd >= 0)
		err = add_kept(&temporary, &names);
	else if (temporary.deltas_fd != -ENOENT)
		err = temporary.deltas_fd;
	for (size_t i = 0; i < names.count && !err; i++) {
		af_autofree char *path = NULL;

		err = make_path(where, names.items[i], &path);
		if (!err)
			show(arg, names.items[i], path, time_of(&temporary, names.items[i]));
	}
	words_fini(&names);
	temporary_fini(&temporary);
	return err;
}

/* ---- the end ------------------------------------------------------------------------------------ */

void temporary_remove(struct af_temporary *temporary, int source_fd)
{
	int err = remove_tree(temporary->deltas_fd, temporary->name);

	if (err && err != -ENOENT)
		log_warn("delta: %s: %s", temporary->name, strerror(-err));
	unlinkat(temporary->state_fd, deltas_name, AT_REMOVEDIR);
	state_dir_remove(source_fd, temporary->state_fd);
}

void temporary_fini(struct af_temporary *temporary)
{
	const int fds[] = {temporary->lock_fd, temporary->deltas_fd, temporary->state_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*temporary = AF_TEMPORARY_NONE;
}
