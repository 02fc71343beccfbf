/*
 * A file before or after, read whole for a diff. See diff.h.
 */
#include "diff.h"

#include "beneath.h"
#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <limits.h>
#include <sha1.h>
#include <string.h>
#include <sys/xattr.h>

unsigned int side_git_mode(mode_t mode)
{
	if (S_ISLNK(mode))
		return 0120000;
	if (!S_ISREG(mode))
		return 0;
	return mode & 0100 ? 0100755 : 0100644;
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
	af_autoclose int fd = beneath_reopen(object, O_RDONLY);

	if (fd < 0)
		return fd;
	side->has_xattrs = has_user_xattrs(fd);
	if (side->st.st_size > DIFF_MAX)
		return -EFBIG;
	return io_read_all(fd, DIFF_MAX, &side->data, &side->size);
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
	af_autoclose int object = beneath_open(root, path);
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
	af_autoclose int object = beneath_open(root, path);
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

bool side_is_same(const struct diff_side *before, const struct diff_side *after)
{
	/* Not by their ids: two contents of one SHA-1 can be made. */
	return before->data && after->data && before->size == after->size &&
		memcmp(before->data, after->data, after->size) == 0;
}

void side_fini(struct diff_side *side)
{
	free(side->data);
	*side = (struct diff_side){0};
}
