/*
 * Equal byte strings get equal numbers: used for classes and braces, so that patterns which share
 * them share nodes.
 */
#include "policy_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static uint32_t *find_slot(struct intern *intern, uint64_t hash, const void *data, size_t size)
{
	size_t slot = hash & (intern->slots - 1);

	for (;; slot = (slot + 1) & (intern->slots - 1)) {
		const struct intern_entry *entry;

		if (intern->table[slot] == 0)
			return &intern->table[slot];
		entry = &intern->entries[intern->table[slot] - 1];
		if (entry->hash == hash && entry->size == size &&
			memcmp(intern->bytes + entry->offset, data, size) == 0)
			return &intern->table[slot];
	}
}

/* Keeps the table at most half full. */
static bool grow_table(struct intern *intern)
{
	size_t slots = intern->slots ? intern->slots * 2 : 64;
	uint32_t *table;

	if (intern->count * 2 < intern->slots)
		return true;
	table = calloc(slots, sizeof(*table));
	if (!table)
		return false;
	for (size_t i = 0; i < intern->count; i++) {
		size_t slot = intern->entries[i].hash & (slots - 1);

		while (table[slot])
			slot = (slot + 1) & (slots - 1);
		table[slot] = (uint32_t)(i + 1);
	}
	free(intern->table);
	intern->table = table;
	intern->slots = slots;
	return true;
}

static bool grow_bytes(struct intern *intern, size_t size)
{
	size_t want = intern->byte_room ? intern->byte_room : 1024;
	char *bigger;

	while (want - intern->used < size)
		want *= 2;
	if (want == intern->byte_room)
		return true;
	bigger = realloc(intern->bytes, want);
	if (!bigger)
		return false;
	intern->bytes = bigger;
	intern->byte_room = want;
	return true;
}

int64_t intern_add(struct intern *intern, const void *data, size_t size)
{
	uint64_t hash = XXH3_64bits(data, size);
	uint32_t *slot;

	if (!grow_table(intern))
		return -ENOMEM;
	slot = find_slot(intern, hash, data, size);
	if (*slot)
		return *slot - 1;
	if (!grow_bytes(intern, size) ||
		!glob_grow((void **)&intern->entries, &intern->entry_room, intern->count,
			sizeof(*intern->entries)))
		return -ENOMEM;
	memcpy(intern->bytes + intern->used, data, size);
	intern->entries[intern->count] = (struct intern_entry){intern->used, size, hash};
	intern->used += size;
	*slot = (uint32_t)++intern->count;
	return *slot - 1;
}

void intern_fini(struct intern *intern)
{
	free(intern->bytes);
	free(intern->entries);
	free(intern->table);
	memset(intern, 0, sizeof(*intern));
}
