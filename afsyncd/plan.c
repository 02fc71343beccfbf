/*
 * What becomes of each fact, and the entries that tell of it. See decide.h and plan.h; the steps are
 * plan_steps.c's. Pure.
 */
#include "decide_internal.h"

#include "cleanup.h"
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void plan_fini(struct plan *plan)
{
	for (size_t i = 0; i < plan->entry_count; i++) {
		free(plan->entries[i].path);
		free(plan->entries[i].old_path);
		free(plan->entries[i].why);
	}
	for (size_t i = 0; i < plan->step_count; i++) {
		free(plan->steps[i].path);
		free(plan->steps[i].from);
		free(plan->steps[i].content);
	}
	for (size_t i = 0; i < plan->dir_count; i++)
		free(plan->dirs[i].path);
	free(plan->entries);
	free(plan->steps);
	free(plan->dirs);
	*plan = (struct plan){0};
}

/* ---- what becomes of each ----------------------------------------------------------------------- */

static enum plan_letter letter_of(enum decide_kind kind)
{
	switch (kind) {
	case DECIDE_NOTHING:
	case DECIDE_IMPLIED:
	case DECIDE_ADD:
		return PLAN_ADDED;
	case DECIDE_MODIFY:
		return PLAN_MODIFIED;
	case DECIDE_DELETE:
		return PLAN_DELETED;
	case DECIDE_TYPE:
		return PLAN_TYPE;
	case DECIDE_ATTRS:
		return PLAN_MODE;
	}
	return PLAN_MODIFIED;
}

int decide_fate(struct decided *decided, enum fate fate, enum plan_letter letter, const char *why)
{
	decided->fate = fate;
	decided->letter = letter;
	free(decided->why);
	decided->why = why ? strdup(why) : NULL;
	return why && !decided->why ? -ENOMEM : 0;
}

static int hold_back(struct decided *decided, const char *why)
{
	return decide_fate(decided, FATE_STAY, PLAN_HELD, why);
}

const char *decide_barrier(const struct fact *fact)
{
	if (fact->refused)
		return fact->refused;
	return fact->forbidden ? fact->forbidden : fact->held;
}

/* Not even a conflict is looked for where it may not be merged. */
static int check_allowed(const struct fact *fact, struct decided *decided)
{
	const char *why = decide_barrier(fact);

	return why ? hold_back(decided, why) : 0;
}

static const char *conflict_why(const struct fact *fact)
{
	if (fact->source.st_mode == 0)
		return "deleted in the source";
	if (S_ISDIR(fact->source.st_mode) && fact->source_unchanged)
		return "the source has changed in it";
	if (fact->upper.st_mode == 0)
		return "deleted here, changed in the source";
	return fact->origin && fact->origin->record.mode ? "changed in the source as well"
							 : "made in the source as well";
}

static int resolve(
	const struct planner *planner, const struct fact *fact, bool later, struct decided *decided)
{
	const char *why = conflict_why(fact);

	switch (planner->strategy) {
	case CONFLICT_LWW:
		return decide_fate(decided, later ? FATE_DO : FATE_DROP, PLAN_CONFLICT,
			later ? why : "the source's is later");
	case CONFLICT_MERGE:
		if (fact->merged && decided->kind != DECIDE_ATTRS)
			return decide_fate(decided, FATE_DO, PLAN_CONFLICT, why);
		/* fall through */
	case CONFLICT_BOTH:
		/* Of a deletion nothing can be put beside: what the source has made is kept. */
		if (fact->upper.st_mode == 0)
			return decide_fate(decided, FATE_DROP, PLAN_CONFLICT, why);
		/* Nor of a directory or attributes, which somebody has to look at. */
		if (decided->kind == DECIDE_ATTRS)
			return decide_fate(decided, FATE_STAY, PLAN_CONFLICT, why);
		if (fact->source.st_mode == 0)
			return decide_fate(decided, FATE_DO, PLAN_CONFLICT, why);
		return decide_fate(decided,
			S_ISREG(fact->upper.st_mode) || S_ISLNK(fact->upper.st_mode) ? FATE_BESIDE
										     : FATE_STAY,
			PLAN_CONFLICT, why);
	case CONFLICT_KEEP:
	case CONFLICT_FAIL:
		return decide_fate(decided, FATE_STAY, PLAN_CONFLICT, why);
	}
	return -EINVAL;
}

