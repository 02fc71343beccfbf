/*
 * Where the sandbox's writes go, and what becomes of them: a delta, temporary or the caller's own, and
 * its merge into the source when the run has ended. The merging itself is afsyncd's.
 */
#ifndef AF_WRITES_H
#define AF_WRITES_H

#include "plan.h"
#include "spawn.h"
#include "temporary.h"

struct af_writes {
	bool is_temporary; /* else the caller's own, or --direct */
	struct af_temporary temporary;
	char *path; /* of the delta, absolute; owned; NULL: --direct */

	/* after writes_end(): paths relative to the source */
	struct af_words merged, kept, conflicts, held;
	bool stays; /* the delta is still there, with something in it */
};

#define AF_WRITES_NONE ((struct af_writes){.temporary = AF_TEMPORARY_NONE})

/*
 * Finds where the delta is to be, and makes a temporary one; plan->delta is set. source_fd is
 * borrowed. 0 or -errno, reported.
 */
int writes_begin(struct af_writes *writes, struct af_plan *plan, int source_fd);
/*
 * After the mount has ended: merges if `exit_status` and the options say so, and removes a temporary
 * delta in which nothing is left. What stays is named on stderr. lists: fill in the paths for a report.
 */
void writes_end(struct af_writes *writes, const struct af_plan *plan, int source_fd,
	int exit_status, bool lists);
/* afsyncd, for a delta that goes on: merges, with its streams where fds (stdout, stderr) say. */
int writes_start_merge(
	const struct af_plan *plan, bool tells, const int fds[2], struct af_child *child);
void writes_fini(struct af_writes *writes);

#endif
