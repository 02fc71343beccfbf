/*
 * A run from the command's start to its end: signals, terminal, time, refusals, and what came of it.
 */
#ifndef AF_SUPERVISE_H
#define AF_SUPERVISE_H

#include "channel.h"
#include "fsmount.h"
#include "limits.h"
#include "refusals.h"
#include "sandbox.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

/* Exit statuses of our own, as env(1) and timeout(1) have them. */
enum af_exit {
	AF_EXIT_TIMED_OUT = 124,
	AF_EXIT_FAILED = 125,
	AF_EXIT_NOT_RUNNABLE = 126,
	AF_EXIT_NOT_FOUND = 127,
	AF_EXIT_SIGNAL = 128,
};

struct af_outcome {
	int exit;     /* what afrun exits with */
	int signal;   /* that killed the command, or 0 */
	bool started; /* the command ran */
	bool timed_out;
	const char *limit; /* the one that was met, by its option's name; NULL: none */
	double wall_s;
	struct rusage usage;  /* of everything inside */
	uint64_t peak_memory; /* bytes, of all inside together; 0: unknown */
};

/* Which signals are ours to pass on, and how they were. */
struct af_signals {
	int fd;        /* signalfd; owned */
	sigset_t mask; /* before: the command's */
};

/*
 * Blocks the signals that are passed on; those that the caller ignored stay ignored.
 * Returns 0 or -errno.
 */
int signals_open(struct af_signals *signals);

/* What a run is made of. All borrowed. */
struct af_run {
	const struct af_plan *plan;
	struct af_fsmount *mount;
	struct af_sandbox *sandbox;
	struct af_refusals *refusals;
	const struct af_signals *signals;
	struct af_held *limits;
	const struct af_channels *channels;
	unsigned int closed_std; /* bit i: the caller's descriptor i was closed */
};

/* How long the sandbox may take until it stands. */
int supervise_launch_timeout_ms(const struct af_run *run);
/* What sandbox_line() tells, where sandbox_is_awaited(). 0 or -errno. */
int supervise_accept(const struct af_run *run);

/*
 * Waits for the sandbox, launches the command and sees it through. On return everything inside is
 * gone. Where something of ours failed, it was reported and outcome->exit is AF_EXIT_FAILED.
 */
void supervise_run(const struct af_run *run, struct af_outcome *outcome);

#endif
