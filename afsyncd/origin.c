/*
 * The log in memory. See origin.h.
 */
#include "origin.h"

#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HOPS = 1000 };

static struct origin *add(struct origins *origins, const char *path)
{
	struct origin *item;

	if (origins->count == origins->room) {
		size_t room = origins->room ? origins->room * 2 : 64;
		struct origin *items = reallocarray(origins->items, room, sizeof(*items));

		if (!items)
			return NULL;
		origins->items = items;
		origins->room = room;
	}
	item = &origins->items[origins->count];
	*item = (struct origin){.path = strdup(path)};
	if (!item->path)
		return NULL;
	origins->count++;
	return item;
}

static int add_origin(struct origins *origins, const struct journal_record *record, bool with_text)
{
	struct delta_origin read;
	struct origin *item;

	if (delta_read_origin(record, &read) != 0)
		return 0;
	item = add(origins, read.path);
	if (!item)
		return -ENOMEM;
	item->record = read;
	item->record.path = item->path;
	item->record.text = NULL;
	if (!with_text || !read.text)
		return 0;
	item->record.text = strndup(read.text, read.text_size);
	return item->record.text ? 0 : -ENOMEM;
}

static int add_remove(struct origins *origins, const struct journal_record *record)
{
	struct delta_remove read;
	struct origin *item;

	if (delta_read_remove(record, &read) != 0)
		return 0;
	item = add(origins, read.path);
	if (!item)
		return -ENOMEM;
	item->removed_ns = read.time_ns;
	return 0;
}

/* All of them: what had been renamed before is new where it moves from again. */
static int add_rename(struct origins *origins, const struct journal_record *record)
{
	struct delta_rename read;
	struct origin_rename *rename;

	if (delta_read_rename(record, &read) != 0)
		return 0;
	if (origins->rename_count == origins->rename_room) {
		size_t room = origins->rename_room ? origins->rename_room * 2 : 16;
		struct origin_rename *more = reallocarray(origins->renames, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		origins->renames = more;
		origins->rename_room = room;
	}
	rename = &origins->renames[origins->rename_count++];
	*rename = (struct origin_rename){.from = strdup(read.from), .to = strdup(read.to)};
	return rename->from && rename->to ? 0 : -ENOMEM;
}

static int add_policy(struct origins *origins, const struct journal_record *record)
{
	struct delta_policy read;

	if (delta_read_policy(record, &read) != 0)
		return 0;
	free(origins->policy_text);
	origins->policy_text = strdup(read.text);
	return origins->policy_text ? 0 : -ENOMEM;
}

static int add_record(struct origins *origins, const struct journal_record *record, bool with_text)
{
	switch ((enum delta_record_type)record->type) {
	case DELTA_ORIGIN:
		return add_origin(origins, record, with_text);
	case DELTA_REMOVE:
		return add_remove(origins, record);
	case DELTA_RENAME:
		return add_rename(origins, record);
	case DELTA_POLICY:
		return add_policy(origins, record);
	case DELTA_SOURCE:
	case DELTA_MOUNT:
	case DELTA_UNMOUNT:
		break;
	}
	return 0;
}

struct numbered {
	struct origin item;
	size_t number;
};

static int by_path(const void *a, const void *b)
{
	const struct numbered *x = a, *y = b;
	int order = strcmp(x->item.path, y->item.path);

	return order ? order : x->number < y->number ? -1 : 1;
}

/* One for each path: the first ORIGIN, the last REMOVE. */
static int settle(struct origins *origins)
{
	af_autofree struct numbered *sorted =
		reallocarray(NULL, origins->count + 1, sizeof(*sorted));
	size_t kept = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < origins->count; i++)
		sorted[i] = (struct numbered){origins->items[i], i};
	qsort(sorted, origins->count, sizeof(*sorted), by_path);
	for (size_t i = 0; i < origins->count; i++) {
		struct origin *last = kept ? &origins->items[kept - 1] : NULL;
		struct origin *item = &sorted[i].item;

		if (!last || strcmp(last->path, item->path) != 0) {
			origins->items[kept++] = *item;
			continue;
		}
		if (item->removed_ns)
			last->removed_ns = item->removed_ns;
		if (last->record.mode == 0 && item->record.mode != 0) {
			item->record.path = last->path;
			last->record = item->record;
			item->record.text = NULL;
		}
		free((char *)(uintptr_t)item->record.text);
		free(item->path);
	}
	origins->count = kept;
	return 0;
}

