/*
 * The names that are bookkeeping in upper, and how the mount's user's own are kept apart from them.
 */
#include "delta.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define PREFIX_LEN (sizeof(DELTA_XATTR_PREFIX) - 1)
#define ESCAPED_LEN (sizeof(DELTA_XATTR_ESCAPED) - 1)

bool delta_is_opaque(int fd)
{
	char path[64], value;

	/* By way of /proc, since fgetxattr(2) does not take O_PATH. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return getxattr(path, DELTA_XATTR_OPAQUE, &value, sizeof(value)) == 1 && value == 'y';
}

static int join(char *out, size_t size, const char *prefix, const char *rest)
{
	int len = snprintf(out, size, "%s%s", prefix, rest);

	return len >= 0 && (size_t)len < size ? 0 : -ERANGE;
}

int delta_xattr_escape(char *out, size_t size, const char *name)
{
	if (strncmp(name, DELTA_XATTR_PREFIX, PREFIX_LEN) != 0)
		return join(out, size, "", name);
	return join(out, size, DELTA_XATTR_ESCAPED, name + PREFIX_LEN);
}

int delta_xattr_unescape(char *out, size_t size, const char *name)
{
	if (strncmp(name, DELTA_XATTR_ESCAPED, ESCAPED_LEN) == 0)
		return join(out, size, DELTA_XATTR_PREFIX, name + ESCAPED_LEN);
	if (strncmp(name, DELTA_XATTR_PREFIX, PREFIX_LEN) == 0)
		return -ENODATA;
	return join(out, size, "", name);
}
