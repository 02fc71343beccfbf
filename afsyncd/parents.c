/*
 * The directories in which paths lie, by descriptor. See parents.h.
 */
#include "parents.h"

#include "cleanup.h"
#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <time.h>

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void parents_init(struct parents *parents, int root_fd)
{
	*parents = (struct parents){.root_fd = root_fd};
	for (size_t i = 0; i < PARENTS_KEPT; i++)
		parents->slots[i].fd = -1;
}

static void empty_slot(struct parents_slot *slot)
{
	if (slot->fd >= 0)
		close(slot->fd);
	free(slot->path);
	*slot = (struct parents_slot){.fd = -1};
}

void parents_fini(struct parents *parents)
{
	for (size_t i = 0; i < PARENTS_KEPT; i++)
		empty_slot(&parents->slots[i]);
}

static int open_dir(int dirfd, const char *path)
{
	return path_openat2(dirfd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

/* Where to cut a path that is too long for one call: the last slash within reach. */
static size_t piece(const char *path)
{
	size_t len = strnlen(path, PATH_MAX);

	if (len < PATH_MAX)
		return len;
	while (len > 0 && path[len - 1] != '/')
		len--;
	return len > 0 ? len - 1 : PATH_MAX - 1;
}

/* Opens root/path[0..len), as many pieces as it takes. */
static int walk(int root_fd, const char *path, size_t len)
{
	af_autofree char *copy = strndup(path, len);
	af_autoclose int fd = -1;
	const char *rest = copy;

	if (!copy)
		return -ENOMEM;
	while (*rest) {
		size_t size = piece(rest);
		bool more = rest[size] == '/';
		int next;

		copy[(size_t)(rest - copy) + size] = '\0';
		next = open_dir(fd < 0 ? root_fd : fd, rest);
		if (next < 0)
			return next;
		if (fd >= 0)
			close(fd);
		fd = next;
		rest += size + more;
	}
	return af_steal_fd(&fd);
}

static struct parents_slot *find(struct parents *parents, const char *path, size_t len)
{
	for (size_t i = 0; i < PARENTS_KEPT; i++) {
		struct parents_slot *slot = &parents->slots[i];

		if (slot->path && strncmp(slot->path, path, len) == 0 && slot->path[len] == '\0')
			return slot;
	}
	return NULL;
}

static int get_dir(struct parents *parents, const char *path, size_t len, int *fd)
{
	struct parents_slot *slot = find(parents, path, len);
	int64_t now;
	char *copy;
	int opened;

	if (len == 0) {
		*fd = parents->root_fd;
		return 0;
	}
	now = now_ns();
	if (slot && now < slot->until_ns) {
		*fd = slot->fd;
		return 0;
	}
	opened = walk(parents->root_fd, path, len);
	if (opened < 0)
		return opened;
	copy = strndup(path, len);
	if (!copy) {
		close(opened);
		return -ENOMEM;
	}
	if (!slot)
		slot = &parents->slots[parents->next++ % PARENTS_KEPT];
	empty_slot(slot);
	*slot = (struct parents_slot){
		.path = copy, .fd = opened, .until_ns = now + PARENTS_KEPT_MS * INT64_C(1000000)};
	*fd = opened;
	return 0;
}

int parents_get_dir(struct parents *parents, const char *path, int *fd)
{
	return get_dir(parents, path, strlen(path), fd);
}

int parents_get(struct parents *parents, const char *path, int *fd, const char **name)
{
	const char *slash = strrchr(path, '/');

	*name = *path ? path : ".";
	if (slash)
		*name = slash + 1;
	return get_dir(parents, path, slash ? (size_t)(slash - path) : 0, fd);
}

void parents_forget(struct parents *parents, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < PARENTS_KEPT; i++) {
		const char *held = parents->slots[i].path;

		if (held &&
			(len == 0 ||
				(strncmp(held, path, len) == 0 &&
					(held[len] == '/' || held[len] == '\0'))))
			empty_slot(&parents->slots[i]);
	}
}

int parents_stat(struct parents *parents, const char *path, struct stat *st)
{
	const char *name;
	int fd, err = parents_get(parents, path, &fd, &name);

	if (!err && fstatat(fd, name, st, AT_SYMLINK_NOFOLLOW) != 0)
		err = -errno;
	return err == -ENOTDIR || err == -ELOOP ? -ENOENT : err;
}
