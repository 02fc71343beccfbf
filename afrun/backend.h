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
	const char *name;  /* docker: the container's */
	int seccomp_fd;    /* the filter, ready to be read */
	/* The command line of our own first process inside, NULL-terminated; docker: as it is here. */
	const char *inside[4];
};

struct af_backend {
	const char *name;
	/* Pure. Returns 0 or -ENOMEM. */
	int (*build)(const struct af_plan *plan, const struct af_backend_input *input,
		struct af_words *argv);
	/*
	 * The program works for somebody else (a daemon), outside of the view's namespace and as the
	 * caller. Our first process is given no descriptor: it comes to us (sandbox_accept()).
	 */
	bool outside;
};

/* Where the container has what docker_place.h says. */
#define AF_DOCKER_INSIDE "/.afrun"

extern const struct af_backend backend_bwrap, backend_docker;

#endif
