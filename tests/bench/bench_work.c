/*
 * The timed part of the bench, in one process, so that no shell is in the figure. Prints nanoseconds.
 *
 * bench_work [-C DIR] [-n TIMES] WORK [ARG...]: the median of TIMES (1) is printed. What could not be
 * done is an error, so that nothing is fast because it failed.
 *
 *     run COMMAND [ARG...]        from its start to its end; its output is thrown away
 *     read LIST                   open, read to the end and close each file that LIST names, one a line
 *     stat LIST                   lstat each
 *     absent LIST                 the same, for names that are not there
 *     seq-read FILE               in pieces of 128 KiB
 *     seq-write FILE MIB          a new file, in such pieces
 *     rand-read FILE COUNT        pieces of 4 KiB at places that are the same each time
 *     rand-write FILE COUNT       the same
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PIECE (128 * 1024)
#define PAGE 4096
#define MOST_TIMES 1001

extern char **environ;

static char piece[PIECE];

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* The lines of a file, cut in place; NULL after the last. Never freed. */
static char **read_list(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t count = 0, used = 0;
	char *text, *save, **list;

	if (fd < 0 || fstat(fd, &st) != 0)
		err(1, "%s", path);
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text || read(fd, text, (size_t)st.st_size) != st.st_size)
		err(1, "%s", path);
	close(fd);
	for (off_t i = 0; i < st.st_size; i++)
		count += text[i] == '\n';
	list = calloc(count + 2, sizeof(*list));
	if (!list)
		err(1, "%s", path);
	for (char *name = strtok_r(text, "\n", &save); name; name = strtok_r(NULL, "\n", &save))
		list[used++] = name;
	if (used == 0)
		errx(1, "%s: empty", path);
	return list;
}

static void read_all(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 1;

	while (fd >= 0 && got > 0)
		got = read(fd, piece, sizeof(piece));
	if (fd < 0 || got < 0)
		err(1, "%s", path);
	close(fd);
}

static int64_t work_read(char **list)
{
	int64_t began = now_ns();

	for (; *list; list++)
		read_all(*list);
	return now_ns() - began;
}

/* error is what each answer must be. */
static int64_t work_stat(char **list, int error)
{
	struct stat st;
	int64_t began = now_ns();

	for (; *list; list++) {
		int answer = lstat(*list, &st) == 0 ? 0 : errno;

		if (answer != error)
			errx(1, "%s: %s", *list, strerror(answer));
	}
	return now_ns() - began;
}

static int64_t work_seq_read(const char *path)
{
	int64_t began = now_ns();

	read_all(path);
	return now_ns() - began;
}

static int64_t work_seq_write(const char *path, long mib)
{
	int64_t began = now_ns();
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		err(1, "%s", path);
	for (long i = 0; i < mib * 1024 * 1024 / PIECE; i++)
		if (write(fd, piece, PIECE) != PIECE)
			err(1, "%s", path);
	if (close(fd) != 0)
		err(1, "%s", path);
	return now_ns() - began;
}

/* Reads or writes a page at each of count places. */
static int64_t work_rand(const char *path, long count, int write_it)
{
	int64_t began = now_ns();
	int fd = open(path, (write_it ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	unsigned int seed = 1;
	off_t pages = fd < 0 ? 0 : lseek(fd, 0, SEEK_END) / PAGE;

	if (pages == 0)
		err(1, "%s", path);
	for (long i = 0; i < count; i++) {
		off_t at = rand_r(&seed) % pages * PAGE;
		ssize_t done = write_it ? pwrite(fd, piece, PAGE, at) : pread(fd, piece, PAGE, at);

		if (done != PAGE)
			err(1, "%s", path);
	}
	if (close(fd) != 0)
		err(1, "%s", path);
	return now_ns() - began;
}

static int64_t work_run(char **argv)
{
	posix_spawn_file_actions_t actions;
	int64_t began;
	pid_t pid;
	int error, status;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	began = now_ns();
	error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (error != 0)
		errx(1, "%s: %s", argv[0], strerror(error));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(1, "%s", argv[0]);
	began = now_ns() - began;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		errx(1, "%s: status %#x", argv[0], (unsigned int)status);
	posix_spawn_file_actions_destroy(&actions);
	return began;
}

static long number(const char *text)
{
	char *end;
	long value = text ? strtol(text, &end, 10) : 0;

	if (value <= 0 || *end)
		errx(2, "%s: not a number above 0", text ? text : "nothing");
	return value;
}

/* One time; argv[0] is the work, argv[1] is there. list is that of argv[1], where one is wanted. */
static int64_t work(char **argv, char **list)
{
	if (strcmp(argv[0], "run") == 0)
		return work_run(argv + 1);
	if (strcmp(argv[0], "read") == 0)
		return work_read(list);
	if (strcmp(argv[0], "stat") == 0)
		return work_stat(list, 0);
	if (strcmp(argv[0], "absent") == 0)
		return work_stat(list, ENOENT);
	if (strcmp(argv[0], "seq-read") == 0)
		return work_seq_read(argv[1]);
	if (strcmp(argv[0], "seq-write") == 0)
		return work_seq_write(argv[1], number(argv[2]));
	if (strcmp(argv[0], "rand-read") == 0)
		return work_rand(argv[1], number(argv[2]), 0);
	if (strcmp(argv[0], "rand-write") == 0)
		return work_rand(argv[1], number(argv[2]), 1);
	errx(2, "%s: no such work", argv[0]);
}

static int compare(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int wants_list(const char *name)
{
	return strcmp(name, "read") == 0 || strcmp(name, "stat") == 0 ||
		strcmp(name, "absent") == 0;
}

int main(int argc, char **argv)
{
	static int64_t took[MOST_TIMES];
	const char *dir = ".";
	char **list = NULL;
	long times = 1;
	int option;

	while ((option = getopt(argc, argv, "+C:n:")) != -1) {
		if (option == 'C')
			dir = optarg;
		else if (option == 'n')
			times = number(optarg);
		else
			return 2;
	}
	if (argc - optind < 2 || times > MOST_TIMES)
		errx(2, "usage: bench_work [-C DIR] [-n TIMES] WORK ARG...");
	if (wants_list(argv[optind]))
		list = read_list(argv[optind + 1]);
	memset(piece, 'x', sizeof(piece));
	if (chdir(dir) != 0)
		err(1, "%s", dir);
	for (long i = 0; i < times; i++)
		took[i] = work(argv + optind, list);
	qsort(took, (size_t)times, sizeof(took[0]), compare);
	printf("%lld\n", (long long)took[(times - 1) / 2]);
	return 0;
}
