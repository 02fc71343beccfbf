/*
 * What a file has beside its content, as a value: to keep it in a journal and to give it back.
 */
#ifndef AF_ATTRS_H
#define AF_ATTRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

/* One xattr, user.* or a POSIX ACL. */
struct attrs_xattr {
	char *name;     /* owned */
	uint8_t *value; /* owned */
	size_t size;    /* bytes */
};

struct attrs {
	uint32_t mode; /* with the type */
	uint32_t uid, gid;
	int64_t atime_ns, mtime_ns;
	struct attrs_xattr *xattrs; /* owned, in no order */
	size_t xattr_count;
};

void attrs_fini(struct attrs *attrs);
#define af_autoattrs __attribute__((cleanup(attrs_fini)))
/* Adds a copy of an xattr. 0 or -ENOMEM. */
int attrs_add(struct attrs *attrs, const char *name, const void *value, size_t size);

/*
 * Reads those of an open file (a descriptor of any kind; st is its). in_delta: bookkeeping is left
 * out, and names are as the mount's user wrote them. 0 or -errno.
 */
int attrs_read(struct attrs *attrs, int fd, const struct stat *st, bool in_delta);

/*
 * Gives them to an open file, of which `now` says what it has; times last. An owner that the
 * caller may not give is left as it is. 0 or -errno.
 */
int attrs_write(const struct attrs *attrs, int fd, const struct attrs *now);

int attrs_write_times(int fd, int64_t atime_ns, int64_t mtime_ns);

/* Equal but for the time of the last access and, for a directory, of its last change. */
bool attrs_equal(const struct attrs *a, const struct attrs *b);
/* Whether each is that of `a` or that of `b`: what a change from one to the other passes through. */
bool attrs_between(const struct attrs *now, const struct attrs *a, const struct attrs *b);

/* What the xattrs sum up to, as by copy_sum_xattrs(). */
uint64_t attrs_sum_xattrs(const struct attrs *attrs);

int64_t attrs_ns(struct timespec time);

#endif
