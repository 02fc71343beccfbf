/*
 * What the kernel keeps of a file or a directory when it is opened again: pages, and listings.
 *
 * It may keep what is still so, as the change time tells: where that is some seconds old, the filesystem
 * is one that has it right, and, as a mapping that has been written to leaves no trace when it is written
 * to again, nobody has the file open for writing (a lease that can be had for a moment tells that).
 *
 * Of a directory the policy's view belongs to it. What a reader of a listing puts into the kernel's cache,
 * and when, we do not see until it closes: as long as one is there that began with another state,
 * nothing is kept.
 */
#ifndef AF_KEEP_H
#define AF_KEEP_H

#include <stdbool.h>
#include <stdint.h>

struct af_fs;
struct af_inode;
struct stat;

/* What a node remembers; under the table's lock. */
struct af_keep {
	uint64_t state;   /* of which the kernel's pages are; 0: it cannot be told from the next */
	uint32_t fillers; /* open listings that the kernel may take into its cache */
	bool mixed;       /* one of them began with another state */
};

/*
 * The regular file fd has been opened (st is its): returns whether the kernel may keep its pages. *settled
 * tells whether it may keep those that it reads now when the file is opened again as it is.
 */
bool keep_file(struct af_fs *fs, struct af_inode *inode, int fd, const struct stat *st,
	bool writable, bool *settled);

/*
 * The directory is being opened; st NULL: its times do not tell all changes. view is the gate's stamp. Sets
 * whether its listing may be taken from the kernel's cache and (returns) put into it: then
 * keep_dir_closed() follows.
 */
bool keep_dir(
	struct af_fs *fs, struct af_inode *inode, const struct stat *st, uint32_t view, bool *kept);
void keep_dir_closed(struct af_fs *fs, struct af_inode *inode);

#endif
