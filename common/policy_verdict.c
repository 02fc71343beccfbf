/*
 * What a state says: the level of the path that led to it, and the outlook on everything below.
 * States are only read here.
 */
#include "policy_state.h"

/* The highest rank of c that no negation takes out. */
static uint32_t top_rank(const struct automaton *a, struct scratch *s, const struct config *c)
{
	uint32_t top = c->best;

	for (size_t i = 0; i < c->dead.count; i++)
		s->group_mark[c->dead.ids[i]] = GROUP_DEAD;
	for (size_t i = 0; i < c->pending.count; i++) {
		uint32_t rank = c->pending.ids[i];

		if (rank > top && !s->group_mark[a->items[a->item_of[rank] - 1].group])
			top = rank;
	}
	for (size_t i = 0; i < c->dead.count; i++)
		s->group_mark[c->dead.ids[i]] = 0;
	return top;
}

static enum af_level rank_level(const struct automaton *a, uint32_t rank)
{
	return rank ? a->rules[rank].level : a->level;
}

static struct af_verdict verdict_of(const struct automaton *a, uint32_t rank)
{
	return (struct af_verdict){
		.level = (uint8_t)rank_level(a, rank),
		.flags = rank ? AF_V_HAS_RULE : 0,
		.rule = rank,
	};
}

struct af_verdict config_file_verdict(
	const struct automaton *a, struct scratch *s, const struct config *c)
{
	if (c->failed)
		return (struct af_verdict){0};
	return verdict_of(a, top_rank(a, s, c));
}

/* Bits of levels: what may be found below (directly below) by a match still to come. */
struct outlook {
	unsigned int below, within;
};

static void look_at_items(const struct automaton *a, const struct scratch *s,
	const struct node *node, uint32_t best, struct outlook *o)
{
	for (const struct item_ref *ref = node_items(a, node); ref < node_items_end(a, node);
		ref++) {
		const struct item *item = &a->items[ref->item];

		if (item->rank <= best || s->group_mark[item->group])
			continue;
		o->below |= 1U << item->level;
		if (ref->within)
			o->within |= 1U << item->level;
	}
}

static void look_at_reach(
	const struct automaton *a, uint32_t reach, uint32_t best, struct outlook *o)
{
	uint32_t rank = reach & REACH_RANK;

	if (reach & REACH_INDEX) {
		const struct reach *full = &a->reaches[reach & ~REACH_INDEX];

		for (unsigned int level = 0; level < POLICY_LEVELS; level++) {
			o->below |= (full->below[level] > best) << level;
			o->within |= (full->within[level] > best) << level;
		}
	} else if (rank > best) {
		o->below |= 1U << a->rules[rank].level;
		if (reach & REACH_WITHIN)
			o->within |= 1U << a->rules[rank].level;
	}
}

static struct outlook look_ahead(
	const struct automaton *a, struct scratch *s, const struct config *c)
{
	struct outlook o = {0, 0};

	for (size_t i = 0; i < c->dead.count; i++)
		s->group_mark[c->dead.ids[i]] = GROUP_DEAD;
	for (size_t i = 0; i < c->nodes.count; i++) {
		const struct node *node = &a->nodes[c->nodes.ids[i]];

		look_at_reach(a, node->reach, c->best, &o);
		look_at_items(a, s, node, c->best, &o);
	}
	for (size_t i = 0; i < c->dead.count; i++)
		s->group_mark[c->dead.ids[i]] = 0;
	return o;
}

struct af_verdict config_verdict(
	const struct automaton *a, struct scratch *s, const struct config *config)
{
	uint32_t top = config->pending.count ? config->pending.ids[config->pending.count - 1]
					     : config->best;
	struct af_verdict v = verdict_of(a, top);
	struct outlook o = look_ahead(a, s, config);
	/* What is here goes on below; what a negation below takes out uncovers the next. */
	unsigned int here = 1U << v.level;

	if (config->failed)
		return (struct af_verdict){.flags = AF_V_MAY_HIDE};
	for (size_t i = 0; i < config->pending.count; i++)
		here |= 1U << rank_level(a, config->pending.ids[i]);
	here |= 1U << rank_level(a, config->best);
	o.below |= here;
	o.within |= here;
	if (v.level == AF_NONE && o.below & ~(1U << AF_NONE))
		v.flags |= AF_V_TRAVERSABLE;
	if (o.below == 1U << v.level)
		v.flags |= AF_V_UNIFORM;
	if (o.below & 1U << AF_NONE)
		v.flags |= AF_V_MAY_HIDE;
	if (o.within & 1U << AF_WRITE)
		v.flags |= AF_V_MAY_CREATE;
	return v;
}
