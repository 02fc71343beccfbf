/*
 * What a file of the source looks like in the mount: mode bits that tell the truth about levels, and
 * owners.
 *
 * Owners differ from the source's in two cases. `lend` (root's mounts for a sandbox that must not
 * be root): what uid and gid 0 own is shown as the borrower's, and what the borrower does is done as
 * uid and gid 0. In a user namespace with few ids, the kernel refuses every write to a file whose
 * owner or group has no number there; such a file is shown as the daemon's own where the daemon may
 * really write it, with the rights that it really has.
 */
#ifndef AF_ATTR_H
#define AF_ATTR_H

#include "policy.h"

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct af_owners {
	bool lend;
	uid_t lend_uid;
	gid_t lend_gid;
	bool partial; /* a user namespace in which not every id has a number */
	uid_t overflow_uid;
	gid_t overflow_gid;
	uid_t self_uid;
	uid_t outside_uid; /* of self_uid, in the user namespace around ours */
	gid_t self_gid;
};

/* Reads /proc/self/{uid,gid}_map. */
void owners_init(struct af_owners *owners);
/* The number that an id of ours has outside, for people to read. */
uid_t owners_uid_outside(const struct af_owners *owners, uid_t uid);
/* The ids as which the mount's user acts on the source, and which chown's arguments mean there. */
uid_t owners_uid_in(const struct af_owners *owners, uid_t uid);
gid_t owners_gid_in(const struct af_owners *owners, gid_t gid);
/* The other way: as an id of the source is shown. */
uid_t owners_uid_out(const struct af_owners *owners, uid_t uid);
gid_t owners_gid_out(const struct af_owners *owners, gid_t gid);

/*
 * Changes *st from what the source says to what the mount shows. fd and name say where the file is
 * (name "" for fd itself), for asking what we may really do with it.
 */
void attr_show(const struct af_owners *owners, const struct af_verdict *verdict, int fd,
	const char *name, struct stat *st);

/* The permission bits (of 0777) that a non-directory or directory of this verdict may show. */
mode_t attr_mask(const struct af_verdict *verdict, mode_t type);

/* The attributes of a directory that another filesystem covers and that we may not look beneath. */
void attr_covered(const struct stat *parent, const char *name, struct stat *st);
/* Whether these are such attributes: no filesystem has the device number 0. */
bool attr_is_covered(const struct stat *st);

/* Whether a mode would make a non-directory set-id, or a directory set-uid: never allowed. */
bool attr_is_setid(mode_t mode, bool is_dir);

#endif
