/*
 * The builder of the automaton: patterns are inserted token by token into a trie, so that equal
 * beginnings share nodes. What a trie cannot say are stars (nodes that loop), globstars (nodes that
 * stay) and braces: each alternative is a branch of the trie, and its end has an epsilon edge to the
 * node at which the brace ends. So the automaton is never larger than the patterns' text.
 *
 * It knows neither what levels mean nor how the automaton is laid out (policy_finish.c).
 */
#include "policy_trie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Beyond this, a single step could take seconds: refused. */
#define MAX_NODES (1U << 21)

/* One insertion. */
struct insertion {
	struct trie *trie;
	const struct glob *glob;
	const struct trie_pattern *pattern;
	const struct glob_token *tokens; /* with the trie's numbers for classes */
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
	uint64_t hash = ((uint64_t)parent << 32 | key) * 0x9e3779b97f4a7c15U;

	/* The upper half is the well-mixed one. */
	return (size_t)(hash >> 32);
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

/* The edge's target, 0 where it has just been made. NULL: no memory. */
static uint32_t *edge_at(struct trie *trie, uint32_t parent, uint32_t key)
{
	struct trie_node *node = &trie->nodes[parent];
	size_t slot;

	if (node->key == 0)
		node->key = key;
	if (node->key == key)
		return &node->target;
	if (!grow_edges(trie))
		return NULL;
	slot = hash_edge(parent, key) & (trie->slots - 1);
	for (; trie->table[slot]; slot = (slot + 1) & (trie->slots - 1)) {
		struct trie_edge *edge = &trie->edges[trie->table[slot] - 1];

		if (edge->parent == parent && edge->key == key)
			return &edge->target;
	}
	trie->edges[trie->edge_count] = (struct trie_edge){parent, key, 0};
	trie->table[slot] = (uint32_t)++trie->edge_count;
	return &trie->edges[trie->edge_count - 1].target;
}

/* The child over key; a new one gets flags. Node 0 is the root and nobody's child. */
static int64_t child(struct trie *trie, uint32_t parent, uint32_t key, uint32_t flags)
{
	uint32_t *target = edge_at(trie, parent, key);
	int64_t made;

	if (!target)
		return -ENOMEM;
	if (*target)
		return *target;
	/* Where the target is may move with the nodes, but where it is found does not. */
	made = add_node(trie, flags);
	if (made > 0)
		*edge_at(trie, parent, key) = (uint32_t)made;
	return made;
}

/* A node's struct reach, made of what was said in short until now. NULL: no memory. */
static struct reach *full_reach(struct trie *trie, struct trie_node *node)
{
	struct reach *full;
	uint32_t rank = node->reach & REACH_RANK;
	bool within = node->reach & REACH_WITHIN;

	if (node->reach & REACH_INDEX)
		return &trie->reaches[node->reach & ~REACH_INDEX];
	if (!glob_grow((void **)&trie->reaches, &trie->reach_room, trie->reach_count,
		    sizeof(*trie->reaches)))
		return NULL;
	full = &trie->reaches[trie->reach_count];
	memset(full, 0, sizeof(*full));
	full->below[trie->levels[rank]] = rank;
	full->within[trie->levels[rank]] = within ? rank : 0;
	node->reach = REACH_INDEX | (uint32_t)trie->reach_count++;
	return full;
}

/* Notes at a node that the rule can be reached from it. Ranks only rise from one to the next. */
static int touch_rule(struct trie *trie, struct trie_node *node, uint32_t rank, bool within)
{
	enum af_level level = trie->levels[rank];
	uint32_t before = node->reach & REACH_RANK;
	struct reach *full;

	if (node->reach == 0 ||
		(!(node->reach & REACH_INDEX) && trie->levels[before] == level &&
			(within || !(node->reach & REACH_WITHIN)))) {
		node->reach = rank | (within ? REACH_WITHIN : 0);
		return 0;
	}
	full = full_reach(trie, node);
	if (!full)
		return -ENOMEM;
	full->below[level] = rank;
	if (within)
		full->within[level] = rank;
	return 0;
}

/* Notes at a node that the pattern can be reached from it; at is the token to come. */
static int touch(struct insertion *in, uint32_t node, size_t at)
{
	const struct trie_pattern *p = in->pattern;
	struct trie *trie = in->trie;
	bool within = at >= in->last;
	struct trie_item item = {node, {.item = p->item - 1, .within = within}};

	if (!p->item)
		return touch_rule(trie, &trie->nodes[node], p->rank, within);
	if (!glob_grow((void **)&trie->items, &trie->item_room, trie->item_count,
		    sizeof(*trie->items)))
		return -ENOMEM;
	trie->items[trie->item_count++] = item;
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
		uint32_t *target;

		at++;
		last = insert_run(in, node, &at);
		if (last < 0)
			return last;
		target = edge_at(in->trie, (uint32_t)last, EDGE_KEY(EDGE_EPSILON, join));
		if (!target)
			return -ENOMEM;
		*target = (uint32_t)join;
	}
	return join;
}

