/*
 * The shell of a session: what makes one real bash run text after text.
 *
 * This file is a library of its own, carried inside afrun (shell_library.c) and loaded into bash(1) in
 * the sandbox, both preloaded and as a loadable builtin (bash's `enable -f`). The builtin never
 * returns. It waits for a text and its descriptors, has bash itself run it, says how it ended, and
 * waits for the next: so directory, variables, functions, options, traps and jobs are bash's own, and
 * stay. What would end the shell ends the text only:
 *
 *     exit, set -e,    bash jumps to its `top_level`, where it would leave; while a text runs that is
 *     errors, signals  a place here
 *     exec COMMAND     execve(2) of the shell's own process is ours: COMMAND runs in a child, the text
 *                      ends with its status
 *     exit(3)          where bash leaves in another way, the same
 *
 * All symbols of bash that are used here are those that it exports for loadable builtins. It runs as the
 * sandbox's user and is nothing that others could rely on: a text may do to its own shell whatever it
 * likes, and then the session is over. What a text can reach of it is one socket to our first process.
 */
#include "session_text.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- bash's, as its own headers declare them ---------------------------------------------------- */

#define VISIBLE __attribute__((visibility("default")))
#define BASH_SIGNALS (NSIG + 3) /* BASH_NSIG: the signals, and EXIT, DEBUG, ERR, RETURN */
enum {
	SEVAL_NOHIST = 0x004,
	SEVAL_RESETLINE = 0x010,
	BUILTIN_ENABLED = 0x1,
	EXITPROG = 3,
};

struct builtin {
	const char *name;
	int (*function)(void *words);
	int flags;
	char *const *long_doc;
	const char *short_doc;
	char *handle;
};

extern sigjmp_buf top_level;
extern volatile sig_atomic_t interrupt_state;
extern char *trap_list[BASH_SIGNALS];
extern int last_command_exit_value, startup_state, parse_and_execute_level;
extern int loop_level, continuing, breaking, funcnest, variable_context, return_catch_flag;
extern int comsub_ignore_return, evalnest, sourcenest, sourcelevel, executing, executing_builtin;
extern int executing_list, interactive, interactive_shell, expand_aliases, EOF_Reached;
extern int shell_tty, remember_on_history, enable_history_list;
extern pid_t shell_pgrp, terminal_pgrp, original_pgrp;

extern int parse_and_execute(char *text, const char *from, int flags);
extern void parse_and_execute_cleanup(int old_running_trap);
extern void run_unwind_protects(void);
extern void initialize_terminating_signals(void);
extern void initialize_traps(void);
extern void initialize_signals(int again);
extern void adjust_shell_level(int change);
extern void set_signal(int number, const char *command);
extern int set_job_control(int on);
extern void reset_parser(void);
extern void exit_shell(int status) __attribute__((noreturn));
extern void push_stream(int reset_line);
extern void pop_stream(void);
extern void with_input_from_stdin(void);
extern int reader_loop(void);
extern void get_tty_state(void);
extern void notify_and_cleanup(void);
extern void termsig_sighandler(int number);
extern void *set_if_not(const char *name, const char *value);

/* ---- ours --------------------------------------------------------------------------------------- */

static pid_t shell;          /* us; a child of ours that is still bash has another id */
static bool running;         /* a text */
static bool ending;          /* the session */
static sigjmp_buf text_over; /* bash's top_level while a text runs; it may overwrite its own */
static volatile sig_atomic_t interrupted_by;
static volatile sig_atomic_t ended_by; /* whatever bash makes of it */
static char *traps[BASH_SIGNALS];      /* as they were before the text; owned */

/* The command's environment, and that of all that it starts, is none of ours. */
__attribute__((constructor)) static void hide_preload(void)
{
	static const char name[] = "LD_PRELOAD=";
	char **to = environ;

	for (char **from = environ; *from; from++)
		if (strncmp(*from, name, sizeof(name) - 1) != 0)
			*to++ = *from;
	*to = NULL;
}

