/*
 * Starting the sandbox: a backend's program, where the view is and as the right user.
 */
#ifndef AF_SANDBOX_H
#define AF_SANDBOX_H

#include "backend.h"
#include "cgroup.h"
#include "fsmount.h"
#include "spawn.h"

#include <sys/resource.h>

struct af_sandbox {
	struct af_child runtime; /* the backend's program; it lives as long as anything inside */
	int control; /* to our first process inside; closing it ends everything inside */
};

#define AF_SANDBOX_NONE ((struct af_sandbox){.runtime = AF_CHILD_NONE, .control = -1})

/* Everything inside is in the group. filter_fd is borrowed. Returns 0 or -errno, reported. */
int sandbox_start(struct af_sandbox *sandbox, const struct af_backend *backend,
	struct af_plan *plan, const struct af_fsmount *mount, const struct af_cgroup *group,
	int filter_fd);

/*
 * Ends everything inside and waits for that; *usage gets what it all used. Harmless where nothing was
 * started.
 */
void sandbox_end(struct af_sandbox *sandbox, struct rusage *usage);

#endif
