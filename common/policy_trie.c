/*
 * The builder of the automaton: patterns are inserted token by token into a trie, so that equal
 * beginnings share nodes. What a trie cannot say are stars (nodes that loop), globstars (nodes that
 * stay) and braces: each alternative is a branch of the trie, and its end has an epsilon edge to the
 * node at which the brace ends. So the automaton is never larger than the patterns' text.
 *
 * It knows neither levels' meaning nor how states are made of nodes (policy_state.c).
 */
#include "policy_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Beyond this, a single step could take seconds: refused. */
#define MAX_NODES (1U << 21)

struct trie_edge {
	uint32_t parent, key, target;
};

struct trie_item {
	uint32_t node;
	struct item_ref ref;
};

struct trie {
	struct node *nodes;
	struct trie_edge *edges;
	struct trie_item *items;
	uint32_t *table; /* open addressing: edge + 1 by (parent, key) */
	size_t node_count, node_room, edge_count, edge_room, item_count, item_room, slots;
	struct intern classes; /* ranges */
	struct intern braces;  /* tokens */
};

/* One insertion. */
struct insertion {
	struct trie *trie;
	const struct glob *glob;
	const struct trie_pattern *pattern;
	struct glob_token *tokens; /* with the trie's numbers for classes */
	size_t count;
	size_t last; /* where the last component's tokens begin */
};

static int64_t add_node(struct trie *trie, uint32_t flags)
{
	if (trie->node_count >= MAX_NODES)
		return -E2BIG;
	if (!glob_grow((void **)&trie->nodes, &trie->node_room, trie->node_count,
		    sizeof(*trie->nodes)))
		return -ENOMEM;
	memset(&trie->nodes[trie->node_count], 0, sizeof(*trie->nodes));
	trie->nodes[trie->node_count].flags = flags;
	return (int64_t)trie->node_count++;
}

static size_t hash_edge(uint32_t parent, uint32_t key)
{
	return (size_t)((((uint64_t)parent << 32 | key) * 0x9e3779b97f4a7c15U) >> 20);
}

static bool grow_edges(struct trie *trie)
{
	size_t slots = trie->slots ? trie->slots * 2 : 1024;
	uint32_t *table;

	if (!glob_grow((void **)&trie->edges, &trie->edge_room, trie->edge_count,
		    sizeof(*trie->edges)))
		return false;
	if (trie->edge_count * 2 < trie->slots)
		return true;
	table = calloc(slots, sizeof(*table));
	if (!table)
		return false;
	for (size_t i = 0; i < trie->edge_count; i++) {
		size_t slot = hash_edge(trie->edges[i].parent, trie->edges[i].key) & (slots - 1);

		while (table[slot])
			slot = (slot + 1) & (slots - 1);
		table[slot] = (uint32_t)(i + 1);
	}
	free(trie->table);
	trie->table = table;
	trie->slots = slots;
	return true;
}

/* The edge's place in the table, made if need be (then its target is 0). NULL: no memory. */
static struct trie_edge *edge_at(struct trie *trie, uint32_t parent, uint32_t key)
{
	size_t slot;

	if (!grow_edges(trie))
		return NULL;
	slot = hash_edge(parent, key) & (trie->slots - 1);
	for (; trie->table[slot]; slot = (slot + 1) & (trie->slots - 1)) {
		struct trie_edge *edge = &trie->edges[trie->table[slot] - 1];

		if (edge->parent == parent && edge->key == key)
			return edge;
	}
	trie->edges[trie->edge_count] = (struct trie_edge){parent, key, 0};
	trie->table[slot] = (uint32_t)++trie->edge_count;
	return &trie->edges[trie->edge_count - 1];
}

/* The child over key; a new one gets flags. Node 0 is the root and nobody's child. */
static int64_t child(struct trie *trie, uint32_t parent, uint32_t key, uint32_t flags)
{
	struct trie_edge *edge = edge_at(trie, parent, key);
	int64_t made;

	if (!edge)
		return -ENOMEM;
	if (edge->target)
		return edge->target;
	made = add_node(trie, flags);
	if (made > 0)
		edge->target = (uint32_t)made;
	return made;
}

/* Notes at a node that the pattern can be reached from it; at is the token to come. */
static int touch(struct insertion *in, uint32_t node, size_t at)
{
	const struct trie_pattern *p = in->pattern;
	struct trie *trie = in->trie;
	bool within = at >= in->last;

	if (p->item) {
		struct trie_item item = {node, {.item = p->item - 1, .within = within}};

		if (!glob_grow((void **)&trie->items, &trie->item_room, trie->item_count,
			    sizeof(*trie->items)))
			return -ENOMEM;
		trie->items[trie->item_count++] = item;
		return 0;
	}
	/* Ranks only rise from one call to the next. */
	trie->nodes[node].reach.below[p->level] = p->rank;
	if (within)
		trie->nodes[node].reach.within[p->level] = p->rank;
	return 0;
}

