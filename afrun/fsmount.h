/*
 * The mounted view: agentfensefs in a mount namespace of its own, so that nobody else sees the mount
 * and the kernel takes it away with its last process, whatever is killed.
 */
#ifndef AF_FSMOUNT_H
#define AF_FSMOUNT_H

#include "channel.h"
#include "plan.h"
#include "spawn.h"

struct af_fsmount {
	struct af_child daemon;
	bool private; /* in a mount namespace of its own ... */
	bool userns;  /* ... that belongs to a user namespace of its own */
	char *view;   /* the mount point there; owned */
	const char
		*place; /* the directory above, where the channels are too; NULL: none. Borrowed */
	char *dir;      /* not private: a directory of ours to take away; owned */
	int ready;      /* becomes readable when the mount answers */
	int hold; /* by which it is held (agentfensefs(1), hold_fd); -1: it cannot be; owned */
};

#define AF_FSMOUNT_NONE ((struct af_fsmount){.daemon = AF_CHILD_NONE, .ready = -1, .hold = -1})

/*
 * Starts the daemon on source_fd (borrowed); audit_fd (-1: none, borrowed) gets its audit lines.
 * channels: to be put beside the view; borrowed. outside: only root: a directory in which all of that is
 * mounted, for others to see; NULL: in a namespace of its own.
 * Returns 0 or -errno, reported. The mount is there only after fsmount_wait().
 */
int fsmount_start(struct af_fsmount *mount, const struct af_plan *plan, int source_fd, int audit_fd,
	const struct af_channels *channels, const char *outside);

/* Waits (bounded) until the mount answers. Returns 0 or -errno, reported. */
int fsmount_wait(struct af_fsmount *mount);

/*
 * The view stands still, and its delta can be merged, until fsmount_go_on(); whoever uses it waits. 0,
 * -EBUSY: nothing has changed; else -errno: there is no view any more. Both wait for the daemon.
 */
int fsmount_hold(const struct af_fsmount *mount);
int fsmount_go_on(const struct af_fsmount *mount);

/* In a child: go where the view is. Returns 0 or -errno. */
int fsmount_enter(const struct af_fsmount *mount);

/* Ends the daemon and leaves nothing behind. Harmless where nothing was started. */
void fsmount_end(struct af_fsmount *mount);

/* Where the view would be for this plan: borrowed, static. NULL: there is no place for it. */
const char *fsmount_place(const struct af_plan *plan);

#endif
