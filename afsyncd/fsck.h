/*
 * Checking a delta: --fsck.
 *
 *     fsck.c        the whole: the log, work, and what is mended
 *     fsck_upper.c  each entry of upper by itself
 */
#ifndef AF_FSCK_H
#define AF_FSCK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Checks the delta at path, prints what it finds on standard output, a line each, and mends what can be
 * proved to be no loss: a log's torn end, what lies in work. One that is in use is only looked at.
 * Returns the number of problems, mended ones too, or -errno, reported.
 */
int fsck_delta(const char *path);

/* ---- between the two ------------------------------------------------------------------------------ */

struct fsck {
	size_t problems;
	char **origins; /* owned, sorted: the paths of which the log has an ORIGIN */
	size_t origin_count, origin_room;
};

/* Prints a problem: PLACE[/PATH]: WHAT. path may be NULL. */
void fsck_found(struct fsck *fsck, const char *place, const char *path, const char *what);
bool fsck_has_origin(const struct fsck *fsck, const char *path);

/* Looks at everything in upper. 0 or -errno (not reported). */
int fsck_upper(struct fsck *fsck, int upper_fd);

#endif
