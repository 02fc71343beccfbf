/*
 * Moving an object out of the delta, and back: where both are on one filesystem and nobody has it
 * open, the file that the sandbox wrote becomes the source's without a copy. See merge.h.
 *
 * Who has it open for writing would write to the source afterwards, past every check. A lease tells that
 * nobody has (fcntl(2)), but not of an open() that has found the file and stands just before it: so only
 * what nobody else can open is moved.
 */
#include "merge.h"

#include "cleanup.h"
#include "log.h"

#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/xattr.h>
#include <signal.h>
#include <string.h>
#include <sys/xattr.h>

enum { OPEN_FILE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

void take_prepare(struct merge *merge, const struct af_delta *delta)
{
	struct stat st;

	merge->can_take = state_can_rename(merge->state->dir_fd, delta->upper_fd);
	merge->is_closed = fstat(delta->dir_fd, &st) == 0 && st.st_uid == geteuid() &&
		(st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

/* Whether no other user can open it for writing; a mode's group bits are those of an ACL's mask. */
static bool is_out_of_reach(const struct merge *merge, const struct stat *st)
{
	return merge->is_closed || S_ISLNK(st->st_mode) ||
		(st->st_uid == geteuid() && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0);
}

bool take_is_possible(const struct merge *merge, const struct stat *st)
{
	/* With other names it would be the delta's and the source's at once. */
	if (!merge->can_take || st->st_nlink != 1 || (st->st_mode & (S_ISUID | S_ISGID)))
		return false;
	return is_out_of_reach(merge, st) && (geteuid() == 0 || st->st_uid == geteuid());
}

int take_look(struct merge *merge, size_t index)
{
	struct merge_step *step = &merge->steps[index];
	af_autofree char *link = NULL;
	const char *name;
	uint64_t ino;
	int dirfd, err = parents_get(&merge->upper, step->from, &dirfd, &name);

	if (err)
		return err;
	if (asprintf(&link, "/proc/self/fd/%d/%s", dirfd, name) < 0) {
		link = NULL;
		return -ENOMEM;
	}
	if (lgetxattr(link, DELTA_XATTR_INO, &ino, sizeof(ino)) == (ssize_t)sizeof(ino))
		step->shown_ino = le64toh(ino);
	return 0;
}

/* ---- xattrs ------------------------------------------------------------------------------------- */

/*
 * Whether a file that is moved may have it: what it has in the source, or what is just taken away.
 * Security labels are the system's own affair.
 */
static bool is_harmless(const char *name)
{
	if (strncmp(name, DELTA_XATTR_ESCAPED, strlen(DELTA_XATTR_ESCAPED)) == 0)
		return false;
	return strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN) == 0 ||
		strcmp(name, "system.posix_acl_access") == 0 ||
		strcmp(name, "security.selinux") == 0 || strcmp(name, "security.SMACK64") == 0;
}

/* The names of an open file's xattrs: their size in bytes, or -errno. */
static ssize_t list_names(int fd, char **names)
{
	ssize_t size = flistxattr(fd, NULL, 0);

	*names = NULL;
	if (size <= 0)
		return size == 0 || errno == EOPNOTSUPP ? 0 : -errno;
	*names = malloc((size_t)size);
	if (!*names)
		return -ENOMEM;
	size = flistxattr(fd, *names, (size_t)size);
	return size < 0 ? -errno : size;
}

static bool all_harmless(const char *names, ssize_t size)
{
	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		if (!is_harmless(name))
			return false;
	}
	return true;
}

static bool is_bookkeeping(const char *name)
{
	return strncmp(name, DELTA_XATTR_PREFIX, strlen(DELTA_XATTR_PREFIX)) == 0;
}

/* Whether strip_xattrs() may: who is not root must be allowed to write to the file. */
static bool can_strip(mode_t mode, const char *names, ssize_t size)
{
	if (geteuid() == 0 || (mode & S_IWUSR))
		return true;
	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		if (is_bookkeeping(name))
			return false;
	}
	return true;
}

/* Takes the delta's bookkeeping away: all that a file which all_harmless() took has of these names. */
static int strip_xattrs(int fd, const char *names, ssize_t size)
{
	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		if (is_bookkeeping(name) && fremovexattr(fd, name) != 0)
			return -errno;
	}
	return 0;
}

/* ---- moving ------------------------------------------------------------------------------------- */

/* Whether this descriptor is the only one of its file. It is told by a signal that does nothing. */
static bool is_ours_alone(int fd)
{
	return fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_WRLCK) == 0;
}

/*
 * Whether nobody has come to wait for it meanwhile: who found it under its old name would have it open
 * as soon as the lease ends, wherever it is then (F_GETLEASE tells what a lease is about to become).
 */
static bool is_waited_for(int fd)
{
	return fcntl(fd, F_GETLEASE) != F_WRLCK;
}

