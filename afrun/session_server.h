/*
 * A session's server from within: what session_server.c (its life, its sandbox) and session_callers.c
 * (who asks) share.
 */
#ifndef AF_SESSION_SERVER_H
#define AF_SESSION_SERVER_H

#include "session.h"
#include "session_merge.h"

#include <poll.h>
#include <time.h>

enum { MAX_CALLERS = 256 };

struct caller {
	int fd; /* owned */
	pid_t pid;
	bool asked;         /* for its turn */
	bool merges, tells; /* ... which is a merge; whether that tells how far it is */
	int streams[2];     /* of a merge: its stdout and stderr; owned */
};

struct server {
	const struct af_run *run;
	struct af_door *door;
	struct af_outcome *outcome;
	pid_t current; /* whose text runs, or 0 */
	uint64_t texts;
	int64_t started_ms, idle_since_ms;
	time_t started;
	int64_t deadline_ms; /* of the start, or of the end; 0: none */
	bool up, stopping, ended, audit_open;
	struct af_session_merge merge;
	size_t count;
	struct caller callers[MAX_CALLERS]; /* in the order in which they came */
};

/* The shell ends by itself, and its EXIT trap runs; for a bounded time. */
void server_stop(struct server *s);

void callers_accept(struct server *s);
/* polls: of the first `count` callers. */
void callers_take(struct server *s, const struct pollfd *polls, size_t count);
/* Whose turn it is, if nobody's is over. */
void callers_hand_in_next(struct server *s);
void callers_send_away(struct server *s);

#endif
