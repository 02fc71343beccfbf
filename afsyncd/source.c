/*
 * The source at single paths. See source.h.
 */
#include "source.h"

#include "beneath.h"
#include "cleanup.h"
#include "copy.h"
#include "io.h"
#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/xattr.h>

enum { BUFFER = 1 << 17 /* bytes */ };

void source_init(struct source *source, int root)
{
	*source = (struct source){.root = root, .dir_fd = -1};
}

void source_fini(struct source *source)
{
	free(source->dir);
	if (source->dir_fd >= 0)
		close(source->dir_fd);
	source_init(source, -1);
}

/* What is no way to a path is nothing there. */
static int as_absent(int err)
{
	return err == -ENOTDIR || err == -ELOOP ? -ENOENT : err;
}

/* The directory above path: its descriptor, kept for the next path in it. */
static int open_parent(struct source *source, const char *path, size_t len)
{
	if (len == 0)
		return source->root;
	if (source->dir && strlen(source->dir) == len && strncmp(source->dir, path, len) == 0)
		return source->dir_fd;
	free(source->dir);
	if (source->dir_fd >= 0)
		close(source->dir_fd);
	source->dir_fd = -1;
	source->dir = strndup(path, len);
	if (!source->dir)
		return -ENOMEM;
	source->dir_fd = as_absent(beneath_open(source->root, source->dir));
	return source->dir_fd;
}

int source_open(struct source *source, const char *path, struct stat *st)
{
	const char *slash = strrchr(path, '/');
	int dir = open_parent(source, path, slash ? (size_t)(slash - path) : 0);
	af_autoclose int fd = -1;

	*st = (struct stat){0};
	if (dir < 0)
		return dir;
	fd = as_absent(beneath_open(dir, slash ? slash + 1 : path));
	if (fd < 0)
		return fd;
	return fstat(fd, st) != 0 ? -errno : af_steal_fd(&fd);
}

int source_list(struct source *source, const char *path,
	int (*fn)(void *arg, const char *path, const struct stat *st), void *arg)
{
	struct stat st;
	af_autoclose int object = source_open(source, path, &st);
	af_autoclose int fd = object < 0 ? object : beneath_reopen(object, O_RDONLY | O_DIRECTORY);
	af_autoclosedir DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	if (!stream)
		return fd < 0 ? fd : -errno;
	af_steal_fd(&fd);
	while (!err && (errno = 0, entry = readdir(stream))) {
		af_autofree char *child = NULL;
		af_autoclose int child_fd = -1;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&child, "%s/%s", path, entry->d_name) < 0) {
			child = NULL;
			return -ENOMEM;
		}
		child_fd = beneath_open(object, entry->d_name);
		if (child_fd < 0)
			return child_fd;
		err = fstat(child_fd, &st) != 0 ? -errno : fn(arg, child, &st);
	}
	return err ? err : -errno;
}

/* The directories above path that are left when target has climbed its leading `..`. */
static size_t climb(const char *path, const char **target)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	for (;;) {
		size_t size = strcspn(*target, "/");
		bool up = size == 2 && strncmp(*target, "..", 2) == 0;

		if (!up && !(size == 1 && **target == '.'))
			return len;
		if (up) {
			slash = memrchr(path, '/', len);
			len = slash ? (size_t)(slash - path) : 0;
		}
		*target += size;
		*target += strspn(*target, "/");
	}
}

