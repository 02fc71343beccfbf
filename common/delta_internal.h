/*
 * What the delta_*.c files share and nobody else sees.
 */
#ifndef AF_DELTA_INTERNAL_H
#define AF_DELTA_INTERNAL_H

#include "delta.h"

#define DELTA_UPPER "upper"
#define DELTA_WORK "work"
#define DELTA_META "meta"
#define DELTA_LOCK "lock"
#define DELTA_LOG "log"
#define DELTA_LOG_NEXT "log.next"   /* is to replace the log */
#define DELTA_LOG_RESET "log.reset" /* ... when upper has been exchanged for an empty one */

/* Says why, and returns rc. */
int delta_fail(struct delta_fault *fault, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- delta_lock.c ---------------------------------------------------------------------------- */

/* Takes the lock, or for DELTA_LOOK only tells (in_use). meta is open. */
int delta_lock(struct af_delta *delta, enum delta_use use, struct delta_fault *fault);

/* ---- delta_check.c --------------------------------------------------------------------------- */

/*
 * Tries in work, which is empty, what upper must be able to do, and leaves it empty. -EOPNOTSUPP,
 * or the -errno of something else.
 */
int delta_probe(int work_fd, struct delta_fault *fault);

/* Whether nobody but us and root may have written what is believed: see af_delta.trusted. */
bool delta_is_trusted(const struct af_delta *delta);

/* ---- delta_reset.c --------------------------------------------------------------------------- */

/* 1 where the directory, which may be O_PATH, holds nothing; 0; or -errno. */
int delta_is_empty(int dir_fd);

/* Makes a log without records, all of it or nothing, and opens it. Under the lock. */
int delta_log_make(struct af_delta *delta);

/*
 * Under the lock, before the log is opened: a reset that a crash cut off is finished where upper
 * had been exchanged, else forgotten, and so is a log that was to replace another.
 */
int delta_recover(const struct af_delta *delta);

#endif
