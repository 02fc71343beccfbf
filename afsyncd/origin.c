/*
 * The log in memory. See origin.h.
 */
#include "origin.h"

#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* What was made in the delta moves without anybody's notice: it is new wherever it is. */
static int add_rename(struct origins *origins, const struct journal_record *record)
{
	struct delta_rename read;
	struct origin_rename *rename;

	if (delta_read_rename(record, &read) != 0 || read.is_new)
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
	return got ? got : settle(origins);
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

/* What follows dir in path: "" for dir itself, "/..." below it, NULL elsewhere. */
static const char *rest_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strncmp(path, dir, len) != 0 || (path[len] != '\0' && path[len] != '/'))
		return NULL;
	return path + len;
}

char *origins_old_path(const struct origins *origins, const char *path)
{
	char *now = NULL;

	/* Backwards: what is at `to` came from `from`; what is at `from` came later. */
	for (size_t i = origins->rename_count; i-- > 0;) {
		const struct origin_rename *rename = &origins->renames[i];
		const char *rest = rest_below(now ? now : path, rename->to);
		char *before = NULL;

		if (rest && asprintf(&before, "%s%s", rename->from, rest) < 0) {
			free(now);
			errno = ENOMEM;
			return NULL;
		}
		if (rest) {
			free(now);
			now = before;
		} else if (rest_below(now ? now : path, rename->from)) {
			break;
		}
	}
	errno = 0;
	if (now && strcmp(now, path) == 0) {
		free(now);
		now = NULL;
	}
	return now;
}
