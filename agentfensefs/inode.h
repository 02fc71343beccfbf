/*
 * The nodes that the kernel knows, and the names by which we reach them again.
 *
 * A node is an inode of the source under one level: names of one inode that have different levels
 * are different nodes (with one st_ino), so no name lends another its rights. A directory has one
 * name only and is one node whatever its level.
 *
 * A node costs no descriptor. It is reached by its parent and its name, and what is found there is
 * compared with its identity (device, inode number, type). Only what has lost its name while the
 * kernel still knows it keeps an O_PATH descriptor.
 *
 * nlookup counts what the kernel holds (replies that named the node, less FORGETs); refs counts what
 * we hold (children, handles, requests). A node is freed when both are 0. Ids are never used twice.
 */
#ifndef AF_INODE_H
#define AF_INODE_H

#include "habit.h"
#include "keep.h"
#include "policy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

struct af_dirfd;
struct af_dirfds;
struct af_file;

enum { AF_ROOT_ID = 1 }; /* FUSE_ROOT_ID: the kernel knows it before any lookup */

enum af_inode_flag {
	AF_INODE_COVERED = 1,  /* a directory on which something else is mounted: shown empty */
	AF_INODE_UNHASHED = 2, /* no longer found by identity (its level or its inode changed) */
	AF_INODE_LINKED = 4,   /* fd is of a file that had other names, which may be found again */
	AF_INODE_UPPER =
		8, /* the delta's, so not to be copied up; a directory only without a name */
	AF_INODE_REBACKED = 16, /* what the kernel has open by itself is what the node was before */
};

struct af_inode {
	/* constant */
	uint64_t id;
	uint64_t shown;    /* its st_ino in the mount; until a merge below (refresh.h) */
	uint16_t type;     /* S_IFMT bits */
	uint8_t key_level; /* the level that is part of its identity; 0 for a directory */

	/* its identity; changes at copy-up (inode_rekey) and refresh, under the table's lock */
	uint32_t dev;
	uint64_t ino;

	/* protected by the table's lock */
	uint8_t flags; /* enum af_inode_flag */
	uint64_t nlookup;
	uint32_t refs;
	LIST_HEAD(af_file_list, af_file) files; /* open handles */
	int32_t backing_id;                     /* of all of them (handle.h); 0: none */
	struct af_inode *next_by_id;
	struct af_inode *next_by_key;
	struct af_inode *parent; /* a reference; NULL: the root, or no name */
	char *name;              /* owned; NULL with parent */
	int fd;                  /* O_PATH, where there is no name; else -1; constant once set */
	struct af_verdict verdict;
	struct af_state state;
	uint32_t stamp; /* verdict and state hold for this stamp of the gate */

	struct af_dirfd *dirfd;  /* protected by the descriptor cache's lock */
	struct af_keep keep;     /* protected by the table's lock */
	struct af_habit habit;   /* of a directory */
	uint32_t fresh_until_ms; /* atomic; until when the kernel has the attributes; 0: unknown */
};

struct af_table {
	pthread_mutex_t lock;
	struct af_inode **by_id;
	struct af_inode **by_key;
	size_t mask; /* buckets - 1, of both */
	size_t count;
	size_t peak;      /* since memory was last given back */
	size_t linked;    /* nodes with AF_INODE_LINKED */
	uint64_t renames; /* names that we have changed or taken away */
	uint64_t next_id;
	struct af_inode *root;
	struct af_dirfds *dirfds; /* told when a node goes */
};

int table_init(struct af_table *table, const struct stat *root, struct af_dirfds *dirfds);
void table_fini(struct af_table *table);

/* The node of an id that the kernel sent, with a reference, or NULL where there is none. */
struct af_inode *inode_get(struct af_table *table, uint64_t id);
struct af_inode *inode_ref(struct af_table *table, struct af_inode *inode);
void inode_put(struct af_table *table, struct af_inode *inode);
void inode_forget(struct af_table *table, uint64_t id, uint64_t nlookup);

