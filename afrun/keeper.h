/*
 * A process that outlives this one, to take away what it leaves, or to hold what others share.
 */
#ifndef AF_KEEPER_H
#define AF_KEEPER_H

#include <stddef.h>

struct af_keeper {
	int life; /* owned; when it is closed, by us or the kernel, the keeper does its work */
	int gone; /* owned; its end of file tells that it has */
};

#define AF_KEEPER_NONE ((struct af_keeper){.life = -1, .gone = -1})

/*
 * Starts one that will do work(arg), and has only those descriptors and its own. It must not be our
 * child, so we may not be a subreaper yet. 0 or -errno.
 */
int keeper_start(
	struct af_keeper *keeper, const int *fds, size_t count, void (*work)(void *arg), void *arg);
/* Lets it do its work and waits for that. Harmless where there is none. */
void keeper_end(struct af_keeper *keeper);

/*
 * In a process of its own: has only those descriptors (above 2), hears no signal of a terminal or of
 * those that are blocked, and has that name. Its signal mask and its streams are settled: nothing of the
 * process that it comes from stays.
 */
void keeper_settle(const char *name, const int *fds, size_t count);

#endif
