/*
 * What the policy_*.c files share and nobody else sees.
 *
 * Ranks: the positive patterns of a policy are numbered from 1 in the order of (priority, position);
 * the highest rank that matches decides, 0 is the default. A pattern belongs to a group (one call);
 * the patterns of the call that begin with ! are the group's negations.
 */
#ifndef AF_POLICY_INTERNAL_H
#define AF_POLICY_INTERNAL_H

#include "glob.h"
#include "policy.h"

#include <pthread.h>
#include <stdatomic.h>

#define POLICY_LEVELS 4

/* ---- rules ---------------------------------------------------------------------------------- */

struct pattern {
	struct af_rule rule; /* strings in the rules' pool; of a negation too */
	uint32_t group;
	bool negative;
	bool nocase;
	bool in_group; /* of the rules{} group being read: its priority and nocase are yet to come */
};

/* Strings that live as long as the pool and never move. */
struct string_pool {
	struct string_chunk *chunks;
	size_t used, room; /* of the first chunk */
};

struct af_rules {
	struct pattern *patterns;
	size_t count, room;
	uint32_t groups;
	unsigned int texts;  /* command-line rules so far */
	enum af_level level; /* the default */
	bool level_forced;
	struct string_pool pool;
	struct glob glob; /* room to check patterns in */
};

/* Returns NULL with errno ENOMEM. */
const char *pool_add(struct string_pool *pool, const char *text, size_t len);
void pool_fini(struct string_pool *pool);

/*
 * Adds a pattern of the call that is the last one (rules->groups - 1), after checking it. rule's
 * strings: file is in the pool already, pattern is copied. Returns 0 or -errno; reported.
 */
int rules_add_pattern(struct af_rules *rules, const struct af_rule *rule);

/* Reports that a rule is wrong: FILE:LINE: OBJECT: WHY. Returns -EINVAL. */
int rules_refuse(const char *file, unsigned int line, const char *object, const char *why);

#define POLICY_MAX_PRIORITY 1000000

/* Returns 0, or -EINVAL where text is not a whole number within -+POLICY_MAX_PRIORITY. */
int policy_parse_priority(const char *text, int *priority);

/* ---- policy_scan.c: the text of a file before libConfuse sees it ------------------------------ */

struct policy_text {
	char *text;
	size_t size;
	unsigned int *arg_lines; /* of each string between parentheses, in order */
	size_t args, arg_room;
};

/*
 * Reads a file and refuses what libConfuse would take silently and in another sense than the
 * writer's. name is how messages name the file. Reported; returns 0 or -errno.
 */
int policy_text_read(struct policy_text *text, int fd, const char *name);
/* The same of a text in memory, which is copied. */
int policy_text_copy(struct policy_text *text, const char *from, const char *name);
void policy_text_fini(struct policy_text *text);

/* The file of a preset: newly allocated, or NULL with errno (ENOENT: no such preset). */
char *preset_find(const char *name);

/* ---- the automaton: policy_finish.c, policy_classes.c ----------------------------------------- */

/*
 * Edges of a node, sorted by key; kinds in the high bits make each kind a contiguous run. For the
 * END kinds the target is a rank or an item, not a node.
 */
enum edge_kind {
	EDGE_CHAR,     /* a symbol */
	EDGE_FOLD,     /* an ASCII letter of either case, given as the small one */
	EDGE_ANY,      /* any symbol */
	EDGE_CLASS,    /* a class */
	EDGE_SLASH,    /* to the next component */
	EDGE_STAR,     /* nothing is consumed: into a star node */
	EDGE_EPSILON,  /* ... out of an alternative, to where its brace ends */
	EDGE_GLOBSTAR, /* at a component's start: into a globstar node */
	EDGE_BEHIND,   /* a globstar node's own: what follows it, at a component's start */
	EDGE_BRACE,    /* memo of the builder: where the same brace ended */
	EDGE_END,      /* a pattern ends; target: the highest rank of a group without negations */
	EDGE_END_DIR,  /* ... if this is a directory */
	EDGE_ITEM,     /* a pattern of a group with negations ends; target: the item */
	EDGE_ITEM_DIR, /* ... if this is a directory */
};
#define EDGE_KEY(kind, value) ((uint32_t)(kind) << 24 | (uint32_t)(value))
#define EDGE_MAX_VALUE ((1U << 24) - 1)

struct edge {
	uint32_t key;
	uint32_t target;
};

