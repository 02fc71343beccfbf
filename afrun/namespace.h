/*
 * Namespaces that are our own: for what only a run is to see, and for whom it is.
 */
#ifndef AF_NAMESPACE_H
#define AF_NAMESPACE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * In a child: goes into a new mount namespace; with userns into a user namespace too, where uid:gid (the
 * caller's own, the only ids there) is 0:0 and may mount. What is mounted there from now on is seen
 * nowhere else. Returns 0 or -errno.
 */
int namespace_enter_new(bool userns, uid_t uid, gid_t gid);

/*
 * Only root: a user namespace that says, of a mount that is given it (mount_setattr(2)), that inner:inner
 * on the filesystem is uid:gid to who looks, where neither is below inner; those below are themselves.
 * Returns a descriptor that the caller owns, or -errno.
 */
int namespace_map_users(uid_t inner, uid_t uid, gid_t gid);

#endif
