/*
 * How far long work has come. See progress.h.
 */
#include "progress.h"

#include <stdio.h>
#include <time.h>

enum { FIRST_MS = 1000, EVERY_MS = 200 };

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void progress_begin(struct progress *progress, bool on, const char *what, size_t total)
{
	*progress = (struct progress){.on = on, .what = what, .total = total};
	if (on)
		progress->next_ns = now_ns() + FIRST_MS * INT64_C(1000000);
}

void progress_tell(struct progress *progress, size_t done)
{
	int64_t now = progress->on ? now_ns() : 0;

	if (!progress->on || now < progress->next_ns)
		return;
	progress->next_ns = now + EVERY_MS * INT64_C(1000000);
	progress->written = true;
	fprintf(stderr, "\r%s: %zu of %zu\033[K", progress->what, done, progress->total);
}

void progress_end(struct progress *progress)
{
	if (progress->written)
		fprintf(stderr, "\r\033[K");
	progress->written = false;
}
