/*
 * Refusals that the kernel makes by itself, inferred from what the caller was doing. See audit.h,
 * audit_infer(). It only reads /proc, and only while the caller waits for our answer, so what it
 * reads is about this very call.
 */
#include "fs.h"

#include "cleanup.h"
#include "io.h"
#include "path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { NO_PATH = -1 };

struct call {
	const char *op;
	enum af_level need; /* of the file itself */
	bool makes_name;    /* needs the right to write into a directory */
	int path;           /* which argument is the path of that name */
};

static struct call open_call(unsigned long flags, int path)
{
	int mode = (int)flags & O_ACCMODE;
	bool writes = mode == O_WRONLY || mode == O_RDWR || (flags & O_TRUNC);

	return (struct call){"open", writes ? AF_WRITE : AF_READ, (flags & O_CREAT) != 0, path};
}

/* What system call nr asks of a file or of a directory; op NULL: nothing that could be refused. */
static struct call classify(long nr, const unsigned long *args)
{
	switch (nr) {
	case SYS_open:
		return open_call(args[1], 0);
	case SYS_openat:
		return open_call(args[2], 1);
	case SYS_openat2: /* its flags are in the caller's memory */
		return (struct call){"open", AF_READ, false, NO_PATH};
	case SYS_creat:
		return open_call(O_WRONLY | O_CREAT | O_TRUNC, 0);
	case SYS_truncate:
		return (struct call){"truncate", AF_WRITE, false, NO_PATH};
	case SYS_execve:
	case SYS_execveat:
		return (struct call){"exec", AF_READ, false, NO_PATH};
	case SYS_access:
		return (struct call){"access", args[1] & W_OK ? AF_WRITE : AF_READ, false, NO_PATH};
	case SYS_faccessat:
	case SYS_faccessat2:
		return (struct call){"access", args[2] & W_OK ? AF_WRITE : AF_READ, false, NO_PATH};
	case SYS_setxattr:
	case SYS_lsetxattr:
	case SYS_fsetxattr:
		return (struct call){"setxattr", AF_WRITE, false, NO_PATH};
	case SYS_removexattr:
	case SYS_lremovexattr:
	case SYS_fremovexattr:
		return (struct call){"removexattr", AF_WRITE, false, NO_PATH};
	case SYS_getxattr:
	case SYS_lgetxattr:
	case SYS_fgetxattr:
		return (struct call){"getxattr", AF_READ, false, NO_PATH};
	case SYS_mkdir:
	case SYS_mkdirat:
		return (struct call){"mkdir", AF_NONE, true, nr == SYS_mkdirat};
	case SYS_mknod:
	case SYS_mknodat:
		return (struct call){"mknod", AF_NONE, true, nr == SYS_mknodat};
	case SYS_symlink:
	case SYS_symlinkat:
		return (struct call){"symlink", AF_NONE, true, nr == SYS_symlink ? 1 : 2};
	case SYS_link:
	case SYS_linkat:
		return (struct call){"link", AF_NONE, true, nr == SYS_link ? 1 : 3};
	case SYS_unlink:
	case SYS_unlinkat:
		return (struct call){"unlink", AF_NONE, true, nr == SYS_unlinkat};
	case SYS_rmdir:
		return (struct call){"rmdir", AF_NONE, true, 0};
	case SYS_rename:
	case SYS_renameat:
	case SYS_renameat2:
		return (struct call){"rename", AF_NONE, true, nr != SYS_rename};
	case SYS_bind: /* the path is in a structure */
		return (struct call){"mknod", AF_NONE, true, NO_PATH};
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

/* The last component of the path at that address of the caller. Returns whether there is one. */
static bool read_name(pid_t pid, unsigned long address, char name[NAME_MAX + 1])
{
	char path[PATH_MAX];
	struct iovec local = {.iov_base = path, .iov_len = sizeof(path)};
	struct iovec remote = {.iov_base = (void *)address, .iov_len = sizeof(path)};
	ssize_t got;
	size_t len, start;

	/* Not across a page that may not be there: a page at a time. */
	remote.iov_len = 4096 - address % 4096;
	got = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	if (got > 0 && !memchr(path, '\0', (size_t)got) && (size_t)got < sizeof(path)) {
		struct iovec rest = {.iov_base = path + got, .iov_len = sizeof(path) - (size_t)got};
		ssize_t more;

		remote.iov_base = (void *)(address + (unsigned long)got);
		remote.iov_len = rest.iov_len;
		more = process_vm_readv(pid, &rest, 1, &remote, 1, 0);
		got += more > 0 ? more : 0;
	}
	if (got <= 0)
		return false;
	len = strnlen(path, (size_t)got);
	if (len == (size_t)got)
		return false;
	while (len > 0 && path[len - 1] == '/')
		len--;
	for (start = len; start > 0 && path[start - 1] != '/'; start--)
		;
	if (len == start || len - start > NAME_MAX)
		return false;
	memcpy(name, path + start, len - start);
	name[len - start] = '\0';
	return path_is_component(name);
}

static bool exists(struct af_fs *fs, struct af_inode *dir, const char *name)
{
	struct af_dirfd *dirfd;
	struct af_found seen;
	bool found;

	if (dirfd_get(fs, dir, &dirfd) != 0)
		return false;
	found = overlay_stat(fs, &dirfd->at, name, &seen) == 0;
	dirfd_put(&fs->dirfds, dirfd);
	return found;
}

/* The user namespace of a process, as its inode number; 0 where that is not ours to see. */
static ino_t user_namespace(pid_t pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

/*
 * Whether mode bits do not bind the process (CAP_DAC_OVERRIDE, in our own user namespace): its calls
 * come to us, and are logged then.
 */
static bool is_privileged(pid_t pid)
{
	cap_t caps = cap_get_pid(pid);
	cap_flag_value_t set = CAP_SET;

	if (caps && cap_get_flag(caps, CAP_DAC_OVERRIDE, CAP_EFFECTIVE, &set) != 0)
		set = CAP_SET;
	cap_free(caps);
	return set == CAP_SET && user_namespace(pid) == user_namespace(getpid());
}

/* What is refused: the file itself, or a name in a directory in which nothing may be created. */
static bool is_refused(const struct af_inode *inode, const struct af_verdict *verdict,
	const struct call *call, bool fresh)
{
	/*
	 * The file that a call is about is the last that it looks at. A directory may also be on
	 * the way to it, where the kernel asks only for what it does not know.
	 */
	if (!S_ISDIR(inode->type))
		return verdict->level < call->need;
	return call->makes_name && fresh && !(verdict->flags & AF_V_MAY_CREATE);
}

/*
 * Fills in the name in dir that the call was about, where it can be read. Returns whether that is
 * refused: O_CREAT of what is there already does not need the right to create it.
 */
static bool find_name(struct af_fs *fs, const struct gate_view *view, pid_t pid,
	const struct call *call, unsigned long address, struct af_inode *dir,
	char name[NAME_MAX + 1], struct af_verdict *verdict)
{
	bool is_dir = strcmp(call->op, "mkdir") == 0 || strcmp(call->op, "rmdir") == 0;
	struct af_step step;

	if (!read_name(pid, address, name))
		return call->need == AF_NONE;
	if (call->need != AF_NONE && exists(fs, dir, name))
		return false;
	if (gate_step(fs, view, dir, name, &step) != 0)
		return false;
	*verdict = is_dir ? step.dir : step.file;
	return verdict->level < AF_WRITE;
}

void audit_infer(struct af_fs *fs, fuse_req_t req, const struct gate_view *view,
	struct af_inode *inode, const struct af_verdict *verdict, bool fresh)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct af_verdict refused = *verdict;
	char name[NAME_MAX + 1] = "";
	unsigned long args[6];
	struct call call;
	long nr;

	if (!fs->audit || verdict->level == AF_WRITE || !read_syscall(ctx->pid, &nr, args))
		return;
	call = classify(nr, args);
	if (!call.op || !is_refused(inode, verdict, &call, fresh) || is_privileged(ctx->pid))
		return;
	if (S_ISDIR(inode->type) && call.path != NO_PATH &&
		!find_name(fs, view, ctx->pid, &call, args[call.path], inode, name, &refused))
		return;
	gate_refused(fs, view, (struct gate_op){req, call.op}, inode, *name ? name : NULL, &refused,
		S_ISDIR(inode->type) ? AF_WRITE : call.need, EACCES);
}
