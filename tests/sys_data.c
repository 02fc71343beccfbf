/*
 * The operations of sys on contents: reading, writing, sizes, holes, copies, maps, locks, exec.
 */
#include "sys.h"

#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int do_truncate(char **args)
{
	return truncate(arg_path(args[0]), arg_number(args[1]));
}

static int do_ftruncate(char **args)
{
	return ftruncate(arg_fd(args[0]), arg_number(args[1]));
}

static int do_fallocate(char **args)
{
	static const struct word modes[] = {
		{"none", 0},
		{"keep", FALLOC_FL_KEEP_SIZE},
		{"punch", FALLOC_FL_PUNCH_HOLE},
		{"zero", FALLOC_FL_ZERO_RANGE},
		{"collapse", FALLOC_FL_COLLAPSE_RANGE},
		{"insert", FALLOC_FL_INSERT_RANGE},
		{"unshare", FALLOC_FL_UNSHARE_RANGE},
		{NULL, 0},
	};

	return fallocate(arg_fd(args[0]), (int)arg_words(modes, args[1]), arg_number(args[2]),
		arg_number(args[3]));
}

static int do_read(char **args)
{
	size_t size = (size_t)arg_number(args[1]);
	char *buffer = malloc(size ? size : 1);
	int fd = arg_fd(args[0]), result;

	if (!buffer)
		return -1;
	result = answer_bytes(buffer,
		args[2] ? pread(fd, buffer, size, arg_number(args[2])) : read(fd, buffer, size));
	free(buffer);
	return result;
}

static int do_write(char **args)
{
	size_t size = strlen(args[1]);
	int fd = arg_fd(args[0]);
	ssize_t done =
		args[2] ? pwrite(fd, args[1], size, arg_number(args[2])) : write(fd, args[1], size);

	if (done >= 0 && (size_t)done < size)
		errno = ENOSPC;
	return done == (ssize_t)size ? 0 : -1;
}

static int do_seek(char **args)
{
	static const struct word whences[] = {
		{"set", SEEK_SET},
		{"cur", SEEK_CUR},
		{"end", SEEK_END},
		{"data", SEEK_DATA},
		{"hole", SEEK_HOLE},
		{NULL, 0},
	};
	off_t at = lseek(arg_fd(args[0]), arg_number(args[2]), (int)arg_word(whences, args[1]));

	if (at < 0)
		return -1;
	answer("%lld\n", (long long)at);
	return 0;
}

static int do_copy(char **args)
{
	size_t size = (size_t)arg_number(args[2]);
	ssize_t done = copy_file_range(arg_fd(args[0]), NULL, arg_fd(args[1]), NULL, size, 0);

	if (done < 0)
		return -1;
	answer("%zd\n", done);
	return 0;
}

/* Calls use(map + what offset leaves of a page) on a shared mapping. */
static int with_map(const char *fd, const char *offset, size_t size, int prot, const char *text)
{
	off_t at = arg_number(offset);
	size_t lead = (size_t)at % (size_t)sysconf(_SC_PAGESIZE);
	char *map = mmap(NULL, lead + size, prot, MAP_SHARED, arg_fd(fd), at - (off_t)lead);

	if (map == MAP_FAILED)
		return -1;
	if (text)
		memcpy(map + lead, text, size);
	else
		answer_bytes(map + lead, (ssize_t)size);
	if (text && msync(map, lead + size, MS_SYNC) < 0)
		return -1;
	return munmap(map, lead + size);
}

static int do_mmapwrite(char **args)
{
	return with_map(args[0], args[1], strlen(args[2]), PROT_READ | PROT_WRITE, args[2]);
}

static int do_mmapread(char **args)
{
	return with_map(args[0], args[1], (size_t)arg_number(args[2]), PROT_READ, NULL);
}

static int do_fsync(char **args)
{
	return fsync(arg_fd(args[0]));
}

static int do_flock(char **args)
{
	static const struct word kinds[] = {
		{"sh", LOCK_SH},
		{"ex", LOCK_EX},
		{"un", LOCK_UN},
		{NULL, 0},
	};

	return flock(arg_fd(args[0]), (int)arg_word(kinds, args[1]) | LOCK_NB);
}

static int set_lock(char **args, int command)
{
	static const struct word kinds[] = {
		{"r", F_RDLCK},
		{"w", F_WRLCK},
		{"un", F_UNLCK},
		{NULL, 0},
	};
	struct flock lock = {
		.l_type = (short)arg_word(kinds, args[1]),
		.l_whence = SEEK_SET,
		.l_start = arg_number(args[2]),
		.l_len = arg_number(args[3]),
	};

	return fcntl(arg_fd(args[0]), command, &lock);
}

static int do_lock(char **args)
{
	return set_lock(args, F_SETLK);
}

static int do_ofdlock(char **args)
{
	return set_lock(args, F_OFD_SETLK);
}

/* Executes P in a child, and tells whether execve(2) took it. */
static int do_exec(char **args)
{
	const char *path = arg_path(args[0]);
	char *const argv[] = {args[0], NULL};
	char *const envp[] = {NULL};
	int report[2], error = 0;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execve(path, argv, envp);
		error = errno;
		_exit(write(report[1], &error, sizeof(error)) < 0);
	}
	close(report[1]);
	if (pid < 0 || read(report[0], &error, sizeof(error)) < 0 || waitpid(pid, NULL, 0) < 0)
		return -1;
	errno = error;
	return error ? -1 : 0;
}

const struct op ops_data[] = {
	{"truncate", 2, 2, do_truncate},
	{"ftruncate", 2, 2, do_ftruncate},
	{"fallocate", 4, 4, do_fallocate},
	{"read", 2, 3, do_read},
	{"write", 2, 3, do_write},
	{"seek", 3, 3, do_seek},
	{"copy", 3, 3, do_copy},
	{"mmapwrite", 3, 3, do_mmapwrite},
	{"mmapread", 3, 3, do_mmapread},
	{"fsync", 1, 1, do_fsync},
	{"flock", 2, 2, do_flock},
	{"lock", 4, 4, do_lock},
	{"ofdlock", 4, 4, do_ofdlock},
	{"exec", 1, 1, do_exec},
	{NULL, 0, 0, NULL},
};
