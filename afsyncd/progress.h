/*
 * How far long work has come, on a terminal: one line on stderr that is written over, once the work has
 * taken a second.
 */
#ifndef AF_PROGRESS_H
#define AF_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool on;
	const char *what; /* borrowed */
	size_t total;
	int64_t next_ns; /* CLOCK_MONOTONIC: when to write again */
	bool written;
};

/* on: whether to show anything at all. */
void progress_begin(struct progress *progress, bool on, const char *what, size_t total);
void progress_tell(struct progress *progress, size_t done);
/* Takes the line away. */
void progress_end(struct progress *progress);

#endif
