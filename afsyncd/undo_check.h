/*
 * Before a merge is taken back: is the source still what the merge left?
 */
#ifndef AF_UNDO_CHECK_H
#define AF_UNDO_CHECK_H

#include <stdbool.h>
#include <stdio.h>

struct merge;

/* 0, or -ESTALE with the first path that is not, reported; or another -errno. */
int undo_check(struct merge *merge);

/* history.c: one merge for --history: ID TAB time TAB delta TAB counts, or a JSON object. */
void history_print(FILE *out, const struct merge *merge, bool json, bool nul);

#endif
