/*
 * Gathering what a plan is made from: the source, who is who, the host. It looks, and changes nothing.
 */
#ifndef AF_FACTS_H
#define AF_FACTS_H

#include "plan.h"

struct af_gathered {
	struct af_facts facts; /* borrows from the rest of this */
	struct af_host host;
	struct af_identity identity;
	struct af_words binds; /* real paths */
	char *source;          /* real path; owned */
	int source_fd; /* O_PATH, opened once: what is mounted is what was looked at. Owned */
};

/* Returns 0 or -errno, reported. */
int facts_gather(struct af_gathered *gathered, const struct af_opts *opts);
void facts_fini(struct af_gathered *gathered);

#endif
