/*
 * Rules -> one automaton, and the life of the policies that use it.
 */
#include "policy_internal.h"

#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* How much the states of one policy may take before it calls itself full. */
#define CACHE_BYTES ((size_t)32 << 20)

/*
 * The merger's directory (SPEC section 6) is nobody's, whatever the rules say; in any case of letters,
 * for there are directories in which these are one name.
 */
#define BUILT_IN_PATTERN "/.agentfense"
#define BUILT_IN_FILE "built-in"

struct compilation {
	const struct af_rules *rules;
	struct automaton *automaton;
	struct trie *trie;
	struct glob glob;
	uint32_t *index_of; /* a rank -> the place of its pattern in rules */
	uint32_t *group_of; /* a call -> 1 + its number among those with negations, or 0 */
};

static void automaton_free(struct automaton *a)
{
	free(a->nodes);
	free(a->edges);
	free(a->items);
	free(a->item_refs);
	free(a->reaches);
	free(a->ranges);
	free(a->classes);
	free(a->rules);
	free(a->strings);
	free(a->item_of);
	symbol_map_fini(&a->map);
	free(a);
}

void automaton_put(struct automaton *automaton)
{
	if (automaton && atomic_fetch_sub_explicit(&automaton->refs, 1, memory_order_acq_rel) == 1)
		automaton_free(automaton);
}

/* A stable counting of ranks: a merge sort of indices by priority. */
static void sort_by_priority(
	const struct pattern *patterns, uint32_t *order, uint32_t *room, uint32_t count)
{
	uint32_t half = count / 2, left = 0, right = half, at = 0;

	if (count < 2)
		return;
	sort_by_priority(patterns, order, room, half);
	sort_by_priority(patterns, order + half, room, count - half);
	memcpy(room, order, half * sizeof(*order));
	while (left < half)
		if (right < count &&
			patterns[order[right]].rule.priority < patterns[room[left]].rule.priority)
			order[at++] = order[right++];
		else
			order[at++] = room[left++];
}

int64_t policy_rank_rules(const struct af_rules *rules, uint32_t *index_of)
{
	af_autofree uint32_t *room = calloc(rules->count + 1, sizeof(*room));
	uint32_t count = 0;

	if (!room)
		return -ENOMEM;
	for (uint32_t i = 0; i < rules->count; i++)
		if (!rules->patterns[i].negative)
			index_of[++count] = i;
	sort_by_priority(rules->patterns, index_of + 1, room, count);
	return count;
}

static int rank_patterns(struct compilation *c)
{
	const struct af_rules *rules = c->rules;
	int64_t count;

	c->index_of = calloc(rules->count + 1, sizeof(*c->index_of));
	c->group_of = calloc((size_t)rules->groups + 1, sizeof(*c->group_of));
	if (!c->index_of || !c->group_of)
		return -ENOMEM;
	count = policy_rank_rules(rules, c->index_of);
	if (count < 0)
		return -ENOMEM;
	c->automaton->rule_count = (uint32_t)count;
	for (size_t i = 0; i < rules->count; i++) {
		const struct pattern *pattern = &rules->patterns[i];

		if (pattern->negative && !c->group_of[pattern->group])
			c->group_of[pattern->group] = ++c->automaton->group_count;
	}
	return 0;
}

/* Copies text to *at and moves *at behind it. */
static const char *put_string(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*at, text, size);

	*at += size;
	return copy;
}

static size_t strings_size(const struct compilation *c)
{
	const struct pattern *patterns = c->rules->patterns;
	size_t size = sizeof(BUILT_IN_PATTERN) + sizeof(BUILT_IN_FILE);
	const char *file = NULL;

	for (uint32_t rank = 1; rank <= c->automaton->rule_count; rank++) {
		const struct af_rule *rule = &patterns[c->index_of[rank]].rule;

		size += strlen(rule->pattern) + 1;
		if (rule->file != file)
			size += strlen(rule->file) + 1;
		file = rule->file;
	}
	return size;
}

/* Ranks 1 to rule_count, and the built-in one above them. */
static int copy_rules(struct compilation *c)
{
	struct automaton *a = c->automaton;
	const char *from = NULL, *file = NULL;
	char *at;

	a->rules = calloc((size_t)a->rule_count + 2, sizeof(*a->rules));
	a->strings = malloc(strings_size(c));
	a->item_of = calloc((size_t)a->rule_count + 2, sizeof(*a->item_of));
	a->items = calloc(c->rules->count + 1, sizeof(*a->items));
	if (!a->rules || !a->strings || !a->item_of || !a->items)
		return -ENOMEM;
	at = a->strings;
	for (uint32_t rank = 1; rank <= a->rule_count; rank++) {
		struct af_rule *rule = &a->rules[rank];

		*rule = c->rules->patterns[c->index_of[rank]].rule;
		if (rule->file != from) {
			from = rule->file;
			file = put_string(&at, from);
		}
		rule->file = file;
		rule->pattern = put_string(&at, rule->pattern);
	}
	a->rules[a->rule_count + 1] = (struct af_rule){
		.level = AF_NONE,
		.priority = INT_MAX,
		.file = put_string(&at, BUILT_IN_FILE),
		.pattern = put_string(&at, BUILT_IN_PATTERN),
	};
	return 0;
}

