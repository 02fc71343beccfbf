/*
 * The automaton under construction, as policy_trie.c fills it and policy_finish.c reads it.
 */
#ifndef AF_POLICY_TRIE_H
#define AF_POLICY_TRIE_H

#include "policy_internal.h"

struct trie_edge {
	uint32_t parent, key, target;
};

struct trie_item {
	uint32_t node;
	struct item_ref ref;
};

/*
 * A node under construction, with its first edge beside it: most nodes have one only, and a chain of
 * new nodes is then written straight on. The others are in the table.
 */
struct trie_node {
	uint32_t flags;
	uint32_t reach;
	uint32_t key, target; /* key 0: no edge */
};

struct trie {
	struct trie_node *nodes;
	struct trie_edge *edges;
	struct trie_item *items;
	struct reach *reaches;
	enum af_level *levels;     /* by rank */
	struct glob_token *tokens; /* room for one insertion's */
	uint32_t *table;           /* open addressing: edge + 1 by (parent, key) */
	size_t node_count, node_room, edge_count, edge_room, item_count, item_room, reach_count,
		reach_room, level_room, token_room, slots;
	struct intern classes; /* ranges */
	struct intern braces;  /* tokens */
};

#endif
