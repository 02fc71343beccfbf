/*
 * Counts of what a mount has been asked for. Written by any thread, read by whoever logs them.
 */
#ifndef AF_COUNTERS_H
#define AF_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

enum af_count {
	AF_COUNT_LOOKUP,
	AF_COUNT_FORGET,
	AF_COUNT_GETATTR,
	AF_COUNT_SETATTR,
	AF_COUNT_OPEN,
	AF_COUNT_READ,
	AF_COUNT_WRITE,
	AF_COUNT_FLUSH,
	AF_COUNT_RELEASE,
	AF_COUNT_OPENDIR,
	AF_COUNT_READDIR,
	AF_COUNT_NAMES, /* create, mkdir, mknod, symlink, link, unlink, rmdir, rename */
	AF_COUNT_XATTR,
	AF_COUNT_OTHER,
	AF_COUNT_REFUSED,
	AF_COUNT_KINDS
};

struct af_counters {
	_Atomic uint64_t count[AF_COUNT_KINDS];
};

static inline void counters_add(struct af_counters *counters, enum af_count kind)
{
	atomic_fetch_add_explicit(&counters->count[kind], 1, memory_order_relaxed);
}

struct af_fs;
/* Writes them, with the number of nodes and descriptors, to the log: one line. */
void counters_log(struct af_fs *fs);

#endif
