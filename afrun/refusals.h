/*
 * What the mount refused: its audit lines, copied to --audit and counted by path and operation.
 */
#ifndef AF_REFUSALS_H
#define AF_REFUSALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct af_refusal {
	char *path; /* as JSON has it between its quotes, escapes and all; owned */
	char *op;   /* the same */
	uint64_t count;
};

struct af_refusals {
	int pipe_read;  /* the daemon writes its lines into this pipe; -1: nobody listens. Owned */
	int pipe_write; /* the daemon's end, until it was started. Owned */
	int copy;       /* --audit, or -1. Owned */
	int copy_error; /* 0, or the first -errno of writing there */
	void *tree;     /* tsearch(3) of struct af_refusal */
	size_t distinct;
	bool met_quota;     /* something was refused for the delta's size */
	uint64_t uncounted; /* lines that the daemon dropped, and those of paths beyond the bound */
	char *line;         /* what was read of a line that is not whole yet. Owned */
	size_t line_len;
};

#define AF_REFUSALS_NONE ((struct af_refusals){.pipe_read = -1, .pipe_write = -1, .copy = -1})

/* copy: taken over. Returns 0 or -errno. */
int refusals_open(struct af_refusals *refusals, int copy);
/* Takes what has come. Returns false at the end, or where nobody listens. */
bool refusals_read(struct af_refusals *refusals);
/* One whole line of the log, without its newline. */
void refusals_count(struct af_refusals *refusals, const char *line, size_t len);
/* How many paths were refused something. */
size_t refusals_paths(const struct af_refusals *refusals);
/* Writes `[{"path":...,"op":...,"count":N},...]`, ordered by path and operation. */
void refusals_write(const struct af_refusals *refusals, FILE *out);
void refusals_close(struct af_refusals *refusals);

#endif
