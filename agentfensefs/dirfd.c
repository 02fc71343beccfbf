/*
 * From a node to a descriptor. See dirfd.h. It decides nothing about levels.
 */
#include "fs.h"

#include "cleanup.h"

#include <fcntl.h>
#include <string.h>

enum { RECHECK_MS = 1000 };

void dirfds_init(struct af_dirfds *dirfds, const struct layer_dir *root, uint32_t limit)
{
	*dirfds = (struct af_dirfds){.limit = limit};
	pthread_mutex_init(&dirfds->lock, NULL);
	TAILQ_INIT(&dirfds->lru);
	dirfds->root.at = *root;
	dirfds->root.refs = 1;
}

static void unref(struct af_dirfd *dirfd)
{
	if (--dirfd->refs > 0)
		return;
	layer_dir_close(&dirfd->at);
	free(dirfd);
}

/* Takes it out of the cache; whoever uses it goes on. Locked. */
static void evict(struct af_dirfds *dirfds, struct af_dirfd *dirfd)
{
	TAILQ_REMOVE(&dirfds->lru, dirfd, lru);
	dirfd->inode->dirfd = NULL;
	dirfd->inode = NULL;
	dirfds->count--;
	unref(dirfd);
}

void dirfds_flush(struct af_dirfds *dirfds)
{
	struct af_dirfd *dirfd;

	pthread_mutex_lock(&dirfds->lock);
	while ((dirfd = TAILQ_FIRST(&dirfds->lru)))
		evict(dirfds, dirfd);
	pthread_mutex_unlock(&dirfds->lock);
}

void dirfds_fini(struct af_dirfds *dirfds)
{
	dirfds_flush(dirfds);
	pthread_mutex_destroy(&dirfds->lock);
}

void dirfd_put(struct af_dirfds *dirfds, struct af_dirfd *dirfd)
{
	pthread_mutex_lock(&dirfds->lock);
	unref(dirfd);
	pthread_mutex_unlock(&dirfds->lock);
}

void dirfd_forget(struct af_dirfds *dirfds, struct af_inode *inode)
{
	pthread_mutex_lock(&dirfds->lock);
	if (inode->dirfd)
		evict(dirfds, inode->dirfd);
	pthread_mutex_unlock(&dirfds->lock);
}

static bool is_fresh(const struct af_fs *fs, const struct af_dirfd *dirfd)
{
	return fs->options->cache == FS_CACHE_ALWAYS ||
		kcache_now_ms() - dirfd->checked_ms < RECHECK_MS;
}

/* A reference to the cached descriptor, if there is one that need not be checked. */
static struct af_dirfd *get_cached(struct af_fs *fs, struct af_inode *inode)
{
	struct af_dirfds *dirfds = &fs->dirfds;
	struct af_dirfd *dirfd;

	if (inode == fs->table.root)
		dirfd = &dirfds->root;
	else
		dirfd = inode->dirfd;
	if (!dirfd || (inode != fs->table.root && !is_fresh(fs, dirfd)))
		return NULL;
	if (inode != fs->table.root && dirfd != TAILQ_FIRST(&dirfds->lru)) {
		TAILQ_REMOVE(&dirfds->lru, dirfd, lru);
		TAILQ_INSERT_HEAD(&dirfds->lru, dirfd, lru);
	}
	dirfd->refs++;
	return dirfd;
}

void dirfd_set_upper(struct af_dirfds *dirfds, struct af_dirfd *dirfd, int fd)
{
	pthread_mutex_lock(&dirfds->lock);
	if (dirfd->at.upper < 0) {
		__atomic_store_n(&dirfd->at.upper, fd, __ATOMIC_RELEASE);
		fd = -1;
	}
	pthread_mutex_unlock(&dirfds->lock);
	if (fd >= 0)
		close(fd);
}

void dirfd_note_upper(struct af_dirfds *dirfds, struct af_inode *inode, int fd)
{
	pthread_mutex_lock(&dirfds->lock);
	if (inode->dirfd && inode->dirfd->at.upper < 0)
		__atomic_store_n(
			&inode->dirfd->at.upper, fcntl(fd, F_DUPFD_CLOEXEC, 0), __ATOMIC_RELEASE);
	pthread_mutex_unlock(&dirfds->lock);
}

/* Makes the freshly opened and checked dir (taken over) the node's cached descriptors. */
static int insert(struct af_fs *fs, struct af_inode *inode, struct layer_dir *dir,
	uint32_t checked_ms, struct af_dirfd **out)
{
	struct af_dirfds *dirfds = &fs->dirfds;
	struct af_dirfd *dirfd = calloc(1, sizeof(*dirfd));

	if (!dirfd) {
		layer_dir_close(dir);
		return -ENOMEM;
	}
	*dirfd = (struct af_dirfd){.at = *dir, .refs = 2, .checked_ms = checked_ms, .inode = inode};
	pthread_mutex_lock(&dirfds->lock);
	if (inode->dirfd)
		evict(dirfds, inode->dirfd);
	inode->dirfd = dirfd;
	TAILQ_INSERT_HEAD(&dirfds->lru, dirfd, lru);
	if (++dirfds->count > dirfds->limit)
		evict(dirfds, TAILQ_LAST(&dirfds->lru, af_dirfd_list));
	pthread_mutex_unlock(&dirfds->lock);
	*out = dirfd;
	return 0;
}

