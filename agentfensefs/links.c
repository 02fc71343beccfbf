/*
 * Names of hard-linked files. See links.h. It reads the source and makes directories of the upper.
 */
#include "links.h"

#include "cleanup.h"
#include "copyup_dir.h"
#include "fs.h"

#include <fcntl.h>
#include <search.h>
#include <string.h>

enum { WALK_AGAIN_MS = 10000 };

struct link_name {
	uint64_t ino;
	char *path; /* owned */
};

struct af_links {
	struct link_name *names; /* sorted by ino */
	size_t count, room;
	uint32_t walked_ms;
};

void links_free(struct af_links *links)
{
	if (!links)
		return;
	for (size_t i = 0; i < links->count; i++)
		free(links->names[i].path);
	free(links->names);
	free(links);
}

static int add_name(struct af_links *links, uint64_t ino, const char *path)
{
	if (links->count == links->room) {
		size_t room = links->room ? links->room * 2 : 64;
		struct link_name *names = reallocarray(links->names, room, sizeof(*names));

		if (!names)
			return -ENOMEM;
		links->names = names;
		links->room = room;
	}
	links->names[links->count].path = strdup(path);
	if (!links->names[links->count].path)
		return -ENOMEM;
	links->names[links->count++].ino = ino;
	return 0;
}

/* Directories still to be read: a stack of paths, so that depth costs no descriptors. */
struct pending {
	char **paths;
	size_t count, room;
};