/* ---- signals ------------------------------------------------------------------------------------ */

static void interrupt(int number)
{
	interrupted_by = number;
	interrupt_state = 1;
}

static void caught(int number)
{
	(void)number;
}

static bool has_trap(int number)
{
	return number > 0 && number < NSIG && trap_list[number] && trap_list[number] != (char *)1;
}

/* What these do by default would end the shell; of a text they end the text. */
static bool is_ours(int number)
{
	static const int ends[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1,
		SIGUSR2, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGTSTP};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (number == ends[i])
			return true;
	return false;
}

/* Its end was decided elsewhere; that this killed a command is nothing to be said as well. */
static void hush(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, 2);
		close(null);
	}
}

/* From our first process: a signal to the text. */
static void take_signal(int number, siginfo_t *info, void *context)
{
	int value = info->si_value.sival_int;

	(void)context;
	if (info->si_code != SI_QUEUE || getpid() != shell || !running)
		return;
	number = value & AF_SHELL_NUMBER;
	if (!(value & AF_SHELL_END) && has_trap(number)) {
		raise(number);
		return;
	}
	/* One that the text ignores. */
	if (!(value & AF_SHELL_END) && number < NSIG && trap_list[number] == (char *)1)
		return;
	if (value & AF_SHELL_END)
		hush();
	ended_by = number;
	interrupt(number);
	if (interactive && is_ours(number)) {
		/* Who types is asked for no further line, and readline has the signal its own way. */
		EOF_Reached = EOF;
		raise(number);
	}
}

/* A stop is caught, not ignored: what is started from here has it as it should be. */
static void (*handler_of(int number))(int)
{
	return number == SIGTSTP ? caught : interrupt;
}

static int next_sigaction(int number, const struct sigaction *action, struct sigaction *before)
{
	static int (*next)(int, const struct sigaction *, struct sigaction *);

	if (!next)
		next = (int (*)(int, const struct sigaction *, struct sigaction *))dlsym(
			RTLD_NEXT, "sigaction");
	return next(number, action, before);
}

/* Whatever bash sets when a trap is taken away, or in a place where it leaves its own handlers. */
VISIBLE int sigaction(int sig, const struct sigaction *act, struct sigaction *oact)
{
	struct sigaction ours;

	if (!act || !running || getpid() != shell || !is_ours(sig) ||
		(act->sa_handler != SIG_DFL && act->sa_handler != termsig_sighandler))
		return next_sigaction(sig, act, oact);
	ours = *act;
	ours.sa_handler = handler_of(sig);
	return next_sigaction(sig, &ours, oact);
}

/* Where the text has set no trap. */
static void set_handlers(void)
{
	struct sigaction ours = {.sa_sigaction = take_signal, .sa_flags = SA_SIGINFO};

	for (int i = 1; i < NSIG; i++) {
		struct sigaction action = {.sa_handler = handler_of(i)};

		if (is_ours(i) && !has_trap(i) && trap_list[i] != (char *)1)
			next_sigaction(i, &action, NULL);
	}
	next_sigaction(AF_SESSION_SIGNAL, &ours, NULL);
}

static void save_traps(void)
{
	for (int i = 0; i < BASH_SIGNALS; i++) {
		char *now = trap_list[i];
		bool text = now && now != (char *)1 && now != (char *)initialize_traps;

		if (traps[i] && traps[i] != (char *)1)
			free(traps[i]);
		traps[i] = text ? strdup(now) : now == (char *)1 ? now : NULL;
	}
}

/* Of signals only: bash keeps those of EXIT, DEBUG, ERR and RETURN through its exec. */
static void restore_traps(void)
{
	for (int i = 1; i < NSIG; i++)
		if (traps[i])
			set_signal(i, traps[i] == (char *)1 ? "" : traps[i]);
}

/* ---- what would end the shell ------------------------------------------------------------------- */

