/*
 * A process that outlives this one. See keeper.h.
 */
#include "keeper.h"

#include "cleanup.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { FDS_MAX = 16 };

static int compare(const void *a, const void *b)
{
	const int *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* All above 2 but those. */
static void close_others(const int *fds, size_t count)
{
	int sorted[FDS_MAX];
	unsigned int from = 3;

	memcpy(sorted, fds, sizeof(*fds) * count);
	qsort(sorted, count, sizeof(*sorted), compare);
	for (size_t i = 0; i < count; i++) {
		unsigned int fd = (unsigned int)sorted[i];

		if (fd > from)
			close_range(from, fd - 1, 0);
		from = fd + 1;
	}
	close_range(from, ~0U, 0);
}

void keeper_settle(const char *name, const int *fds, size_t count)
{
	sigset_t none;
	int null;

	close_others(fds, count);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	if (null > 2)
		close(null);
	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, name);
}

__attribute__((noreturn)) static void keep(
	const int *fds, size_t count, void (*work)(void *arg), void *arg)
{
	sigset_t all;
	char byte;

	keeper_settle("afrun-keeper", fds, count);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	while (read(fds[0], &byte, 1) < 0 && errno == EINTR)
		continue;
	work(arg);
	_exit(0);
}

/* By way of a child that ends at once: nobody takes the keeper for one of the run's. */
int keeper_start(
	struct af_keeper *keeper, const int *fds, size_t count, void (*work)(void *arg), void *arg)
{
	af_autoclose int life_read = -1, life = -1, gone = -1, gone_write = -1;
	int ends[2], status, kept[FDS_MAX];
	pid_t pid;

	*keeper = AF_KEEPER_NONE;
	if (count + 2 > FDS_MAX)
		return -EMFILE;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	life_read = ends[0];
	life = ends[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	gone = ends[0];
	gone_write = ends[1];
	kept[0] = life_read;
	kept[1] = gone_write;
	memcpy(kept + 2, fds, sizeof(*fds) * count);
	pid = fork();
	if (pid == 0) {
		pid = fork();
		if (pid == 0)
			keep(kept, count + 2, work, arg);
		_exit(pid < 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	if (status != 0)
		return -EAGAIN;
	keeper->life = af_steal_fd(&life);
	keeper->gone = af_steal_fd(&gone);
	return 0;
}

void keeper_end(struct af_keeper *keeper)
{
	char byte;

	if (keeper->life >= 0)
		close(af_steal_fd(&keeper->life));
	/* The keeper's end of it: it has done what it could. */
	while (keeper->gone >= 0 && read(keeper->gone, &byte, 1) < 0 && errno == EINTR)
		continue;
	if (keeper->gone >= 0)
		close(af_steal_fd(&keeper->gone));
}
