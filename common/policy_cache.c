/*
 * The deterministic states, made when first needed and kept: each set of policy_state.c once, in an
 * arena that is reserved whole and never moves, so readers need no lock. A state's id is its place
 * there.
 *
 * Publication: a state is written whole under the lock, then its id is stored into a transition
 * with release order; readers load transitions with acquire order.
 */
#include "policy_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

/* Returns the unit of size zeroed bytes, or 0 where none are left. */
static uint32_t allocate(struct cache *cache, size_t size)
{
	size_t at = cache->used;

	size = (size + CACHE_UNIT - 1) & ~(size_t)(CACHE_UNIT - 1);
	if (cache->size - at < size) {
		atomic_store_explicit(&cache->full, true, memory_order_relaxed);
		return 0;
	}
	cache->used += size;
	return (uint32_t)(at / CACHE_UNIT);
}

static const uint32_t *state_ids(const struct cache *cache, const struct state *state)
{
	return (const uint32_t *)(cache->base + (size_t)state->set * CACHE_UNIT);
}

static uint32_t hash_config(const struct config *config)
{
	uint64_t hash = config->best;

	hash = XXH3_64bits_withSeed(
		config->nodes.ids, config->nodes.count * sizeof(uint32_t), hash);
	hash = XXH3_64bits_withSeed(
		config->pending.ids, config->pending.count * sizeof(uint32_t), hash);
	hash = XXH3_64bits_withSeed(config->dead.ids, config->dead.count * sizeof(uint32_t), hash);
	return (uint32_t)(hash ^ hash >> 32);
}

static bool same_ids(const uint32_t *ids, const struct id_set *set)
{
	return set->count == 0 || memcmp(ids, set->ids, set->count * sizeof(*ids)) == 0;
}

static bool is_state(
	const struct cache *cache, const struct state *state, const struct config *config)
{
	const uint32_t *ids = state_ids(cache, state);

	return state->best == config->best && state->nodes == config->nodes.count &&
		state->pending == config->pending.count && state->dead == config->dead.count &&
		same_ids(ids, &config->nodes) && same_ids(ids + state->nodes, &config->pending) &&
		same_ids(ids + state->nodes + state->pending, &config->dead);
}

static bool grow_table(struct cache *cache)
{
	size_t slots = cache->slots ? cache->slots * 2 : 256;
	uint32_t *table;

	if (cache->states * 2 < cache->slots)
		return true;
	table = calloc(slots, sizeof(*table));
	if (!table)
		return false;
	for (size_t i = 0; i < cache->slots; i++) {
		size_t slot;

		if (cache->table[i] == 0)
			continue;
		slot = cache_state(cache, cache->table[i])->hash & (slots - 1);
		while (table[slot])
			slot = (slot + 1) & (slots - 1);
		table[slot] = cache->table[i];
	}
	free(cache->table);
	cache->table = table;
	cache->slots = slots;
	return true;
}

static void copy_ids(uint32_t **to, const struct id_set *from)
{
	if (from->count)
		memcpy(*to, from->ids, from->count * sizeof(**to));
	*to += from->count;
}

static uint32_t new_state(struct cache *cache, const struct automaton *a, const struct config *c)
{
	size_t count = c->nodes.count + c->pending.count + c->dead.count;
	uint32_t id = allocate(cache, sizeof(struct state) + a->map.low * sizeof(atomic_uint));
	uint32_t set = id ? allocate(cache, count * sizeof(uint32_t)) : 0;
	struct state *state;
	uint32_t *ids;

	/* An empty set has no bytes of its own, but its place may be the arena's end. */
	if (!id || !set)
		return 0;
	state = cache_state(cache, id);
	state->best = c->best;
	state->nodes = (uint32_t)c->nodes.count;
	state->pending = (uint32_t)c->pending.count;
	state->dead = (uint32_t)c->dead.count;
	state->set = set;
	state->self = config_verdict(a, &cache->scratch, c);
	state->settled = count == 0;
	ids = (uint32_t *)(cache->base + (size_t)set * CACHE_UNIT);
	copy_ids(&ids, &c->nodes);
	copy_ids(&ids, &c->pending);
	copy_ids(&ids, &c->dead);
	return id;
}

