/*
 * What makes a sandbox of a plan. A backend only says which program to run, and how; starting it,
 * speaking to it and ending it are the same for all (sandbox.c, supervise.c).
 */
#ifndef AF_BACKEND_H
#define AF_BACKEND_H

#include "plan.h"

/* What a backend's argument vector names besides the plan. */
struct af_backend_input {
	const char *view;  /* the mounted view, in the namespace that the backend starts in */
	const char *place; /* there, the directory that has channel.NAME of each channel */
	int seccomp_fd;    /* the filter, ready to be read */
	const char
		*inside[4]; /* the command line of our own first process inside, NULL-terminated */
};

struct af_backend {
	const char *name;
	/* Pure. Returns 0 or -ENOMEM. */
	int (*build)(const struct af_plan *plan, const struct af_backend_input *input,
		struct af_words *argv);
};

extern const struct af_backend backend_bwrap;

#endif
