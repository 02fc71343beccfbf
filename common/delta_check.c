/*
 * What a delta is checked for: whether its filesystem can hold an upper (each thing is tried once,
 * before anything depends on it), and whether others can have written it.
 */
#include "delta_internal.h"

#include "cleanup.h"

#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#define PROBE "probe"
#define PROBE_OTHER "probe.other"

/* What a filesystem answers where it knows the operation not, or not of an ordinary user. */
static bool is_refusal(int err)
{
	return err == EOPNOTSUPP || err == ENOSYS || err == EINVAL || err == EPERM ||
		err == ENODEV || err == EACCES;
}

static int refuse(struct delta_fault *fault, int err, const char *what)
{
	if (is_refusal(err))
		return delta_fail(fault, -EOPNOTSUPP,
			"its filesystem cannot hold a delta: no %s (%s)", what, strerror(err));
	return delta_fail(fault, -err, "%s: %s", what, strerror(err));
}

static int try_xattr(int work_fd, struct delta_fault *fault)
{
	af_autoclose int fd =
		openat(work_fd, PROBE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);

	if (fd < 0)
		return delta_fail(fault, -errno, "work: %s", strerror(errno));
	if (fsetxattr(fd, DELTA_XATTR_OPAQUE, "y", 1, XATTR_CREATE) < 0)
		return refuse(fault, errno, "user extended attributes");
	return 0;
}

static int try_whiteout(int work_fd, const char *name, struct delta_fault *fault)
{
	struct stat st;

	if (fstatat(work_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return refuse(fault, errno, "whiteouts");
	return delta_is_whiteout(&st) ? 0 : refuse(fault, EOPNOTSUPP, "whiteouts");
}

/* PROBE is a file. */
static int try_renames(int work_fd, struct delta_fault *fault)
{
	int rc;

	if (renameat2(work_fd, PROBE, work_fd, PROBE_OTHER, RENAME_WHITEOUT) < 0)
		return refuse(fault, errno, "RENAME_WHITEOUT");
	rc = try_whiteout(work_fd, PROBE, fault);
	if (rc)
		return rc;
	if (renameat2(work_fd, PROBE, work_fd, PROBE_OTHER, RENAME_EXCHANGE) < 0)
		return refuse(fault, errno, "RENAME_EXCHANGE");
	return try_whiteout(work_fd, PROBE_OTHER, fault);
}

int delta_probe(int work_fd, struct delta_fault *fault)
{
	int rc = 0;

	if (mknodat(work_fd, PROBE, S_IFCHR, 0) < 0)
		rc = refuse(fault, errno, "whiteouts, which are character devices");
	if (!rc)
		rc = try_whiteout(work_fd, PROBE, fault);
	unlinkat(work_fd, PROBE, 0);
	if (!rc)
		rc = try_xattr(work_fd, fault);
	if (!rc)
		rc = try_renames(work_fd, fault);
	unlinkat(work_fd, PROBE, 0);
	unlinkat(work_fd, PROBE_OTHER, 0);
	return rc;
}

static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_uid == geteuid() || st.st_uid == 0) &&
		(st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool delta_is_trusted(const struct af_delta *delta)
{
	struct stat st;

	if (!is_ours(delta->dir_fd) || !is_ours(delta->meta_fd) || !is_ours(delta->log.fd) ||
		(delta->lock_fd >= 0 && !is_ours(delta->lock_fd)) || fstat(delta->dir_fd, &st) < 0)
		return false;
	/*
	 * upper's own owner and mode are what the mount shows of its root: where no other user gets
	 * there they say nothing.
	 */
	return (st.st_mode & (S_IRWXG | S_IRWXO)) == 0 ||
		(is_ours(delta->upper_fd) && is_ours(delta->work_fd));
}
