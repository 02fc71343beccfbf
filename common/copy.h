/*
 * Copying one file's data and attributes between descriptors: for copy-up and for merging.
 *
 * Data goes by the cheapest way there is: reflink (FICLONE), else copy_file_range(2), else read
 * and write; holes stay holes. The hash is taken of what is copied, without a second read where
 * bytes pass through us; after a reflink it is read from the copy, which cannot change
 * meanwhile. Of a file that changes while it is copied, at most the size that it had at first
 * is.
 */
#ifndef AF_COPY_H
#define AF_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { COPY_HASH_SIZE = 16 }; /* bytes: XXH3-128, canonical form */

struct copy_options {
	bool want_hash;
	size_t text_max; /* bytes: keep the content if it is text (no NUL) of at most this; 0: never */
	bool keep_holes;
	/* Called from time to time with the bytes done; non-zero stops with -ECANCELED. May be NULL. */
	int (*progress)(void *arg, uint64_t done, uint64_t size);
	void *arg;
};

struct copy_result {
	uint64_t size; /* bytes of the file that was copied */
	bool has_hash;
	uint8_t hash[COPY_HASH_SIZE];
	char *text; /* owned by the caller, with a NUL after text_size bytes; NULL: none kept */
	size_t text_size;
	enum { COPY_REFLINK, COPY_RANGE, COPY_BYTES } how;
};

/*
 * Copies all of the regular file `from` (readable) to the empty file `to` (writable, not O_APPEND).
 * Both descriptors' offsets are undefined afterwards. Returns 0 or -errno.
 */
int copy_data(int from, int to, const struct copy_options *options, struct copy_result *result);

/* The hash (and text) of an open file's content without a copy. Same options and result. */
int copy_hash(int fd, const struct copy_options *options, struct copy_result *result);
/* XXH3-128 of bytes in memory, as above: of a symlink's target. */
void copy_hash_bytes(const void *data, size_t size, uint8_t hash[COPY_HASH_SIZE]);

struct copy_attrs {
	bool owner; /* uid and gid too: -EPERM where that is refused */
	/* Owner where that goes: EPERM and EINVAL (an id without a number here) are no error. */
	bool owner_if_possible;
	/* Of 07777: which mode bits are taken over, the others being off; 0: mode is left alone. */
	mode_t mode_mask;
	bool times; /* atime and mtime, in ns */
	/*
	 * Only user.* and POSIX ACLs are copied, and symlinks have none. Under which name xattr `name`
	 * is stored in the copy: 0 and out (256 bytes), or non-zero to leave it out. NULL: the same.
	 */
	int (*xattr_name)(void *arg, const char *name, char *out);
	void *arg;
};

/*
 * Gives `to` what `from` has (descriptors of any kind, O_PATH too, of the same type; st is from's):
 * xattrs and ACLs, owner, mode, then times. A filesystem without xattrs or ACLs on either side has
 * none to copy. 0 or -errno.
 */
int copy_attrs(int from, const struct stat *st, int to, const struct copy_attrs *attrs);

/*
 * A sum (of XXH3-64) over the xattrs and ACLs of an object that is no symlink, by which it can be told
 * whether they are others now: the same for a file and a copy of it, if each is asked with the names
 * that the mount's user knows (attrs->xattr_name, its other members do not matter). 0 without any.
 * Returns 0 or -errno; -EACCES where they are not ours to read.
 */
int copy_sum_xattrs(int fd, const struct copy_attrs *attrs, uint64_t *sum);
/* What one of them adds to it. */
uint64_t copy_xattr_sum(const char *name, const void *value, size_t size);

#endif
