/*
 * Decisions: a step from a directory's state over a name, without a lock where the states it passes
 * are known, and a whole path.
 */
#include "policy_internal.h"

#include <stdlib.h>
#include <string.h>

const struct af_rule *policy_rule(const struct af_policy *policy, const struct af_verdict *v)
{
	return v->flags & AF_V_HAS_RULE ? &policy->automaton->rules[v->rule] : NULL;
}

bool policy_is_full(const struct af_policy *policy)
{
	return atomic_load_explicit(&policy->cache.full, memory_order_relaxed);
}

uint32_t policy_serial(const struct af_policy *policy)
{
	return policy->serial;
}

/* The class of the character at name; *bytes gets its length. */
static inline uint32_t next_class(
	const struct symbol_map *map, const char *name, size_t len, size_t *bytes)
{
	unsigned char c = (unsigned char)name[0];

	*bytes = 1;
	return c < 0x80 ? map->ascii[c] : symbol_class(map, glob_symbol(name, len, bytes));
}

static inline uint32_t known_next(const struct af_policy *policy, uint32_t id, uint32_t class)
{
	const struct cache *cache = &policy->cache;
	const struct state *state = cache_state(cache, id);
	uint32_t low = policy->automaton->map.low, high;

	if (class < low)
		return atomic_load_explicit(&state->next[class], memory_order_acquire);
	high = atomic_load_explicit(&state->high, memory_order_acquire);
	if (!high)
		return 0;
	return atomic_load_explicit(
		(atomic_uint *)(cache->base + (size_t)high * CACHE_UNIT) + (class - low),
		memory_order_acquire);
}

static uint32_t make_next(struct af_policy *policy, uint32_t id, uint32_t class)
{
	pthread_mutex_lock(&policy->cache.lock);
	id = cache_next(&policy->cache, policy->automaton, id, class);
	pthread_mutex_unlock(&policy->cache.lock);
	return id;
}

static bool end_is_ready(struct af_policy *policy, uint32_t id)
{
	const struct state *state = cache_state(&policy->cache, id);

	if (atomic_load_explicit(&state->end_ready, memory_order_acquire))
		return true;
	pthread_mutex_lock(&policy->cache.lock);
	cache_end(&policy->cache, policy->automaton, id);
	pthread_mutex_unlock(&policy->cache.lock);
	return atomic_load_explicit(&state->end_ready, memory_order_acquire);
}

/* A step through known or newly made states. Returns false where the cache has no room for it. */
static bool step_cached(
	struct af_policy *policy, uint32_t id, const char *name, size_t len, struct af_step *out)
{
	const struct symbol_map *map = &policy->automaton->map;

	if (cache_state(&policy->cache, id)->settled)
		len = 0;
	for (size_t at = 0, bytes; at < len; at += bytes) {
		uint32_t class = next_class(map, name + at, len - at, &bytes);
		uint32_t next = known_next(policy, id, class);

		if (!next)
			next = make_next(policy, id, class);
		if (!next)
			return false;
		id = next;
	}
	if (!end_is_ready(policy, id))
		return false;
	*out = cache_state(&policy->cache, id)->end;
	return true;
}

/* From scratch->now over one name; scratch->now is the directory afterwards. Under the lock. */
static void step_uncached(const struct automaton *a, struct scratch *s, const char *name,
	size_t len, struct af_step *out)
{
	for (size_t at = 0, bytes; at < len; at += bytes) {
		uint32_t class = next_class(&a->map, name + at, len - at, &bytes);
		struct config swapped;

		config_symbol(a, s, &s->now, a->map.example[class], &s->next);
		swapped = s->now;
		s->now = s->next;
		s->next = swapped;
	}
	config_end(a, s, &s->now, &out->file, &s->next);
	out->dir = config_verdict(a, s, &s->next);
	if (!config_copy(&s->now, &s->next))
		s->now.failed = true;
	out->state.id = 0;
}

void policy_step(struct af_policy *policy, struct af_state dir, const char *name, size_t len,
	struct af_step *out)
{
	struct cache *cache = &policy->cache;

	if (step_cached(policy, dir.id, name, len, out))
		return;
	pthread_mutex_lock(&cache->lock);
	cache_load(cache, dir.id, &cache->scratch.now);
	step_uncached(policy->automaton, &cache->scratch, name, len, out);
	pthread_mutex_unlock(&cache->lock);
}

static size_t component_length(const char *path, size_t len)
{
	const char *slash = memchr(path, '/', len);

	return slash ? (size_t)(slash - path) : len;
}

/* The rest of a path, from a known directory, after the cache has filled up. */
static void path_uncached(
	struct af_policy *policy, uint32_t dir, const char *path, size_t len, struct af_step *out)
{
	struct cache *cache = &policy->cache;

	pthread_mutex_lock(&cache->lock);
	cache_load(cache, dir, &cache->scratch.now);
	while (len > 0) {
		size_t name = component_length(path, len);

		step_uncached(policy->automaton, &cache->scratch, path, name, out);
		name += name < len;
		path += name;
		len -= name;
	}
	pthread_mutex_unlock(&cache->lock);
}

void policy_path(struct af_policy *policy, const char *path, size_t len, struct af_step *out)
{
	uint32_t dir = policy->cache.root;

	out->dir = cache_state(&policy->cache, dir)->self;
	out->file = out->dir;
	out->state.id = dir;
	while (len > 0) {
		size_t name = component_length(path, len);

		if (!step_cached(policy, dir, path, name, out)) {
			path_uncached(policy, dir, path, len, out);
			return;
		}
		dir = out->state.id;
		name += name < len;
		path += name;
		len -= name;
	}
}
