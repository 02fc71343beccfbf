/*
 * The operations of sys on attributes: modes, owners, times, xattrs, stat and statfs.
 */
#include "sys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static int do_chmod(char **args)
{
	struct place at = arg_place(args[0]);

	return fchmodat(at.dir, at.name, arg_mode(args + 1, 0), 0);
}

static int do_fchmod(char **args)
{
	return fchmod(arg_fd(args[0]), arg_mode(args + 1, 0));
}

static int do_chown(char **args)
{
	struct place at = arg_place(args[0]);

	return fchownat(at.dir, at.name, (uid_t)arg_number(args[1]), (gid_t)arg_number(args[2]),
		AT_SYMLINK_NOFOLLOW);
}

static int do_fchown(char **args)
{
	return fchown(arg_fd(args[0]), (uid_t)arg_number(args[1]), (gid_t)arg_number(args[2]));
}

static struct timespec arg_time(const char *arg)
{
	char *end;
	struct timespec time = {0, 0};

	if (strcmp(arg, "now") == 0)
		return (struct timespec){0, UTIME_NOW};
	if (strcmp(arg, "omit") == 0)
		return (struct timespec){0, UTIME_OMIT};
	time.tv_sec = strtoll(arg, &end, 10);
	if (*end == '.')
		time.tv_nsec = strtol(end + 1, &end, 10);
	if (end == arg || *end)
		usage("not a time", arg);
	return time;
}

static int do_utimens(char **args)
{
	struct place at = arg_place(args[0]);
	struct timespec times[] = {arg_time(args[1]), arg_time(args[2])};

	return utimensat(at.dir, at.name, times, AT_SYMLINK_NOFOLLOW);
}

static int do_futimens(char **args)
{
	struct timespec times[] = {arg_time(args[1]), arg_time(args[2])};

	return futimens(arg_fd(args[0]), times);
}

static const struct word xattr_flags[] = {
	{"create", XATTR_CREATE},
	{"replace", XATTR_REPLACE},
	{NULL, 0},
};

static int do_setxattr(char **args)
{
	int flags = args[3] ? (int)arg_word(xattr_flags, args[3]) : 0;

	return lsetxattr(arg_path(args[0]), args[1], args[2], strlen(args[2]), flags);
}

static int do_fsetxattr(char **args)
{
	return fsetxattr(arg_fd(args[0]), args[1], args[2], strlen(args[2]), 0);
}

static char value[65536];

static int do_getxattr(char **args)
{
	return answer_bytes(value, lgetxattr(arg_path(args[0]), args[1], value, sizeof(value)));
}

static int do_fgetxattr(char **args)
{
	return answer_bytes(value, fgetxattr(arg_fd(args[0]), args[1], value, sizeof(value)));
}

static int answer_names(ssize_t size)
{
	if (size < 0)
		return -1;
	for (const char *name = value; name < value + size; name += strlen(name) + 1)
		answer("%s\n", name);
	if (size == 0)
		answer("%s", "");
	return 0;
}

static int do_listxattr(char **args)
{
	return answer_names(llistxattr(arg_path(args[0]), value, sizeof(value)));
}

static int do_flistxattr(char **args)
{
	return answer_names(flistxattr(arg_fd(args[0]), value, sizeof(value)));
}

static int do_removexattr(char **args)
{
	return lremovexattr(arg_path(args[0]), args[1]);
}

static int do_fremovexattr(char **args)
{
	return fremovexattr(arg_fd(args[0]), args[1]);
}

static void answer_time(struct timespec time)
{
	answer("%lld.%09ld", (long long)time.tv_sec, time.tv_nsec);
}

