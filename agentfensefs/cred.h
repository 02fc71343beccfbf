/*
 * The daemon's own privileges, and acting as the caller.
 *
 * What a caller creates belongs to the caller: each worker thread takes the caller's file system ids
 * (setfsuid(2)) and umask before it makes anything. It keeps its capabilities meanwhile, since the
 * kernel has already checked the caller's permissions (default_permissions) with groups that we do
 * not know. CAP_FSETID is not among them, so that writing to a file clears its set-id bits as it does
 * for the caller, nor is CAP_SYS_RESOURCE, which would go past disk quotas.
 */
#ifndef AF_CRED_H
#define AF_CRED_H

#include "fuse.h"
#include <stdbool.h>
#include <sys/types.h>

struct af_fs;

/* Before the first thread: gives up every capability that the daemon has no use for. */
int cred_init(void);
/* In each worker thread, first of all: gives it a umask of its own (unshare(2), CLONE_FS). */
int cred_thread_init(void);
/* Acts as the request's caller until this thread's next cred_become(). 0, or -EPERM. */
int cred_become(struct af_fs *fs, fuse_req_t req);
/* This thread may keep the set-gid bit of any group, from now on or no longer; root's daemon only. */
void cred_raise_fsetid(bool raise);
/* chmod(2) that keeps a set-gid bit which the kernel has already let the caller set. */
int cred_chmod(const char *path, mode_t mode);

#endif
