/*
 * Gathering facts: what changes.c and gather.c share.
 */
#ifndef AF_GATHER_H
#define AF_GATHER_H

#include "changes.h"
#include "facts.h"
#include "origin.h"
#include "source.h"

/* What is gathered, and from what. */
struct gather {
	const struct plan_options *options;
	struct af_delta *delta;
	struct source source;
	struct origins origins;
	struct af_policy *policy; /* a reference */
	struct facts facts;
	struct facts below;  /* what goes with directories that are deleted or replaced */
	struct facts hidden; /* what is to be added to facts, while they are gone through */
	bool as_root;        /* owners count */
};

/*
 * Finds out all of a fact but what scan.c and changes.c know of it: path, upper and the like are set. What
 * cannot be read is refused. 0 or -ENOMEM.
 */
int gather_fact(struct gather *gather, struct fact *fact);

#endif