/* What the source has in a directory that goes: each must be allowed to, and known. */
static int check_below(
	const struct planner *planner, size_t index, struct decided *decided, bool *later)
{
	const struct fact *root = &planner->facts->items[index];
	bool conflict = false;
	int err = 0;

	for (size_t i = root->below_first; i < root->below_end && !err && decided->fate == FATE_DO;
		i++) {
		const struct fact *fact = &planner->below->items[i];
		bool known = fact->origin && fact->origin->record.mode != 0;

		err = fact->taken ? check_allowed(fact, decided)
				  : hold_back(decided, "something in it is excluded");
		if (known && fact->source_unchanged)
			continue;
		conflict = true;
		*later = *later && planner->strategy == CONFLICT_LWW && root->origin &&
			(root->upper.st_mode ? decide_is_later(root)
					     : root->origin->removed_ns >=
						(int64_t)fact->source.st_ctim.tv_sec * 1000000000 +
							fact->source.st_ctim.tv_nsec);
	}
	if (err || decided->fate != FATE_DO || !conflict)
		return err;
	/* Nobody has seen what would be deleted: only what is known to be older goes. */
	return resolve(planner, root, *later, decided);
}

static int decide_one(const struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	struct decided *decided = &planner->decided[index];
	bool later = decide_is_later(fact);
	int err = 0;

	decided->kind = decide_kind(fact);
	decided->fate = FATE_NOTHING;
	decided->letter = letter_of(decided->kind);
	if (!fact->taken) {
		decided->fate = FATE_STAY;
		return 0;
	}
	if (decided->kind == DECIDE_NOTHING && !fact->refused)
		return 0;
	if (decided->kind == DECIDE_IMPLIED && !fact->refused) {
		/* Told only of what is in it, if anything. */
		decided->fate = FATE_IMPLIED;
		return check_allowed(fact, decided);
	}
	decided->listed = true;
	decided->fate = FATE_DO;
	err = check_allowed(fact, decided);
	if (!err && decided->fate == FATE_DO && decide_is_conflict(fact))
		err = resolve(planner, fact, later, decided);
	if (!err && decided->fate == FATE_DO)
		err = check_below(planner, index, decided, &later);
	return err;
}

/* ---- entries ------------------------------------------------------------------------------------ */

static int add_entry(const struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	const struct decided *decided = &planner->decided[index];
	struct plan_entry *entry = &planner->plan->entries[planner->plan->entry_count++];

	*entry = (struct plan_entry){
		.letter = decided->letter,
		.path = strdup(fact->path),
		.stays = decided->fate == FATE_STAY,
		.unlisted = !decided->listed,
		.is_dir = S_ISDIR(fact->upper.st_mode ? fact->upper.st_mode : fact->source.st_mode),
		.upper = fact->upper,
	};
	if (decided->letter == PLAN_RENAMED)
		entry->old_path = strdup(fact->old_path);
	if (decided->why)
		entry->why = strdup(decided->why);
	return entry->path && (entry->old_path || decided->letter != PLAN_RENAMED) &&
			(entry->why || !decided->why)
		? 0
		: -ENOMEM;
}

static bool has_conflict(const struct planner *planner)
{
	for (size_t i = 0; i < planner->facts->count; i++)
		if (planner->decided[i].letter == PLAN_CONFLICT && planner->decided[i].listed)
			return true;
	return false;
}

static int run(struct planner *planner)
{
	size_t count = planner->facts->count;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = decide_one(planner, i);
	if (!err) {
		decide_dir_times(planner);
		err = decide_moves(planner);
	}
	if (!err)
		err = decide_links(planner);
	planner->plan->failed = planner->strategy == CONFLICT_FAIL && has_conflict(planner);
	for (size_t i = 0; i < count && !err; i++) {
		if (planner->plan->failed)
			planner->decided[i].fate = FATE_STAY;
		err = add_entry(planner, i);
	}
	if (!err && !planner->plan->failed)
		err = decide_steps(planner);
	return err ? err : decide_dirs(planner);
}

int decide_plan(struct plan *plan, const struct facts *facts, const struct facts *below,
	enum conflict_strategy strategy, const char *conflict_id)
{
	struct planner planner = {
		.plan = plan,
		.facts = facts,
		.below = below,
		.strategy = strategy,
		.conflict_id = conflict_id,
		.decided = calloc(facts->count + 1, sizeof(struct decided)),
	};
	int err = -ENOMEM;

	*plan = (struct plan){.entries = calloc(facts->count + 1, sizeof(struct plan_entry))};
	if (planner.decided && plan->entries)
		err = run(&planner);
	for (size_t i = 0; planner.decided && i < facts->count; i++)
		free(planner.decided[i].why);
	free(planner.decided);
	if (err)
		plan_fini(plan);
	return err;
}
