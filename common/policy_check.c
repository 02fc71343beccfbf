/*
 * Which rules can never decide.
 *
 * A rule is tried with a path made from its own pattern first. Where something else decides that
 * one, all paths that the pattern matches are searched: pairs of a state of the pattern alone and a
 * state of the whole policy, over every class of symbols, until the rule decides somewhere or no
 * pair is left. That is exact; where it takes too long, the rule is given the benefit of the doubt.
 */
#include "policy_internal.h"

#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Pairs looked at, for one rule and for all of them. */
#define PAIRS_PER_RULE 20000U
#define PAIRS_IN_ALL 400000U

struct pair {
	uint32_t own, all; /* states of the pattern alone, of the policy */
};

struct search {
	struct af_policy *policy;
	struct af_policy *own;
	uint32_t rank;
	uint32_t winner; /* the rank that decided where this one did not */
	struct pair *pairs;
	size_t count, room;
	uint64_t *seen; /* open addressing: pairs as numbers */
	size_t slots;
	size_t budget;
	bool found; /* a path that the rule decides, or too long a search */
};

struct buffer {
	char *text;
	size_t len, room;
};

/* ---- a path from the pattern ------------------------------------------------------------------ */

static bool put_byte(struct buffer *buffer, unsigned int byte)
{
	if (!glob_grow((void **)&buffer->text, &buffer->room, buffer->len, 1))
		return false;
	buffer->text[buffer->len++] = (char)byte;
	return true;
}

static bool put_symbol(struct buffer *buffer, uint32_t symbol)
{
	if (symbol >= GLOB_STRAY_BASE)
		return put_byte(buffer, symbol - GLOB_STRAY_BASE);
	if (symbol < 0x80)
		return put_byte(buffer, symbol);
	if (symbol < 0x800)
		return put_byte(buffer, 0xc0 | symbol >> 6) &&
			put_byte(buffer, 0x80 | (symbol & 0x3f));
	if (symbol < 0x10000)
		return put_byte(buffer, 0xe0 | symbol >> 12) &&
			put_byte(buffer, 0x80 | (symbol >> 6 & 0x3f)) &&
			put_byte(buffer, 0x80 | (symbol & 0x3f));
	return put_byte(buffer, 0xf0 | symbol >> 18) &&
		put_byte(buffer, 0x80 | (symbol >> 12 & 0x3f)) &&
		put_byte(buffer, 0x80 | (symbol >> 6 & 0x3f)) &&
		put_byte(buffer, 0x80 | (symbol & 0x3f));
}

/* Something that the pattern matches: of a brace the first alternative, of a star one letter. */
static bool sample_path(const struct glob *glob, uint32_t other, struct buffer *path)
{
	unsigned int depth = 0,
		     skipping = 0; /* the depth whose further alternatives are left out */
	bool ok = true;

	path->len = 0;
	for (size_t i = 0; i < glob->token_count && ok; i++) {
		const struct glob_token *token = &glob->tokens[i];

		depth += token->kind == GLOB_OPEN;
		if (token->kind == GLOB_COMMA && !skipping)
			skipping = depth;
		if (token->kind == GLOB_CLOSE && skipping == depth)
			skipping = 0;
		depth -= token->kind == GLOB_CLOSE;
		if (skipping)
			continue;
		if (token->kind == GLOB_CHAR)
			ok = put_symbol(path, token->value);
		else if (token->kind == GLOB_CLASS)
			ok = put_symbol(
				path, glob->ranges[glob->classes[token->value].first_range].first);
		else if (token->kind == GLOB_ANY || token->kind == GLOB_STAR)
			ok = put_symbol(path, other);
		else if (token->kind == GLOB_SLASH)
			ok = put_byte(path, '/');
	}
	return ok;
}

static bool decides_sample(struct search *search, const struct glob *glob, struct buffer *path)
{
	struct af_step step;

	if (!sample_path(glob, search->policy->automaton->map.example[0], path))
		return false;
	policy_path(search->policy, path->text, path->len, &step);
	return step.dir.rule == search->rank || (step.file.rule == search->rank && path->len > 0);
}

/* ---- all paths ----------------------------------------------------------------------------------- */

static bool grow_seen(struct search *search)
{
	size_t slots = search->slots ? search->slots * 2 : 256;
	uint64_t *seen;

	if (search->count * 2 < search->slots)
		return true;
	seen = calloc(slots, sizeof(*seen));
	if (!seen)
		return false;
	free(search->seen);
	search->seen = seen;
	search->slots = slots;
	for (size_t i = 0; i < search->count; i++) {
		uint64_t key = (uint64_t)search->pairs[i].own << 32 | search->pairs[i].all;
		size_t slot = (key * 0x9e3779b97f4a7c15U >> 32) & (slots - 1);

		while (seen[slot])
			slot = (slot + 1) & (slots - 1);
		seen[slot] = key;
	}
	return true;
}

/* Whether the rule could still decide somewhere below this pair. */
static bool is_open(struct search *search, struct pair pair)
{
	const struct state *own = cache_state(&search->own->cache, pair.own);
	const struct state *all = cache_state(&search->policy->cache, pair.all);

	/* The own policy has the built-in rule too, which is rank 2 there. */
	if (own->best != 1 && own->nodes == 0)
		return false;
	if (all->best > search->rank) {
		search->winner = all->best;
		return false;
	}
	return true;
}

