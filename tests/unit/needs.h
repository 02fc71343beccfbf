/*
 * For unit tests: what this process and this place can truly do, asked of the kernel. User id 0 says
 * little: in a sandbox, a container or a user namespace it may lack capabilities, other ids and
 * filesystems with user xattrs. A test asks for what it needs, and is left out, with the reason, only
 * where that is not to be had; it must never ask for what it is there to check.
 */
#ifndef AF_NEEDS_H
#define AF_NEEDS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Leaves this test out, saying why, unless it has what it needs. */
#define need(what, reason)                                                       \
	do {                                                                     \
		if (!(what)) {                                                   \
			print_message("# %s: left out: %s\n", __func__, reason); \
			skip();                                                  \
		}                                                                \
	} while (0)

/* Whether a capability (CAP_...) is in effect, in the user namespace that this process is in. */
static inline bool has_cap(unsigned int cap)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	return data[cap / 32].effective & (UINT32_C(1) << (cap % 32));
}

/* Whether a user or group id exists here: map is "uid_map" or "gid_map". See user_namespaces(7). */
static inline bool has_id(const char *map, uint64_t id)
{
	char path[64];
	uint64_t first, outside, count;
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/%s", map);
	file = fopen(path, "re");
	if (!file)
		return false;
	while (fscanf(file, "%" SCNu64 "%" SCNu64 "%" SCNu64, &first, &outside, &count) == 3)
		found = found || (id >= first && id - first < count);
	fclose(file);
	return found;
}

/* Whether files can be given to others, and worked on whoever they belong to. */
static inline bool can_give_away(uint64_t uid, uint64_t gid)
{
	return has_cap(CAP_CHOWN) && has_cap(CAP_FOWNER) && has_cap(CAP_FSETID) &&
		has_cap(CAP_DAC_OVERRIDE) && has_id("uid_map", uid) && has_id("gid_map", gid);
}

/* Whether a child could become that user. */
static inline bool can_become(uint64_t uid, uint64_t gid)
{
	return has_cap(CAP_SETUID) && has_cap(CAP_SETGID) && has_id("uid_map", uid) &&
		has_id("gid_map", gid);
}

/* CAP_SYS_ADMIN counts for mounts in the user namespace that owns them: see ioctl_ns(2). */
static inline bool can_mount(void)
{
	int mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	int owner = mounts < 0 ? -1 : ioctl(mounts, NS_GET_USERNS);
	struct stat theirs, ours;
	bool same = owner >= 0 && fstat(owner, &theirs) == 0 &&
		stat("/proc/self/ns/user", &ours) == 0 && theirs.st_ino == ours.st_ino;

	if (owner >= 0)
		close(owner);
	if (mounts >= 0)
		close(mounts);
	return same && has_cap(CAP_SYS_ADMIN);
}

/* Whether this is the first user namespace, whose inode number the kernel fixes: linux/proc_ns.h. */
static inline bool is_first_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino == UINT32_C(0xEFFFFFFD);
}

/* Whether the filesystem at path keeps user xattrs. */
static inline bool keeps_xattrs(const char *path)
{
	return getxattr(path, "user.x", NULL, 0) >= 0 || errno == ENODATA;
}

/* What main returns where not one of its tests has what it needs: in TAP, that all are left out. */
static inline int leave_all_out(const char *reason)
{
	printf("1..0 # SKIP %s\n", reason);
	return 0;
}

#endif
