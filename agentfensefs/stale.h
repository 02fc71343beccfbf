/*
 * Pages that the kernel keeps of a node, while its file is written through another node; and attributes
 * that something else has changed.
 *
 * A file with names of two levels is two nodes, each with a page cache of its own. What is written by
 * the one must not stay unseen by the other, mappings included. The notification waits for pages
 * that may be waiting for one of our workers, so the main thread sends it; the worker waits for
 * that, but not for long.
 */
#ifndef AF_STALE_H
#define AF_STALE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct af_fs;
struct af_inode;

struct af_stale {
	int event_fd; /* readable: there is something to drop */
	pthread_mutex_t lock;
	pthread_cond_t dropped;
	pthread_t main; /* who drops */
	/* protected by lock */
	bool listings; /* all of them are to be dropped */
	uint64_t *ids;
	size_t count, room;
	uint64_t taken; /* how many ids have ever been dropped */
	uint64_t added;
};

int stale_init(struct af_stale *stale);
void stale_fini(struct af_stale *stale);

/* The node's data has changed: in a worker, before the reply. */
void stale_written(struct af_fs *fs, struct af_inode *inode);
/* The node of a directory was copied up for something below it: its link count is another. */
void stale_changed(struct af_fs *fs, struct af_inode *inode);
/* A directory has moved in the source: no listing that the kernel has is sure to be as it would be now. */
void stale_listings(struct af_fs *fs);
/* Tells the kernel: in the main thread. */
void stale_drop(struct af_fs *fs);

#endif
