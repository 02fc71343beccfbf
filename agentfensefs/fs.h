/*
 * What one mount is made of. Everything that a request needs hangs off struct af_fs; there are no
 * globals. A request flows
 *
 *     op_*.c (parse, reply) -> gate.c (may it?) -> overlay.h (do it) -> attr.c (what it looks like)
 *
 * Lock order: fs->rename_lock, then a stripe of the upper, its dir_lock, its swap_lock, then
 * table.lock, then dirfds.lock, then gate.lock; no system call that can block is made under
 * table.lock, dirfds.lock or gate.lock, and no reply or notification under any of them.
 */
#ifndef AF_FS_H
#define AF_FS_H

#include "attr.h"
#include "audit.h"
#include "counters.h"
#include "dirfd.h"
#include "gate.h"
#include "habit.h"
#include "hold.h"
#include "inode.h"
#include "kcache.h"
#include "layer.h"
#include "options.h"
#include "stale.h"
#include "upper.h"

#include "fuse.h"
#include <pthread.h>

struct af_fs {
	const struct fs_options *options;
	struct fuse_session *session;
	struct af_layer layer;  /* the source: the lower of two, or the only one */
	struct af_upper *upper; /* the delta; NULL: writes go to the source, or the mount is held */
	char *source_path;      /* of the source, for the delta's log; owned; NULL: no delta */
	const char *policy_text; /* rules_dump()'s, for the same; borrowed */
	struct af_table table;
	struct af_dirfds dirfds;
	struct af_gate gate;
	struct af_owners owners;
	struct af_kcache kcache;
	struct af_stale stale;
	bool passthrough; /* atomic; the kernel may be given open files (handle.h) */
	struct af_hold hold;
	LIST_HEAD(af_listing_list, af_listing) listings; /* open directories; under table.lock */
	struct af_audit *audit;                          /* NULL: not asked for */
	struct af_counters counters;
	struct af_habits habits;
	/*
	 * Held for reading from the decision about a new name until the call that makes it, for
	 * writing while a directory moves: a decision about a path holds for as long as it is used.
	 */
	pthread_rwlock_t rename_lock;
	int event_fd;  /* by which workers wake the main thread */
	int parent_fd; /* the pipe to the process that started us; -1: in the foreground */
};

static inline struct af_fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

#endif
