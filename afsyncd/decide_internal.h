/*
 * What plan.c, plan_moves.c, plan_links.c and plan_steps.c share.
 */
#ifndef AF_DECIDE_INTERNAL_H
#define AF_DECIDE_INTERNAL_H

#include "decide.h"

/* What becomes of a fact. */
enum fate {
	FATE_NOTHING, /* there is nothing to do; it leaves the delta */
	FATE_IMPLIED, /* a directory that is made if something in it is */
	FATE_DO,
	FATE_BESIDE, /* put beside the source's, under another name */
	FATE_STAY,
	FATE_DROP, /* the source's is later: it leaves the delta unmerged */
};

struct decided {
	enum decide_kind kind;
	enum fate fate;
	enum plan_letter letter;
	bool listed;
	bool along;       /* it moved with the directory that it is in */
	bool moved;       /* what is deleted here is at another path; that entry has its steps */
	size_t moved_to;  /* ... the fact of that path */
	char *why;        /* owned */
	bool has_changes; /* a directory: something directly in it changes */
	bool made;        /* a directory: its step is there */
	const char *unusable; /* a directory that nothing can be put in: why; borrowed */
	bool frozen;          /* ... that hides, and is held back: what it hides stays */
};

struct planner {
	struct plan *plan;
	const struct facts *facts, *below;
	enum conflict_strategy strategy;
	const char *conflict_id;
	struct decided *decided; /* one for each fact */
	size_t step_room;
	size_t *links; /* hash of inodes with several names -> index + 1 of the fact that is put */
	size_t links_mask;
};

/* ---- plan.c ------------------------------------------------------------------------------------- */

/* What becomes of a fact, in words that are copied. 0 or -ENOMEM. */
int decide_fate(struct decided *decided, enum fate fate, enum plan_letter letter, const char *why);
/* Why it is never merged, or not unless somebody says so; NULL. */
const char *decide_barrier(const struct fact *fact);

/* ---- plan_moves.c ------------------------------------------------------------------------------- */

/* Makes what is in directories, and both sides of renames, agree. 0 or -ENOMEM. */
int decide_moves(const struct planner *planner);
/* The fact of the directory that the fact is in; SIZE_MAX: it is in the root. */
size_t decide_parent(const struct facts *facts, size_t index);

/* ---- plan_links.c ------------------------------------------------------------------------------- */

/* Makes names one file, or several, as the delta has them. 0 or -ENOMEM. */
int decide_links(const struct planner *planner);
/* Whether the delta's is a file with other names. */
bool decide_has_links(const struct fact *fact);
/* Whether its content is put, or a directory made. */
bool decide_is_put(const struct decided *decided);

/* ---- plan_dirs.c -------------------------------------------------------------------------------- */

/* Makes a change of those directories of which nothing but the time was changed. */
void decide_dir_times(const struct planner *planner);
/* Fills plan->dirs. 0 or -ENOMEM. */
int decide_dirs(const struct planner *planner);

/* ---- plan_steps.c ------------------------------------------------------------------------------- */

/* Fills plan->steps. 0 or -ENOMEM. */
int decide_steps(struct planner *planner);

#endif