static int compare_sides(const struct origin_side *x, const struct origin_side *y)
{
	int order = strcmp(x->path, y->path);

	if (order == 0)
		order = (int)x->is_to - (int)y->is_to;
	return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

static int by_side(const void *a, const void *b)
{
	return compare_sides(a, b);
}

static int index_renames(struct origins *origins)
{
	struct origin_side *sides =
		reallocarray(NULL, origins->rename_count * 2 + 1, sizeof(*sides));

	if (!sides)
		return -ENOMEM;
	for (size_t i = 0; i < origins->rename_count; i++) {
		const struct origin_rename *rename = &origins->renames[i];

		sides[i * 2] = (struct origin_side){rename->from, false, i};
		sides[i * 2 + 1] = (struct origin_side){rename->to, true, i};
	}
	qsort(sides, origins->rename_count * 2, sizeof(*sides), by_side);
	origins->sides = sides;
	return 0;
}

int origins_load(struct origins *origins, struct af_delta *delta, bool with_text)
{
	struct journal_record record;
	struct journal_reader reader;
	int got;

	*origins = (struct origins){0};
	got = journal_read(&reader, &delta->log);
	if (got)
		return got;
	while ((got = journal_next(&reader, &record)) > 0) {
		got = add_record(origins, &record, with_text);
		if (got)
			break;
	}
	journal_read_end(&reader);
	if (!got)
		got = settle(origins);
	return got ? got : index_renames(origins);
}

void origins_fini(struct origins *origins)
{
	for (size_t i = 0; i < origins->count; i++) {
		free(origins->items[i].path);
		free((char *)(uintptr_t)origins->items[i].record.text);
	}
	for (size_t i = 0; i < origins->rename_count; i++) {
		free(origins->renames[i].from);
		free(origins->renames[i].to);
	}
	free(origins->items);
	free(origins->renames);
	free(origins->sides);
	free(origins->policy_text);
	*origins = (struct origins){0};
}

const struct origin *origins_find(const struct origins *origins, const char *path)
{
	size_t low = 0, high = origins->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(origins->items[middle].path, path);

		if (order == 0)
			return &origins->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* The last rename before that number with this side there, or NULL. */
static const struct origin_side *find_side(
	const struct origins *origins, const char *path, bool is_to, size_t before)
{
	const struct origin_side wanted = {path, is_to, before};
	const struct origin_side *found;
	size_t low = 0, high = origins->rename_count * 2;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_sides(&origins->sides[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	found = low > 0 ? &origins->sides[low - 1] : NULL;
	return found && found->is_to == is_to && strcmp(found->path, path) == 0 ? found : NULL;
}

/* The last rename before that number of path or of a directory above it: the side that has it. */
static const struct origin_side *last_rename(
	const struct origins *origins, char *path, size_t before)
{
	const struct origin_side *last = NULL;

	for (char *end = path;; end++) {
		char saved = *end;

		if (saved != '/' && saved != '\0')
			continue;
		*end = '\0';
		for (int is_to = 0; is_to <= 1; is_to++) {
			const struct origin_side *side = find_side(origins, path, is_to, before);

			if (side && (!last || side->number > last->number))
				last = side;
		}
		*end = saved;
		if (saved == '\0')
			return last;
	}
}

char *origins_old_path(const struct origins *origins, const char *path)
{
	af_autofree char *now = strdup(path);
	size_t number = origins->rename_count;

	errno = now ? 0 : ENOMEM;
	/* Backwards: what is at `to` came from `from`; what is at `from` came later. */
	for (int hops = 0; now; hops++) {
		const struct origin_side *side = last_rename(origins, now, number);
		char *before = NULL;

		if (!side || !side->is_to)
			break;
		/* Nobody moves a thing about so often, but a log may say so of each of many. */
		if (hops == MAX_HOPS)
			return NULL;
		number = side->number;
		if (asprintf(&before, "%s%s", origins->renames[number].from,
			    now + strlen(side->path)) < 0) {
			errno = ENOMEM;
			return NULL;
		}
		free(now);
		now = before;
	}
	return now && strcmp(now, path) != 0 ? af_steal(&now) : NULL;
}
