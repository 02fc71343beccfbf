/*
 * The system calls that the sandbox does not have, by libseccomp.
 *
 * Everything is allowed but what is listed: what reaches parts of the kernel that a program on files
 * never needs, or that would widen what the namespaces allow. The kernel truncates int arguments to
 * 32 bits while the filter sees 64, so whatever is refused by value is compared under a 32-bit mask.
 * i386 calls (int 0x80) get the same rules; x32 calls, whose numbers carry bit 30, are killed by
 * libseccomp, as every architecture that was not added.
 */
#include "filter.h"

#include "cleanup.h"

#include <linux/sched.h>
#include <linux/tty.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>

#define LOW_32 0xffffffffULL

/* Not in libseccomp's headers of Debian 12. All newer calls have one number on every machine. */
#define NR_OPEN_TREE_ATTR 467

/* clang-format off: one subject a line. */
static const char *const denied[] = {
	/* programs for the kernel, and its own objects and events */
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"keyctl",
	"add_key",
	"request_key",
	"lookup_dcookie",
	/* mounts and namespaces */
	"mount",
	"umount",
	"umount2",
	"pivot_root",
	"chroot",
	"setns",
	"open_tree",
	"move_mount",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	/* files by number, past every directory */
	"open_by_handle_at",
	"name_to_handle_at",
	/* the machine */
	"kexec_load",
	"kexec_file_load",
	"init_module",
	"finit_module",
	"delete_module",
	"create_module",
	"query_module",
	"get_kernel_syms",
	"acct",
	"swapon",
	"swapoff",
	"reboot",
	"quotactl",
	"quotactl_fd",
	"nfsservctl",
	"syslog",
	"sethostname",
	"setdomainname",
	"vhangup",
	"iopl",
	"ioperm",
	"settimeofday",
	"clock_settime",
	"clock_settime64",
	"stime",
	"adjtimex",
	"clock_adjtime",
	"clock_adjtime64",
	"_sysctl",
	"uselib",
	"vm86",
	"vm86old",
};

/* Answered as if the kernel were older: programs then fall back to what can be filtered. */
static const char *const absent[] = {
	"clone3",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
};

/* Two that push into a terminal, and one that loads line disciplines. */
static const unsigned int denied_ioctls[] = {TIOCSTI, TIOCLINUX, TIOCSETD};
/* clang-format on */

static int deny_names(scmp_filter_ctx filter, int error, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int number = seccomp_syscall_resolve_name(names[i]);
		int err;

		if (number == __NR_SCMP_ERROR)
			continue;
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO((unsigned int)error), number, 0);
		if (err)
			return err;
	}
	return 0;
}

/* Refuses the call where its argument, as 32 bits, has exactly `value` under `mask`. */
static int deny_masked(scmp_filter_ctx filter, int error, int number, unsigned int arg,
	uint64_t mask, uint64_t value)
{
	struct scmp_arg_cmp when = {
		.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};

	return seccomp_rule_add_array(
		filter, SCMP_ACT_ERRNO((unsigned int)error), number, 1, &when);
}

static int deny_ioctls(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(denied_ioctls) / sizeof(denied_ioctls[0]) && !err; i++)
		err = deny_masked(filter, EPERM, SCMP_SYS(ioctl), 1, LOW_32, denied_ioctls[i]);
	return err;
}

static int deny_user_namespaces(scmp_filter_ctx filter)
{
	int err = deny_masked(filter, EPERM, SCMP_SYS(unshare), 0, CLONE_NEWUSER, CLONE_NEWUSER);

	if (!err)
		err = deny_masked(filter, EPERM, SCMP_SYS(clone), 0, CLONE_NEWUSER, CLONE_NEWUSER);
	return err;
}

static int deny_family(scmp_filter_ctx filter, int call, struct scmp_arg_cmp when)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), call, 1, &when);
}

