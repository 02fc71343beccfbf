/*
 * The operations of sys on names: making, renaming, removing and listing them.
 */
#include "sys.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static const struct word open_flags[] = {
	{"rdonly", O_RDONLY},
	{"wronly", O_WRONLY},
	{"rdwr", O_RDWR},
	{"creat", O_CREAT},
	{"excl", O_EXCL},
	{"trunc", O_TRUNC},
	{"append", O_APPEND},
	{"nofollow", O_NOFOLLOW},
	{"directory", O_DIRECTORY},
	{"path", O_PATH},
	{"tmpfile", O_TMPFILE},
	{"nonblock", O_NONBLOCK},
	{"direct", O_DIRECT},
	{"sync", O_SYNC},
	{"noatime", O_NOATIME},
	{NULL, 0},
};

static int do_open(char **args)
{
	struct place at = arg_place(args[0]);
	int flags = (int)arg_words(open_flags, args[1]);

	return hold_fd(openat(at.dir, at.name, flags | O_CLOEXEC, arg_mode(args + 2, 0644)));
}

static int do_close(char **args)
{
	return close(arg_fd(args[0]));
}

static int do_hold(char **args)
{
	char byte;

	(void)args;
	alarm(0);
	puts("holding");
	fflush(stdout);
	return read(STDIN_FILENO, &byte, 1) < 0 ? -1 : 0;
}

static int do_mkdir(char **args)
{
	struct place at = arg_place(args[0]);

	return mkdirat(at.dir, at.name, arg_mode(args + 1, 0755));
}

static int do_mknod(char **args)
{
	static const struct word types[] = {
		{"fifo", S_IFIFO},
		{"sock", S_IFSOCK},
		{"reg", S_IFREG},
		{"chr", S_IFCHR},
		{"blk", S_IFBLK},
		{NULL, 0},
	};
	struct place at = arg_place(args[0]);
	mode_t type = (mode_t)arg_word(types, args[1]);
	/* 1:3 is /dev/null: harmless, should a device be made where none may be. */
	dev_t dev = type == S_IFCHR || type == S_IFBLK ? 0x103 : 0;

	return mknodat(at.dir, at.name, type | arg_mode(args + 2, 0644), dev);
}

static int with_socket(const char *arg, int (*call)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", arg_path(arg)) >=
		(int)sizeof(addr.sun_path))
		usage("too long for a socket", arg);
	return hold_fd(fd) < 0 ? -1 : call(fd, (struct sockaddr *)&addr, sizeof(addr));
}

static int do_bind(char **args)
{
	return with_socket(args[0], bind);
}

static int do_connect(char **args)
{
	return with_socket(args[0], connect);
}

static int do_symlink(char **args)
{
	struct place at = arg_place(args[1]);

	return symlinkat(args[0], at.dir, at.name);
}

static int do_readlink(char **args)
{
	struct place at = arg_place(args[0]);
	char target[4096];

	return answer_bytes(target, readlinkat(at.dir, at.name, target, sizeof(target)));
}

static int link_places(struct place from, const char *to, int flags)
{
	struct place at = arg_place(to);

	return linkat(from.dir, from.name, at.dir, at.name, flags);
}

static int do_link(char **args)
{
	return link_places(arg_place(args[0]), args[1], 0);
}

static int do_linkfollow(char **args)
{
	return link_places(arg_place(args[0]), args[1], AT_SYMLINK_FOLLOW);
}

static int do_linkfd(char **args)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", arg_fd(args[0]));
	return link_places((struct place){AT_FDCWD, path}, args[1], AT_SYMLINK_FOLLOW);
}

static int do_rename(char **args)
{
	static const struct word flags[] = {
		{"noreplace", RENAME_NOREPLACE},
		{"exchange", RENAME_EXCHANGE},
		{"whiteout", RENAME_WHITEOUT},
		{NULL, 0},
	};
	struct place from = arg_place(args[0]), to = arg_place(args[1]);

	return renameat2(from.dir, from.name, to.dir, to.name,
		args[2] ? (unsigned int)arg_words(flags, args[2]) : 0);
}

static int do_unlink(char **args)
{
	struct place at = arg_place(args[0]);

	return unlinkat(at.dir, at.name, 0);
}

static int do_rmdir(char **args)
{
	struct place at = arg_place(args[0]);

	return unlinkat(at.dir, at.name, AT_REMOVEDIR);
}

struct entry {
	ino64_t ino;
	off64_t next;
	unsigned short size;
	unsigned char type;
	char name[];
};

static int list_entries(int fd, const char *offset)
{
	_Alignas(struct entry) char buffer[65536];
	long got;

	if (fd < 0 || lseek(fd, offset ? (off_t)arg_number(offset) : 0, SEEK_SET) < 0)
		return -1;
	while ((got = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < got;) {
			const struct entry *e = (const void *)(buffer + at);

			answer("%lld %c ", (long long)e->next, "?pc?d?b?-?l?s"[e->type % 13]);
			answer_bytes(e->name, (ssize_t)strlen(e->name));
			at += e->size;
		}
	}
	return got < 0 ? -1 : 0;
}

static int do_list(char **args)
{
	struct place at = arg_place(args[0]);
	int fd = openat(at.dir, at.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return hold_fd(fd) < 0 ? -1 : list_entries(fd, args[1]);
}

static int do_flist(char **args)
{
	return list_entries(arg_fd(args[0]), args[1]);
}

static int do_chdir(char **args)
{
	return chdir(arg_path(args[0]));
}

static int do_watch(char **args)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (hold_fd(fd) < 0)
		return -1;
	return inotify_add_watch(fd, arg_path(args[0]), IN_ALL_EVENTS) < 0 ? -1 : 0;
}

const struct op ops_names[] = {
	{"open", 2, 3, do_open},
	{"close", 1, 1, do_close},
	{"hold", 0, 0, do_hold},
	{"mkdir", 1, 2, do_mkdir},
	{"mknod", 2, 3, do_mknod},
	{"bind", 1, 1, do_bind},
	{"connect", 1, 1, do_connect},
	{"symlink", 2, 2, do_symlink},
	{"readlink", 1, 1, do_readlink},
	{"link", 2, 2, do_link},
	{"linkfollow", 2, 2, do_linkfollow},
	{"linkfd", 2, 2, do_linkfd},
	{"rename", 2, 3, do_rename},
	{"unlink", 1, 1, do_unlink},
	{"rmdir", 1, 1, do_rmdir},
	{"list", 1, 2, do_list},
	{"flist", 1, 2, do_flist},
	{"chdir", 1, 1, do_chdir},
	{"watch", 1, 1, do_watch},
	{NULL, 0, 0, NULL},
};
