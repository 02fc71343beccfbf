/*
 * What follows from facts: conflicts and who wins, and the plan. Pure: it opens nothing and asks nobody.
 */
#ifndef AF_DECIDE_H
#define AF_DECIDE_H

#include "changes.h"
#include "facts.h"
#include "plan.h"

/* What a change is, before policy, holds and strategy. */
enum decide_kind {
	DECIDE_NOTHING, /* the source is like it, or the sandbox changed nothing */
	DECIDE_IMPLIED, /* a directory that is made again if something in it is merged */
	DECIDE_ADD,
	DECIDE_MODIFY,
	DECIDE_DELETE,
	DECIDE_TYPE,
	DECIDE_ATTRS,
};

/* conflict.c */
enum decide_kind decide_kind(const struct fact *fact);
/* Whether the source is no longer what the change was made to. */
bool decide_is_conflict(const struct fact *fact);
/* Whether a modified file keeps the attributes that it has in the source, for they were changed there alone. */
bool decide_keeps_attrs(const struct fact *fact);
/* Whether the sandbox's change is later than the source's, by times that neither can set. */
bool decide_is_later(const struct fact *fact);

/*
 * plan.c: below has what the source has in directories that facts delete or replace. *plan is filled
 * (plan_fini()). 0 or -ENOMEM.
 */
int decide_plan(struct plan *plan, const struct facts *facts, const struct facts *below,
	enum conflict_strategy strategy, const char *conflict_id);

#endif
