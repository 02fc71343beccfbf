/*
 * A control group (cgroups(7)) of one run's own: version 2 where a controller is there, else version 1.
 */
#ifndef AF_CGROUP_H
#define AF_CGROUP_H

#include "keeper.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum cgroup_controller { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_COUNT };

/* Where this process is: for each controller a directory, of the one hierarchy or the other. */
struct cgroup_home {
	/* Owned; NULL: the controller is in no hierarchy of version 1. */
	char *legacy[CGROUP_COUNT];
	/* Owned; of version 2; NULL: it is not mounted. */
	char *unified;
	size_t unified_root; /* bytes of it that are the mount point */
};

/*
 * Pure: from the texts of /proc/self/mountinfo and /proc/self/cgroup, as proc(5) and cgroups(7) have
 * them. 0 or -ENOMEM; released with cgroup_home_fini() in any case.
 */
int cgroup_find_home(struct cgroup_home *home, const char *mountinfo, const char *self);
void cgroup_home_fini(struct cgroup_home *home);

struct af_cgroup {
	int dirs[CGROUP_COUNT]; /* the group in each controller's hierarchy; owned; -1: none */
	bool unified[CGROUP_COUNT];
	struct af_keeper keeper; /* it removes the groups */
};

#define AF_CGROUP_NONE ((struct af_cgroup){.dirs = {-1, -1, -1}, .keeper = {-1, -1}})

/*
 * Makes a group in each of the wanted controllers' hierarchies (bits 1 << controller) in which one can be
 * made, and a process of its own that removes them when this one has ended, however that was; it must not
 * be our child, so we may not be a subreaper yet. err[controller] is 0 or why there is none. 0, or -errno
 * where nothing was made at all.
 */
int cgroup_make(struct af_cgroup *group, unsigned int wanted, int err[CGROUP_COUNT]);
/* That which a process is in, made by somebody else, to be read. 0 or -errno. */
int cgroup_open(struct af_cgroup *group, pid_t pid);
/* Moves the calling process into it. 0 or -errno. */
int cgroup_join(const struct af_cgroup *group);
/* Waits, for a bounded time, until they are removed. */
void cgroup_end(struct af_cgroup *group);

/* Files of a controller's group: 0 or -errno. */
int cgroup_write(const struct af_cgroup *group, enum cgroup_controller controller, const char *file,
	const char *text);
int cgroup_write_number(const struct af_cgroup *group, enum cgroup_controller controller,
	const char *file, uint64_t value);
/* A number, or that of a line that begins with key; 0 where there is none. */
uint64_t cgroup_read_number(const struct af_cgroup *group, enum cgroup_controller controller,
	const char *file, const char *key);

#endif