static int push(struct pending *pending, const char *dir, const char *name)
{
	char *path = NULL;

	if (pending->count == pending->room) {
		size_t room = pending->room ? pending->room * 2 : 64;
		char **paths = reallocarray(pending->paths, room, sizeof(*paths));

		if (!paths)
			return -ENOMEM;
		pending->paths = paths;
		pending->room = room;
	}
	if (asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", name) < 0)
		return -ENOMEM;
	pending->paths[pending->count++] = path;
	return 0;
}

static int look_at(const struct af_fs *fs, struct af_links *links, struct pending *pending,
	const char *dir, int dirfd, const struct dirent *entry)
{
	af_autofree char *path = NULL;
	struct stat st;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return 0;
	if (entry->d_type == DT_DIR)
		return push(pending, dir, entry->d_name);
	if (layer_stat(&fs->layer, dirfd, entry->d_name, &st) != 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return push(pending, dir, entry->d_name);
	if (st.st_nlink < 2)
		return 0;
	if (asprintf(&path, "%s%s%s", dir, *dir ? "/" : "", entry->d_name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	return add_name(links, st.st_ino, path);
}

/* What cannot be read has no names that could be written. */
static int read_dir(
	const struct af_fs *fs, struct af_links *links, struct pending *pending, const char *path)
{
	af_autoclose int fd = layer_open_steps(&fs->layer, path);
	af_autoclosedir DIR *stream = NULL;
	const struct dirent *entry;
	int list, err = 0;

	if (fd < 0)
		return 0;
	list = layer_open_list(fd);
	stream = list < 0 ? NULL : fdopendir(list);
	while (stream && !err && (entry = readdir(stream)))
		err = look_at(fs, links, pending, path, fd, entry);
	return err;
}

static int by_ino(const void *a, const void *b)
{
	const struct link_name *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int walk(const struct af_fs *fs, struct af_links *links)
{
	struct pending pending = {0};
	int err = push(&pending, "", "");

	while (!err && pending.count > 0) {
		af_autofree char *path = pending.paths[--pending.count];

		err = read_dir(fs, links, &pending, path);
	}
	while (pending.count > 0)
		free(pending.paths[--pending.count]);
	free(pending.paths);
	if (!err && links->count > 0)
		qsort(links->names, links->count, sizeof(*links->names), by_ino);
	links->walked_ms = kcache_now_ms();
	return err;
}

static size_t first_of(const struct af_links *links, uint64_t ino)
{
	size_t low = 0, high = links->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (links->names[middle].ino < ino)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t count_of(const struct af_links *links, uint64_t ino)
{
	size_t at = first_of(links, ino), count = 0;

	while (at + count < links->count && links->names[at + count].ino == ino)
		count++;
	return count;
}

/* The names, walked for if they are not known, or fewer than there should be. Locked. */
static int refresh(struct af_fs *fs, const struct stat *st)
{
	struct af_links **links = &fs->upper->links;
	int err;

	if (*links &&
		(count_of(*links, st->st_ino) >= st->st_nlink ||
			kcache_now_ms() - (*links)->walked_ms < WALK_AGAIN_MS))
		return 0;
	links_free(*links);
	*links = calloc(1, sizeof(**links));
	err = *links ? walk(fs, *links) : -ENOMEM;
	if (err) {
		links_free(*links);
		*links = NULL;
	}
	return err;
}

static bool is_visible(struct af_fs *fs, const char *path)
{
	struct gate_view view = gate_begin(fs);
	struct af_step step;

	policy_path(view.policy, path, strlen(path), &step);
	gate_end(fs, &view);
	return gate_visible(&step.file);
}

static int add_target(
	struct af_link_target **targets, size_t *count, struct layer_dir *at, const char *path)
{
	struct af_link_target *more = reallocarray(*targets, *count + 1, sizeof(*more));
	char *copy = strdup(path);
	const char *slash;

	if (more)
		*targets = more;
	if (!more || !copy) {
		free(copy);
		layer_dir_close(at);
		return -ENOMEM;
	}
	slash = strrchr(copy, '/');
	more[(*count)++] =
		(struct af_link_target){.at = *at, .path = copy, .name = slash ? slash + 1 : copy};
	return 0;
}

/* Another name, if the file is still seen there as the lower's. */
static int add_other(struct af_fs *fs, const char *path, const struct stat *st,
	struct af_link_target **targets, size_t *count)
{
	af_autofree char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	struct af_found found;
	struct layer_dir at;
	int err;

	if (!dir)
		return -ENOMEM;
	if (slash)
		*slash = '\0';
	if (!is_visible(fs, path))
		return 0;
	err = copyup_dirs(fs, slash ? dir : "", &at);
	if (err)
		return err == -ENOENT || err == -ENOTDIR || err == -ESTALE ? 0 : err;
	err = overlay_stat(fs, &at, slash ? slash + 1 : path, &found);
	if (err || found.upper || found.st.st_ino != st->st_ino || found.st.st_dev != st->st_dev) {
		layer_dir_close(&at);
		return 0;
	}
	return add_target(targets, count, &at, path);
}

static int dup_dir(const struct layer_dir *at, struct layer_dir *copy)
{
	copy->lower = at->lower < 0 ? -1 : fcntl(at->lower, F_DUPFD_CLOEXEC, 0);
	copy->upper = fcntl(at->upper, F_DUPFD_CLOEXEC, 0);
	if (copy->upper < 0 || (at->lower >= 0 && copy->lower < 0)) {
		int err = -errno;

		layer_dir_close(copy);
		return err;
	}
	return 0;
}

/* Copies of the paths that are known, so that none is used under the lock. */
static int known_paths(struct af_fs *fs, const struct stat *st, char ***paths, size_t *count)
{
	const struct af_links *links;
	size_t first;
	int err;

	*count = 0;
	*paths = NULL;
	pthread_mutex_lock(&fs->upper->links_lock);
	err = refresh(fs, st);
	links = fs->upper->links;
	if (!err) {
		size_t found = count_of(links, st->st_ino);

		first = first_of(links, st->st_ino);
		*paths = calloc(found + 1, sizeof(**paths));
		for (size_t i = 0; *paths && i < found; i++)
			if (((*paths)[i] = strdup(links->names[first + i].path)))
				*count = i + 1;
		err = *paths && *count == found ? 0 : -ENOMEM;
	}
	pthread_mutex_unlock(&fs->upper->links_lock);
	return err;
}

int links_targets(struct af_fs *fs, const struct layer_dir *at, const char *path,
	const struct stat *st, struct af_link_target **targets, size_t *count)
{
	char **others = NULL;
	struct layer_dir copy;
	size_t other_count = 0;
	int err = 0;

	*targets = NULL;
	*count = 0;
	if (at) {
		err = dup_dir(at, &copy);
		if (!err)
			err = add_target(targets, count, &copy, path);
	}
	if (!err && st->st_nlink > 1)
		err = known_paths(fs, st, &others, &other_count);
	for (size_t i = 0; i < other_count; i++) {
		if (!err && !(path && strcmp(others[i], path) == 0))
			err = add_other(fs, others[i], st, targets, count);
		free(others[i]);
	}
	free(others);
	if (err) {
		links_targets_free(*targets, *count);
		*targets = NULL;
		*count = 0;
	}
	return err;
}

void links_targets_free(struct af_link_target *targets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		layer_dir_close(&targets[i].at);
		free(targets[i].path);
	}
	free(targets);
}

/* ---- names that were taken away ----------------------------------------------------------------- */

struct gone {
	uint64_t ino;
	uint32_t count;
};

static int compare_gone(const void *a, const void *b)
{
	const struct gone *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

void links_name_gone(struct af_fs *fs, const struct stat *st)
{
	struct gone *gone;
	struct gone **found;

	/* Of its only name nothing is left to be counted. */
	if (st->st_nlink < 2)
		return;
	gone = calloc(1, sizeof(*gone));
	if (!gone)
		return;
	gone->ino = st->st_ino;
	pthread_mutex_lock(&fs->upper->links_lock);
	found = tsearch(gone, &fs->upper->gone, compare_gone);
	if (found)
		(*found)->count++;
	pthread_mutex_unlock(&fs->upper->links_lock);
	if (!found || *found != gone)
		free(gone);
}

void links_count_names(const struct af_fs *fs, const struct af_inode *inode, struct stat *st)
{
	struct gone key = {.ino = st->st_ino}, **found;
	uint32_t count = 0;

	if (!fs->upper || S_ISDIR(inode->type) || (inode->flags & AF_INODE_UPPER))
		return;
	if (st->st_nlink < 2) {
		/* It has a descriptor where it has no name. */
		if (inode->fd >= 0)
			st->st_nlink = 0;
		return;
	}
	pthread_mutex_lock(&fs->upper->links_lock);
	found = tfind(&key, &fs->upper->gone, compare_gone);
	if (found)
		count = (*found)->count;
	pthread_mutex_unlock(&fs->upper->links_lock);
	st->st_nlink -= count < st->st_nlink ? count : st->st_nlink;
}

void links_gone_free(void *gone)
{
	tdestroy(gone, free);
}
