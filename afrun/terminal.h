/*
 * The caller's terminal, while the command has one of its own: raw mode, copying both ways, sizes.
 */
#ifndef AF_TERMINAL_H
#define AF_TERMINAL_H

#include "control.h"

#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct af_terminal {
	int tty;        /* the caller's; -1: there is none, and nothing here does anything. Owned */
	int out;        /* where the command's output goes; owned */
	int master;     /* of the command's terminal, or -1; owned */
	bool wants_raw; /* the command's output is on the terminal too: its own terminal does it all */
	bool raw;
	bool foreground;
	struct termios saved;
	char input[1024]; /* typed, and not yet taken by the command */
	size_t input_len;
};

#define AF_TERMINAL_NONE ((struct af_terminal){.tty = -1, .out = -1, .master = -1})

/* For a caller whose stdin is a terminal. Returns 0 or -errno. */
int terminal_open(struct af_terminal *terminal);
/* Fills in what LAUNCH says of the command's terminal: flags, size and modes. */
void terminal_describe(const struct af_terminal *terminal, struct af_control *launch);
/* Takes over master and begins. */
void terminal_attach(struct af_terminal *terminal, int master);

/* Takes (or not, in the background) and gives back the caller's terminal; both may be repeated. */
void terminal_take(struct af_terminal *terminal);
void terminal_give_back(struct af_terminal *terminal);
void terminal_resize(const struct af_terminal *terminal);

/* Whether typed text should be waited for now, and whether there is some to pass on. */
bool terminal_wants_input(const struct af_terminal *terminal);
bool terminal_has_input(const struct af_terminal *terminal);
void terminal_read_input(struct af_terminal *terminal);
void terminal_pass_input(struct af_terminal *terminal);
/* Copies what the command wrote. Its end closes master. */
void terminal_copy_output(struct af_terminal *terminal);

/* Gives the terminal back and closes everything. */
void terminal_close(struct af_terminal *terminal);

#endif
