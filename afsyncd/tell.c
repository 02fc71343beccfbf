/*
 * What became of a merge. See tell.h.
 */
#include "tell.h"

#include "log.h"

size_t tell_count_stays(const struct plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->entry_count; i++)
		count += plan->entries[i].stays && !plan->entries[i].unlisted;
	return count;
}

static const char *manner(const struct plan_entry *entry)
{
	switch (entry->letter) {
	case PLAN_CONFLICT:
		return entry->stays ? "conflict" : "conflict, resolved";
	case PLAN_HELD:
		return "held back";
	case PLAN_ADDED:
	case PLAN_MODIFIED:
	case PLAN_DELETED:
	case PLAN_RENAMED:
	case PLAN_TYPE:
	case PLAN_MODE:
		break;
	}
	return "not merged";
}

static void tell_entries(const struct plan *plan)
{
	for (size_t i = 0; i < plan->entry_count; i++) {
		const struct plan_entry *entry = &plan->entries[i];
		const char *colon = entry->why ? ": " : "", *why = entry->why ? entry->why : "";

		if (entry->unlisted)
			continue;
		if (entry->stays)
			log_notice("%s: %s%s%s", entry->path, manner(entry), colon, why);
		else if (entry->letter == PLAN_CONFLICT)
			log_info("%s: %s%s%s", entry->path, manner(entry), colon, why);
	}
}

static const char *changes(size_t count)
{
	return count == 1 ? "change" : "changes";
}

void tell_merge(const struct plan *plan, const struct apply_result *result, const char *delta,
	const char *source)
{
	size_t stay = tell_count_stays(plan);

	tell_entries(plan);
	if (!result)
		log_notice("%s: nothing merged: --conflict fail, and there are conflicts", delta);
	else if (stay)
		log_notice("%s: %zu %s merged, %zu left in %s", source, result->merged,
			changes(result->merged), stay, delta);
	else if (result->merged)
		log_notice("%s: %zu %s merged", source, result->merged, changes(result->merged));
	else
		log_info("%s: nothing to merge", delta);
	if (result && result->id[0])
		log_info("%s: afsyncd --undo %s takes it back", source, result->id);
}
