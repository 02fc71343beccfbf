/*
 * A session's shell: calls of the C library that bash makes, and that mean something else there. See
 * session_shell.c. Where no text runs, and in the shell's children, each is what it always was.
 */
#include "session_shell.h"

#include "session_text.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((noreturn)) static void end_text(int status)
{
	last_command_exit_value = status;
	siglongjmp(af_text_over, EXITPROG);
}

static void become(const char *path, char *const *argv, char *const *envp, int report)
{
	static int (*next)(const char *, char *const *, char *const *);
	size_t count = 0;
	char **script;
	int error;

	next = (int (*)(const char *, char *const *, char *const *))dlsym(RTLD_NEXT, "execve");
	next(path, argv, envp);
	error = errno;
	while (argv[count])
		count++;
	script = error == ENOEXEC ? calloc(count + 3, sizeof(*script)) : NULL;
	if (script) {
		/* As bash does by itself: a script without a first line. */
		script[0] = strdup("bash");
		script[1] = strdup(path);
		for (size_t i = 1; i < count; i++)
			script[i + 1] = argv[i];
		next("/bin/bash", script, envp);
	}
	if (write(report, &error, sizeof(error)) != (ssize_t)sizeof(error))
		_exit(127);
	_exit(126);
}

/* How it ended, as the shell's own status; one that stops is left as it is. */
static int wait_for(pid_t child)
{
	int status = 0;

	while (waitpid(child, &status, WUNTRACED) < 0 && errno == EINTR)
		if (af_ended_by)
			return 128 + af_ended_by;
	if (WIFSTOPPED(status))
		return 128 + WSTOPSIG(status);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* `exec COMMAND`: returns where COMMAND could not be run, and bash says why. */
static int exec_in_child(const char *path, char *const *argv, char *const *envp)
{
	sigset_t all, before, child_only;
	int ends[2], error = 0, status;
	ssize_t got;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	child = fork();
	if (child == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		become(path, argv, envp, ends[1]);
	}
	if (child < 0)
		error = errno;
	close(ends[1]);
	do
		got = child < 0 ? 0 : read(ends[0], &error, sizeof(error));
	while (got < 0 && errno == EINTR);
	close(ends[0]);
	if (error) {
		if (child > 0)
			waitpid(child, NULL, 0);
		sigprocmask(SIG_SETMASK, &before, NULL);
		errno = error;
		return -1;
	}
	/* bash took its handlers away. It must not wait for our child in one of them. */
	shell_set_handlers();
	sigemptyset(&child_only);
	sigaddset(&child_only, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child_only, NULL);
	status = wait_for(child);
	adjust_shell_level(1);
	initialize_traps();
	initialize_signals(1);
	shell_restore_traps();
	end_text(status);
}

VISIBLE int execve(const char *path, char *const argv[], char *const envp[])
{
	int (*next)(const char *, char *const *, char *const *);

	if (shell_runs_text())
		return exec_in_child(path, argv, envp);
	next = (int (*)(const char *, char *const *, char *const *))dlsym(RTLD_NEXT, "execve");
	return next(path, argv, envp);
}

VISIBLE void exit(int status)
{
	void (*next)(int);

	if (shell_runs_text() && !af_shell_ending)
		end_text(status);
	next = (void (*)(int))dlsym(RTLD_NEXT, "exit");
	next(status);
	_exit(status);
}

/* A script that closes all that is open means its own, and one that takes any descriptor as well. */
static bool is_channel(int fd)
{
	return fd == AF_SESSION_CHANNEL && af_shell && !af_shell_ending && getpid() == af_shell;
}

VISIBLE int close(int fd)
{
	static int (*next)(int);

	if (is_channel(fd))
		return 0;
	if (!next)
		next = (int (*)(int))dlsym(RTLD_NEXT, "close");
	return next(fd);
}

VISIBLE int dup2(int fd, int fd2)
{
	static int (*next)(int, int);

	if (is_channel(fd) || is_channel(fd2)) {
		errno = EBADF;
		return -1;
	}
	if (!next)
		next = (int (*)(int, int))dlsym(RTLD_NEXT, "dup2");
	return next(fd, fd2);
}

/* A redirection would save it. The last argument is a number or a pointer, if it is there. */
static int next_fcntl(int fd, int command, long argument)
{
	static int (*next)(int, int, ...);

	if (is_channel(fd) && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) {
		errno = EBADF;
		return -1;
	}
	if (!next)
		next = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
	return next(fd, command, argument);
}

VISIBLE int fcntl64(int fd, int cmd, ...)
{
	va_list more;
	long argument;

	va_start(more, cmd);
	argument = va_arg(more, long);
	va_end(more);
	return next_fcntl(fd, cmd, argument);
}

VISIBLE int fcntl(int fd, int cmd, ...) __attribute__((alias("fcntl64")));

/* What comes to the shell is not for what it starts. */
VISIBLE pid_t fork(void)
{
	static pid_t (*next)(void);
	pid_t pid;

	if (!next)
		next = (pid_t(*)(void))dlsym(RTLD_NEXT, "fork");
	pid = next();
	if (pid == 0 && af_shell)
		close(AF_SESSION_CHANNEL);
	return pid;
}