/* fd: of a file, under a lease; -1: of none. 0, 1: it cannot be moved, and is where it was; or -errno. */
static int move_file(struct merge *merge, struct merge_step *step, const char *object, int fd)
{
	const char *name;
	struct stat st;
	int dirfd, err = parents_get(&merge->upper, step->from, &dirfd, &name);

	if (err)
		return err == -ENOENT ? -ESTALE : err;
	if (renameat2(dirfd, name, merge->stage_fd, object, RENAME_NOREPLACE) != 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (fstatat(merge->stage_fd, object, &st, AT_SYMLINK_NOFOLLOW) != 0)
		err = -errno;
	else if (!merge_is_same(&step->upper, &st, false))
		err = -ESTALE; /* Another was put there between two calls. */
	else if (fd < 0 || !is_waited_for(fd))
		return 0;
	else
		err = 1;
	if (renameat2(merge->stage_fd, object, dirfd, name, RENAME_NOREPLACE) != 0)
		return -errno;
	/* It has another ctime now, by our own doing. */
	if (err > 0 && fstatat(fd, "", &st, AT_EMPTY_PATH) == 0)
		step->upper.ctime_ns = attrs_ns(st.st_ctim);
	return err;
}

/* 0, 1: it cannot be moved; or -errno. */
static int move_out(struct merge *merge, size_t index)
{
	struct merge_step *step = &merge->steps[index];
	struct object_name object = object_name(index);
	bool is_link = S_ISLNK(step->upper.mode);
	af_autofree char *names = NULL;
	af_autoclose int fd = -1;
	ssize_t size = 0;
	struct stat st;
	int err = stage_open_upper(
		merge, step, is_link ? O_PATH | O_NOFOLLOW | O_CLOEXEC : OPEN_FILE, &fd, &st);

	if (err)
		return err;
	if (!is_link) {
		if (!is_out_of_reach(merge, &st) || !is_ours_alone(fd))
			return 1;
		size = list_names(fd, &names);
		if (size < 0)
			return (int)size;
		if (!all_harmless(names, size) || !can_strip(st.st_mode, names, size))
			return 1;
	}
	err = move_file(merge, step, object.text, is_link ? -1 : fd);
	/* The sandbox has made the directory read-only, and it stays so. */
	if (err == -EACCES)
		return 1;
	if (!err && size > 0)
		err = strip_xattrs(fd, names, size);
	return err;
}

static int copy_instead(struct merge *merge, size_t index)
{
	struct merge_step *step = &merge->steps[index];
	af_autoclose int fd = -1;
	int err = stage_copy(merge, index);

	if (err)
		return err;
	/* From here on there is nothing to give back. */
	step->take = false;
	/* A symlink cannot be opened, but is in its directory. */
	fd = openat(merge->stage_fd, S_ISLNK(step->put.mode) ? "." : object_name(index).text,
		OPEN_FILE);
	if (fd < 0 || fsync(fd) != 0)
		return -errno;
	err = record_step(merge, index);
	return err ? err : journal_sync(&merge->journal);
}

/* Of one that was moved when we were killed. */
static int settle(struct merge *merge, size_t index)
{
	af_autofree char *names = NULL;
	af_autoclose int fd = -1;
	ssize_t size;

	if (!S_ISREG(merge->steps[index].put.mode))
		return 0;
	fd = openat(merge->stage_fd, object_name(index).text, OPEN_FILE);
	if (fd < 0)
		return -errno;
	size = list_names(fd, &names);
	return size <= 0 ? (int)size : strip_xattrs(fd, names, size);
}

int take_object(struct merge *merge, size_t index)
{
	struct merge_step *step = &merge->steps[index];
	struct object_name object = object_name(index);
	struct stat st;
	int err;

	if (merge->recovering &&
		fstatat(merge->stage_fd, object.text, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (st.st_ino == step->put.ino)
			return settle(merge, index);
		/* Half of a copy that was made because it could not be moved. */
		if (unlinkat(merge->stage_fd, object.text, 0) != 0)
			return -errno;
	}
	if (merge->upper.root_fd < 0)
		return -ESTALE;
	err = move_out(merge, index);
	return err > 0 ? copy_instead(merge, index) : err;
}

int take_give_back(struct merge *merge, size_t index)
{
	struct merge_step *step = &merge->steps[index];
	struct object_name object = object_name(index);
	const uint64_t ino = htole64(step->shown_ino);
	af_autoclose int fd = -1;
	const char *name;
	struct stat st;
	int dirfd, err;

	if (!step->take || fstatat(merge->stage_fd, object.text, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
		st.st_ino != step->put.ino)
		return 0;
	if (merge->upper.root_fd < 0)
		return -ENOENT;
	if (S_ISREG(st.st_mode)) {
		fd = openat(merge->stage_fd, object.text, OPEN_FILE);
		if (fd < 0)
			return -errno;
		/* Without it the file is shown with another number: no reason to keep it. */
		if (step->shown_ino && fsetxattr(fd, DELTA_XATTR_INO, &ino, sizeof(ino), 0) != 0)
			log_info("%s: its number: %s", step->from, strerror(errno));
	}
	err = parents_get(&merge->upper, step->from, &dirfd, &name);
	if (err)
		return err;
	return renameat2(merge->stage_fd, object.text, dirfd, name, RENAME_NOREPLACE) == 0 ? 0
											   : -errno;
}
