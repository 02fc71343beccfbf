/*
 * Which processes inside came of one text of a session: those that were not there before it, and do
 * not descend from one that was (a background job of an earlier text).
 */
#ifndef AF_INSIDE_TREE_H
#define AF_INSIDE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct af_process {
	pid_t pid, parent;
	uint64_t began; /* with pid, its identity; clock ticks since boot */
};

struct af_processes {
	struct af_process *items; /* by pid; owned */
	size_t count, size;
};

#define AF_PROCESSES_NONE ((struct af_processes){0})

/* All that are there now. Memory of an earlier list is used again. Returns 0 or -errno. */
int processes_list(struct af_processes *list);
void processes_fini(struct af_processes *list);

/*
 * Sends the signal to what has come since `before`, but not to ourselves or to the shell; of SIGKILL
 * nothing escapes by starting more. Returns how many there were.
 */
size_t processes_signal(const struct af_processes *before, pid_t shell, int signal_number);

#endif
