/*
 * What the kernel may remember, for how long, and how it is told otherwise.
 *
 * cache=auto: names and attributes for less than a second, so that what others change in the source
 * is seen within one. always: without a bound. never: not at all.
 */
#ifndef AF_KCACHE_H
#define AF_KCACHE_H

#include <stdbool.h>
#include <stdint.h>

struct af_fs;
struct af_inode;
struct stat;

struct af_kcache {
	double timeout_s;    /* of names and attributes */
	bool direct_io_mmap; /* files without the page cache can still be mapped shared */
	bool epochs;         /* the kernel can be told that every name is to be asked for again */
};

void kcache_init(struct af_fs *fs);
/* Called when the connection stands: finds out what the kernel can be told. */
void kcache_probe(struct af_fs *fs);
/* Every name and attribute is to be asked for again: the policy is another one. */
void kcache_expire_all(struct af_fs *fs);
/* Names that are not there may only be remembered where that can be taken back. */
double kcache_negative_timeout(const struct af_fs *fs);

/*
 * The node's attributes were sent with this timeout: until then the kernel has no reason to ask for
 * them again, unless something was done to the node (kcache_touched).
 */
void kcache_granted(struct af_fs *fs, struct af_inode *inode, double timeout_s);
void kcache_touched(struct af_inode *inode);
bool kcache_is_fresh(const struct af_inode *inode);

/*
 * The node is being opened and has these attributes, of which the change time is what counts: whether
 * the kernel may keep the pages (of a directory: the listing) that it has of the node since it was last
 * opened. view is the gate's for a directory, else 0. What changed a moment ago is never kept.
 */
bool kcache_content(struct af_fs *fs, struct af_inode *inode, const struct stat *st, uint32_t view);
/* Whether what the kernel reads of it from now on may be kept when it is opened again, as it is now. */
bool kcache_is_settled(const struct af_inode *inode);

/* Milliseconds of a coarse monotonic clock; wraps after 49 days, never 0. */
uint32_t kcache_now_ms(void);
/* When, by that clock, what is sent now with this timeout will have to be asked for again; 0: at once. */
uint32_t kcache_until_ms(double timeout_s);
/* Whether that is still to come. */
bool kcache_is_before(uint32_t until_ms);

#endif