enum node_flag {
	NODE_STAR = 1,     /* loops on every symbol but the slash */
	NODE_GLOBSTAR = 2, /* stays through everything */
};

/* What can still be reached from a node of rules whose group has no negations: highest ranks. */
struct reach {
	uint32_t below[POLICY_LEVELS];  /* anywhere */
	uint32_t within[POLICY_LEVELS]; /* before the next slash */
};

/*
 * Nearly all nodes lie on the way to rules of one level only: then the highest of them and whether it
 * ends before the next slash say it all, and no struct reach is needed. A policy's memory is mostly
 * this.
 */
#define REACH_INDEX (1U << 31)  /* the rest is an index into reaches */
#define REACH_WITHIN (1U << 30) /* the rest is a rank (0: nothing is reached), and it is within */
#define REACH_RANK (REACH_WITHIN - 1)

struct node {
	uint32_t first_edge :30; /* up to the next node's */
	uint32_t flags :2;
	uint32_t
		first_item; /* patterns of groups with negations that pass here; up to the next node's */
	uint32_t reach;
};

/* A pattern, positive or not, of a group with negations. */
struct item {
	uint32_t group; /* index among such groups */
	uint32_t rank;  /* 0 for a negation */
	uint8_t level;
};

struct item_ref {
	uint32_t item :31;
	uint32_t within :1; /* ends before the next slash */
};

struct class_ref {
	uint32_t first_range, ranges;
};

struct symbol_map {
	uint16_t ascii[128];
	uint16_t *pages;   /* of 256 classes each, page 0: all class 0 */
	uint16_t *page_of; /* symbol >> 8 -> page */
	uint32_t *example; /* class -> a symbol of it */
	uint32_t classes;  /* all of them */
	uint32_t low;      /* those that hold an ASCII symbol come first */
};

struct automaton {
	atomic_uint refs;
	struct node *nodes;
	struct edge *edges;
	struct item *items;
	struct item_ref *item_refs;
	struct reach *reaches;
	struct glob_range *ranges;
	struct class_ref *classes;
	struct af_rule *rules; /* by rank; [0] unused */
	char *strings;         /* ... and theirs */
	uint32_t *item_of;     /* by rank: item + 1, or 0 */
	uint32_t node_count, edge_count, item_count, range_count, class_count;
	uint32_t rule_count;
	uint32_t group_count; /* groups with negations */
	enum af_level level;  /* the default */
	struct symbol_map map;
};

/* ---- policy_intern.c: equal byte strings get equal numbers, from 0 on --------------------------- */

struct intern_entry {
	size_t offset, size;
	uint64_t hash;
};

struct intern {
	char *bytes; /* of all entries, one after the other */
	struct intern_entry *entries;
	uint32_t *table;
	size_t used, byte_room, count, entry_room, slots;
};

/* Returns the number, or -ENOMEM. */
int64_t intern_add(struct intern *intern, const void *data, size_t size);
void intern_fini(struct intern *intern);

/* ---- policy_trie.c: insertion ---------------------------------------------------------------- */

struct trie;

/* bytes: the length of all patterns together, about. */
struct trie *trie_new(size_t bytes);
void trie_free(struct trie *trie);

struct trie_pattern {
	uint32_t
		rank; /* 0 for a negation; must not fall from one call to the next, but for those */
	enum af_level level;
	uint32_t item; /* item + 1 of a group with negations, else 0 */
};

/* Returns 0, -ENOMEM or -E2BIG. */
int trie_insert(struct trie *trie, const struct glob *glob, const struct trie_pattern *pattern);
/* Moves everything into the automaton. Returns 0 or -ENOMEM. */
int trie_finish(struct trie *trie, struct automaton *automaton);

/* policy_classes.c: which symbols the automaton cannot tell apart. Returns 0, -ENOMEM, -E2BIG. */
int symbol_map_init(struct symbol_map *map, const struct automaton *automaton);
void symbol_map_fini(struct symbol_map *map);

static inline uint32_t symbol_class(const struct symbol_map *map, uint32_t symbol)
{
	return map->pages[(uint32_t)map->page_of[symbol >> 8] << 8 | (symbol & 0xff)];
}

static inline const struct edge *node_edges(const struct automaton *a, const struct node *node)
{
	return &a->edges[node->first_edge];
}