uint32_t cache_intern(struct cache *cache, const struct automaton *a, const struct config *config)
{
	uint32_t hash = hash_config(config);
	size_t slot;

	if (config->failed || !grow_table(cache))
		return 0;
	slot = hash & (cache->slots - 1);
	for (; cache->table[slot]; slot = (slot + 1) & (cache->slots - 1)) {
		const struct state *state = cache_state(cache, cache->table[slot]);

		if (state->hash == hash && is_state(cache, state, config))
			return cache->table[slot];
	}
	cache->table[slot] = new_state(cache, a, config);
	if (cache->table[slot]) {
		cache_state(cache, cache->table[slot])->hash = hash;
		cache->states++;
	}
	return cache->table[slot];
}

static bool load_ids(struct id_set *set, const uint32_t **ids, size_t count)
{
	set->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (!glob_grow((void **)&set->ids, &set->room, set->count, sizeof(*set->ids)))
			return false;
		set->ids[set->count++] = *(*ids)++;
	}
	return true;
}

bool cache_load(const struct cache *cache, uint32_t id, struct config *config)
{
	const struct state *state = cache_state(cache, id);
	const uint32_t *ids = state_ids(cache, state);

	config->best = state->best;
	config->failed = !load_ids(&config->nodes, &ids, state->nodes) ||
		!load_ids(&config->pending, &ids, state->pending) ||
		!load_ids(&config->dead, &ids, state->dead);
	return !config->failed;
}

/* Where the transition over class is kept, or NULL where the cache is full. */
static atomic_uint *transition(
	struct cache *cache, const struct automaton *a, struct state *state, uint32_t class)
{
	uint32_t high;

	if (class < a->map.low)
		return &state->next[class];
	high = atomic_load_explicit(&state->high, memory_order_relaxed);
	if (!high) {
		high = allocate(cache, (a->map.classes - a->map.low) * sizeof(atomic_uint));
		if (!high)
			return NULL;
		atomic_store_explicit(&state->high, high, memory_order_release);
	}
	return (atomic_uint *)(cache->base + (size_t)high * CACHE_UNIT) + (class - a->map.low);
}

uint32_t cache_next(struct cache *cache, const struct automaton *a, uint32_t id, uint32_t class)
{
	struct scratch *s = &cache->scratch;
	atomic_uint *place = transition(cache, a, cache_state(cache, id), class);
	uint32_t next;

	if (!place)
		return 0;
	next = atomic_load_explicit(place, memory_order_relaxed);
	if (next || !cache_load(cache, id, &s->now))
		return next;
	config_symbol(a, s, &s->now, a->map.example[class], &s->next);
	next = cache_intern(cache, a, &s->next);
	atomic_store_explicit(place, next, memory_order_release);
	return next;
}

void cache_end(struct cache *cache, const struct automaton *a, uint32_t id)
{
	struct scratch *s = &cache->scratch;
	struct state *state = cache_state(cache, id);
	struct af_step end = {0};

	if (atomic_load_explicit(&state->end_ready, memory_order_relaxed) ||
		!cache_load(cache, id, &s->now))
		return;
	config_end(a, s, &s->now, &end.file, &s->next);
	end.state.id = cache_intern(cache, a, &s->next);
	if (!end.state.id)
		return;
	end.dir = cache_state(cache, end.state.id)->self;
	state->end = end;
	atomic_store_explicit(&state->end_ready, 1, memory_order_release);
}

int cache_init(struct cache *cache, const struct automaton *automaton, size_t size)
{
	struct scratch *s = &cache->scratch;
	int rc;

	memset(cache, 0, sizeof(*cache));
	rc = scratch_init(s, automaton);
	if (rc)
		return rc;
	cache->base = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (cache->base == MAP_FAILED) {
		scratch_fini(s);
		return -ENOMEM;
	}
	cache->size = size;
	cache->used = CACHE_UNIT; /* id 0 is nobody's */
	pthread_mutex_init(&cache->lock, NULL);
	config_start(automaton, s, &s->now);
	cache->root = cache_intern(cache, automaton, &s->now);
	return cache->root ? 0 : (cache_fini(cache), -ENOMEM);
}

void cache_fini(struct cache *cache)
{
	munmap(cache->base, cache->size);
	free(cache->table);
	scratch_fini(&cache->scratch);
	pthread_mutex_destroy(&cache->lock);
}
