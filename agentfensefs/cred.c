/*
 * Privileges. See cred.h.
 */
#include "fs.h"

#include "cleanup.h"
#include "cred.h"

#include <linux/securebits.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

/* What this thread acts as; the kernel keeps fsuid, fsgid and (after CLONE_FS) umask by thread. */
static _Thread_local struct {
	bool known;
	uid_t uid;
	gid_t gid;
	mode_t umask;
} current;

static const cap_value_t kept[] = {
	CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID, CAP_LEASE,
	CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, /* mounts, passthrough */
	CAP_SYS_PTRACE,                        /* the audit reads what a refused caller was doing */
};
enum { KEPT = sizeof(kept) / sizeof(kept[0]) };

/* Raises or clears one effective capability of this thread. */
static int set_effective(cap_value_t cap, cap_flag_value_t value)
{
	cap_t caps = cap_get_proc();
	int err = 0;

	if (!caps)
		return -errno;
	if (cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, value) != 0 || cap_set_proc(caps) != 0)
		err = -errno;
	cap_free(caps);
	return err;
}

/* The capabilities that we have and want: permitted, and effective but for CAP_FSETID. */
static int reduce(cap_t have, cap_t want)
{
	for (size_t i = 0; i < KEPT; i++) {
		cap_flag_value_t set;

		if (cap_get_flag(have, kept[i], CAP_PERMITTED, &set) != 0)
			return -errno;
		if (set != CAP_SET)
			continue;
		if (cap_set_flag(want, CAP_PERMITTED, 1, &kept[i], CAP_SET) != 0)
			return -errno;
		if (kept[i] != CAP_FSETID &&
			cap_set_flag(want, CAP_EFFECTIVE, 1, &kept[i], CAP_SET) != 0)
			return -errno;
	}
	return cap_set_proc(want) != 0 ? -errno : 0;
}

int cred_init(void)
{
	cap_t have = cap_get_proc();
	cap_t want = cap_init();
	int err = -ENOMEM;

	/* Fails for an ordinary user, who has no capabilities to keep either. */
	prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
	if (have && want)
		err = reduce(have, want);
	cap_free(have);
	cap_free(want);
	return err;
}

int cred_thread_init(void)
{
	if (unshare(CLONE_FS) != 0)
		return -errno;
	current.umask = umask(0);
	umask(current.umask);
	current.uid = (uid_t)setfsuid((uid_t)-1);
	current.gid = (gid_t)setfsgid((gid_t)-1);
	current.known = true;
	return 0;
}

static int become_ids(uid_t uid, gid_t gid)
{
	if (current.gid != gid) {
		setfsgid(gid);
		current.gid = (gid_t)setfsgid((gid_t)-1);
	}
	if (current.uid != uid) {
		setfsuid(uid);
		current.uid = (uid_t)setfsuid((uid_t)-1);
	}
	return current.uid == uid && current.gid == gid ? 0 : -EPERM;
}

int cred_become(struct af_fs *fs, fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	if (current.umask != ctx->umask) {
		umask(ctx->umask);
		current.umask = ctx->umask;
	}
	/* An ordinary user's daemon cannot act as anybody else: what it makes is its user's. */
	if (geteuid() != 0)
		return 0;
	return become_ids(
		owners_uid_in(&fs->owners, ctx->uid), owners_gid_in(&fs->owners, ctx->gid));
}

void cred_raise_fsetid(bool raise)
{
	set_effective(CAP_FSETID, raise ? CAP_SET : CAP_CLEAR);
}

int cred_chmod(const char *path, mode_t mode)
{
	int err;

	if (mode & S_ISGID)
		cred_raise_fsetid(true);
	err = chmod(path, mode) != 0 ? -errno : 0;
	if (mode & S_ISGID)
		cred_raise_fsetid(false);
	return err;
}