static int64_t step_to(struct insertion *in, uint32_t node, uint32_t key, uint32_t flags, size_t at)
{
	int64_t next = child(in->trie, node, key, flags);
	int rc = next < 0 ? 0 : touch(in, (uint32_t)next, at);

	return rc ? rc : next;
}

static int64_t insert_globstar(struct insertion *in, uint32_t node, size_t at)
{
	int64_t star = step_to(in, node, EDGE_KEY(EDGE_GLOBSTAR, 0), NODE_GLOBSTAR, at - 1);

	return star < 0 ? star : step_to(in, (uint32_t)star, EDGE_KEY(EDGE_BEHIND, 0), 0, at);
}

static uint32_t char_key(const struct glob *glob, uint32_t symbol)
{
	bool letter = (symbol | 0x20) >= 'a' && (symbol | 0x20) <= 'z';

	return glob->nocase && letter ? EDGE_KEY(EDGE_FOLD, symbol | 0x20)
				      : EDGE_KEY(EDGE_CHAR, symbol);
}

/* The token after the brace that opens at token open. */
static size_t brace_end(const struct glob_token *tokens, size_t open)
{
	unsigned int depth = 0;

	for (size_t i = open;; i++) {
		depth += tokens[i].kind == GLOB_OPEN;
		if (tokens[i].kind == GLOB_CLOSE && --depth == 0)
			return i + 1;
	}
}

static int64_t insert_brace(struct insertion *in, uint32_t node, size_t open);

/* Inserts tokens from *at up to a comma or closing brace of this level, or the end. */
static int64_t insert_run(struct insertion *in, uint32_t node, size_t *at)
{
	int64_t next = node;

	while (*at < in->count && next >= 0) {
		const struct glob_token *token = &in->tokens[*at];
		uint32_t from = (uint32_t)next;
		size_t after = *at + 1;

		switch (token->kind) {
		case GLOB_CHAR:
			next = step_to(in, from, char_key(in->glob, token->value), 0, after);
			break;
		case GLOB_ANY:
			next = step_to(in, from, EDGE_KEY(EDGE_ANY, 0), 0, after);
			break;
		case GLOB_CLASS:
			next = step_to(in, from, EDGE_KEY(EDGE_CLASS, token->value), 0, after);
			break;
		case GLOB_STAR:
			next = step_to(in, from, EDGE_KEY(EDGE_STAR, 0), NODE_STAR, after);
			break;
		case GLOB_SLASH:
			next = step_to(in, from, EDGE_KEY(EDGE_SLASH, 0), 0, after);
			break;
		case GLOB_GLOBSTAR:
			next = insert_globstar(in, from, after);
			break;
		case GLOB_OPEN:
			next = insert_brace(in, from, *at);
			after = brace_end(in->tokens, *at);
			break;
		case GLOB_COMMA:
		case GLOB_CLOSE:
			return next;
		}
		*at = after;
	}
	return next;
}

/* Returns the node at which the brace ends. */
static int64_t insert_brace(struct insertion *in, uint32_t node, size_t open)
{
	size_t end = brace_end(in->tokens, open);
	int64_t id = intern_add(
		&in->trie->braces, &in->tokens[open], (end - open) * sizeof(*in->tokens));
	int64_t join;

	if (id < 0 || id > (int64_t)EDGE_MAX_VALUE / 2)
		return id < 0 ? id : -E2BIG;
	/* The same text means something else where case does not count. */
	join = step_to(in, node, EDGE_KEY(EDGE_BRACE, id * 2 + in->glob->nocase), 0, end);
	for (size_t at = open; join >= 0 && in->tokens[at].kind != GLOB_CLOSE;) {
		int64_t last;
		struct trie_edge *edge;

		at++;
		last = insert_run(in, node, &at);
		if (last < 0)
			return last;
		edge = edge_at(in->trie, (uint32_t)last, EDGE_KEY(EDGE_EPSILON, join));
		if (!edge)
			return -ENOMEM;
		edge->target = (uint32_t)join;
	}
	return join;
}

static int insert_end(struct insertion *in, uint32_t node)
{
	const struct trie_pattern *p = in->pattern;
	bool dir = in->glob->directory_only;
	uint32_t key = p->item ? EDGE_KEY(dir ? EDGE_ITEM_DIR : EDGE_ITEM, p->item - 1)
			       : EDGE_KEY(dir ? EDGE_END_DIR : EDGE_END, 0);
	struct trie_edge *edge = edge_at(in->trie, node, key);

	if (!edge)
		return -ENOMEM;
	edge->target = p->item ? p->item - 1 : p->rank;
	return 0;
}

