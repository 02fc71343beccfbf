/*
 * A session's delta, merged while it lives: the view stands still for as long as afsyncd(1) works.
 *
 * It is the server's (session_server.c), as a caller's turn: no text runs meanwhile.
 */
#ifndef AF_SESSION_MERGE_H
#define AF_SESSION_MERGE_H

#include "supervise.h"

struct af_session_merge {
	int asker;      /* to be answered with afsyncd's exit status; owned; -1: none */
	int streams[2]; /* the asker's stdout and stderr; owned */
	bool tells;     /* how far it is */
	bool again;     /* it was killed, and another one ends what it had begun */
	struct af_child child;
};

#define AF_SESSION_MERGE_NONE \
	((struct af_session_merge){.asker = -1, .streams = {-1, -1}, .child = AF_CHILD_NONE})

static inline bool session_merge_runs(const struct af_session_merge *merge)
{
	return merge->child.pid > 0;
}

/* All three are taken over. Where it cannot be begun the asker is told so. Returns whether it runs. */
bool session_merge_begin(struct af_session_merge *merge, const struct af_run *run, int asker,
	const int streams[2], bool tells);
/*
 * Its process has ended, or is waited for. 0: it is over, and the view goes on; 1: it runs anew; -errno:
 * the view is lost.
 */
int session_merge_ended(struct af_session_merge *merge, const struct af_run *run);
/* Whoever still waits to be merged is told that it will not be. */
void session_merge_refuse(int asker);

#endif