__attribute__((noreturn)) static void end_text(int status)
{
	last_command_exit_value = status;
	siglongjmp(text_over, EXITPROG);
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
		if (ended_by)
			return 128 + ended_by;
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
	set_handlers();
	sigemptyset(&child_only);
	sigaddset(&child_only, SIGCHLD);
	sigprocmask(SIG_SETMASK, &child_only, NULL);
	status = wait_for(child);
	adjust_shell_level(1);
	initialize_traps();
	initialize_signals(1);
	restore_traps();
	end_text(status);
}

VISIBLE int execve(const char *path, char *const argv[], char *const envp[])
{
	int (*next)(const char *, char *const *, char *const *);

	if (running && getpid() == shell)
		return exec_in_child(path, argv, envp);
	next = (int (*)(const char *, char *const *, char *const *))dlsym(RTLD_NEXT, "execve");
	return next(path, argv, envp);
}

VISIBLE void exit(int status)
{
	void (*next)(int);

	if (running && !ending && getpid() == shell)
		end_text(status);
	next = (void (*)(int))dlsym(RTLD_NEXT, "exit");
	next(status);
	_exit(status);
}

/* A script that closes all that is open means its own, and one that takes any descriptor as well. */
static bool is_channel(int fd)
{
	return fd == AF_SESSION_CHANNEL && shell && !ending && getpid() == shell;
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
	if (pid == 0 && shell)
		close(AF_SESSION_CHANNEL);
	return pid;
}

/* ---- texts -------------------------------------------------------------------------------------- */

