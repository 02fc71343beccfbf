/*
 * A plan for people and programs: lines, NUL-terminated records, JSON lines, a unified diff.
 */
#ifndef AF_SHOW_H
#define AF_SHOW_H

#include "delta.h"
#include "plan.h"

#include <stdio.h>

enum show_form { SHOW_LINES, SHOW_NUL, SHOW_JSON };

/*
 * letter TAB path (R: old TAB new), escaped as log_escape() for lines where a name has control
 * characters; raw with SHOW_NUL; why is only in JSON. 0 or -errno of the stream.
 */
int show_plan(FILE *out, const struct plan *plan, enum show_form form);

/*
 * What `git apply` and `patch -p1` take: text by diff -u, modes, symlinks, new and deleted files, binary
 * files as git binary patches; what a diff cannot carry (empty directories, owners, xattrs) is named on stderr.
 */
int diff_plan(FILE *out, const struct plan *plan, const struct af_delta *delta, int source_fd);

/*
 * diff3(1) -m of three texts: 0 with *merged (owned by the caller), 1 where they conflict, or -errno.
 */
struct merge_text {
	const char *data;
	size_t size;
};
int merge3(const struct merge_text *mine, const struct merge_text *base,
	const struct merge_text *theirs, char **merged, size_t *size);

#endif
