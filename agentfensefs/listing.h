/*
 * What is listed of a directory.
 *
 * A listing is read whole and filtered before the first entry is sent, and its offsets are our own
 * count: offsets of the source would tell of what lies between two names.
 */
#ifndef AF_LISTING_H
#define AF_LISTING_H

#include "namelist.h"
#include "op.h"

struct af_listed {
	uint64_t ino;
	uint32_t name; /* where it begins in names */
	uint8_t type;  /* DT_* */
};

struct af_listing {
	struct af_inode *inode;      /* a reference */
	LIST_ENTRY(af_listing) link; /* in the mount's; protected by the table's lock */
	pthread_mutex_t lock; /* protects the rest: several threads may share one open directory */
	bool loaded;
	bool fills; /* the kernel may keep what it is sent (keep_dir()); constant */
	struct af_listed *entries;
	size_t count, room;
	struct af_namelist names;
};

/* A listing of the node (a reference is taken), not read yet; NULL: out of memory. */
struct af_listing *listing_new(struct af_fs *fs, struct af_inode *inode);
void listing_free(struct af_fs *fs, struct af_listing *listing);
/* Reads the directory, anew where the caller has gone back to its beginning (offset 0). Locked. */
int listing_load(struct op_ctx *op, struct af_listing *listing, off_t offset);

#endif