static void answer_stat_field(const struct stat *st, const char *field)
{
	const struct word numbers[] = {
		{"size", st->st_size},
		{"nlink", (long)st->st_nlink},
		{"uid", st->st_uid},
		{"gid", st->st_gid},
		{"ino", (long)st->st_ino},
		{"dev", (long)st->st_dev},
		{"blocks", st->st_blocks},
		{"rdev", (long)st->st_rdev},
		{NULL, 0},
	};

	if (strcmp(field, "type") == 0)
		answer("%c", "?pc?d?b?-?l?s"[st->st_mode >> 12 & 15]);
	else if (strcmp(field, "mode") == 0)
		answer("%04o", st->st_mode & 07777U);
	else if (strcmp(field, "atime") == 0)
		answer_time(st->st_atim);
	else if (strcmp(field, "mtime") == 0)
		answer_time(st->st_mtim);
	else if (strcmp(field, "ctime") == 0)
		answer_time(st->st_ctim);
	else
		answer("%ld", arg_word(numbers, field));
}

static int answer_stat(int result, const struct stat *st, char *fields)
{
	char *save = NULL;
	const char *gap = "";

	if (result < 0)
		return -1;
	for (char *f = strtok_r(fields, ",", &save); f; f = strtok_r(NULL, ",", &save)) {
		answer("%s", gap);
		answer_stat_field(st, f);
		gap = " ";
	}
	answer("\n");
	return 0;
}

static int do_stat(char **args)
{
	struct place at = arg_place(args[0]);
	struct stat st;

	return answer_stat(fstatat(at.dir, at.name, &st, AT_SYMLINK_NOFOLLOW), &st, args[1]);
}

static int do_fstat(char **args)
{
	struct stat st;

	return answer_stat(fstat(arg_fd(args[0]), &st), &st, args[1]);
}

static int access_as(char **args, int flags)
{
	struct place at = arg_place(args[0]);
	int mode = F_OK;

	for (const char *c = args[1]; *c; c++)
		mode |= *c == 'r' ? R_OK : *c == 'w' ? W_OK : *c == 'x' ? X_OK : F_OK;
	return faccessat(at.dir, at.name, mode, flags);
}

static int do_access(char **args)
{
	return access_as(args, 0);
}

static int do_eaccess(char **args)
{
	return access_as(args, AT_EACCESS);
}

static int do_statfs(char **args)
{
	struct statfs st;
	char *save = NULL;
	const char *gap = "";

	if (statfs(arg_path(args[0]), &st) < 0)
		return -1;
	for (char *f = strtok_r(args[1], ",", &save); f; f = strtok_r(NULL, ",", &save)) {
		const struct word numbers[] = {
			{"type", st.f_type},
			{"bsize", st.f_bsize},
			{"blocks", (long)st.f_blocks},
			{"bfree", (long)st.f_bfree},
			{"bavail", (long)st.f_bavail},
			{"files", (long)st.f_files},
			{"ffree", (long)st.f_ffree},
			{"namelen", st.f_namelen},
			{NULL, 0},
		};

		answer("%s%ld", gap, arg_word(numbers, f));
		gap = " ";
	}
	answer("\n");
	return 0;
}

const struct op ops_attrs[] = {
	{"chmod", 2, 2, do_chmod},
	{"fchmod", 2, 2, do_fchmod},
	{"chown", 3, 3, do_chown},
	{"fchown", 3, 3, do_fchown},
	{"utimens", 3, 3, do_utimens},
	{"futimens", 3, 3, do_futimens},
	{"setxattr", 3, 4, do_setxattr},
	{"getxattr", 2, 2, do_getxattr},
	{"listxattr", 1, 1, do_listxattr},
	{"removexattr", 2, 2, do_removexattr},
	{"fsetxattr", 3, 3, do_fsetxattr},
	{"fgetxattr", 2, 2, do_fgetxattr},
	{"flistxattr", 1, 1, do_flistxattr},
	{"fremovexattr", 2, 2, do_fremovexattr},
	{"stat", 2, 2, do_stat},
	{"fstat", 2, 2, do_fstat},
	{"access", 2, 2, do_access},
	{"eaccess", 2, 2, do_eaccess},
	{"statfs", 2, 2, do_statfs},
	{NULL, 0, 0, NULL},
};
