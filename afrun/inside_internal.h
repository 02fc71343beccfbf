/*
 * What the parts of our first process inside share: inside.c (it is, and runs one command),
 * inside_start.c (a command's process, as planned) and inside_session.c (text after text).
 */
#ifndef AF_INSIDE_INTERNAL_H
#define AF_INSIDE_INTERNAL_H

#include "control.h"

#include <signal.h>
#include <stdbool.h>

struct inside {
	int control;
	int child_signals;  /* signalfd: SIGCHLD */
	sigset_t mask;      /* as the caller had it: the command's */
	unsigned int flags; /* enum af_launch_flag */
	struct winsize size;
	struct termios modes;
	uint64_t own_memory, own_pids; /* as in struct af_control */
	bool expendable;
	int std[3]; /* what the command gets as 0, 1 and 2; -1: closed. Owned until it has started */
	int terminal; /* the command's own terminal (slave), or -1 */
	/* What the command gets besides, by pairs: ours, and its number there. */
	const int (*more)[2];
	size_t more_count;
	bool lingers;    /* when the command has ended */
	bool many_texts; /* the command is a session's shell */
	pid_t command;
};

/* Sends one message without descriptors on fd. 0 or -errno. */
int inside_tell(int fd, enum af_control_kind kind, int value, int to);

/* Takes what a LAUNCH says, and its 0, 1 and 2. */
void inside_take_launch(
	struct inside *in, const struct af_control *launch, const int *fds, int count);
/*
 * A terminal of the sandbox's own, so that nothing typed into it reaches the caller's: in->terminal; its
 * master goes out on fd. It is our session's, but not in a session of many texts, whose shell has a
 * session of its own and takes it itself. 0 or -errno.
 */
int inside_open_terminal(struct inside *in, int fd);
/* Returns 0 when the command runs, 1 when it could not (told on in->control), or -errno. */
int inside_start(struct inside *in, const struct af_command *command);

/*
 * Serves a session, whose shell has been started, until it has ended or the server is gone. channel, to
 * the shell, is taken over. Returns 0 or -errno.
 */
int inside_session(struct inside *in, int channel);

#endif
