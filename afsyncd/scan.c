/*
 * The delta's upper, walked. See scan.h.
 */
#include "scan.h"

#include "beneath.h"
#include "cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

/* Directories that are still to be looked into. */
struct todo {
	char **paths;
	size_t count, room;
};

/* The end sorts before a slash, and that before everything else: a directory's entries follow it. */
static int rank(const char *text, const char *end)
{
	return text == end ? 0 : *text == '/' ? 1 : (unsigned char)*text + 2;
}

static int compare(const char *a, const char *a_end, const char *b)
{
	const char *b_end = b + strlen(b);

	while (a < a_end && *a == *b) {
		a++;
		b++;
	}
	return rank(a, a_end) - rank(b, b_end);
}

int facts_compare(const char *a, const char *b)
{
	return compare(a, a + strlen(a), b);
}

struct fact *facts_add(struct facts *facts, const char *path)
{
	struct fact *fact;

	if (facts->count == facts->room) {
		size_t room = facts->room ? facts->room * 2 : 64;
		struct fact *items = reallocarray(facts->items, room, sizeof(*items));

		if (!items)
			return NULL;
		facts->items = items;
		facts->room = room;
	}
	fact = &facts->items[facts->count];
	*fact = (struct fact){.path = strdup(path), .taken = true};
	if (!fact->path)
		return NULL;
	facts->count++;
	return fact;
}

struct fact *facts_find_prefix(const struct facts *facts, const char *path, size_t len)
{
	size_t low = 0, high = facts->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(path, path + len, facts->items[middle].path);

		if (order == 0)
			return &facts->items[middle];
		if (order > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

struct fact *facts_find(const struct facts *facts, const char *path)
{
	return facts_find_prefix(facts, path, strlen(path));
}

void facts_fini(struct facts *facts)
{
	for (size_t i = 0; i < facts->count; i++) {
		free(facts->items[i].path);
		free(facts->items[i].target);
		free(facts->items[i].old_path);
		free(facts->items[i].held);
		free(facts->items[i].forbidden);
		free(facts->items[i].merged);
	}
	free(facts->items);
	*facts = (struct facts){0};
}

static int push(struct todo *todo, const char *path)
{
	if (todo->count == todo->room) {
		size_t room = todo->room ? todo->room * 2 : 64;
		char **more = reallocarray(todo->paths, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		todo->paths = more;
		todo->room = room;
	}
	todo->paths[todo->count] = strdup(path);
	return todo->paths[todo->count++] ? 0 : -ENOMEM;
}

/* What an xattr makes of its file: refused, or nothing. Notes opaque. */
static const char *look_at_xattr(struct fact *fact, const char *file, const char *name)
{
	char value;

	if (strcmp(name, DELTA_XATTR_OPAQUE) == 0)
		fact->opaque = S_ISDIR(fact->upper.st_mode) &&
			getxattr(file, name, &value, 1) == 1 && value == 'y';
	if (strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0)
		return NULL;
	/* Labels are the system's, and not copied. */
	return strcmp(name, "security.selinux") == 0 ? NULL : "an xattr that is not the user's";
}

static int look_at_xattrs(struct fact *fact, int object)
{
	char file[64], names[XATTR_LIST_MAX];
	ssize_t len;

	snprintf(file, sizeof(file), "/proc/self/fd/%d", object);
	len = listxattr(file, names, sizeof(names));
	if (len < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1) {
		const char *refused = look_at_xattr(fact, file, names + i);

		if (refused)
			fact->refused = refused;
	}
	return 0;
}

static int read_target(struct fact *fact, int object)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(object, "", target, sizeof(target) - 1);

	if (len < 0)
		return -errno;
	target[len] = '\0';
	fact->target = strdup(target);
	return fact->target ? 0 : -ENOMEM;
}

static const char *refuse_type(const struct stat *st)
{
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		if ((st->st_mode & S_ISUID) ||
			(st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
			return "set-id bits";
		return NULL;
	case S_IFDIR:
		return st->st_mode & S_ISUID ? "set-id bits" : NULL;
	case S_IFLNK:
		return NULL;
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

/* In any case of letters, for there are directories in which these are one name. */
static bool is_state(const char *path)
{
	return strncasecmp(path, ".agentfense", 11) == 0 && (path[11] == '\0' || path[11] == '/');
}

/* One entry that is there (object is of it). A whiteout's stat is that of nothing. */
static int add_entry(struct facts *facts, struct todo *todo, const char *path, int object)
{
	struct fact *fact = facts_add(facts, path);
	int err = 0;

	if (!fact)
		return -ENOMEM;
	if (fstat(object, &fact->upper) != 0)
		return -errno;
	if (is_state(path))
		fact->refused = "afsyncd's own directory";
	if (delta_is_whiteout(&fact->upper)) {
		fact->upper = (struct stat){0};
		return 0;
	}
	if (!fact->refused)
		fact->refused = refuse_type(&fact->upper);
	if (S_ISREG(fact->upper.st_mode) || S_ISDIR(fact->upper.st_mode))
		err = look_at_xattrs(fact, object);
	if (!err && S_ISLNK(fact->upper.st_mode))
		err = read_target(fact, object);
	if (!err && S_ISDIR(fact->upper.st_mode))
		err = push(todo, path);
	return err;
}

static int scan_dir(struct facts *facts, struct todo *todo, int upper_fd, const char *path)
{
	af_autoclose int object =
		*path ? beneath_open(upper_fd, path) : fcntl(upper_fd, F_DUPFD_CLOEXEC, 0);
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
		if (asprintf(&child, "%s%s%s", path, *path ? "/" : "", entry->d_name) < 0) {
			child = NULL;
			return -ENOMEM;
		}
		child_fd = beneath_open(object, entry->d_name);
		err = child_fd < 0 ? child_fd : add_entry(facts, todo, child, child_fd);
	}
	return err ? err : -errno;
}

static int by_path(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;

	return facts_compare(x->path, y->path);
}

int scan_upper(struct facts *facts, int upper_fd)
{
	struct todo todo = {0};
	int err = scan_dir(facts, &todo, upper_fd, "");

	while (!err && todo.count > 0) {
		af_autofree char *path = todo.paths[--todo.count];

		err = scan_dir(facts, &todo, upper_fd, path);
	}
	while (todo.count > 0)
		free(todo.paths[--todo.count]);
	free(todo.paths);
	if (!err && facts->count > 0)
		qsort(facts->items, facts->count, sizeof(*facts->items), by_path);
	return err;
}
