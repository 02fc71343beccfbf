/*
 * What our first process inside and the shell of a session (session_shell.c) say to each other, over a
 * SOCK_SEQPACKET pair whose end is a fixed descriptor of the shell's.
 */
#ifndef AF_SESSION_TEXT_H
#define AF_SESSION_TEXT_H

#include <stdint.h>

enum {
	/* Far above what scripts use; the shell keeps its own from 255 down. */
	AF_SESSION_CHANNEL = 198,
	AF_SESSION_LIBRARY = 199,
};
#define AF_SESSION_LIBRARY_TEXT "199"

/* Sent to the shell with a value: see enum af_shell_signal. (Scripts and their traps can have others.) */
#define AF_SESSION_SIGNAL (SIGRTMAX - 3)

enum af_shell_signal {
	AF_SHELL_NUMBER = 0xff, /* the signal that it stands for */
	AF_SHELL_END = 0x100,   /* the text is to end, whatever its traps are */
};

/* To the shell, with descriptors: the text (unless typed), then 0, 1 and 2 but those not there. */
struct af_text {
	uint32_t closed;   /* bit i: descriptor i is closed */
	uint32_t terminal; /* 0 is a terminal of the text's own, with job control */
	uint32_t interactive;
};

/* From the shell: once when it can take texts, and after each. */
struct af_text_end {
	int32_t status; /* 0 to 255 */
};

#endif
