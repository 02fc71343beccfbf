/*
 * From the trie to the automaton: nodes with their edges in one array, in the order in which states
 * look for them, and the tables that nodes and edges point into. Nothing is found or decided here.
 */
#include "policy_trie.h"

#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
	const struct edge *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

/* Gives each node its place among the edges: where they end, for now. */
static void count_edges(const struct trie *trie, struct automaton *a)
{
	uint32_t end = 0;

	for (uint32_t i = 0; i < a->node_count; i++)
		a->nodes[i].first_edge = trie->nodes[i].key != 0;
	for (size_t i = 0; i < trie->edge_count; i++)
		a->nodes[trie->edges[i].parent].first_edge++;
	for (uint32_t i = 0; i <= a->node_count; i++) {
		end += a->nodes[i].first_edge;
		a->nodes[i].first_edge = end & REACH_RANK;
	}
}

/* Edges by node (a counting sort), then by key. */
static int finish_edges(const struct trie *trie, struct automaton *a)
{
	a->edge_count = (uint32_t)trie->edge_count;
	for (uint32_t i = 0; i < a->node_count; i++)
		a->edge_count += trie->nodes[i].key != 0;
	a->edges = calloc((size_t)a->edge_count + 1, sizeof(*a->edges));
	if (!a->edges)
		return -ENOMEM;
	count_edges(trie, a);
	for (uint32_t i = 0; i < a->node_count; i++)
		if (trie->nodes[i].key)
			a->edges[--a->nodes[i].first_edge] =
				(struct edge){trie->nodes[i].key, trie->nodes[i].target};
	for (size_t i = 0; i < trie->edge_count; i++) {
		const struct trie_edge *edge = &trie->edges[i];

		a->edges[--a->nodes[edge->parent].first_edge] =
			(struct edge){edge->key, edge->target};
	}
	for (uint32_t i = 0; i < a->node_count; i++) {
		size_t count = a->nodes[i + 1].first_edge - a->nodes[i].first_edge;

		if (count > 1)
			qsort(&a->edges[a->nodes[i].first_edge], count, sizeof(*a->edges), by_key);
	}
	return 0;
}

static int finish_items(const struct trie *trie, struct automaton *a)
{
	uint32_t end = 0;

	a->item_refs = calloc(trie->item_count + 1, sizeof(*a->item_refs));
	if (!a->item_refs)
		return -ENOMEM;
	for (size_t i = 0; i < trie->item_count; i++)
		a->nodes[trie->items[i].node].first_item++;
	for (uint32_t i = 0; i <= a->node_count; i++)
		a->nodes[i].first_item = end += a->nodes[i].first_item;
	for (size_t i = trie->item_count; i > 0; i--)
		a->item_refs[--a->nodes[trie->items[i - 1].node].first_item] =
			trie->items[i - 1].ref;
	return 0;
}

static int finish_classes(struct trie *trie, struct automaton *a)
{
	a->class_count = (uint32_t)trie->classes.count;
	a->classes = calloc(a->class_count + 1, sizeof(*a->classes));
	a->range_count = (uint32_t)(trie->classes.used / sizeof(struct glob_range));
	a->ranges = calloc(a->range_count + 1, sizeof(*a->ranges));
	if (!a->classes || !a->ranges)
		return -ENOMEM;
	if (a->range_count)
		memcpy(a->ranges, trie->classes.bytes, trie->classes.used);
	for (uint32_t i = 0; i < a->class_count; i++) {
		const struct intern_entry *entry = &trie->classes.entries[i];

		a->classes[i] =
			(struct class_ref){(uint32_t)(entry->offset / sizeof(struct glob_range)),
				(uint32_t)(entry->size / sizeof(struct glob_range))};
	}
	return 0;
}

int trie_finish(struct trie *trie, struct automaton *automaton)
{
	int rc;

	/* One more, whose first edge and item are where the last node's end. */
	automaton->nodes = calloc(trie->node_count + 1, sizeof(*automaton->nodes));
	if (!automaton->nodes)
		return -ENOMEM;
	automaton->node_count = (uint32_t)trie->node_count;
	for (size_t i = 0; i < trie->node_count; i++) {
		automaton->nodes[i].flags = trie->nodes[i].flags & 3;
		automaton->nodes[i].reach = trie->nodes[i].reach;
	}
	automaton->reaches = af_steal(&trie->reaches);
	rc = finish_edges(trie, automaton);
	if (!rc)
		rc = finish_items(trie, automaton);
	return rc ? rc : finish_classes(trie, automaton);
}
