/*
 * A bounded cache of descriptors (O_PATH) of the source's directories, and the way from a node to a
 * descriptor.
 *
 * A directory is reached from the nearest ancestor that is held, one component at a time, and each
 * step is compared with the node's identity. A descriptor is used for a second from when the first
 * step of its path was made; then all of the path is walked again (unless the source is promised not
 * to change), so what somebody moved in the source does not stay reachable under its old level.
 */
#ifndef AF_DIRFD_H
#define AF_DIRFD_H

#include "overlay.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

struct af_fs;
struct af_inode;

struct af_dirfd {
	struct layer_dir at;    /* upper becomes one (from -1) at copy-up, under the cache's lock */
	uint32_t refs;          /* users, and one while it is cached */
	uint32_t checked_ms;    /* when all of its path was last as we know it */
	struct af_inode *inode; /* NULL once it is no longer cached */
	TAILQ_ENTRY(af_dirfd) lru;
};

struct af_dirfds {
	pthread_mutex_t lock;
	TAILQ_HEAD(af_dirfd_list, af_dirfd) lru; /* most recently used first */
	uint32_t count;
	uint32_t limit;
	struct af_dirfd root; /* never evicted */
};

void dirfds_init(struct af_dirfds *dirfds, const struct layer_dir *root, uint32_t limit);
void dirfds_fini(struct af_dirfds *dirfds);
/* Forgets all but those in use; for when descriptors run out. */
void dirfds_flush(struct af_dirfds *dirfds);

/*
 * The directory's descriptor, to be given back with dirfd_put(). -ENOENT: it has no name any more,
 * -ESTALE: something else is there now, -EXDEV: it is covered by another filesystem.
 */
int dirfd_get(struct af_fs *fs, struct af_inode *inode, struct af_dirfd **out);
void dirfd_put(struct af_dirfds *dirfds, struct af_dirfd *dirfd);
/* The directory has an upper part now: fd is taken over, unless somebody was faster. */
void dirfd_set_upper(struct af_dirfds *dirfds, struct af_dirfd *dirfd, int fd);
/* The same for a node whose descriptor may be cached; fd stays the caller's. */
void dirfd_note_upper(struct af_dirfds *dirfds, struct af_inode *inode, int fd);
/* Forgets the node's descriptor: the node is going away, or it moved. */
void dirfd_forget(struct af_dirfds *dirfds, struct af_inode *inode);

/*
 * A descriptor (O_PATH) of any node, and what it is now: what cannot be opened by name alone goes
 * through it. Given back with pathfd_put().
 */
struct af_pathfd {
	int fd;
	bool owned;
	struct af_found found;
};
/*
 * What an error of reaching a node by the name we know means: where that name is gone, or lies where
 * we may not search, the kernel's own may be another name of the same file: it is to look again.
 */
static inline int dirfd_name_error(int err)
{
	return err == -ENOENT || err == -EACCES ? -ESTALE : err;
}
int pathfd_get(struct af_fs *fs, struct af_inode *inode, struct af_pathfd *path);
void pathfd_put(struct af_pathfd *path);

#endif
