/*
 * FUSE_INIT. See conn.h. Why each capability is wanted stands beside it.
 */
#include "conn.h"

#include "fs.h"
#include "session.h"

#include <linux/magic.h>
#include <sys/vfs.h>

#ifndef AF_VERSION
#define AF_VERSION "unknown"
#endif

static bool want(struct fuse_conn_info *conn, unsigned int capability)
{
	if (!(conn->capable & capability))
		return false;
	conn->want |= capability;
	return true;
}

#ifdef FUSE_CAP_PASSTHROUGH
/*
 * With passthrough a mount counts as one filesystem upon those of its files, of which the kernel allows
 * two; so that an overlay can still be put upon the mount, it counts what is there.
 */
static unsigned int stacked_below(const struct af_fs *fs)
{
	struct statfs lower, upper = {0};

	if (fstatfs(fs->layer.root_fd, &lower) != 0 ||
		(fs->upper && fstatfs(fs->upper->delta.upper_fd, &upper) != 0))
		return 1;
	return lower.f_type == OVERLAYFS_SUPER_MAGIC || upper.f_type == OVERLAYFS_SUPER_MAGIC;
}
#endif

void conn_init(void *userdata, struct fuse_conn_info *conn)
{
	struct af_fs *fs = userdata;

	/* The source's ACLs count, and inherit: so the source's filesystem applies the umask. */
	want(conn, FUSE_CAP_POSIX_ACL);
	want(conn, FUSE_CAP_DONT_MASK);
	/* Truncation at open is decided and done with the open. */
	want(conn, FUSE_CAP_ATOMIC_O_TRUNC);
	/* What others write into the source shows once attributes have been asked for again. */
	want(conn, FUSE_CAP_AUTO_INVAL_DATA);
	want(conn, FUSE_CAP_ASYNC_READ);
	want(conn, FUSE_CAP_PARALLEL_DIROPS);
	want(conn, FUSE_CAP_READDIRPLUS);
	want(conn, FUSE_CAP_READDIRPLUS_AUTO);
	/*
	 * Without CAP_FSETID (cred.c) each of our writes clears set-id bits and file capabilities,
	 * which is what this promises; without the promise each write costs a getxattr.
	 */
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
	if (want(conn, FUSE_CAP_HANDLE_KILLPRIV_V2))
		conn->want &= ~(unsigned int)FUSE_CAP_HANDLE_KILLPRIV;
#endif
#ifdef FUSE_CAP_DIRECT_IO_ALLOW_MMAP
	fs->kcache.direct_io_mmap = want(conn, FUSE_CAP_DIRECT_IO_ALLOW_MMAP);
#endif
	/* A delta that is merged while it is mounted must not be written to meanwhile. */
#ifdef FUSE_CAP_PASSTHROUGH
	if (fs->options->passthrough && fs->options->hold_fd < 0 &&
		want(conn, FUSE_CAP_PASSTHROUGH)) {
		conn->max_backing_stack_depth = stacked_below(fs);
		fs->passthrough = true;
	}
#endif
	/* Elsewhere a symlink made anew might have the inode number, and so the node, of the old. */
	if (fs->options->cache == FS_CACHE_ALWAYS)
		want(conn, FUSE_CAP_CACHE_SYMLINKS);
	conn->time_gran = 1;
	session_started(fs);
}

void conn_print_version(FILE *out)
{
	fprintf(out, "agentfensefs %s, libfuse %s", AF_VERSION, fuse_pkgversion());
#ifndef FUSE_CAP_HANDLE_KILLPRIV_V2
	fprintf(out, " (lacks: passthrough, cheap writes, O_TMPFILE; 3.17 or newer has them)");
#endif
	fputc('\n', out);
}
