/*
 * One user of a delta at a time: flock(2) on meta/lock, and who it is.
 */
#include "delta_internal.h"

#include "cleanup.h"
#include "path.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>

/*
 * Who only looks has the lock for a moment; so long it is tried again. A mount that was ended has it until
 * the log is synced, which umount(8) does not wait for: it says so, and is waited for longer.
 */
enum { TRIES = 100, TRIES_ENDING = 1000, WAIT_NS = 10000000 };

static const char ENDING[] = " ends";

static int open_lock(const struct af_delta *delta, enum delta_use use)
{
	int flags = use == DELTA_LOOK ? O_RDONLY : O_RDWR | O_CREAT;

	return path_openat2(delta->meta_fd, DELTA_LOCK, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		use == DELTA_LOOK ? 0 : S_IRUSR | S_IWUSR,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/* Says who has it, as far as the file tells. */
static int busy(int fd, struct delta_fault *fault)
{
	char text[16] = "";
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);
	size_t digits = got > 0 ? strspn(text, "0123456789") : 0;

	if (digits == 0)
		return delta_fail(fault, -EBUSY, "in use by another process");
	return delta_fail(fault, -EBUSY, "in use by process %.*s", (int)digits, text);
}

static bool holder_ends(int fd)
{
	char text[32] = "";

	return pread(fd, text, sizeof(text) - 1, 0) > 0 && strstr(text, ENDING);
}

static int take(int fd)
{
	const struct timespec wait = {.tv_nsec = WAIT_NS};

	for (int tries = 1;; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EINTR && errno != EWOULDBLOCK)
			return -errno;
		if (tries >= TRIES && (tries >= TRIES_ENDING || !holder_ends(fd)))
			return -EWOULDBLOCK;
		nanosleep(&wait, NULL);
	}
}

static void name_holder(int fd, const char *state)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%ld%s\n", (long)getpid(), state);

	/* The lock holds without it: on a full disk nobody is named. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) < len)
		(void)!ftruncate(fd, 0);
}

static void look(struct af_delta *delta)
{
	af_autoclose int fd = open_lock(delta, DELTA_LOOK);

	delta->in_use = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int delta_lock(struct af_delta *delta, enum delta_use use, struct delta_fault *fault)
{
	af_autoclose int fd = -1;
	struct stat st;
	int rc;

	if (use == DELTA_LOOK) {
		look(delta);
		return 0;
	}
	fd = open_lock(delta, use);
	if (fd < 0)
		return delta_fail(fault, fd, "meta/lock: %s", strerror(-fd));
	rc = take(fd);
	if (rc == -EWOULDBLOCK)
		return busy(fd, fault);
	if (!rc && fstat(fd, &st) < 0)
		rc = -errno;
	if (rc)
		return delta_fail(fault, rc, "meta/lock: %s", strerror(-rc));
	/* What has another name is not ours to write to; what has none was removed meanwhile. */
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return delta_fail(fault, -EPERM, "meta/lock: not a file of its own");
	name_holder(fd, "");
	delta->lock_fd = af_steal_fd(&fd);
	return 0;
}

void delta_lock_claim(const struct af_delta *delta)
{
	if (delta->lock_fd >= 0)
		name_holder(delta->lock_fd, "");
}

void delta_lock_ends(const struct af_delta *delta)
{
	if (delta->lock_fd >= 0)
		name_holder(delta->lock_fd, ENDING);
}
