/*
 * Which symbols the automaton cannot tell apart: a state then has one transition for each such class
 * and not one for each of a million characters. Classes that hold an ASCII character come first.
 */
#include "policy_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGES (GLOB_SYMBOLS / 256)
#define MAX_CLASSES 60000U

/* A point at which the alphabet is cut; depth: how many ranges begin (or end, below 0) there. */
struct cut {
	uint32_t symbol;
	int32_t depth;
};

struct cuts {
	struct cut *list;
	size_t count, room;
};

static int add_cut(struct cuts *cuts, uint32_t symbol, int32_t depth)
{
	if (!glob_grow((void **)&cuts->list, &cuts->room, cuts->count, sizeof(*cuts->list)))
		return -ENOMEM;
	cuts->list[cuts->count++] = (struct cut){symbol, depth};
	return 0;
}

static int add_cuts(struct cuts *cuts, uint32_t first, uint32_t last)
{
	int rc = add_cut(cuts, first, 1);

	return rc ? rc : add_cut(cuts, last + 1, -1);
}

/* Notes a symbol that an edge names, once: there are many edges for each. */
static int cut_character(struct cuts *cuts, uint8_t *seen, uint32_t symbol)
{
	if (seen[symbol >> 3] & 1U << (symbol & 7))
		return 0;
	seen[symbol >> 3] |= (uint8_t)(1U << (symbol & 7));
	return add_cuts(cuts, symbol, symbol);
}

static int cut_characters(struct cuts *cuts, const struct automaton *a)
{
	uint8_t *seen = calloc(1, GLOB_SYMBOLS / 8);
	int rc = seen ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < a->edge_count && !rc; i++) {
		uint32_t kind = a->edges[i].key >> 24, symbol = a->edges[i].key & EDGE_MAX_VALUE;

		if (kind == EDGE_CHAR || kind == EDGE_FOLD)
			rc = cut_character(cuts, seen, symbol);
		if (kind == EDGE_FOLD && !rc)
			rc = cut_character(cuts, seen, symbol ^ 0x20);
	}
	free(seen);
	return rc;
}

static int by_symbol(const void *a, const void *b)
{
	const struct cut *left = a, *right = b;

	return (left->symbol > right->symbol) - (left->symbol < right->symbol);
}

static int find_cuts(struct cuts *cuts, const struct automaton *a)
{
	int rc = cut_characters(cuts, a);

	for (uint32_t i = 0; i < a->range_count && !rc; i++)
		rc = add_cuts(cuts, a->ranges[i].first, a->ranges[i].last);
	/* The end of ASCII is one, so that no class has members on both sides but class 0. */
	if (!rc)
		rc = add_cut(cuts, 0x80, 0);
	if (!rc)
		rc = add_cut(cuts, GLOB_SYMBOLS, 0);
	if (!rc)
		qsort(cuts->list, cuts->count, sizeof(*cuts->list), by_symbol);
	return rc;
}

/* A page of class 0 in place of the shared one, if symbol's is still that. */
static void own_page(struct symbol_map *map, uint32_t symbol, uint32_t *pages)
{
	if (map->page_of[symbol >> 8] == 0)
		map->page_of[symbol >> 8] = (uint16_t)(*pages)++;
}

static void fill(struct symbol_map *map, uint32_t page, uint32_t from, uint32_t to, uint16_t class)
{
	for (uint32_t i = from; i <= to; i++)
		map->pages[(size_t)page << 8 | i] = class;
}

/* Gives first..last a class; all pages that are that class's alone are one. */
static void assign(
	struct symbol_map *map, uint32_t first, uint32_t last, uint16_t class, uint32_t *pages)
{
	uint32_t whole = 0;

	for (uint32_t page = first >> 8; page <= last >> 8; page++) {
		uint32_t from = page == first >> 8 ? first & 0xff : 0;
		uint32_t to = page == last >> 8 ? last & 0xff : 0xff;

		if (from == 0 && to == 0xff) {
			if (!whole) {
				whole = (*pages)++;
				fill(map, whole, 0, 0xff, class);
			}
			map->page_of[page] = (uint16_t)whole;
		} else {
			own_page(map, page << 8, pages);
			fill(map, map->page_of[page], from, to, class);
		}
	}
}

/* How many classes and pages there are at most. */
static void count_classes(const struct cuts *cuts, size_t *classes, size_t *pages)
{
	int32_t depth = 0;

	*classes = 1;
	for (size_t i = 0; i + 1 < cuts->count; i++) {
		depth += cuts->list[i].depth;
		*classes += depth > 0 && cuts->list[i + 1].symbol > cuts->list[i].symbol;
	}
	/* Of an interval two pages can be shared with others, and one is its own. */
	*pages = (*classes * 2 < PAGES ? *classes * 2 : PAGES) + *classes + 1;
}

static int assign_all(struct symbol_map *map, const struct cuts *cuts)
{
	uint32_t pages = 1;
	int32_t depth = 0;

	map->classes = 1;
	map->low = 1;
	for (size_t i = 0; i + 1 < cuts->count; i++) {
		const struct cut *cut = &cuts->list[i];

		depth += cut->depth;
		if (depth == 0 || cut[1].symbol == cut->symbol)
			continue;
		map->example[map->classes] = cut->symbol;
		assign(map, cut->symbol, cut[1].symbol - 1, (uint16_t)map->classes, &pages);
		map->classes++;
		if (cut->symbol < 0x80)
			map->low = map->classes;
	}
	for (uint32_t i = 0; i < 128; i++)
		map->ascii[i] = (uint16_t)symbol_class(map, i);
	return 0;
}

/* A symbol of class 0, the one that nothing names, if there is any. */
static uint32_t find_other(const struct symbol_map *map)
{
	uint32_t symbol = 1;

	while (symbol < GLOB_SYMBOLS - 1 && (symbol == '/' || symbol_class(map, symbol) != 0))
		symbol++;
	return symbol;
}

int symbol_map_init(struct symbol_map *map, const struct automaton *automaton)
{
	struct cuts cuts = {0};
	size_t classes = 0, pages = 0;
	int rc = find_cuts(&cuts, automaton);

	if (!rc) {
		count_classes(&cuts, &classes, &pages);
		rc = classes > MAX_CLASSES ? -E2BIG : 0;
	}
	if (!rc) {
		map->pages = calloc(pages << 8, sizeof(*map->pages));
		map->page_of = calloc(PAGES, sizeof(*map->page_of));
		map->example = calloc(classes + 1, sizeof(*map->example));
		rc = map->pages && map->page_of && map->example ? 0 : -ENOMEM;
	}
	if (!rc)
		rc = assign_all(map, &cuts);
	if (!rc)
		map->example[0] = find_other(map);
	free(cuts.list);
	return rc;
}

void symbol_map_fini(struct symbol_map *map)
{
	free(map->pages);
	free(map->page_of);
	free(map->example);
	memset(map, 0, sizeof(*map));
}
