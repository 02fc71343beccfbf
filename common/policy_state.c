/*
 * Sets of the automaton's nodes: what a path's characters make of them, which rules have matched,
 * and what that says about everything below. Nothing is cached here (policy_cache.c), nothing is
 * shared; everything is right whatever the policy's size.
 */
#include "policy_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bits of scratch.group_mark. */
enum {
	GROUP_DEAD = 1,     /* a negation matched */
	GROUP_PENDING = 2,  /* one of its patterns matched and may still be taken out */
	GROUP_NEGATION = 4, /* a negation can still match */
	GROUP_PATTERN = 8,  /* a pattern that matters can still match */
};

static bool set_add(struct id_set *set, uint32_t id)
{
	if (!glob_grow((void **)&set->ids, &set->room, set->count, sizeof(*set->ids)))
		return false;
	set->ids[set->count++] = id;
	return true;
}

static void put(struct config *config, struct id_set *set, uint32_t id)
{
	if (!set_add(set, id))
		config->failed = true;
}

static int by_id(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

/* Sorts; equal ids become one. */
static void set_sort(struct id_set *set)
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

static void config_reset(struct config *config)
{
	config->nodes.count = config->pending.count = config->dead.count = 0;
	config->best = 0;
	config->failed = false;
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
	free(scratch->ended.ids);
	free(scratch->node_mark);
	free(scratch->group_mark);
	memset(scratch, 0, sizeof(*scratch));
}

/* ---- moving --------------------------------------------------------------------------------- */

static void begin_set(const struct automaton *a, struct scratch *s)
{
	if (++s->mark == 0) {
		memset(s->node_mark, 0, (a->node_count + 1) * sizeof(*s->node_mark));
		s->mark = 1;
	}
}

static const struct edge *find_edge(
	const struct automaton *a, const struct node *node, uint32_t key)
{
	const struct edge *edges = node_edges(a, node);
	uint32_t low = 0, high = (uint32_t)(node_edges_end(a, node) - edges);

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (edges[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return &edges[low];
}

/* Adds a node that is not in the set yet. */
static bool add_node(struct scratch *s, struct config *out, uint32_t id)
{
	if (s->node_mark[id] == s->mark)
		return false;
	s->node_mark[id] = s->mark;
	put(out, &out->nodes, id);
	return true;
}

/* Adds a node with all that it leads to without a character. */
static void add_closure(
	const struct automaton *a, struct scratch *s, struct config *out, uint32_t id)
{
	if (!add_node(s, out, id))
		return;
	s->stack.count = 0;
	put(out, &s->stack, id);
	while (s->stack.count > 0) {
		const struct node *node = &a->nodes[s->stack.ids[--s->stack.count]];
		const struct edge *edge = find_edge(a, node, EDGE_KEY(EDGE_STAR, 0));

		for (; edge < node_edges_end(a, node) && edge->key < EDGE_KEY(EDGE_BRACE, 0);
			edge++)
			if (add_node(s, out, edge->target))
				put(out, &s->stack, edge->target);
	}
}

static bool class_has(const struct automaton *a, uint32_t class, uint32_t symbol)
{
	uint32_t low = a->classes[class].first_range;
	uint32_t end = low + a->classes[class].ranges, high = end;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (a->ranges[middle].last < symbol)
			low = middle + 1;
		else
			high = middle;
	}
	return low < end && a->ranges[low].first <= symbol;
}

static void follow(const struct automaton *a, struct scratch *s, struct config *out,
	const struct node *node, uint32_t key)
{
	const struct edge *edge = find_edge(a, node, key);

	if (edge < node_edges_end(a, node) && edge->key == key)
		add_closure(a, s, out, edge->target);
}

static void follow_symbol(const struct automaton *a, struct scratch *s, struct config *out,
	const struct node *node, uint32_t symbol)
{
	const struct edge *edge;
	bool letter = (symbol | 0x20) >= 'a' && (symbol | 0x20) <= 'z';

	if (node_edges(a, node) == node_edges_end(a, node))
		return;
	follow(a, s, out, node, EDGE_KEY(EDGE_CHAR, symbol));
	if (letter)
		follow(a, s, out, node, EDGE_KEY(EDGE_FOLD, symbol | 0x20));
	edge = find_edge(a, node, EDGE_KEY(EDGE_ANY, 0));
	for (; edge < node_edges_end(a, node) && edge->key < EDGE_KEY(EDGE_SLASH, 0); edge++)
		if (edge->key >> 24 == EDGE_ANY || class_has(a, edge->key & EDGE_MAX_VALUE, symbol))
			add_closure(a, s, out, edge->target);
}

/* ---- keeping only what matters ---------------------------------------------------------------- */

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

/*
 * Puts a config into the one form that all equivalent ones share as far as is cheap to tell: that
 * bounds the number of states, and makes the verdicts' flags sharp.
 */
static void normalize(const struct automaton *a, struct scratch *s, struct config *c)
{
	size_t kept = 0, all_dead;

	set_sort(&c->nodes);
	set_sort(&c->dead);
	if (a->group_count) {
		mark_groups(a, s, c);
		settle_pending(a, s, c);
		mark_patterns(a, s, c);
	}
	for (size_t i = 0; i < c->dead.count; i++) {
		uint32_t group = c->dead.ids[i];

		/* Swapped and not dropped, so that clear_groups() finds them all. */
		if (s->group_mark[group] & GROUP_PATTERN) {
			c->dead.ids[i] = c->dead.ids[kept];
			c->dead.ids[kept++] = group;
		}
	}
	all_dead = c->dead.count;
	c->dead.count = kept;
	kept = 0;
	for (size_t i = 0; i < c->nodes.count; i++) {
		uint32_t id = c->nodes.ids[i];

		if (node_matters(a, s, &a->nodes[id], c->best)) {
			c->nodes.ids[i] = c->nodes.ids[kept];
			c->nodes.ids[kept++] = id;
		}
	}
	if (a->group_count) {
		size_t dead = c->dead.count;

		c->dead.count = all_dead;
		clear_groups(a, s, c);
		c->dead.count = dead;
	}
	c->nodes.count = kept;
	set_sort(&c->dead);
	set_sort(&c->nodes);
}

/* ---- the public steps ------------------------------------------------------------------------- */

void config_symbol(const struct automaton *a, struct scratch *s, const struct config *from,
	uint32_t symbol, struct config *out)
{
	config_reset(out);
	out->failed = from->failed;
	out->best = from->best;
	if (!set_copy(&out->pending, &from->pending) || !set_copy(&out->dead, &from->dead))
		out->failed = true;
	begin_set(a, s);
	for (size_t i = 0; i < from->nodes.count; i++) {
		uint32_t id = from->nodes.ids[i];
		const struct node *node = &a->nodes[id];

		if (node->flags & (NODE_STAR | NODE_GLOBSTAR)) {
			/* A star's closure is its own; a globstar's waits for the next component. */
			if (node->flags & NODE_STAR)
				add_closure(a, s, out, id);
			else
				add_node(s, out, id);
		}
		follow_symbol(a, s, out, node, symbol);
	}
	normalize(a, s, out);
}

/* One pattern of a group with negations has matched. */
static void end_item(const struct automaton *a, struct config *c, uint32_t id)
{
	const struct item *item = &a->items[id];

	if (item->rank)
		put(c, &c->pending, item->rank);
	else
		put(c, &c->dead, item->group);
}

/* Adds to c what matches at the end of a name, as a directory or not. */
static void end_node(const struct automaton *a, const struct node *node, bool dir, struct config *c)
{
	const struct edge *edge = find_edge(a, node, EDGE_KEY(EDGE_END, 0));

	for (; edge < node_edges_end(a, node); edge++) {
		uint32_t kind = edge->key >> 24;

		if (!dir && (kind == EDGE_END_DIR || kind == EDGE_ITEM_DIR))
			continue;
		if (kind == EDGE_ITEM || kind == EDGE_ITEM_DIR)
			end_item(a, c, edge->target);
		else if (edge->target > c->best)
			c->best = edge->target;
	}
}

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

/* The same matches so far, and no nodes. */
static void copy_matches(const struct config *from, struct config *to)
{
	config_reset(to);
	to->best = from->best;
	to->failed = from->failed;
	if (!set_copy(&to->pending, &from->pending) || !set_copy(&to->dead, &from->dead))
		to->failed = true;
}

void config_end(const struct automaton *a, struct scratch *s, const struct config *from,
	struct af_verdict *file, struct config *dir)
{
	copy_matches(from, dir);
	for (size_t i = 0; i < from->nodes.count; i++)
		end_node(a, &a->nodes[from->nodes.ids[i]], false, dir);
	*file = verdict_of(a, top_rank(a, s, dir));
	if (dir->failed)
		*file = (struct af_verdict){0};
	for (size_t i = 0; i < from->nodes.count; i++)
		end_node(a, &a->nodes[from->nodes.ids[i]], true, dir);
	begin_set(a, s);
	for (size_t i = 0; i < from->nodes.count; i++) {
		uint32_t id = from->nodes.ids[i];

		if (a->nodes[id].flags & NODE_GLOBSTAR)
			add_closure(a, s, dir, id);
		else
			follow(a, s, dir, &a->nodes[id], EDGE_KEY(EDGE_SLASH, 0));
	}
	normalize(a, s, dir);
}

void config_start(const struct automaton *a, struct scratch *s, struct config *out)
{
	config_reset(out);
	end_node(a, &a->nodes[0], true, out);
	begin_set(a, s);
	add_closure(a, s, out, 0);
	normalize(a, s, out);
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
