/*
 * The shell of a session: what makes one real bash run text after text.
 *
 * This file is a library of its own, carried inside afrun (embedded.c) and loaded into bash(1) in
 * the sandbox, both preloaded and as a loadable builtin (bash's `enable -f`). The builtin never
 * returns. It waits for a text and its descriptors, has bash itself run it, says how it ended, and
 * waits for the next: so directory, variables, functions, options, traps and jobs are bash's own, and
 * stay. What would end the shell ends the text only:
 *
 *     exit, set -e,    bash jumps to its `top_level`, where it would leave; while a text runs that is
 *     errors, signals  a place here
 *     exec COMMAND     execve(2) of the shell's own process is ours: COMMAND runs in a child, the text
 *                      ends with its status
 *     the C library's exit, where bash leaves in another way: the same
 *
 * All symbols of bash that are used here are those that it exports for loadable builtins. It runs as the
 * sandbox's user and is nothing that others could rely on: a text may do to its own shell whatever it
 * likes, and then the session is over. What a text can reach of it is one socket to our first process.
 */
#include "session_shell.h"

#include "session_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

pid_t af_shell;
bool af_shell_running, af_shell_ending;
sigjmp_buf af_text_over;

bool shell_runs_text(void)
{
	return af_shell_running && getpid() == af_shell;
}

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
	shell_set_handlers();
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

	af_interrupted_by = af_ended_by = 0;
	interrupt_state = 0;
	shell_save_traps();
	shell_set_handlers();
	if (text->terminal)
		job_control = begin_terminal();
	af_shell_running = true;
	if (sigsetjmp(af_text_over, 0) == 0) {
		memcpy(&top_level, &af_text_over, sizeof(top_level));
		status = text->interactive
			? run_typed()
			: parse_and_execute(content, "-c", SEVAL_NOHIST | SEVAL_RESETLINE);
		last_command_exit_value = status;
	} else {
		status = last_command_exit_value;
	}
	af_shell_running = false;
	settle();
	if (text->interactive) {
		pop_stream();
		interactive = interactive_shell = expand_aliases = 0;
		remember_on_history = enable_history_list = 0;
		EOF_Reached = 0;
	}
	if (text->terminal)
		end_terminal(job_control);
	if (af_ended_by)
		return 128 + af_ended_by;
	if (af_interrupted_by && status == 128 + SIGINT)
		return 128 + af_interrupted_by;
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
	af_shell = getpid();
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
		if (af_ended_by)
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
	af_shell_ending = true;
	exit_shell(last_command_exit_value);
}

VISIBLE struct builtin afrun_session_struct = {
	.name = "afrun_session", .function = serve, .flags = BUILTIN_ENABLED, .short_doc = ""};