/*
 * Finds or makes the node of what `name` in `parent` is, notes that this is its name, and counts one
 * lookup and one reference. level is its level there; covered marks a covered directory.
 * *moved is set where a directory that was known elsewhere has moved here (the caller makes states
 * stale then). `since` is table_renames() of before st was asked for: where a name has changed since,
 * a known node keeps the one it has; AF_RENAMES_ANY where the kernel lets no rename in between.
 * Returns NULL with errno ENOMEM, EAGAIN (ask again: renamed meanwhile), or ESTALE: the directory
 * would come to lie in itself, so what is known of the way to parent is out of date.
 */
#define AF_RENAMES_ANY UINT64_MAX
uint64_t table_renames(struct af_table *table);
struct af_inode *inode_lookup(struct af_table *table, struct af_inode *parent, const char *name,
	const struct stat *st, enum af_level level, bool covered, uint64_t since, bool *moved);
/* As inode_lookup() where st_ino is to be shown as another number than that of the identity. */
struct af_inode *inode_lookup_as(struct af_table *table, struct af_inode *parent, const char *name,
	const struct stat *st, uint64_t shown, enum af_level level, bool covered, uint64_t since,
	bool *moved);
/* The same for a file without a name, known by a descriptor that the node takes over. */
struct af_inode *inode_nameless(
	struct af_table *table, const struct stat *st, enum af_level level, int path_fd);

/*
 * The id of the node that the same file has at level read, where inode has it at level write: what is
 * written by the one is read by the other. 0: there is none.
 */
uint64_t inode_sibling(struct af_table *table, const struct af_inode *inode);

/* The node known as this name of this inode, with a reference, or NULL. */
struct af_inode *inode_find(struct af_table *table, const struct af_inode *parent, const char *name,
	const struct stat *st);

/*
 * Takes its name away, if that is still (parent, name); path_fd (or -1) becomes its descriptor. A
 * file that has other names can be found again: of those at most max_linked keep a descriptor, or
 * removing one of two trees of hard links would need one for each file.
 */
struct af_unname {
	int path_fd;
	bool linked; /* it has other names */
	size_t max_linked;
};
void inode_unname(struct af_table *table, struct af_inode *inode, const struct af_inode *parent,
	const char *name, struct af_unname how);
/* Gives it another name, if it still had (old_parent, old_name). */
int inode_rename(struct af_table *table, struct af_inode *inode, const struct af_inode *old_parent,
	const char *old_name, struct af_inode *parent, const char *name);

/* The node with this identity at this level (of a directory: any), with a reference, or NULL. */
struct af_inode *inode_known(struct af_table *table, const struct stat *st, enum af_level level);
void inode_flag(struct af_table *table, struct af_inode *inode, enum af_inode_flag flag);
/* The same file is another inode from now on: it was copied up. */
void inode_rekey(struct af_table *table, struct af_inode *inode, const struct stat *st);

/*
 * For refresh.c, while no worker runs: the node is not found by its identity (returns whether it was)
 * until inode_settle() gives it the one that it has now; hashed: it is to be found by that, unless
 * another is.
 */
struct af_found;
bool inode_unsettle(struct af_table *table, struct af_inode *inode);
void inode_settle(
	struct af_table *table, struct af_inode *inode, const struct af_found *found, bool hashed);

/* Whether the node's identity is st's. */
bool inode_is(const struct af_inode *inode, const struct stat *st);

/* A copy of where a node was, for use without the lock. */
struct af_place {
	struct af_inode *parent; /* a reference, or NULL: no name */
	int fd;       /* the node's own descriptor, which lives as long as it does; or -1 */
	bool covered; /* AF_INODE_COVERED */
	char name[256];
};
void inode_place(struct af_table *table, struct af_inode *inode, struct af_place *place);

/*
 * The path of a node from the root, without a leading slash ("" for the root), followed by child if
 * not NULL. Newly allocated; *len gets its length. Returns NULL where the node or one above it has
 * no name (errno ENOENT) or there is no memory.
 */
char *inode_path(struct af_table *table, struct af_inode *inode, const char *child, size_t *len);

/* Calls fn with each node and a reference held, not under the lock. Stops at the first non-zero. */
int table_each(struct af_table *table, int (*fn)(void *arg, struct af_inode *inode), void *arg);

#endif
