/*
 * Which deltas there are, and which of them have something to merge: inotify(7) on the directories that
 * a pattern goes through and on each delta's meta, where the lock's closing is the end of a mount.
 *
 *     watch.c       the deltas that are known, and what is told about them
 *     watch_way.c   a pattern's way down the directories
 *     watch_look.c  one delta: whether its mount has ended, and what was tried of it
 *
 * Who may make entries where a wildcard matches is not trusted: from there on no symlink is followed,
 * so that nobody offers the delta of another as one of theirs. What comes before is the table's word.
 */
#ifndef AF_WATCH_H
#define AF_WATCH_H

#include "table.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	WATCH_MAX_MATCHES = 10000, /* of one row */
	WATCH_AGAIN_MS = 2000, /* what nothing tells of, and is waited for, is looked at so often */
};

/* Tells one file from another, and from itself after it was written to. */
struct watch_stamp {
	uint64_t dev, ino; /* 0: there is none */
	uint64_t size;
	int64_t mtime_ns, ctime_ns;
};

/* Why a delta is not merged though it is not in use: each is told once, until its log changes. */
enum watch_why {
	WATCH_NO_REASON,
	WATCH_INCOMPLETE, /* something is there, but no delta */
	WATCH_NO_LOCK,
	WATCH_DAMAGED, /* the log is none that can be read, or begins with no source */
	WATCH_NO_SOURCE,
	WATCH_OTHER_SOURCE, /* it was made on another directory than the row's */
};

struct watched {
	char *path;     /* owned */
	size_t literal; /* as the row's */
	const struct table_row
		*row;          /* the first whose pattern matches; the table's; NULL: none now */
	int meta_wd;           /* -1: none yet, or not to be had */
	bool dirty;            /* to be looked at, at look_at_ms */
	bool seen;             /* by the scan under way */
	int64_t look_at_ms;    /* as watch_now_ms(); 0: at once */
	unsigned int wait_ms;  /* for a lock that may be about to be let go of */
	unsigned int streak;   /* merges begun since it last had nothing to merge */
	int64_t rest_until_ms; /* not merged before that */
	enum watch_why why;
	bool told;                      /* why */
	int64_t tell_at_ms;             /* not before that, of one that is WATCH_INCOMPLETE */
	pid_t child;                    /* that merges it; 0: none */
	struct watch_stamp log, source; /* when it was looked at last */
	int64_t mount_ns; /* by the log, when the mount began whose end was tried last; 0: unknown */
};

/* A directory that is watched. */
struct watch_spot {
	int wd;
	uint32_t mask;
	bool wanted;  /* by the scan under way, or by the last one */
	bool leads;   /* deltas may come and go by it */
	bool touched; /* something was told of it, and not handled yet */
};

struct watch {
	int fd;                  /* inotify; owned */
	struct watched **deltas; /* by path; owned, each too */
	size_t count, room;
	struct watch_spot *spots; /* by wd; owned */
	size_t spot_count, spot_room;
	/* No more directories can be watched, more deltas match than may: in this scan, the one before. */
	bool is_full, was_full, is_over, was_over;
};

/* 0 or -errno. */
int watch_init(struct watch *watch);
void watch_fini(struct watch *watch);
/*
 * Looks for deltas of the table anew, watches what has to be watched and nothing else, and marks those
 * that are new as dirty. Those that match no more are forgotten; one that is being merged stays, without a
 * row. Rows of another table than this are forgotten in any case. 0 or -errno.
 */
int watch_scan(struct watch *watch, const struct table *table);
/* Reads events, and marks the deltas that they are about. Returns whether watch_scan() is to follow. */
bool watch_read(struct watch *watch);
/* Marks a delta, or all of them, as new: to be looked at at once, whatever was tried. */
void watch_renew(struct watched *delta);
void watch_renew_all(struct watch *watch);

/* ---- one delta ------------------------------------------------------------------------------- */

enum watch_state {
	WATCH_IDLE,  /* nothing to merge: not mounted since it was merged, or tried in vain */
	WATCH_BUSY,  /* in use: to be looked at after watch_postpone() */
	WATCH_WAITS, /* for its source, or to become a delta: after WATCH_AGAIN_MS */
	WATCH_READY, /* its mount has ended */
};
/*
 * Looks at a delta that has a row; changes nothing there. READY: *dir_fd is its directory (O_PATH, the
 * caller's), and what is tried now is noted, so that it is not READY again until it was mounted again, or
 * its log, where that does not tell, is another. What keeps it from being merged is reported.
 */
enum watch_state watch_look(struct watched *delta, int *dir_fd);
/* Its merge failed: it is tried again soon if its source is another by now, or gone. */
void watch_failed(struct watched *delta);
/*
 * It was BUSY: looked at a little later, each time after twice as long, for a lock whose end is told a
 * moment before it is free. After some seconds it is in use, and its mount's end will tell.
 */
void watch_postpone(struct watched *delta);
/* The delta's directory (O_PATH, owned by the caller), or -errno. */
int watch_open(const struct watched *delta);
/* CLOCK_MONOTONIC */
int64_t watch_now_ms(void);

/* ---- a pattern's way: for watch.c -------------------------------------------------------------- */

/* Begins to watch a directory for mask; leads as in struct watch_spot. Returns the wd, or -1. */
int watch_want(struct watch *watch, int dir_fd, uint32_t mask, bool leads);

/* Called for each directory that a row's pattern matches, with a descriptor (O_PATH): 0 or -errno. */
typedef int watch_found_fn(
	struct watch *watch, const struct table_row *row, const char *path, int dir_fd);
/* Goes the whole way, watches the directories on it, and calls found(). 0 or -errno. */
int watch_way(struct watch *watch, const struct table_row *row, watch_found_fn *found);

#endif