/* From wherever the text was left, to the shell's outermost level. */
static void settle(void)
{
	sigset_t none;

	while (parse_and_execute_level)
		parse_and_execute_cleanup(-1);
	run_unwind_protects();
	reset_parser();
	loop_level = continuing = breaking = funcnest = 0;
	evalnest = sourcenest = sourcelevel = 0;
	variable_context = return_catch_flag = comsub_ignore_return = 0;
	executing = executing_builtin = executing_list = 0;
	interrupt_state = 0;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The whole of it, newly allocated, since bash frees it; NULL on an error. It has no NUL. */
static char *read_text(int fd)
{
	struct stat st;
	size_t size, done = 0;
	char *text;

	if (fstat(fd, &st) < 0 || !(text = malloc((size_t)st.st_size + 1)))
		return NULL;
	size = (size_t)st.st_size;
	while (done < size) {
		ssize_t got = pread(fd, text + done, size - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	text[done] = '\0';
	return text;
}

static void place(int from, int to)
{
	if (from < 0)
		close(to);
	else if (from == to)
		fcntl(to, F_SETFD, 0);
	else
		dup2(from, to);
}

static void rest(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	fflush(NULL);
	for (int i = 0; i < 3; i++)
		place(null, i);
	if (null > 2)
		close(null);
	clearerr(stdout);
	clearerr(stdin);
}

/* Ours is a session of its own, so the text's terminal becomes that's. Returns the job control before. */
static int begin_terminal(void)
{
	shell_tty = fcntl(0, F_DUPFD_CLOEXEC, AF_SESSION_LIBRARY);
	ioctl(shell_tty, TIOCSCTTY, 0);
	shell_pgrp = terminal_pgrp = original_pgrp = getpgrp();
	/* What it goes back to after a job that was killed. */
	get_tty_state();
	return set_job_control(1);
}

/* Given up in a way that hangs up nobody: jobs that are still there go on. */
static void end_terminal(int job_control)
{
	int tty = shell_tty;
	sigset_t stops, before;

	set_job_control(job_control);
	shell_tty = -1;
	sigemptyset(&stops);
	sigaddset(&stops, SIGTTOU);
	sigprocmask(SIG_BLOCK, &stops, &before);
	tcsetpgrp(tty, getpgrp());
	signal(SIGHUP, SIG_IGN);
	ioctl(tty, TIOCNOTTY);
	sigprocmask(SIG_SETMASK, &before, NULL);
	set_handlers();
	close(tty);
}

/* Commands as they are typed, as an interactive shell takes them. */
static int run_typed(void)
{
	set_if_not("PS1", "\\w\\$ ");
	set_if_not("PS2", "> ");
	push_stream(1);
	interactive = interactive_shell = expand_aliases = 1;
	remember_on_history = enable_history_list = 1;
	with_input_from_stdin();
	return reader_loop();
}

static int run(const struct af_text *text, char *content)
{
	volatile int job_control = 0, status = 0;

	interrupted_by = ended_by = 0;
	interrupt_state = 0;
	save_traps();
	set_handlers();
	if (text->terminal)
		job_control = begin_terminal();
	running = true;
	if (sigsetjmp(text_over, 0) == 0) {
		memcpy(&top_level, &text_over, sizeof(top_level));
		status = text->interactive
			? run_typed()
			: parse_and_execute(content, "-c", SEVAL_NOHIST | SEVAL_RESETLINE);
		last_command_exit_value = status;
	} else {
		status = last_command_exit_value;
	}
	running = false;
	settle();
	if (text->interactive) {
		pop_stream();
		interactive = interactive_shell = expand_aliases = 0;
		remember_on_history = enable_history_list = 0;
		EOF_Reached = 0;
	}
	if (text->terminal)
		end_terminal(job_control);
	if (ended_by)
		return 128 + ended_by;
	if (interrupted_by && status == 128 + SIGINT)
		return 128 + interrupted_by;
	return status & 0xff;
}

/* Returns false when there is no more. */
static bool take_text(struct af_text *text, int fds[4])
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * 4)];
		struct cmsghdr align;
	} space = {0};
	struct iovec part = {.iov_base = text, .iov_len = sizeof(*text)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = space.bytes,
		.msg_controllen = sizeof(space)};
	const struct cmsghdr *rights;
	ssize_t got;
	int count = 0, next = 0, came[4];

	do
		got = recvmsg(AF_SESSION_CHANNEL, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(*text))
		return false;
	rights = CMSG_FIRSTHDR(&header);
	if (rights && rights->cmsg_type == SCM_RIGHTS) {
		count = (int)((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(came, CMSG_DATA(rights), sizeof(int) * (size_t)count);
	}
	for (int i = 0; i < 4; i++) {
		bool absent = i == 0 ? text->interactive : text->closed & 1U << (i - 1);

		fds[i] = absent || next >= count ? -1 : came[next++];
	}
	return true;
}

static void tell(int status)
{
	struct af_text_end end = {.status = status};

	while (send(AF_SESSION_CHANNEL, &end, sizeof(end), MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

static int serve(void *words)
{
	struct af_text text;
	int fds[4];

	(void)words;
	shell = getpid();
	fcntl(AF_SESSION_CHANNEL, F_SETFD, FD_CLOEXEC);
	close(AF_SESSION_LIBRARY);
	settle();
	initialize_terminating_signals();
	/* The last command of a text is no reason to become it. */
	startup_state = 0;
	last_command_exit_value = 0;
	shell_tty = -1;
	rest();
	tell(0);
	while (take_text(&text, fds)) {
		char *content = fds[0] >= 0 ? read_text(fds[0]) : NULL;
		int status = 1;

		/* That its jobs were killed is no news to this caller. */
		if (ended_by)
			notify_and_cleanup();
		for (int i = 0; i < 3; i++)
			place(fds[i + 1], i);
		for (int i = 0; i < 4; i++)
			if (fds[i] > 2)
				close(fds[i]);
		if (content || text.interactive)
			status = run(&text, content);
		rest();
		tell(status);
	}
	ending = true;
	exit_shell(last_command_exit_value);
}

VISIBLE struct builtin afrun_session_struct = {
	.name = "afrun_session", .function = serve, .flags = BUILTIN_ENABLED, .short_doc = ""};
