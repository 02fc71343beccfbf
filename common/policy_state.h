/*
 * What the files share that make states of sets of nodes, and policy_cache.c does not see: policy_set.c
 * holds the sets, policy_state.c moves them, policy_settle.c keeps of them what matters, and
 * policy_verdict.c says what they mean.
 */
#ifndef AF_POLICY_STATE_H
#define AF_POLICY_STATE_H

#include "policy_internal.h"

/* Bits of scratch.group_mark. Whoever sets them clears them before it returns. */
enum {
	GROUP_DEAD = 1,     /* a negation matched */
	GROUP_PENDING = 2,  /* one of its patterns matched and may still be taken out */
	GROUP_NEGATION = 4, /* a negation can still match */
	GROUP_PATTERN = 8,  /* a pattern that matters can still match */
};

/* ---- policy_set.c ------------------------------------------------------------------------------ */

/* Sorts; equal ids become one. */
void set_sort(struct id_set *set);
/* Adds an id to a set, which need not be the config's own; where memory is short, config failed. */
void config_put(struct config *config, struct id_set *set, uint32_t id);
void config_reset(struct config *config);
/* The same matches so far, and no nodes. */
void config_copy_matches(struct config *to, const struct config *from);

/* ---- policy_settle.c --------------------------------------------------------------------------- */

/*
 * Puts a config into the one form that all equivalent ones share as far as is cheap to tell: that
 * bounds the number of states, and makes the verdicts' flags sharp.
 */
void config_settle(const struct automaton *a, struct scratch *s, struct config *c);

/* ---- policy_verdict.c -------------------------------------------------------------------------- */

/* What the path is as anything but a directory, if it ends here: no outlook on what is below. */
struct af_verdict config_file_verdict(
	const struct automaton *a, struct scratch *s, const struct config *c);

#endif
