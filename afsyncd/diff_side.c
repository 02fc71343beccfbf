/*
 * A file before or after, read whole for a diff. See diff.h.
 */
#include "diff.h"

#include "cleanup.h"
#include "io.h"
#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sha1.h>
#include <string.h>
#include <sys/xattr.h>

enum { RESOLVE_INSIDE = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV };

unsigned int side_git_mode(mode_t mode)
{
	if (S_ISLNK(mode))
		return 0120000;
	if (!S_ISREG(mode))
		return 0;
	return mode & 0100 ? 0100755 : 0100644;
}

/* Opens path below root as O_PATH, in steps where it is longer than a system call takes. */
static int open_object(int root, const char *path)
{
	af_autoclose int held = -1;
	int dir = root;

	while (strlen(path) >= PATH_MAX) {
		char part[PATH_MAX];
		const char *slash = memrchr(path, '/', PATH_MAX - 1);
		int next;

		if (!slash)
			return -ENAMETOOLONG;
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		next = path_openat2(dir, part, O_PATH | O_DIRECTORY, 0, RESOLVE_INSIDE);
		if (next < 0)
			return next;
		cleanup_close(&held);
		dir = held = next;
		path = slash + 1;
	}
	return path_openat2(dir, path, O_PATH | O_NOFOLLOW, 0, RESOLVE_INSIDE);
}

static int read_link(struct diff_side *side, int object)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(object, "", target, sizeof(target));

	return len < 0 ? -errno : side_set_content(side, target, (size_t)len);
}

/* Whether the file has an xattr of its user's. */
static bool has_user_xattrs(int fd)
{
	char names[65536], name[XATTR_NAME_MAX + 1];
	ssize_t len = flistxattr(fd, names, sizeof(names));

	for (ssize_t i = 0; i < len; i += (ssize_t)strlen(names + i) + 1)
		if (strncmp(names + i, "user.", 5) == 0 &&
			delta_xattr_unescape(name, sizeof(name), names + i) == 0)
			return true;
	return len < 0 && errno == ERANGE;
}

static int read_regular(struct diff_side *side, int object)
{
	char name[64];
	af_autoclose int fd = -1;
	int err;

	/* It is known to be a regular file, so opening it does not block. */
	snprintf(name, sizeof(name), "/proc/self/fd/%d", object);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	side->has_xattrs = has_user_xattrs(fd);
	err = side->st.st_size > DIFF_MAX ? -EFBIG
					  : io_read_all(fd, DIFF_MAX, &side->data, &side->size);
	return err;
}

static void name_content(struct diff_side *side)
{
	char head[32];
	int len = snprintf(head, sizeof(head), "blob %zu", side->size);
	SHA1_CTX sha;

	SHA1Init(&sha);
	SHA1Update(&sha, (const uint8_t *)head, (size_t)len + 1);
	SHA1Update(&sha, (const uint8_t *)side->data, side->size);
	SHA1End(&sha, side->id);
}

int side_read(struct diff_side *side, int root, const char *path)
{
	af_autoclose int object = open_object(root, path);
	int err;

	*side = (struct diff_side){0};
	if (object < 0)
		return object;
	if (fstat(object, &side->st) < 0)
		return -errno;
	side->mode = side_git_mode(side->st.st_mode);
	if (!side->mode)
		return -ESTALE;
	err = S_ISLNK(side->st.st_mode) ? read_link(side, object) : read_regular(side, object);
	if (!err)
		name_content(side);
	return err;
}

mode_t side_type(int root, const char *path)
{
	af_autoclose int object = open_object(root, path);
	struct stat st;

	return object < 0 || fstat(object, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

int side_set_content(struct diff_side *side, const char *data, size_t size)
{
	char *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	if (size)
		memcpy(copy, data, size);
	copy[size] = '\0';
	free(side->data);
	side->data = copy;
	side->size = size;
	name_content(side);
	return 0;
}

void side_fini(struct diff_side *side)
{
	free(side->data);
	*side = (struct diff_side){0};
}
