/*
 * Sessions: one sandbox, and one shell in it, that takes text after text.
 *
 * session.c         the session's own side: its name, its life in the background, its end
 * session_server.c  its life, and session_callers.c: who asks for what, in turn
 * session_merge.c   its delta merged while it lives
 * session_client.c  callers: a text, --merge, --stop
 * session_state.c   --status, --diff, and its line in --list
 * named.c   where it is found
 */
#ifndef AF_SESSION_H
#define AF_SESSION_H

#include "opts.h"
#include "supervise.h"

#include <limits.h>
#include <stdint.h>

/* What --status says. A caller of another version sees another size. */
struct af_session_state {
	uint32_t size;
	int32_t pid;       /* of its server */
	int32_t caller;    /* whose text runs, or 0 */
	int32_t waiting;   /* callers that wait for their turn */
	int64_t started_s; /* since 1970 */
	int64_t idle_s;    /* for how long; 0 while a text runs */
	int64_t idle_ms;   /* the limit; 0: none */
	uint64_t texts;    /* begun so far */
	char source[PATH_MAX];
	char delta[PATH_MAX]; /* "": --direct */
};

/* The session's side of its door. */
struct af_door {
	const char *name;        /* borrowed */
	int dir, lock, listener; /* owned */
	int ready;               /* whoever has started us waits for a byte there; owned */
	int said;      /* what we and all that we start write on stderr, to be read; owned */
	int out;       /* where that goes: to who has started us, to who stops us; owned */
	int *stoppers; /* connections that wait for the end; owned */
	size_t stopper_count;
};

#define AF_DOOR_NONE       \
	((struct af_door){ \
		.dir = -1, .lock = -1, .listener = -1, .ready = -1, .said = -1, .out = -1})

/* Takes the session's name. 0 or -errno, reported. */
int session_open(struct af_door *door, const char *name);
/*
 * The process goes on in the background, and in it this returns -1. Where it was called it returns an
 * exit status: 0 once the session takes texts.
 */
int session_detach(struct af_door *door);
/* Who has started it need not wait any longer, and hears no more. -errno: it is not there any more. */
int session_is_up(struct af_door *door);
/* Passes on what was said. */
void session_pass_on(const struct af_door *door);
/* All that we have started has ended: from now on stderr is again who listens, without us between. */
void session_speak(struct af_door *door);
/* Tells those that wait for the end, and gives the name back. */
void session_close(struct af_door *door, int status);

/* In place of supervise_run(): serves callers until the session is to end. */
void session_serve(const struct af_run *run, struct af_door *door, struct af_outcome *outcome);

struct af_json;

/* A connection to a session, which the caller owns, or -errno, reported. */
int session_connect(const char *name);

/* --status and --diff of opts' session. Each returns the exit status. */
int session_status(const struct af_opts *opts);
int session_diff(const struct af_opts *opts);
/* All that live, as lines, or as elements of an array where json is not NULL. Returns 0 or -errno. */
int session_list(int dir, struct af_json *json);

/* What callers do: a text, --status, --diff, --merge or --stop. Returns the exit status. */
int session_call(const struct af_opts *opts, unsigned int closed_std);

#endif