static void visit(struct search *search, struct pair pair)
{
	uint64_t key = (uint64_t)pair.own << 32 | pair.all;
	size_t slot;

	if (search->found || !is_open(search, pair))
		return;
	/* No room, or no time: in doubt for the rule. */
	if (search->budget == 0 || !grow_seen(search) ||
		!glob_grow((void **)&search->pairs, &search->room, search->count,
			sizeof(*search->pairs))) {
		search->found = true;
		return;
	}
	slot = (key * 0x9e3779b97f4a7c15U >> 32) & (search->slots - 1);
	for (; search->seen[slot]; slot = (slot + 1) & (search->slots - 1))
		if (search->seen[slot] == key)
			return;
	search->seen[slot] = key;
	search->pairs[search->count++] = pair;
	search->budget--;
}

static uint32_t next_state(struct af_policy *policy, uint32_t id, uint32_t symbol)
{
	const struct automaton *a = policy->automaton;

	return cache_next(&policy->cache, a, id, symbol_class(&a->map, symbol));
}

static void visit_names(struct search *search, struct pair pair)
{
	const struct symbol_map *map = &search->policy->automaton->map;

	for (uint32_t class = 0; class < map->classes && !search->found; class ++) {
		uint32_t symbol = map->example[class];
		struct pair next = {next_state(search->own, pair.own, symbol),
			next_state(search->policy, pair.all, symbol)};

		if (symbol == '/')
			continue;
		if (next.own && next.all)
			visit(search, next);
		else
			search->found = true;
	}
}

/* The name may end here. */
static void visit_end(struct search *search, struct pair pair)
{
	const struct state *own = cache_state(&search->own->cache, pair.own);
	const struct state *all = cache_state(&search->policy->cache, pair.all);

	cache_end(&search->own->cache, search->own->automaton, pair.own);
	cache_end(&search->policy->cache, search->policy->automaton, pair.all);
	if (!own->end_ready || !all->end_ready || all->end.file.rule == search->rank ||
		all->end.dir.rule == search->rank) {
		search->found = true;
		return;
	}
	if (own->end.dir.rule == 1)
		search->winner = all->end.dir.rule;
	visit(search, (struct pair){own->end.state.id, all->end.state.id});
}

static void search_all(struct search *search)
{
	visit(search, (struct pair){search->own->cache.root, search->policy->cache.root});
	for (size_t i = 0; i < search->count && !search->found; i++) {
		struct pair pair = search->pairs[i];

		/* The two roots come before any name, and no name is empty. */
		if (i > 0)
			visit_end(search, pair);
		visit_names(search, pair);
	}
}

/* ---- one rule after the other -------------------------------------------------------------------- */

/* A policy of this rule's pattern alone. */
static int compile_alone(struct search *search, const struct pattern *pattern)
{
	struct pattern copy = *pattern;
	struct af_rules rules = {.patterns = &copy, .count = 1, .groups = pattern->group + 1};

	copy.group = 0;
	rules.groups = 1;
	return policy_compile(&rules, &search->own);
}

static void warn(const struct search *search, const struct af_rule *rule)
{
	const struct af_rule *winner =
		search->winner ? &search->policy->automaton->rules[search->winner] : NULL;

	if (winner)
		log_warn("%s:%u: %s: can never decide: %s:%u: %s wins", rule->file, rule->line,
			rule->pattern, winner->file, winner->line, winner->pattern);
	else
		log_warn("%s:%u: %s: can never decide", rule->file, rule->line, rule->pattern);
}

/* Returns 1 where the rule can never decide, 0 where it can, or -errno. */
static int check_rule(struct search *search, const struct pattern *pattern, struct glob *glob)
{
	struct buffer path = {0};
	const char *why;
	int rc = glob_parse(glob, pattern->rule.pattern, pattern->nocase, &why);

	search->found = !rc && decides_sample(search, glob, &path);
	free(path.text);
	if (rc || search->found || search->budget == 0)
		return rc;
	rc = compile_alone(search, pattern);
	if (rc)
		return rc;
	search_all(search);
	policy_put(search->own);
	if (search->found)
		return 0;
	warn(search, &pattern->rule);
	return 1;
}

static int check_all(const struct af_rules *rules, struct search *search, const uint32_t *index_of)
{
	struct glob glob = {0};
	size_t left = PAIRS_IN_ALL;
	int count = 0, rc = 0;

	for (uint32_t rank = 1; rank <= search->policy->automaton->rule_count && rc >= 0; rank++) {
		search->rank = rank;
		search->winner = 0;
		search->count = 0;
		if (search->slots)
			memset(search->seen, 0, search->slots * sizeof(*search->seen));
		search->budget = left < PAIRS_PER_RULE ? left : PAIRS_PER_RULE;
		rc = check_rule(search, &rules->patterns[index_of[rank]], &glob);
		left -= search->count < left ? search->count : left;
		count += rc > 0;
	}
	glob_fini(&glob);
	return rc < 0 ? rc : count;
}

int rules_warn_unreachable(const struct af_rules *rules)
{
	struct search search = {0};
	af_autofree uint32_t *index_of = calloc(rules->count + 2, sizeof(*index_of));
	int rc = index_of ? policy_compile(rules, &search.policy) : -ENOMEM;

	if (rc)
		return rc;
	policy_rank_rules(rules, index_of);
	rc = check_all(rules, &search, index_of);
	free(search.pairs);
	free(search.seen);
	policy_put(search.policy);
	return rc;
}
