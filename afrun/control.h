/*
 * The words between the supervisor outside and our first process inside (inside.c): small messages
 * over a SOCK_SEQPACKET pair, descriptors beside them. Its end of file is a message too: the other
 * side is gone.
 *
 * A session has two such lines: one from its server to the inside, for as long as it lives, and one
 * from each caller to the inside, for as long as the caller's text runs: the server hands the caller's
 * connection in when it is their turn. So a caller sees its text through just as a run sees its
 * command.
 *
 * Both ends are the same program, so there are no versions; but a session may outlive an upgrade, and
 * a message of another size is refused.
 */
#ifndef AF_CONTROL_H
#define AF_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>
#include <termios.h>

enum af_control_kind {
	/* to the inside */
	AF_CONTROL_LAUNCH, /* value: enum af_launch_flag; descriptors: see struct af_launch */
	AF_CONTROL_SIGNAL, /* value: signal; to: whom */
	AF_CONTROL_FILTER, /* one descriptor: system calls that nothing inside shall have, as a runtime that
			      cannot be given it would; value: what ends is told, and then we wait to be
			      ended, so that what it used can be seen */
	AF_CONTROL_CALLER, /* session: one descriptor: the caller whose turn it is */
	AF_CONTROL_END,    /* session: end the text and the shell */
	/* from the inside */
	AF_CONTROL_READY,    /* the sandbox stands; LAUNCH may come */
	AF_CONTROL_TERMINAL, /* one descriptor: the master of the command's terminal */
	AF_CONTROL_STARTED,  /* the command runs */
	AF_CONTROL_FAILED,   /* value: errno; to: enum af_launch_stage */
	AF_CONTROL_STOPPED,  /* value: signal */
	AF_CONTROL_EXITED,   /* value: status as wait(2) gives it */
	AF_CONTROL_DONE,     /* session, to the server: the next caller may come */
	/* between a caller and the session's server; with a channel's holder too */
	AF_CONTROL_ASK, /* value: enum af_ask; STOP of a session: one descriptor, where it says what it
			      did; MERGE: two, stdout and stderr of what merges, and to is whether it
			      tells how far it is; JOIN: to is whether the channel is to be kept */
	AF_CONTROL_ANSWER, /* value: exit status, or STATUS: one descriptor, struct af_session_state or
			      af_channel_state, or JOIN: one descriptor, a mount, else value: -errno */
};

enum af_ask { AF_ASK_RUN, AF_ASK_STATUS, AF_ASK_STOP, AF_ASK_JOIN, AF_ASK_MERGE };

enum af_signal_to { AF_TO_COMMAND, AF_TO_GROUP, AF_TO_ALL };

enum af_launch_flag {
	AF_LAUNCH_PTY = 1,     /* 0 is a terminal of its own, ... */
	AF_LAUNCH_PTY_OUT = 2, /* ... 1 too */
	AF_LAUNCH_PTY_ERR = 4, /* ... 2 too */
	AF_LAUNCH_NO_IN = 8,   /* 0 is closed, as it was for the caller; descriptor absent */
	AF_LAUNCH_NO_OUT = 16,
	AF_LAUNCH_NO_ERR = 32,
	AF_LAUNCH_SESSION = 64, /* the command is a session's shell; one more descriptor, first:
					its library */
	AF_LAUNCH_INTERACTIVE = 128, /* session's text: there is none, it is typed */
};

enum af_launch_stage { AF_STAGE_SETUP, AF_STAGE_WORKDIR, AF_STAGE_EXEC };

struct af_control {
	int32_t kind; /* enum af_control_kind */
	int32_t value;
	int32_t to;
	/* LAUNCH: limits that the command sets for itself, as in struct af_held; 0: none. */
	uint64_t own_memory, own_pids;
	bool expendable; /* LAUNCH: where memory is short, it goes before our own process */
	int64_t user_us, system_us; /* EXITED: the processor time of all that was waited for */
	struct winsize size;        /* LAUNCH with AF_LAUNCH_PTY: of the command's terminal */
	struct termios modes;       /* the same */
};

#define AF_CONTROL_FDS 4

/* Sends one message with count descriptors (borrowed). Returns 0 or -errno; never raises SIGPIPE. */
int control_send(int fd, const struct af_control *message, const int *fds, int count);

/*
 * Receives one message; fds (room for AF_CONTROL_FDS) gets its descriptors, owned by the caller, and
 * *count how many. Returns 1, 0 at the end (the other side is gone), or -errno (-EBADMSG: not one of
 * ours).
 */
int control_recv(int fd, struct af_control *message, int *fds, int *count);

/*
 * AF_ASK_STATUS and its ANSWER: size bytes in a descriptor, beginning with size itself (uint32_t), so
 * that another version is seen. What is asked for is waited for a few seconds. 0 or -errno: -EPROTO: of
 * another version; -EAGAIN: no answer; -ECONNRESET: it has ended.
 */
int control_ask_state(int fd, void *state, size_t size);
int control_answer_state(int fd, const void *state, size_t size);

/*
 * The command in a descriptor: its directory, arguments and environment, so that none of them ever
 * is in an argument vector of ours.
 */
struct af_command {
	char *cwd; /* owned, and with it the memory of all other strings */
	char **argv;
	char **envp;
};

/* Returns a descriptor that the caller owns, or -errno. */
int control_write_command(const char *cwd, char *const *argv, char *const *envp);
/* Returns 0 or -errno; control_command_fini() in both cases. */
int control_read_command(int fd, struct af_command *command);
void control_command_fini(struct af_command *command);

#endif
