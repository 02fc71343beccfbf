/*
 * Mounting. See mount.h, and Documentation/filesystems/fuse.rst for the kernel's options.
 */
#include "mount.h"

#include "cleanup.h"
#include "fuse.h"
#include "log.h"
#include "options.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const char fs_type[] = "fuse.agentfensefs";

/* mount(2) with a connection of our own. Returns the descriptor or -errno. */
static int mount_direct(const struct fs_options *options)
{
	af_autoclose int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	const struct fs_mount *wanted = &options->mount;
	af_autofree char *data = NULL;

	if (fd < 0)
		return -errno;
	if (asprintf(&data, "fd=%d,rootmode=%o,user_id=%u,group_id=%u,default_permissions%s", fd,
		    S_IFDIR, getuid(), getgid(), wanted->allow_other ? ",allow_other" : "") < 0) {
		data = NULL;
		return -ENOMEM;
	}
	if (mount(wanted->name, options->mountpoint, fs_type, wanted->flags | MS_NOSUID | MS_NODEV,
		    data) != 0)
		return -errno;
	return af_steal_fd(&fd);
}

int mount_attach(
	struct af_mount *mount, struct fuse_session *session, const struct fs_options *options)
{
	char path[32];

	*mount = (struct af_mount){.fd = -1};
	if (!options->mount.unusual)
		mount->fd = mount_direct(options);
	mount->direct = mount->fd >= 0;
	if (mount->direct)
		snprintf(path, sizeof(path), "/dev/fd/%d", mount->fd);
	/* Whatever the direct way did not like, libfuse tries once more, and says why not. */
	if (fuse_session_mount(session, mount->direct ? path : options->mountpoint) != 0)
		return -EIO;
	mount->mounted = true;
	return 0;
}

/* Whether the kernel has ended the connection: somebody has unmounted it. */
static bool is_gone(int fd)
{
	struct pollfd poll_fd = {.fd = fd};

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLERR);
}

void mount_detach(
	struct af_mount *mount, struct fuse_session *session, const struct fs_options *options)
{
	bool unmount = mount->mounted && mount->direct && !is_gone(mount->fd);

	if (mount->mounted && !mount->direct)
		fuse_session_unmount(session);
	fuse_session_destroy(session);
	if (unmount && umount2(options->mountpoint, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
		log_warn("unmount: %s: %s", options->mountpoint, strerror(errno));
	mount->mounted = false;
}