static inline const struct edge *node_edges_end(const struct automaton *a, const struct node *node)
{
	return &a->edges[node[1].first_edge];
}

static inline const struct item_ref *node_items(const struct automaton *a, const struct node *node)
{
	return &a->item_refs[node->first_item];
}

static inline const struct item_ref *node_items_end(
	const struct automaton *a, const struct node *node)
{
	return &a->item_refs[node[1].first_item];
}

void automaton_put(struct automaton *automaton);

/*
 * index_of[1 ...] get the places of the positive patterns in the order of their ranks. There must be
 * room for rules->count + 1. Returns how many there are, or -ENOMEM.
 */
int64_t policy_rank_rules(const struct af_rules *rules, uint32_t *index_of);

/* ---- policy_set.c, policy_state.c, policy_verdict.c: sets of nodes, without any cache ----------- */

struct id_set {
	uint32_t *ids;
	size_t count, room;
};

/*
 * Where a path left the rules. nodes and pending and dead are sorted.
 * best: the highest rank that matched and that nothing can take out any more.
 * pending: ranks above best that matched, but which a negation below could still take out.
 * dead: groups that are taken out, as far as that can still matter.
 */
struct config {
	struct id_set nodes, pending, dead;
	uint32_t best;
	bool failed; /* memory was short: the answer is none */
};

/* Room to work in; one user at a time. */
struct scratch {
	struct config now, next;
	struct id_set stack;
	uint32_t *node_mark;  /* by node, == mark where already in the set */
	uint32_t *group_mark; /* by group: bits, cleared after use */
	uint32_t mark;
};

int scratch_init(struct scratch *scratch, const struct automaton *automaton);
void scratch_fini(struct scratch *scratch);
void config_fini(struct config *config);
bool config_copy(struct config *to, const struct config *from);

/* The root's. */
void config_start(const struct automaton *a, struct scratch *s, struct config *out);
/* Over one symbol of a name. */
void config_symbol(const struct automaton *a, struct scratch *s, const struct config *from,
	uint32_t symbol, struct config *out);
/* At the end of a name: what it is as a file, and the state it is as a directory. */
void config_end(const struct automaton *a, struct scratch *s, const struct config *from,
	struct af_verdict *file, struct config *dir);
/* The verdict of a directory in this state. */
struct af_verdict config_verdict(
	const struct automaton *a, struct scratch *s, const struct config *config);

/* ---- policy_cache.c: those states, once each, for all threads ---------------------------------- */

struct state {
	atomic_uint end_ready;  /* end is valid */
	struct af_step end;     /* if the name ends here */
	atomic_uint high;       /* unit of the transitions over classes from map.low on, or 0 */
	struct af_verdict self; /* as a directory */
	uint32_t hash;
	uint32_t best, nodes, pending, dead; /* the last three: counts */
	uint32_t set;                        /* unit of the ids */
	uint32_t settled;                    /* nothing can change below */
	atomic_uint next[];                  /* by class below map.low: a state's id, or 0 */
};

struct cache {
	char *base;
	size_t used, size;      /* under lock */
	uint32_t *table;        /* open addressing by hash; under lock */
	size_t slots, states;   /* under lock */
	struct scratch scratch; /* under lock */
	pthread_mutex_t lock;
	uint32_t root;
	atomic_bool full;
};

struct af_policy {
	atomic_uint refs;
	uint32_t serial;
	struct automaton *automaton;
	struct cache cache;
};

/* policy_compile() with another bound than its own on the cache of states. */
int policy_compile_sized(
	const struct af_rules *rules, size_t cache_bytes, struct af_policy **policy);

#define CACHE_UNIT 16U

static inline struct state *cache_state(const struct cache *cache, uint32_t id)
{
	return (struct state *)(cache->base + (size_t)id * CACHE_UNIT);
}

int cache_init(struct cache *cache, const struct automaton *automaton, size_t size);
void cache_fini(struct cache *cache);

/* Under cache->lock, these three. Each returns a state's id, or 0 where the cache is full. */
uint32_t cache_intern(struct cache *cache, const struct automaton *a, const struct config *config);
uint32_t cache_next(struct cache *cache, const struct automaton *a, uint32_t id, uint32_t class);
/* Makes end valid. */
void cache_end(struct cache *cache, const struct automaton *a, uint32_t id);
/* Copies a state's sets into a config. */
bool cache_load(const struct cache *cache, uint32_t id, struct config *config);

#endif
