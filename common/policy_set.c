/*
 * The memory of states that are being made: sets of ids, the configs made of such sets, and the room
 * to work in. What the ids mean is not known here.
 */
#include "policy_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool set_add(struct id_set *set, uint32_t id)
{
	if (!glob_grow((void **)&set->ids, &set->room, set->count, sizeof(*set->ids)))
		return false;
	set->ids[set->count++] = id;
	return true;
}

void config_put(struct config *config, struct id_set *set, uint32_t id)
{
	if (!set_add(set, id))
		config->failed = true;
}

static int by_id(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

void set_sort(struct id_set *set)
{
	size_t kept = 0;

	if (set->count < 2)
		return;
	qsort(set->ids, set->count, sizeof(*set->ids), by_id);
	for (size_t i = 1; i < set->count; i++)
		if (set->ids[i] != set->ids[kept])
			set->ids[++kept] = set->ids[i];
	set->count = kept + 1;
}

static bool set_copy(struct id_set *to, const struct id_set *from)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		if (!set_add(to, from->ids[i]))
			return false;
	return true;
}

void config_fini(struct config *config)
{
	free(config->nodes.ids);
	free(config->pending.ids);
	free(config->dead.ids);
	memset(config, 0, sizeof(*config));
}

bool config_copy(struct config *to, const struct config *from)
{
	to->best = from->best;
	to->failed = from->failed;
	if (!set_copy(&to->nodes, &from->nodes) || !set_copy(&to->pending, &from->pending) ||
		!set_copy(&to->dead, &from->dead))
		to->failed = true;
	return !to->failed;
}

void config_reset(struct config *config)
{
	config->nodes.count = config->pending.count = config->dead.count = 0;
	config->best = 0;
	config->failed = false;
}

void config_copy_matches(struct config *to, const struct config *from)
{
	config_reset(to);
	to->best = from->best;
	to->failed = from->failed;
	if (!set_copy(&to->pending, &from->pending) || !set_copy(&to->dead, &from->dead))
		to->failed = true;
}

int scratch_init(struct scratch *scratch, const struct automaton *automaton)
{
	memset(scratch, 0, sizeof(*scratch));
	scratch->node_mark = calloc(automaton->node_count + 1, sizeof(*scratch->node_mark));
	scratch->group_mark = calloc(automaton->group_count + 1, sizeof(*scratch->group_mark));
	if (scratch->node_mark && scratch->group_mark)
		return 0;
	scratch_fini(scratch);
	return -ENOMEM;
}

void scratch_fini(struct scratch *scratch)
{
	config_fini(&scratch->now);
	config_fini(&scratch->next);
	free(scratch->stack.ids);
	free(scratch->node_mark);
	free(scratch->group_mark);
	memset(scratch, 0, sizeof(*scratch));
}