static int insert(
	struct compilation *c, const char *text, bool nocase, const struct trie_pattern *pattern)
{
	const char *why;
	int rc = glob_parse(&c->glob, text, nocase, &why);

	return rc ? rc : trie_insert(c->trie, &c->glob, pattern);
}

static int insert_pattern(struct compilation *c, const struct pattern *pattern, uint32_t rank)
{
	struct automaton *a = c->automaton;
	uint32_t group = c->group_of[pattern->group];
	struct trie_pattern in = {.rank = rank, .level = pattern->rule.level};

	if (group) {
		a->items[a->item_count++] =
			(struct item){group - 1, rank, (uint8_t)pattern->rule.level};
		in.item = a->item_count;
		a->item_of[rank] = rank ? in.item : 0;
	}
	return insert(c, pattern->rule.pattern, pattern->nocase, &in);
}

static int insert_all(struct compilation *c)
{
	const struct af_rules *rules = c->rules;
	struct automaton *a = c->automaton;
	struct trie_pattern built_in = {.rank = a->rule_count + 1, .level = AF_NONE};
	int rc = 0;

	for (uint32_t rank = 1; rank <= a->rule_count && !rc; rank++)
		rc = insert_pattern(c, &rules->patterns[c->index_of[rank]], rank);
	for (size_t i = 0; i < rules->count && !rc; i++)
		if (rules->patterns[i].negative)
			rc = insert_pattern(c, &rules->patterns[i], 0);
	return rc ? rc : insert(c, BUILT_IN_PATTERN, true, &built_in);
}

static int build(struct compilation *c)
{
	struct automaton *a = c->automaton;
	int rc = rank_patterns(c);

	if (!rc)
		rc = copy_rules(c);
	if (!rc)
		rc = insert_all(c);
	if (!rc)
		rc = trie_finish(c->trie, a);
	return rc ? rc : symbol_map_init(&a->map, a);
}

static int compile_automaton(const struct af_rules *rules, struct automaton **out)
{
	struct compilation c = {.rules = rules};
	size_t bytes = 0;
	int rc = -ENOMEM;

	c.automaton = calloc(1, sizeof(*c.automaton));
	for (size_t i = 0; i < rules->count; i++)
		bytes += strlen(rules->patterns[i].rule.pattern);
	c.trie = trie_new(bytes);
	if (c.automaton && c.trie) {
		atomic_init(&c.automaton->refs, 1);
		c.automaton->level = rules->level;
		rc = build(&c);
	}
	trie_free(c.trie);
	glob_fini(&c.glob);
	free(c.index_of);
	free(c.group_of);
	if (rc)
		automaton_put(c.automaton);
	else
		*out = c.automaton;
	return rc;
}

/* Takes over the caller's reference to the automaton, also when it fails. */
static int new_policy(struct automaton *automaton, size_t cache_bytes, struct af_policy **out)
{
	static atomic_uint last_serial;
	struct af_policy *policy = calloc(1, sizeof(*policy));
	int rc = policy ? cache_init(&policy->cache, automaton, cache_bytes) : -ENOMEM;

	if (rc) {
		free(policy);
		automaton_put(automaton);
		return rc;
	}
	atomic_init(&policy->refs, 1);
	policy->automaton = automaton;
	do
		policy->serial = atomic_fetch_add(&last_serial, 1) + 1;
	while (policy->serial == 0);
	*out = policy;
	return 0;
}

int policy_compile_sized(
	const struct af_rules *rules, size_t cache_bytes, struct af_policy **policy)
{
	struct automaton *automaton = NULL;
	int rc = compile_automaton(rules, &automaton);

	if (!rc)
		rc = new_policy(automaton, cache_bytes, policy);
	if (rc == -E2BIG)
		log_error("policy: %zu patterns: too large to be decided quickly", rules->count);
	else if (rc)
		log_error("policy: cannot compile: %s", strerror(-rc));
	return rc;
}

int policy_compile(const struct af_rules *rules, struct af_policy **policy)
{
	return policy_compile_sized(rules, CACHE_BYTES, policy);
}

struct af_policy *policy_renew(struct af_policy *policy)
{
	struct af_policy *renewed = NULL;
	int rc;

	atomic_fetch_add_explicit(&policy->automaton->refs, 1, memory_order_relaxed);
	rc = new_policy(policy->automaton, policy->cache.size, &renewed);
	if (rc)
		errno = -rc;
	return renewed;
}

struct af_policy *policy_get(struct af_policy *policy)
{
	atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
	return policy;
}

void policy_put(struct af_policy *policy)
{
	if (!policy || atomic_fetch_sub_explicit(&policy->refs, 1, memory_order_acq_rel) != 1)
		return;
	cache_fini(&policy->cache);
	automaton_put(policy->automaton);
	free(policy);
}
