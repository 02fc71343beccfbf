/*
 * Putting the filesystem on its mount point, and taking it off again.
 *
 * Where we may, mount(2) and umount2(2) do it directly: libfuse's own way starts mount(8) and
 * umount(8) besides, for a table that nobody needs, and these cost several times the mount. Else, and
 * with options that only fusermount3(1) knows, libfuse does it.
 */
#ifndef AF_MOUNT_H
#define AF_MOUNT_H

#include <stdbool.h>

struct fs_options;
struct fuse_session;

struct af_mount {
	bool direct;
	bool mounted;
	int fd; /* the connection; owned by the session once mounted */
};

/* Mounts options->mountpoint (absolute) for the session. Returns 0 or -errno, reported. */
int mount_attach(
	struct af_mount *mount, struct fuse_session *session, const struct fs_options *options);

/*
 * Unmounts, unless somebody has already, and ends the session. No worker may be running: with the
 * connection closed, whatever still waits for an answer gets an error.
 */
void mount_detach(
	struct af_mount *mount, struct fuse_session *session, const struct fs_options *options);

#endif
