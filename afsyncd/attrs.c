/*
 * A file's attributes as a value. See attrs.h. Descriptors may be O_PATH: xattrs and modes are
 * reached by the name in /proc/self/fd, which leads to what is open.
 */
#include "attrs.h"

#include "cleanup.h"
#include "copy.h"
#include "delta.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/xattr.h>
#include <string.h>
#include <sys/xattr.h>

struct link {
	char text[32];
};

static struct link link_of(int fd)
{
	struct link link;

	snprintf(link.text, sizeof(link.text), "/proc/self/fd/%d", fd);
	return link;
}

int64_t attrs_ns(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static struct timespec to_timespec(int64_t ns)
{
	struct timespec time = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	if (time.tv_nsec < 0) {
		time.tv_sec--;
		time.tv_nsec += 1000000000;
	}
	return time;
}

void attrs_fini(struct attrs *attrs)
{
	for (size_t i = 0; i < attrs->xattr_count; i++) {
		free(attrs->xattrs[i].name);
		free(attrs->xattrs[i].value);
	}
	free(attrs->xattrs);
	*attrs = (struct attrs){0};
}

int attrs_add(struct attrs *attrs, const char *name, const void *value, size_t size)
{
	struct attrs_xattr *more =
		reallocarray(attrs->xattrs, attrs->xattr_count + 1, sizeof(*more));
	struct attrs_xattr *xattr;

	if (!more)
		return -ENOMEM;
	attrs->xattrs = more;
	xattr = &more[attrs->xattr_count];
	*xattr = (struct attrs_xattr){
		.name = strdup(name), .value = malloc(size ? size : 1), .size = size};
	attrs->xattr_count++;
	if (!xattr->name || !xattr->value)
		return -ENOMEM;
	memcpy(xattr->value, value, size);
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------------ */

static bool is_kept(const char *name)
{
	return strncmp(name, XATTR_USER_PREFIX, XATTR_USER_PREFIX_LEN) == 0 ||
		strcmp(name, "system.posix_acl_access") == 0 ||
		strcmp(name, "system.posix_acl_default") == 0;
}

static int read_one(struct attrs *attrs, const struct link *link, const char *name, bool in_delta)
{
	char plain[XATTR_NAME_MAX + 1];
	af_autofree void *value = NULL;
	ssize_t size;

	if (!is_kept(name))
		return 0;
	if (in_delta && delta_xattr_unescape(plain, sizeof(plain), name) != 0)
		return 0;
	value = malloc(XATTR_SIZE_MAX);
	if (!value)
		return -ENOMEM;
	size = getxattr(link->text, name, value, XATTR_SIZE_MAX);
	if (size < 0)
		return errno == ENODATA || errno == EOPNOTSUPP ? 0 : -errno;
	return attrs_add(attrs, in_delta ? plain : name, value, (size_t)size);
}

static int read_xattrs(struct attrs *attrs, int fd, bool in_delta)
{
	struct link link = link_of(fd);
	af_autofree char *list = NULL;
	ssize_t size = listxattr(link.text, NULL, 0);

	if (size > 0) {
		list = malloc(XATTR_LIST_MAX);
		if (!list)
			return -ENOMEM;
		size = listxattr(link.text, list, XATTR_LIST_MAX);
	}
	if (size < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	for (const char *name = list; list && name < list + size; name += strlen(name) + 1) {
		int err = read_one(attrs, &link, name, in_delta);

		if (err)
			return err;
	}
	return 0;
}

int attrs_read(struct attrs *attrs, int fd, const struct stat *st, bool in_delta)
{
	int err;

	*attrs = (struct attrs){
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.atime_ns = attrs_ns(st->st_atim),
		.mtime_ns = attrs_ns(st->st_mtim),
	};
	err = S_ISLNK(st->st_mode) ? 0 : read_xattrs(attrs, fd, in_delta);
	if (err)
		attrs_fini(attrs);
	return err;
}

/* ---- comparing ---------------------------------------------------------------------------------- */

static const struct attrs_xattr *find(const struct attrs *attrs, const char *name)
{
	for (size_t i = 0; i < attrs->xattr_count; i++) {
		if (strcmp(attrs->xattrs[i].name, name) == 0)
			return &attrs->xattrs[i];
	}
	return NULL;
}

/* Whether `attrs` has this xattr with this value; NULL: whether it has none of the name. */
static bool has(const struct attrs *attrs, const char *name, const struct attrs_xattr *xattr)
{
	const struct attrs_xattr *found = find(attrs, name);

	if (!found || !xattr)
		return !found && !xattr;
	return found->size == xattr->size && memcmp(found->value, xattr->value, found->size) == 0;
}

bool attrs_equal(const struct attrs *a, const struct attrs *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
		(S_ISDIR(a->mode) || a->mtime_ns == b->mtime_ns) &&
		a->xattr_count == b->xattr_count && attrs_between(a, b, b);
}

/* Of all names that either has: is it in `now` as one of the two has it? */
static bool names_between(const struct attrs *names, const struct attrs *now, const struct attrs *a,
	const struct attrs *b)
{
	for (size_t i = 0; i < names->xattr_count; i++) {
		const char *name = names->xattrs[i].name;
		const struct attrs_xattr *held = find(now, name);

		if (!has(a, name, held) && !has(b, name, held))
			return false;
	}
	return true;
}

bool attrs_between(const struct attrs *now, const struct attrs *a, const struct attrs *b)
{
	/* On the way a new owner takes set-id bits away, and xattrs want to be written (below). */
	const uint32_t plain = ~(uint32_t)(S_ISUID | S_ISGID | S_IWUSR);

	return ((now->mode & plain) == (a->mode & plain) ||
		       (now->mode & plain) == (b->mode & plain)) &&
		(now->uid == a->uid || now->uid == b->uid) &&
		(now->gid == a->gid || now->gid == b->gid) &&
		(S_ISDIR(now->mode) || now->mtime_ns == a->mtime_ns ||
			now->mtime_ns == b->mtime_ns) &&
		names_between(now, now, a, b) && names_between(a, now, a, b) &&
		names_between(b, now, a, b);
}

uint64_t attrs_sum_xattrs(const struct attrs *attrs)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < attrs->xattr_count; i++)
		sum += copy_xattr_sum(
			attrs->xattrs[i].name, attrs->xattrs[i].value, attrs->xattrs[i].size);
	return sum;
}

/* ---- writing ------------------------------------------------------------------------------------ */

static int write_owner(const struct attrs *attrs, int fd, const struct attrs *now)
{
	if (attrs->uid == now->uid && attrs->gid == now->gid)
		return 0;
	if (fchownat(fd, "", attrs->uid, attrs->gid, AT_EMPTY_PATH) == 0)
		return 0;
	/* Not root: a group of the caller's may be given even then. */
	if ((errno == EPERM || errno == EINVAL) && attrs->gid != now->gid &&
		fchownat(fd, "", (uid_t)-1, attrs->gid, AT_EMPTY_PATH) == 0)
		return 0;
	return errno == EPERM || errno == EINVAL ? 0 : -errno;
}

static int write_xattrs(const struct attrs *attrs, int fd, const struct attrs *now)
{
	struct link link = link_of(fd);

	for (size_t i = 0; i < now->xattr_count; i++) {
		const char *name = now->xattrs[i].name;

		if (!find(attrs, name) && removexattr(link.text, name) != 0 && errno != ENODATA)
			return -errno;
	}
	for (size_t i = 0; i < attrs->xattr_count; i++) {
		const struct attrs_xattr *xattr = &attrs->xattrs[i];

		if (!has(now, xattr->name, xattr) &&
			setxattr(link.text, xattr->name, xattr->value, xattr->size, 0) != 0 &&
			errno != EOPNOTSUPP)
			return -errno;
	}
	return 0;
}

int attrs_write_times(int fd, int64_t atime_ns, int64_t mtime_ns)
{
	struct timespec times[2] = {to_timespec(atime_ns), to_timespec(mtime_ns)};

	return utimensat(fd, "", times, AT_EMPTY_PATH) == 0 ? 0 : -errno;
}

int attrs_write(const struct attrs *attrs, int fd, const struct attrs *now)
{
	struct stat st;
	int err = write_owner(attrs, fd, now);

	if (!err && !S_ISLNK(attrs->mode)) {
		err = write_xattrs(attrs, fd, now);
		/* The owner of a read-only file may change its mode, but not its xattrs. */
		if (err == -EACCES && chmod(link_of(fd).text, (now->mode & 07777) | S_IWUSR) == 0)
			err = write_xattrs(attrs, fd, now);
		/* An ACL and a change of owner have their own idea of the mode. */
		if (!err && fstatat(fd, "", &st, AT_EMPTY_PATH) != 0)
			err = -errno;
		if (!err && (st.st_mode & 07777) != (attrs->mode & 07777) &&
			chmod(link_of(fd).text, attrs->mode & 07777) != 0)
			err = -errno;
	}
	return err ? err : attrs_write_times(fd, attrs->atime_ns, attrs->mtime_ns);
}
