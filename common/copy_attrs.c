/*
 * Copying what a file has beside its data: xattrs, ACLs, owner, mode, times. See copy.h. It
 * opens nothing and knows nothing about data (copy.c).
 *
 * A descriptor of O_PATH takes no f...() call but is reached by its name in /proc/self/fd, which
 * leads to what is open, were it a symlink itself.
 */
#include "copy.h"

#include "cleanup.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/xattr.h>
#include <xxhash.h>

enum { LIST_SIZE = 4096, LINK_SIZE = 32 };

static void get_link(int fd, char link[LINK_SIZE])
{
	snprintf(link, LINK_SIZE, "/proc/self/fd/%d", fd);
}

/* Each as its f...(2): bytes, or -errno. */
static ssize_t list_xattrs(int fd, char *list, size_t size)
{
	ssize_t got = flistxattr(fd, list, size);

	if (got < 0 && errno == EBADF) {
		char link[LINK_SIZE];

		get_link(fd, link);
		got = listxattr(link, list, size);
	}
	return got < 0 ? -errno : got;
}

static ssize_t get_xattr(int fd, const char *name, void *value, size_t size)
{
	ssize_t got = fgetxattr(fd, name, value, size);

	if (got < 0 && errno == EBADF) {
		char link[LINK_SIZE];

		get_link(fd, link);
		got = getxattr(link, name, value, size);
	}
	return got < 0 ? -errno : got;
}

static int set_xattr(int fd, const char *name, const void *value, size_t size)
{
	int result = fsetxattr(fd, name, value, size, 0);

	if (result < 0 && errno == EBADF) {
		char link[LINK_SIZE];

		get_link(fd, link);
		result = setxattr(link, name, value, size, 0);
	}
	return result < 0 ? -errno : 0;
}

static int set_mode(int fd, mode_t mode)
{
	int result = fchmod(fd, mode);

	if (result < 0 && errno == EBADF) {
		char link[LINK_SIZE];

		get_link(fd, link);
		result = chmod(link, mode);
	}
	return result < 0 ? -errno : 0;
}

static bool is_copied(const char *name)
{
	return !strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN) ||
		!strcmp(name, "system.posix_acl_access") ||
		!strcmp(name, "system.posix_acl_default");
}

/* What is done with each xattr that is copied: `name` is what it is called on the other side. */
struct visit {
	int (*fn)(const struct visit *visit, const char *name, const void *value, size_t size);
	const struct copy_attrs *attrs;
	int to;        /* copying */
	uint64_t *sum; /* summing up */
};

static int visit_copy(const struct visit *visit, const char *name, const void *value, size_t size)
{
	int err = set_xattr(visit->to, name, value, size);

	return err == -EOPNOTSUPP ? 0 : err;
}

uint64_t copy_xattr_sum(const char *name, const void *value, size_t size)
{
	return XXH3_64bits_withSeed(value, size, XXH3_64bits(name, strlen(name)));
}

/* Addition, for they are listed in any order. */
static int visit_sum(const struct visit *visit, const char *name, const void *value, size_t size)
{
	*visit->sum += copy_xattr_sum(name, value, size);
	return 0;
}

/* value: XATTR_SIZE_MAX bytes to work in. */
static int visit_xattr(int from, const char *name, const struct visit *visit, void *value)
{
	const struct copy_attrs *attrs = visit->attrs;
	char stored[XATTR_NAME_MAX + 1];
	ssize_t size;

	if (!is_copied(name))
		return 0;
	if (attrs->xattr_name) {
		if (attrs->xattr_name(attrs->arg, name, stored) != 0)
			return 0;
		stored[XATTR_NAME_MAX] = '\0';
	}
	size = get_xattr(from, name, value, XATTR_SIZE_MAX);
	/* It is gone meanwhile, or was but listed. */
	if (size == -ENODATA || size == -EOPNOTSUPP)
		return 0;
	if (size < 0)
		return (int)size;
	return visit->fn(visit, attrs->xattr_name ? stored : name, value, (size_t)size);
}

static int visit_listed(int from, const struct visit *visit, const char *list, size_t size)
{
	af_autofree char *value = NULL;

	for (const char *name = list; name < list + size; name += strlen(name) + 1) {
		int err;

		if (!value)
			value = malloc(XATTR_SIZE_MAX);
		if (!value)
			return -ENOMEM;
		err = visit_xattr(from, name, visit, value);
		if (err)
			return err;
	}
	return 0;
}

static int visit_xattrs(int from, const struct visit *visit)
{
	af_autofree char *longer = NULL;
	char list[LIST_SIZE], *names = list;
	ssize_t size = list_xattrs(from, list, sizeof(list));

	if (size == -ERANGE) {
		names = longer = malloc(XATTR_LIST_MAX);
		if (!longer)
			return -ENOMEM;
		size = list_xattrs(from, longer, XATTR_LIST_MAX);
	}
	if (size == -EOPNOTSUPP)
		return 0;
	return size < 0 ? (int)size : visit_listed(from, visit, names, (size_t)size);
}

static int copy_xattrs(int from, int to, const struct copy_attrs *attrs)
{
	const struct visit visit = {.fn = visit_copy, .attrs = attrs, .to = to};

	return visit_xattrs(from, &visit);
}

int copy_sum_xattrs(int fd, const struct copy_attrs *attrs, uint64_t *sum)
{
	const struct visit visit = {.fn = visit_sum, .attrs = attrs, .sum = sum};

	*sum = 0;
	return visit_xattrs(fd, &visit);
}

static int copy_owner(const struct stat *st, int to, const struct copy_attrs *attrs)
{
	if (!attrs->owner && !attrs->owner_if_possible)
		return 0;
	if (fchownat(to, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) == 0)
		return 0;
	if (!attrs->owner_if_possible || (errno != EPERM && errno != EINVAL))
		return -errno;
	/* A group of the caller's may be given even then. */
	if (fchownat(to, "", (uid_t)-1, st->st_gid, AT_EMPTY_PATH) == 0)
		return 0;
	return errno == EPERM || errno == EINVAL ? 0 : -errno;
}

int copy_attrs(int from, const struct stat *st, int to, const struct copy_attrs *attrs)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	bool is_link = S_ISLNK(st->st_mode);
	int err = is_link ? 0 : copy_xattrs(from, to, attrs);

	if (!err)
		err = copy_owner(st, to, attrs);
	/* After the owner, for a change of it takes set-id bits away. */
	if (!err && !is_link && attrs->mode_mask)
		err = set_mode(to, st->st_mode & attrs->mode_mask & 07777);
	if (!err && attrs->times && utimensat(to, "", times, AT_EMPTY_PATH) != 0)
		err = -errno;
	return err;
}
