/*
 * One merge of the daemon's: an afsyncd of its own, what it says on standard error, and the one line
 * that is logged of it.
 */
#ifndef AF_ERRAND_H
#define AF_ERRAND_H

#include "table.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

enum { ERRAND_LINE = 1024 /* bytes kept of a line, with the NUL */ };

struct errand {
	pid_t pid;              /* 0: none */
	int said_fd;            /* what it says, from a pipe; owned; -1: no more */
	char *delta, *source;   /* owned */
	char argument[32];      /* by which it knows the delta */
	char line[ERRAND_LINE]; /* the one that has no end yet; what is beyond is not kept */
	size_t line_len;
	char last[ERRAND_LINE];    /* the last line but the id's */
	char reason[ERRAND_LINE];  /* the first about something in the delta */
	char summary[ERRAND_LINE]; /* the last about all of it */
	char id[64];               /* of the merge */
};

#define ERRAND_NONE ((struct errand){.said_fd = -1})

/*
 * Starts it, for the delta whose directory dir_fd is, whatever is at its path meanwhile; with this signal
 * mask and in a process group of its own: what a terminal's Ctrl-C ends is the daemon, which waits. 0 or
 * -errno, not reported. Ended with errand_end().
 */
int errand_start(struct errand *errand, const char *delta, int dir_fd, const struct table_row *row,
	const sigset_t *signals);
/* Takes some of what it has said; never blocks. */
void errand_read(struct errand *errand);
/* Asks it, and what it has started, to end now. */
void errand_stop(const struct errand *errand);
/* It has ended with this wait(2) status: logs the line. Whether it failed. */
bool errand_end(struct errand *errand, int status);

#endif
