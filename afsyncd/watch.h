/*
 * Which deltas there are, and which of them have something to merge: inotify(7) on the directories that
 * a pattern goes through and on each delta's meta, where the lock's closing is the end of a mount.
 */
#ifndef AF_WATCH_H
#define AF_WATCH_H

#include "table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct watched {
	char *path;                  /* owned */
	const struct table_row *row; /* the first whose pattern matches; the table's */
	int wd;                      /* of its meta; -1: none yet */
	bool dirty;                  /* to be looked at */
	bool seen;                   /* by the scan under way */
	uint64_t log_ino, log_size;  /* of what was tried last; 0: nothing */
	pid_t child;                 /* that merges it; 0: none */
	unsigned int tries;          /* for a lock that is just being released */
};

struct watch {
	int fd; /* inotify; owned */
	struct watched *deltas;
	size_t count, room;
};

int watch_init(struct watch *watch);
void watch_fini(struct watch *watch);
/*
 * Looks for deltas of the table anew, watches what has to be watched, and marks those that are new as
 * dirty. Those that match no more are forgotten, unless they are being merged. 0 or -errno.
 */
int watch_scan(struct watch *watch, const struct table *table);
/* Reads events, and marks the deltas that they are about. Returns whether watch_scan() is to follow. */
bool watch_read(struct watch *watch);

enum watch_state {
	WATCH_IDLE,  /* nothing to merge: never mounted since it was merged, or tried in vain */
	WATCH_BUSY,  /* in use */
	WATCH_READY, /* its mount has ended */
};
/* Looks at one delta; READY notes what is being tried. Touches nothing. */
enum watch_state watch_look(struct watched *delta);

#endif
