/*
 * Opening what lies at a path below a directory. See beneath.h.
 */
#include "beneath.h"

#include "cleanup.h"
#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>

enum { INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };

int beneath_open(int root, const char *path)
{
	af_autoclose int held = -1;
	int dir = root;

	/* In steps, where it is longer than a system call takes. */
	while (strlen(path) >= PATH_MAX) {
		char part[PATH_MAX];
		const char *slash = memrchr(path, '/', PATH_MAX - 1);
		int next;

		if (!slash)
			return -ENAMETOOLONG;
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		next = path_openat2(dir, part, O_PATH | O_DIRECTORY, 0, INSIDE);
		if (next < 0)
			return next;
		cleanup_close(&held);
		dir = held = next;
		path = slash + 1;
	}
	return path_openat2(dir, path, O_PATH | O_NOFOLLOW, 0, INSIDE);
}

int beneath_reopen(int object, int flags)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", object);
	fd = open(name, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
