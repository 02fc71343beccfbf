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

struct af_kcache {
	double timeout_s;    /* of names and attributes */
	bool direct_io_mmap; /* files without the page cache can still be mapped shared */
	int tells_changes;   /* atomic; keep.c: 1, -1: no, 0: not looked yet */
	bool epochs;         /* the kernel can be told that every name is to be asked for again */
};

void kcache_init(struct af_fs *fs);
/* Called when the connection stands: finds out what the kernel can be told. */
void kcache_probe(struct af_fs *fs);
/* Every name and attribute is to be asked for again: the policy is another one. */
void kcache_expire_all(struct af_fs *fs);
/* Every listing that is kept is to be asked for again: a directory has moved in the source. */
void kcache_expire_listings(struct af_fs *fs);
/* Names that are not there may only be remembered where that can be taken back. */
double kcache_negative_timeout(const struct af_fs *fs);

/*
 * The node's attributes were sent with this timeout: until then the kernel has no reason to ask for
 * them again, unless something was done to the node (kcache_touched).
 */
void kcache_granted(struct af_fs *fs, struct af_inode *inode, double timeout_s);
void kcache_touched(struct af_inode *inode);
bool kcache_is_fresh(const struct af_inode *inode);

/* Milliseconds of a coarse monotonic clock; wraps after 49 days, never 0. */
uint32_t kcache_now_ms(void);
/* When, by that clock, what is sent now with this timeout will have to be asked for again; 0: at once. */
uint32_t kcache_until_ms(double timeout_s);
/* Whether that is still to come. */
bool kcache_is_before(uint32_t until_ms);

#endif
