/*
 * Starting the sandbox: a backend's program, where the view is and as the right user.
 */
#ifndef AF_SANDBOX_H
#define AF_SANDBOX_H

#include "backend.h"
#include "cgroup.h"
#include "docker_place.h"
#include "fsmount.h"
#include "limits.h"
#include "spawn.h"

#include <sys/resource.h>

struct af_sandbox {
	struct af_child runtime; /* the backend's program; it lives as long as anything inside */
	int control; /* to our first process inside; closing it ends everything inside; -1: not yet */
	/* Of a backend that works outside: */
	int listener;                         /* where our first process will come; owned */
	int filter;                           /* what it gets to apply; owned */
	const struct af_identity *identity;   /* that it has; borrowed */
	bool came;                            /* our first process */
	const struct af_docker_place *docker; /* borrowed */
	bool gone; /* after sandbox_end(): nothing is left of what the runtime made */
};

#define AF_SANDBOX_NONE \
	((struct af_sandbox){.runtime = AF_CHILD_NONE, .control = -1, .listener = -1, .filter = -1})

/*
 * Everything inside is in the group. filter_fd is borrowed; docker is the place that a backend which works
 * outside needs. Returns 0 or -errno, reported.
 */
int sandbox_start(struct af_sandbox *sandbox, const struct af_backend *backend,
	struct af_plan *plan, const struct af_fsmount *mount, const struct af_cgroup *group,
	int filter_fd, struct af_docker_place *docker);

/* What can be read when our first process has something to say, or comes: sandbox_accept() then. */
int sandbox_line(const struct af_sandbox *sandbox);
/* Whether it has yet to come. */
bool sandbox_is_awaited(const struct af_sandbox *sandbox);
/* Our first process has come, and gets its filter. Returns its pid, 0 where it was another, or -errno. */
pid_t sandbox_accept(struct af_sandbox *sandbox);

/*
 * Everything inside ends from now on. What it used is noted where its runtime holds the limits, since it
 * takes the group away.
 */
void sandbox_let_go(struct af_sandbox *sandbox, struct af_held *limits);

/*
 * Ends everything inside and waits for that; *usage (may be NULL) gets what it all used. Harmless where nothing was
 * started.
 */
void sandbox_end(struct af_sandbox *sandbox, struct rusage *usage);

#endif
