/*
 * Starting another program: fork, set up, exec, and to know at once where that failed.
 *
 * Every descriptor of ours is close-on-exec; a child inherits 0, 1, 2 and those named, each under
 * its own number. Single-threaded callers only (setup runs between fork and exec and may allocate).
 */
#ifndef AF_SPAWN_H
#define AF_SPAWN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct af_spawn {
	char *const *argv; /* argv[0] is searched in PATH unless it has a slash */
	char *const *envp; /* the child's environment */
	const int *keep;   /* descriptors to inherit; -1 is skipped */
	size_t keep_count;
	const sigset_t *mask;    /* the child's signal mask, or NULL for an empty one */
	int (*setup)(void *arg); /* in the child, before exec: 0 or -errno; may be NULL */
	void *arg;
};

struct af_child {
	pid_t pid;
	int pidfd; /* owned; -1 when there is no child */
};

#define AF_CHILD_NONE ((struct af_child){.pid = -1, .pidfd = -1})

/*
 * Returns 0 when the program runs, or -errno of the step that failed; the child has then been
 * reaped, and *in_setup (may be NULL) says whether it was setup that failed.
 */
int spawn_start(const struct af_spawn *spawn, struct af_child *child, bool *in_setup);

/* Waits at most timeout_ms (-1: for ever) for its end. Returns 1 when it has ended, 0, or -errno. */
int spawn_wait(const struct af_child *child, int timeout_ms);

#endif
