/*
 * What of a state matters: matches that nothing can take out any more, and nodes from which a rule
 * above them can still be reached. All else is dropped, so that states which decide alike are alike.
 */
#include "policy_state.h"

/* Whether a rule above best, of a group without negations, can be reached. */
static bool reach_above(const struct automaton *a, uint32_t reach, uint32_t best)
{
	const uint32_t *below;

	if (!(reach & REACH_INDEX))
		return (reach & REACH_RANK) > best;
	below = a->reaches[reach & ~REACH_INDEX].below;
	return below[0] > best || below[1] > best || below[2] > best || below[3] > best;
}

static void mark_groups(const struct automaton *a, struct scratch *s, const struct config *c)
{
	for (size_t i = 0; i < c->dead.count; i++)
		s->group_mark[c->dead.ids[i]] |= GROUP_DEAD;
	for (size_t i = 0; i < c->nodes.count; i++) {
		const struct node *node = &a->nodes[c->nodes.ids[i]];

		for (const struct item_ref *ref = node_items(a, node);
			ref < node_items_end(a, node); ref++) {
			const struct item *item = &a->items[ref->item];

			s->group_mark[item->group] |= item->rank ? 0 : GROUP_NEGATION;
		}
	}
}

/* What no negation can take out any more is for good; what is not above that does not matter. */
static void settle_pending(const struct automaton *a, struct scratch *s, struct config *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->pending.count; i++) {
		uint32_t rank = c->pending.ids[i];
		uint32_t group = a->items[a->item_of[rank] - 1].group;

		if (s->group_mark[group] & GROUP_DEAD)
			continue;
		if (!(s->group_mark[group] & GROUP_NEGATION)) {
			if (rank > c->best)
				c->best = rank;
			continue;
		}
		c->pending.ids[kept++] = rank;
	}
	c->pending.count = kept;
	set_sort(&c->pending);
	kept = 0;
	for (size_t i = 0; i < c->pending.count; i++) {
		uint32_t rank = c->pending.ids[i];

		if (rank <= c->best)
			continue;
		s->group_mark[a->items[a->item_of[rank] - 1].group] |= GROUP_PENDING;
		c->pending.ids[kept++] = rank;
	}
	c->pending.count = kept;
}

static void mark_patterns(const struct automaton *a, struct scratch *s, const struct config *c)
{
	for (size_t i = 0; i < c->nodes.count; i++) {
		const struct node *node = &a->nodes[c->nodes.ids[i]];

		for (const struct item_ref *ref = node_items(a, node);
			ref < node_items_end(a, node); ref++) {
			const struct item *item = &a->items[ref->item];

			if (item->rank > c->best)
				s->group_mark[item->group] |= GROUP_PATTERN;
		}
	}
}

static bool node_matters(
	const struct automaton *a, const struct scratch *s, const struct node *node, uint32_t best)
{
	if (reach_above(a, node->reach, best))
		return true;
	for (const struct item_ref *ref = node_items(a, node); ref < node_items_end(a, node);
		ref++) {
		const struct item *item = &a->items[ref->item];
		uint32_t mark = s->group_mark[item->group];

		if (mark & GROUP_DEAD)
			continue;
		if (item->rank ? item->rank > best : mark & (GROUP_PENDING | GROUP_PATTERN))
			return true;
	}
	return false;
}

static void clear_groups(const struct automaton *a, struct scratch *s, const struct config *c)
{
	for (size_t i = 0; i < c->dead.count; i++)
		s->group_mark[c->dead.ids[i]] = 0;
	for (size_t i = 0; i < c->pending.count; i++)
		s->group_mark[a->items[a->item_of[c->pending.ids[i]] - 1].group] = 0;
	for (size_t i = 0; i < c->nodes.count; i++) {
		const struct node *node = &a->nodes[c->nodes.ids[i]];

		for (const struct item_ref *ref = node_items(a, node);
			ref < node_items_end(a, node); ref++)
			s->group_mark[a->items[ref->item].group] = 0;
	}
}

/* Moves the groups that matter to the front. Returns how many those are. */
static size_t sift_dead(const struct scratch *s, struct config *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->dead.count; i++) {
		uint32_t group = c->dead.ids[i];

		if (s->group_mark[group] & GROUP_PATTERN) {
			c->dead.ids[i] = c->dead.ids[kept];
			c->dead.ids[kept++] = group;
		}
	}
	return kept;
}

/* ... and the nodes. */
static size_t sift_nodes(const struct automaton *a, const struct scratch *s, struct config *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->nodes.count; i++) {
		uint32_t id = c->nodes.ids[i];

		if (node_matters(a, s, &a->nodes[id], c->best)) {
			c->nodes.ids[i] = c->nodes.ids[kept];
			c->nodes.ids[kept++] = id;
		}
	}
	return kept;
}

void config_settle(const struct automaton *a, struct scratch *s, struct config *c)
{
	size_t dead, nodes;

	set_sort(&c->nodes);
	set_sort(&c->dead);
	if (a->group_count) {
		mark_groups(a, s, c);
		settle_pending(a, s, c);
		mark_patterns(a, s, c);
	}
	dead = sift_dead(s, c);
	nodes = sift_nodes(a, s, c);
	/* Only now is anything dropped: what is to be cleared was marked by all of them. */
	if (a->group_count)
		clear_groups(a, s, c);
	c->dead.count = dead;
	c->nodes.count = nodes;
	set_sort(&c->dead);
	set_sort(&c->nodes);
}
