/*
 * Open files.
 *
 * Where the kernel offers passthrough and we may use it (CAP_SYS_ADMIN of the first user namespace), it
 * reads, writes and maps what is opened by itself: the backing file, with that file's page cache. All
 * handles of a node are one way or all are the other, and with passthrough have one backing id (what the
 * kernel demands: include/uapi/linux/fuse.h, fs/fuse/iomode.c).
 *
 * By itself is not for what may become another file while it is open (the source's, that a delta may yet
 * copy up), or whose writes we have to see: for a quota, for another node of the same file, or because
 * the delta may be merged while it is mounted.
 */
#ifndef AF_HANDLE_H
#define AF_HANDLE_H

#include "inode.h"

struct af_file;
struct af_fs;
struct fuse_file_info;

/*
 * Makes the handle of an open file (fd is taken over; st is its) and tells the kernel how to treat it.
 * -ESTALE: the node was copied up meanwhile, and fd is still the source's; or the kernel is to come back
 * with another node of the file, as it has the old file open by itself.
 */
int handle_new(struct af_fs *fs, struct af_inode *inode, int fd, const struct stat *st,
	struct fuse_file_info *fi);
void handle_free(struct af_fs *fs, struct af_file *file);

#endif
