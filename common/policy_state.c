/*
 * How a path's characters move a set of the automaton's nodes, and which rules match where a name
 * ends. Nothing is cached here (policy_cache.c), nothing is shared; everything is right whatever the
 * policy's size.
 */
#include "policy_state.h"

#include <string.h>

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
	config_put(out, &out->nodes, id);
	return true;
}

/* Adds a node with all that it leads to without a character. */
static void add_closure(
	const struct automaton *a, struct scratch *s, struct config *out, uint32_t id)
{
	if (!add_node(s, out, id))
		return;
	s->stack.count = 0;
	config_put(out, &s->stack, id);
	while (s->stack.count > 0) {
		const struct node *node = &a->nodes[s->stack.ids[--s->stack.count]];
		const struct edge *edge = find_edge(a, node, EDGE_KEY(EDGE_STAR, 0));

		for (; edge < node_edges_end(a, node) && edge->key < EDGE_KEY(EDGE_BRACE, 0);
			edge++)
			if (add_node(s, out, edge->target))
				config_put(out, &s->stack, edge->target);
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

void config_symbol(const struct automaton *a, struct scratch *s, const struct config *from,
	uint32_t symbol, struct config *out)
{
	config_copy_matches(out, from);
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
	config_settle(a, s, out);
}

/* One pattern of a group with negations has matched. */
static void end_item(const struct automaton *a, struct config *c, uint32_t id)
{
	const struct item *item = &a->items[id];

	if (item->rank)
		config_put(c, &c->pending, item->rank);
	else
		config_put(c, &c->dead, item->group);
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

void config_end(const struct automaton *a, struct scratch *s, const struct config *from,
	struct af_verdict *file, struct config *dir)
{
	config_copy_matches(dir, from);
	for (size_t i = 0; i < from->nodes.count; i++)
		end_node(a, &a->nodes[from->nodes.ids[i]], false, dir);
	*file = config_file_verdict(a, s, dir);
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
	config_settle(a, s, dir);
}

void config_start(const struct automaton *a, struct scratch *s, struct config *out)
{
	config_reset(out);
	end_node(a, &a->nodes[0], true, out);
	begin_set(a, s);
	add_closure(a, s, out, 0);
	config_settle(a, s, out);
}
