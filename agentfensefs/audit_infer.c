/*
 * Refusals that the kernel makes by itself, inferred from what the caller was doing. See audit.h,
 * audit_infer(). It only reads /proc, and only while the caller waits for our answer, so what it
 * reads is about this very call.
 */
#include "fs.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

struct call {
	const char *op;
	enum af_level need; /* of the file itself */
	bool makes_name;    /* needs the right to write into a directory */
};

static struct call open_call(unsigned long flags)
{
	int mode = (int)flags & O_ACCMODE;
	bool writes = mode == O_WRONLY || mode == O_RDWR || (flags & O_TRUNC);

	return (struct call){"open", writes ? AF_WRITE : AF_READ, (flags & O_CREAT) != 0};
}

/* What system call nr asks of a file or of a directory; op NULL: nothing that could be refused. */
static struct call classify(long nr, const unsigned long *args)
{
	switch (nr) {
	case SYS_open:
		return open_call(args[1]);
	case SYS_openat:
		return open_call(args[2]);
	case SYS_openat2: /* its flags are in the caller's memory */
		return (struct call){"open", AF_READ, false};
	case SYS_creat:
		return open_call(O_WRONLY | O_CREAT | O_TRUNC);
	case SYS_truncate:
		return (struct call){"truncate", AF_WRITE, false};
	case SYS_execve:
	case SYS_execveat:
		return (struct call){"exec", AF_READ, false};
	case SYS_access:
		return (struct call){"access", args[1] & W_OK ? AF_WRITE : AF_READ, false};
	case SYS_faccessat:
	case SYS_faccessat2:
		return (struct call){"access", args[2] & W_OK ? AF_WRITE : AF_READ, false};
	case SYS_setxattr:
		return (struct call){"setxattr", AF_WRITE, false};
	case SYS_getxattr:
		return (struct call){"getxattr", AF_READ, false};
	case SYS_mkdir:
	case SYS_mkdirat:
		return (struct call){"mkdir", AF_NONE, true};
	case SYS_mknod:
	case SYS_mknodat:
		return (struct call){"mknod", AF_NONE, true};
	case SYS_symlink:
	case SYS_symlinkat:
		return (struct call){"symlink", AF_NONE, true};
	case SYS_link:
	case SYS_linkat:
		return (struct call){"link", AF_NONE, true};
	case SYS_unlink:
	case SYS_unlinkat:
		return (struct call){"unlink", AF_NONE, true};
	case SYS_rmdir:
		return (struct call){"rmdir", AF_NONE, true};
	case SYS_rename:
	case SYS_renameat:
	case SYS_renameat2:
		return (struct call){"rename", AF_NONE, true};
	case SYS_bind:
		return (struct call){"mknod", AF_NONE, true};
	default:
		return (struct call){0};
	}
}

/* Reads proc(5)'s syscall file: "nr arg0 ... arg5 sp pc". Returns whether it could. */
static bool read_syscall(pid_t pid, long *nr, unsigned long args[6])
{
	char path[64], text[256];
	af_autoclose int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : io_read_full(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return false;
	text[len] = '\0';
	return sscanf(text, "%ld %lx %lx %lx %lx %lx %lx", nr, &args[0], &args[1], &args[2],
		       &args[3], &args[4], &args[5]) == 7;
}

void audit_infer(struct af_fs *fs, fuse_req_t req, struct af_inode *inode,
	const struct af_verdict *verdict, const struct af_policy *policy, bool fresh)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	bool is_dir = S_ISDIR(inode->type);
	bool closed_dir =
		is_dir && verdict->level < AF_WRITE && !(verdict->flags & AF_V_MAY_CREATE);
	struct audit_event event = {.level = (enum af_level)verdict->level, .err = EACCES};
	struct call call;
	unsigned long args[6];
	long nr;

	/* Root is not refused by mode bits: its call comes to us, and is logged then. */
	if (!fs->audit || ctx->uid == 0 || verdict->level == AF_WRITE)
		return;
	if (!read_syscall(ctx->pid, &nr, args))
		return;
	call = classify(nr, args);
	if (!call.op)
		return;
	/*
	 * The file that a call is about is the last that it looks at. A directory may also be on
	 * the way to it, where the kernel asks only for what it does not know.
	 */
	if (is_dir ? !(closed_dir && call.makes_name && fresh) : verdict->level >= call.need)
		return;
	event.op = call.op;
	event.needed = is_dir ? AF_WRITE : call.need;
	event.rule = policy_rule(policy, verdict);
	counters_add(&fs->counters, AF_COUNT_REFUSED);
	audit_write(fs, req, &event, inode, NULL);
}