static int insert_end(struct insertion *in, uint32_t node)
{
	const struct trie_pattern *p = in->pattern;
	bool dir = in->glob->directory_only;
	uint32_t key = p->item ? EDGE_KEY(dir ? EDGE_ITEM_DIR : EDGE_ITEM, p->item - 1)
			       : EDGE_KEY(dir ? EDGE_END_DIR : EDGE_END, 0);
	uint32_t *target = edge_at(in->trie, node, key);

	if (!target)
		return -ENOMEM;
	*target = p->item ? p->item - 1 : p->rank;
	return 0;
}

/* Gives a class the trie's own number, which equal classes share. */
static int own_class(struct insertion *in, struct glob_token *token)
{
	const struct glob_class *class = &in->glob->classes[token->value];
	int64_t id = intern_add(&in->trie->classes, &in->glob->ranges[class->first_range],
		class->ranges * sizeof(struct glob_range));

	if (id < 0 || id > (int64_t)EDGE_MAX_VALUE)
		return id < 0 ? (int)id : -E2BIG;
	token->value = (uint32_t)id;
	return 0;
}

static int own_tokens(struct insertion *in)
{
	struct trie *trie = in->trie;
	int rc = 0;

	in->count = in->glob->token_count;
	for (size_t i = 0; i < in->count && !rc; i++) {
		if (!glob_grow((void **)&trie->tokens, &trie->token_room, i, sizeof(*trie->tokens)))
			return -ENOMEM;
		trie->tokens[i] = in->glob->tokens[i];
		if (trie->tokens[i].kind == GLOB_SLASH || trie->tokens[i].kind == GLOB_GLOBSTAR)
			in->last = i + 1;
		if (trie->tokens[i].kind == GLOB_CLASS)
			rc = own_class(in, &trie->tokens[i]);
	}
	in->tokens = trie->tokens;
	return rc;
}

static int note_level(struct trie *trie, const struct trie_pattern *pattern)
{
	while (trie->level_room <= pattern->rank)
		if (!glob_grow((void **)&trie->levels, &trie->level_room, trie->level_room,
			    sizeof(*trie->levels)))
			return -ENOMEM;
	if (pattern->rank)
		trie->levels[pattern->rank] = pattern->level;
	return 0;
}

int trie_insert(struct trie *trie, const struct glob *glob, const struct trie_pattern *pattern)
{
	struct insertion in = {.trie = trie, .glob = glob, .pattern = pattern};
	int64_t end = own_tokens(&in);
	size_t at = 0;

	if (end == 0)
		end = note_level(trie, pattern);
	/* The root is decided before any name is read: nothing to reach below it. */
	if (end == 0 && in.count > 0)
		end = touch(&in, 0, 0);
	if (end == 0)
		end = insert_run(&in, 0, &at);
	return end < 0 ? (int)end : insert_end(&in, (uint32_t)end);
}

struct trie *trie_new(size_t bytes)
{
	struct trie *trie = calloc(1, sizeof(*trie));

	/* A byte makes a node at most, but for few: no growing, and no page touched for nothing. */
	if (trie && bytes < MAX_NODES) {
		trie->node_room = bytes + bytes / 4 + 16;
		trie->nodes = reallocarray(NULL, trie->node_room, sizeof(*trie->nodes));
	}
	if (trie && (trie->node_room == 0 || trie->nodes) && add_node(trie, 0) == 0)
		return trie;
	trie_free(trie);
	return NULL;
}

void trie_free(struct trie *trie)
{
	if (!trie)
		return;
	free(trie->nodes);
	free(trie->edges);
	free(trie->items);
	free(trie->reaches);
	free(trie->levels);
	free(trie->tokens);
	free(trie->table);
	intern_fini(&trie->classes);
	intern_fini(&trie->braces);
	free(trie);
}