/* Opens the directory `name` in parent and checks that it is the node. */
static int open_step(struct af_fs *fs, const struct af_dirfd *parent, const char *name,
	struct af_inode *inode, struct af_dirfd **out)
{
	/* What was checked is the step from parent, so the path is no fresher than parent's. */
	bool from_root = parent == &fs->dirfds.root;
	uint32_t checked_ms = from_root ? kcache_now_ms() : parent->checked_ms;
	struct af_found found;
	struct layer_dir dir;
	int err = overlay_open_dir(fs, &parent->at, name, &dir, &found);

	if (err == -EMFILE || err == -ENFILE) {
		dirfds_flush(&fs->dirfds);
		err = overlay_open_dir(fs, &parent->at, name, &dir, &found);
	}
	if (err == -ENOTDIR || err == -ELOOP || err == -ENOENT)
		return -ESTALE;
	if (err)
		return err;
	if (!inode_is(inode, &found.st)) {
		layer_dir_close(&dir);
		return -ESTALE;
	}
	return insert(fs, inode, &dir, checked_ms, out);
}

static struct af_dirfd *lookup_cached(struct af_fs *fs, struct af_inode *inode)
{
	struct af_dirfd *dirfd;

	pthread_mutex_lock(&fs->dirfds.lock);
	dirfd = get_cached(fs, inode);
	pthread_mutex_unlock(&fs->dirfds.lock);
	return dirfd;
}

/* The nodes between what is wanted and the nearest ancestor that is held: a stack, deepest first. */
struct chain {
	struct link {
		struct af_inode *inode; /* a reference */
		char name[256];
	} * links;
	size_t count, room;
};

static int chain_push(struct chain *chain, struct af_inode *inode, const char *name)
{
	if (chain->count == chain->room) {
		size_t room = chain->room ? chain->room * 2 : 8;
		struct link *links = reallocarray(chain->links, room, sizeof(*links));

		if (!links)
			return -ENOMEM;
		chain->links = links;
		chain->room = room;
	}
	chain->links[chain->count].inode = inode;
	memcpy(chain->links[chain->count].name, name, sizeof(chain->links[0].name));
	chain->count++;
	return 0;
}

/* Climbs from inode (a reference that is taken over) to an ancestor that is held: *held. */
static int climb(
	struct af_fs *fs, struct af_inode *inode, struct chain *chain, struct af_dirfd **held)
{
	while (!(*held = lookup_cached(fs, inode))) {
		struct af_place place;
		int err;

		inode_place(&fs->table, inode, &place);
		if (place.covered)
			err = -EXDEV;
		else if (place.fd >= 0 || !place.parent)
			err = -ENOENT;
		else
			err = chain_push(chain, inode, place.name);
		if (err) {
			inode_put(&fs->table, inode);
			inode_put(&fs->table, place.parent);
			return err;
		}
		inode = place.parent;
	}
	inode_put(&fs->table, inode);
	return 0;
}

int dirfd_get(struct af_fs *fs, struct af_inode *inode, struct af_dirfd **out)
{
	struct af_dirfd *held = lookup_cached(fs, inode);
	struct chain chain = {0};
	int err;

	*out = held;
	if (held)
		return 0;
	err = climb(fs, inode_ref(&fs->table, inode), &chain, &held);
	while (chain.count > 0) {
		struct link *link = &chain.links[--chain.count];
		struct af_dirfd *next = NULL;

		if (!err) {
			err = open_step(fs, held, link->name, link->inode, &next);
			dirfd_put(&fs->dirfds, held);
			held = next;
		}
		inode_put(&fs->table, link->inode);
	}
	free(chain.links);
	*out = held;
	return err;
}

/* Of what has no name, or is the root: the descriptor stays the node's. */
static int pathfd_held(const struct af_fs *fs, const struct af_inode *inode, struct af_pathfd *path)
{
	if (inode == fs->table.root)
		return overlay_stat_root(fs, &path->found);
	if (fstat(path->fd, &path->found.st) != 0)
		return -errno;
	path->found.ino = inode->shown;
	path->found.upper = fs->upper && (inode->flags & AF_INODE_UPPER);
	return 0;
}

int pathfd_get(struct af_fs *fs, struct af_inode *inode, struct af_pathfd *path)
{
	struct af_dirfd *dir = NULL;
	struct layer_dir root;
	struct af_place place;
	int err = 0, held;

	inode_place(&fs->table, inode, &place);
	overlay_root(fs, &root);
	held = inode != fs->table.root ? place.fd : root.upper >= 0 ? root.upper : root.lower;
	*path = (struct af_pathfd){.fd = held};
	if (held < 0)
		err = place.parent ? dirfd_get(fs, place.parent, &dir) : -ESTALE;
	inode_put(&fs->table, place.parent);
	if (held >= 0)
		return pathfd_held(fs, inode, path);
	if (err)
		return err;
	path->fd = overlay_open_path(fs, &dir->at, place.name, &path->found);
	dirfd_put(&fs->dirfds, dir);
	if (path->fd < 0)
		return dirfd_name_error(path->fd);
	path->owned = true;
	if (!inode_is(inode, &path->found.st)) {
		pathfd_put(path);
		return -ESTALE;
	}
	return 0;
}

void pathfd_put(struct af_pathfd *path)
{
	int saved = errno;

	if (path->owned && path->fd >= 0)
		close(path->fd);
	*path = (struct af_pathfd){.fd = -1};
	errno = saved;
}