/* The tokens with the trie's own numbers for their classes, which equal classes share. */
static int own_tokens(struct insertion *in)
{
	const struct glob *glob = in->glob;

	in->count = glob->token_count;
	in->tokens = calloc(in->count + 1, sizeof(*in->tokens));
	if (!in->tokens)
		return -ENOMEM;
	for (size_t i = 0; i < in->count; i++) {
		const struct glob_class *class;
		int64_t id;

		in->tokens[i] = glob->tokens[i];
		if (in->tokens[i].kind == GLOB_SLASH || in->tokens[i].kind == GLOB_GLOBSTAR)
			in->last = i + 1;
		if (in->tokens[i].kind != GLOB_CLASS)
			continue;
		class = &glob->classes[in->tokens[i].value];
		id = intern_add(&in->trie->classes, &glob->ranges[class->first_range],
			class->ranges * sizeof(struct glob_range));
		if (id < 0 || id > (int64_t)EDGE_MAX_VALUE)
			return id < 0 ? (int)id : -E2BIG;
		in->tokens[i].value = (uint32_t)id;
	}
	return 0;
}

int trie_insert(struct trie *trie, const struct glob *glob, const struct trie_pattern *pattern)
{
	struct insertion in = {.trie = trie, .glob = glob, .pattern = pattern};
	int64_t end = own_tokens(&in);
	size_t at = 0;

	/* The root is decided before any name is read: nothing to reach below it. */
	if (end == 0 && in.count > 0)
		end = touch(&in, 0, 0);
	if (end == 0)
		end = insert_run(&in, 0, &at);
	if (end >= 0)
		end = insert_end(&in, (uint32_t)end);
	free(in.tokens);
	return (int)end;
}

struct trie *trie_new(void)
{
	struct trie *trie = calloc(1, sizeof(*trie));

	if (trie && add_node(trie, 0) < 0) {
		free(trie);
		return NULL;
	}
	return trie;
}

void trie_free(struct trie *trie)
{
	if (!trie)
		return;
	free(trie->nodes);
	free(trie->edges);
	free(trie->items);
	free(trie->table);
	intern_fini(&trie->classes);
	intern_fini(&trie->braces);
	free(trie);
}

static int by_key(const void *a, const void *b)
{
	const struct edge *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

/* Edges by node (a counting sort), then by key. */
static int finish_edges(struct trie *trie, struct automaton *a)
{
	a->edges = calloc(trie->edge_count + 1, sizeof(*a->edges));
	if (!a->edges)
		return -ENOMEM;
	a->edge_count = (uint32_t)trie->edge_count;
	for (size_t i = 0; i < trie->edge_count; i++)
		a->nodes[trie->edges[i].parent].edges++;
	for (uint32_t i = 0, next = 0; i < a->node_count; i++) {
		a->nodes[i].first_edge = next;
		next += a->nodes[i].edges;
		a->nodes[i].edges = 0;
	}
	for (size_t i = 0; i < trie->edge_count; i++) {
		const struct trie_edge *edge = &trie->edges[i];
		struct node *node = &a->nodes[edge->parent];

		a->edges[node->first_edge + node->edges++] = (struct edge){edge->key, edge->target};
	}
	for (uint32_t i = 0; i < a->node_count; i++)
		if (a->nodes[i].edges > 1)
			qsort(&a->edges[a->nodes[i].first_edge], a->nodes[i].edges,
				sizeof(*a->edges), by_key);
	return 0;
}

static int finish_items(struct trie *trie, struct automaton *a)
{
	a->item_refs = calloc(trie->item_count + 1, sizeof(*a->item_refs));
	if (!a->item_refs)
		return -ENOMEM;
	a->item_ref_count = (uint32_t)trie->item_count;
	for (size_t i = 0; i < trie->item_count; i++)
		a->nodes[trie->items[i].node].items++;
	for (uint32_t i = 0, next = 0; i < a->node_count; i++) {
		a->nodes[i].first_item = next;
		next += a->nodes[i].items;
		a->nodes[i].items = 0;
	}
	for (size_t i = 0; i < trie->item_count; i++) {
		struct node *node = &a->nodes[trie->items[i].node];

		a->item_refs[node->first_item + node->items++] = trie->items[i].ref;
	}
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

	free(trie->table);
	trie->table = NULL;
	automaton->node_count = (uint32_t)trie->node_count;
	automaton->nodes = trie->nodes;
	trie->nodes = NULL;
	rc = finish_edges(trie, automaton);
	if (!rc)
		rc = finish_items(trie, automaton);
	return rc ? rc : finish_classes(trie, automaton);
}
