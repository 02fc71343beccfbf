/*
 * Temporary deltas: a directory for each run, in `deltas` of the source's state directory. Each run
 * holds a lock on its own, so that others can tell those that are in use from those that were left.
 */
#ifndef AF_TEMPORARY_H
#define AF_TEMPORARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct af_temporary {
	int state_fd;  /* the state directory; owned, -1: none */
	int deltas_fd; /* `deltas` in it; owned */
	int lock_fd;   /* the run's own, in that; owned */
	char name[48]; /* what it is called there */
};

#define AF_TEMPORARY_NONE ((struct af_temporary){.state_fd = -1, .deltas_fd = -1, .lock_fd = -1})

/*
 * Makes one. state: the directory that the caller names for the state, or NULL. *path: its absolute
 * path, newly allocated. 0 or -errno, reported.
 */
int temporary_make(struct af_temporary *temporary, int source_fd, const char *source,
	const char *state, char **path);
/* The path that one would have, newly allocated; nothing is made. 0 or -errno, reported. */
int temporary_name(int source_fd, const char *source, const char *state, char **path);
/*
 * Looks at what others have left there: where there is nothing in it, its run was killed early, and it
 * is removed. Returns how many are kept; newest gets the name of the newest.
 */
size_t temporary_sweep(const struct af_temporary *temporary, char newest[256]);
/*
 * Those that are kept of a source, in the order of their names: show gets each one's name, its path and
 * when a path was last written in it for the first time (since 1970). 0 or -errno.
 */
int temporary_list(int source_fd, const char *source, const char *state,
	void (*show)(void *arg, const char *name, const char *path, int64_t since_s), void *arg);
/* Whether nothing is in a delta: no entry in upper. False where that cannot be told. */
bool temporary_is_untouched(int delta_fd);
/* Removes it, and what was made to hold it where nothing else is in there. */
void temporary_remove(struct af_temporary *temporary, int source_fd);
void temporary_fini(struct af_temporary *temporary);

#endif