/*
 * AF_UNIX, AF_INET, AF_INET6 and AF_NETLINK stay, the last for routes and addresses only. A family
 * with any higher bit set is above AF_NETLINK as the filter sees it, so plain equality is enough
 * for those below.
 */
static int deny_families(scmp_filter_ctx filter, int call)
{
	struct scmp_arg_cmp netlink[] = {SCMP_A0_64(SCMP_CMP_EQ, AF_NETLINK),
		SCMP_A2_64(SCMP_CMP_NE, 0 /* NETLINK_ROUTE */)};
	int err = deny_family(filter, call, SCMP_A0_64(SCMP_CMP_GT, AF_NETLINK));

	for (unsigned int family = AF_UNIX + 1; family < AF_NETLINK && !err; family++)
		if (family != AF_INET && family != AF_INET6)
			err = deny_family(filter, call, SCMP_A0_64(SCMP_CMP_EQ, family));
	if (!err)
		err = seccomp_rule_add_array(
			filter, SCMP_ACT_ERRNO(EPROTONOSUPPORT), call, 2, netlink);
	return err;
}

/*
 * personality(2): asking (all ones), 32 bits (PER_LINUX32) and no address randomisation (gdb) stay.
 * Bit 31 tells asking from setting: a value without it may have no other bit, one with it must have
 * them all.
 */
static int deny_personalities(scmp_filter_ctx filter)
{
	const uint64_t top = 1ULL << 31, harmless = PER_LINUX32 | ADDR_NO_RANDOMIZE;
	int err = 0;

	for (int i = 0; i < 31 && !err; i++) {
		uint64_t bit = 1ULL << i;

		if (!(bit & harmless))
			err = deny_masked(filter, EPERM, SCMP_SYS(personality), 0, top | bit, bit);
		if (!err)
			err = deny_masked(filter, EPERM, SCMP_SYS(personality), 0, top | bit, top);
	}
	return err;
}

/* i386 programs can also reach socket() through a call whose arguments no filter sees. */
static int deny_socketcall(scmp_filter_ctx filter)
{
#ifdef __x86_64__
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(socketcall), 0);
#else
	(void)filter;
	return 0;
#endif
}

static int fill(scmp_filter_ctx filter)
{
	int err = deny_names(filter, EPERM, denied, sizeof(denied) / sizeof(denied[0]));

	if (!err)
		err = deny_names(filter, ENOSYS, absent, sizeof(absent) / sizeof(absent[0]));
	if (!err)
		err = deny_ioctls(filter);
	if (!err)
		err = deny_user_namespaces(filter);
	if (!err)
		err = deny_families(filter, SCMP_SYS(socket));
	if (!err)
		err = deny_families(filter, SCMP_SYS(socketpair));
	if (!err)
		err = deny_personalities(filter);
	if (!err)
		err = deny_socketcall(filter);
	return err;
}

static int add_architectures(scmp_filter_ctx filter)
{
#ifdef __x86_64__
	return seccomp_arch_add(filter, SCMP_ARCH_X86);
#elif defined(__aarch64__)
	return seccomp_arch_add(filter, SCMP_ARCH_ARM);
#else
	(void)filter;
	return 0;
#endif
}

int filter_open(void)
{
	af_autoclose int fd = memfd_create("afrun-seccomp", MFD_CLOEXEC);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err = fd < 0 ? -errno : filter ? 0 : -ENOMEM;

	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	/* Before other architectures are added: libseccomp cannot translate a number it has no name for. */
	if (!err)
		err = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), NR_OPEN_TREE_ATTR, 0);
	if (!err)
		err = add_architectures(filter);
	if (!err)
		err = fill(filter);
	if (!err)
		err = seccomp_export_bpf(filter, fd);
	if (!err && lseek(fd, 0, SEEK_SET) < 0)
		err = -errno;
	if (filter)
		seccomp_release(filter);
	return err ? err : af_steal_fd(&fd);
}
