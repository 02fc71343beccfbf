/*
 * reap CMD [ARG...]: runs CMD as a child subreaper, with AF_TEST_ID set to its own process id.
 *
 * Whatever CMD starts stays a descendant of this process, daemons with a cleared environment
 * included, so CMD can list all of it. When CMD has ended, what is left is killed, and the exit
 * status is CMD's (128+N for a signal). SIGTERM and SIGHUP are passed on to CMD, which has five
 * seconds to clean up before it is killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t child;

static void pass_on(int signum)
{
	if (child > 0)
		kill(child, signum == SIGALRM ? SIGKILL : signum);
	alarm(5);
}

/* Kills the children, again and again: their children become ours. Returns whether there were any. */
static int kill_children(void)
{
	char path[64];
	FILE *list;
	int pid, found = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	list = fopen(path, "re");
	if (!list)
		return 0;
	while (fscanf(list, "%d", &pid) == 1) {
		kill(pid, SIGKILL);
		found = 1;
	}
	fclose(list);
	return found;
}

static int wait_for(pid_t pid)
{
	int status;

	for (;;) {
		pid_t got = waitpid(-1, &status, 0);

		if (got == pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (got < 0 && errno != EINTR)
			return 125;
	}
}

int main(int argc, char **argv)
{
	static const int passed[] = {SIGTERM, SIGHUP, SIGALRM};
	char id[16];
	int status;
	pid_t pid;

	if (argc < 2) {
		fputs("usage: reap CMD [ARG...]\n", stderr);
		return 2;
	}
	snprintf(id, sizeof(id), "%d", (int)getpid());
	if (setenv("AF_TEST_ID", id, 1) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
		perror("reap");
		return 125;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		perror("reap: execvp");
		_exit(127);
	}
	child = pid;
	/* The terminal sends ^C to CMD as well; we stay to clean up after it. */
	signal(SIGINT, SIG_IGN);
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		signal(passed[i], pass_on);
	status = pid < 0 ? 125 : wait_for(pid);
	while (kill_children() && waitpid(-1, NULL, 0) > 0)
		continue;
	return status;
}