int source_leads_out(const struct source *source, const char *path, const char *target)
{
	af_autofree char *full = NULL;
	af_autoclose int fd = -1;
	size_t len = climb(path, &target);
	const char *way;

	if (asprintf(&full, "%.*s/%s", (int)len, path, target) < 0) {
		full = NULL;
		return -ENOMEM;
	}
	/* Where it leads to is not opened: the way is walked, no more. */
	way = len ? full : full + 1;
	fd = path_openat2(source->root, way, O_PATH, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	/* A name that is too long is nobody's; of a way that is too long the end is not known. */
	if (fd == -ENAMETOOLONG)
		return strlen(way) >= PATH_MAX;
	return fd < 0 && fd != -ENOENT && fd != -ENOTDIR && fd != -ELOOP;
}

static int same_bytes(int a, int b)
{
	af_autofree char *buffer = malloc((size_t)BUFFER * 2);

	if (!buffer)
		return -ENOMEM;
	for (;;) {
		ssize_t x = io_read_full(a, buffer, BUFFER);
		ssize_t y = x < 0 ? x : io_read_full(b, buffer + BUFFER, BUFFER);

		if (y < 0)
			return (int)y;
		if (x != y || memcmp(buffer, buffer + BUFFER, (size_t)x) != 0)
			return 0;
		if (x < BUFFER)
			return 1;
	}
}

static ssize_t read_target(int object, char target[PATH_MAX])
{
	ssize_t len = readlinkat(object, "", target, PATH_MAX);

	return len < 0 ? -errno : len;
}

int source_same_content(int a, int b, const struct stat *st)
{
	if (S_ISLNK(st->st_mode)) {
		char x[PATH_MAX], y[PATH_MAX];
		ssize_t x_len = read_target(a, x), y_len = read_target(b, y);

		if (x_len < 0 || y_len < 0)
			return (int)(x_len < 0 ? x_len : y_len);
		return x_len == y_len && memcmp(x, y, (size_t)x_len) == 0;
	}
	if (S_ISREG(st->st_mode)) {
		af_autoclose int x = beneath_reopen(a, O_RDONLY);
		af_autoclose int y = x < 0 ? x : beneath_reopen(b, O_RDONLY);

		return y < 0 ? y : same_bytes(x, y);
	}
	return S_ISDIR(st->st_mode);
}

int source_is_hash(int object, const struct stat *st, const struct delta_origin *origin)
{
	static const struct copy_options options = {.want_hash = true};
	struct copy_result result = {0};
	char target[PATH_MAX];
	ssize_t len;
	int err;

	if (!origin->has_hash || (st->st_mode & S_IFMT) != (origin->mode & S_IFMT))
		return 0;
	if (S_ISLNK(st->st_mode)) {
		len = read_target(object, target);
		if (len < 0)
			return (int)len;
		copy_hash_bytes(target, (size_t)len, result.hash);
	} else {
		af_autoclose int fd = -1;

		/* Whatever a log says: nothing else is opened. */
		if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size != origin->size)
			return 0;
		fd = beneath_reopen(object, O_RDONLY);
		err = fd < 0 ? fd : copy_hash(fd, &options, &result);
		if (err)
			return err;
	}
	return memcmp(result.hash, origin->hash, sizeof(origin->hash)) == 0;
}

/* The names of an object's xattrs; their length, 0 where it cannot have any. */
static ssize_t list_names(const char *file, char names[XATTR_LIST_MAX])
{
	ssize_t len = listxattr(file, names, XATTR_LIST_MAX);

	return len < 0 && errno == EOPNOTSUPP ? 0 : len;
}

static bool is_theirs(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0;
}

/* Whether the delta's xattr, by its stored name, is the source's: 1, 0; -1: no xattr of the user's. */
static int same_value(const char *upper, const char *stored, const char *source)
{
	char name[XATTR_NAME_MAX + 1], x[4096], y[4096];
	ssize_t x_len, y_len;

	if (!is_theirs(stored) || delta_xattr_unescape(name, sizeof(name), stored) != 0)
		return -1;
	x_len = getxattr(upper, stored, x, sizeof(x));
	y_len = getxattr(source, name, y, sizeof(y));
	/* What is too long to compare is another. */
	return x_len >= 0 && x_len == y_len && memcmp(x, y, (size_t)x_len) == 0;
}

int source_same_xattrs(int upper, int source)
{
	char upper_file[64], source_file[64], names[XATTR_LIST_MAX];
	size_t count = 0;
	ssize_t len;

	snprintf(upper_file, sizeof(upper_file), "/proc/self/fd/%d", upper);
	snprintf(source_file, sizeof(source_file), "/proc/self/fd/%d", source);
	len = list_names(upper_file, names);
	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1) {
		int same = same_value(upper_file, names + i, source_file);

		if (same == 0)
			return 0;
		count += same > 0;
	}
	if (len >= 0)
		len = list_names(source_file, names);
	if (len < 0)
		return -errno;
	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1)
		count -= is_theirs(names + i);
	return count == 0;
}

static int plain_name(void *arg, const char *name, char *out)
{
	(void)arg;
	return delta_xattr_unescape(out, XATTR_NAME_MAX + 1, name);
}

int source_sum_xattrs(int object, bool in_delta, uint64_t *sum, bool *known)
{
	const struct copy_attrs attrs = {.xattr_name = in_delta ? plain_name : NULL};
	int err = copy_sum_xattrs(object, &attrs, sum);

	*known = !err;
	return err == -EACCES ? 0 : err;
}

char *source_text(int object, size_t *size)
{
	af_autoclose int fd = beneath_reopen(object, O_RDONLY);
	char *text;

	if (fd < 0 || io_read_all(fd, DELTA_TEXT_MAX, &text, size) != 0)
		return NULL;
	if (memchr(text, '\0', *size) == NULL)
		return text;
	free(text);
	return NULL;
}
