/*
 * What a run may use: parsed here, and held by a cgroup (cgroup.h) or, where none can be made, by the
 * limits that a process has of its own (setrlimit(2)).
 */
#ifndef AF_LIMITS_H
#define AF_LIMITS_H

#include "cgroup.h"

#include <stdbool.h>
#include <stdint.h>

enum af_limits_mode {
	AF_LIMITS_USUAL,       /* what neither way holds is an error */
	AF_LIMITS_STRICT,      /* what no cgroup holds is an error */
	AF_LIMITS_BEST_EFFORT, /* nothing is an error */
};

/* 0: no limit. */
struct af_limits {
	uint64_t memory;     /* bytes, of all processes together */
	uint64_t pids;       /* processes and threads at a time */
	uint64_t cpus_milli; /* thousandths of a processor */
	uint64_t cpu_shares; /* weight beside others; 1024 is usual */
	enum af_limits_mode mode;
};

/* Digits and K, M, G or T: bytes. Returns 0 or -EINVAL: none, 0, or too many. */
int limits_size(const char *text, uint64_t *bytes);

/* Each takes the text of its option. 0 or -EINVAL, reported. */
int limits_set_memory(struct af_limits *limits, const char *text);
int limits_set_pids(struct af_limits *limits, const char *text);
int limits_set_cpus(struct af_limits *limits, const char *text);
int limits_set_cpu_shares(struct af_limits *limits, const char *text);
int limits_set_mode(struct af_limits *limits, const char *text);

/* How the limits of one run are held. */
struct af_held {
	const struct af_limits *limits; /* borrowed */
	struct af_cgroup group;
	/* For the command to set for itself, and what it starts; 0: none. */
	uint64_t own_memory; /* RLIMIT_AS, bytes */
	uint64_t own_pids;   /* RLIMIT_NPROC, within the sandbox's user namespace */
	bool by_runtime;     /* the runtime holds them, in a group of its own */
	bool noted;          /* limits_note() was called, and found this: */
	const char *met;
	uint64_t peak;
};

#define AF_HELD_NONE ((struct af_held){.group = AF_CGROUP_NONE})

/*
 * Makes the group, or decides how to do without, which is told unless quiet. Before this process becomes
 * a subreaper (cgroup_make()). 0 or -errno, reported.
 */
int limits_begin(struct af_held *held, const struct af_limits *limits, bool quiet);
/* The runtime holds them; group is to be the one that this process is in, to be read. */
void limits_follow(struct af_held *held, pid_t pid);
/* What limits_met() and limits_peak() say now is what they say from now on: the group will be gone. */
void limits_note(struct af_held *held);
/* Everything inside is there, and nothing of the command yet: now they hold. 0 or -errno, reported. */
int limits_apply(const struct af_held *held);
/* Which of them was met, by its option's name; NULL: none, or nobody knows. */
const char *limits_met(const struct af_held *held);
/* The most memory that all had at a time, in bytes; 0: unknown. */
uint64_t limits_peak(const struct af_held *held);
void limits_end(struct af_held *held);

#endif
