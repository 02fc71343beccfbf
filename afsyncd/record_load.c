/*
 * A merge's journal read back into a merge. It lies where only the caller and root can write, yet
 * everything is checked: a disk may lie, and a source that was unpacked or cloned may have brought
 * it along. See record.h.
 */
#include "record.h"

#include "cleanup.h"
#include "path.h"

#include <endian.h>
#include <limits.h>
#include <string.h>

struct unpacker {
	const uint8_t *data;
	size_t size;
	bool failed; /* then all that is got is 0 */
};

static const uint8_t *get_bytes(struct unpacker *unpacker, size_t size)
{
	const uint8_t *bytes = unpacker->data;

	if (unpacker->failed || unpacker->size < size) {
		unpacker->failed = true;
		return NULL;
	}
	unpacker->data += size;
	unpacker->size -= size;
	return bytes;
}

static uint32_t get_u32(struct unpacker *unpacker)
{
	const uint8_t *bytes = get_bytes(unpacker, sizeof(uint32_t));
	uint32_t value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return le32toh(value);
}

static uint64_t get_u64(struct unpacker *unpacker)
{
	const uint8_t *bytes = get_bytes(unpacker, sizeof(uint64_t));
	uint64_t value = 0;

	if (bytes)
		memcpy(&value, bytes, sizeof(value));
	return le64toh(value);
}

static const uint8_t *get_blob(struct unpacker *unpacker, size_t *size)
{
	const uint8_t *bytes;

	*size = get_u32(unpacker);
	bytes = get_bytes(unpacker, *size);
	if (get_bytes(unpacker, 1))
		return bytes;
	*size = 0;
	return NULL;
}

/* Borrowed from the record; "" where it failed. */
static const char *get_text(struct unpacker *unpacker)
{
	size_t size;
	const char *text = (const char *)get_blob(unpacker, &size);

	if (text && memchr(text, '\0', size + 1) != text + size)
		unpacker->failed = true;
	return unpacker->failed || !text ? "" : text;
}

static char *get_copy(struct unpacker *unpacker, bool may_be_null)
{
	const char *text = get_text(unpacker);
	char *copy = may_be_null && !*text ? NULL : strdup(text);

	if (!copy && !(may_be_null && !*text))
		unpacker->failed = true;
	return copy;
}

/* Whether each part of it is a name; "" is the root. */
static bool is_beneath(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");
		char name[NAME_MAX + 1];

		if (len >= sizeof(name))
			return false;
		memcpy(name, path, len);
		name[len] = '\0';
		if (!path_is_component(name))
			return false;
		path += len + (path[len] == '/');
	}
	return true;
}

static char *get_path(struct unpacker *unpacker, bool may_be_null)
{
	char *path = get_copy(unpacker, may_be_null);

	if (path && !is_beneath(path))
		unpacker->failed = true;
	return path;
}

static struct plan_seen get_seen(struct unpacker *unpacker)
{
	struct plan_seen seen = {0};

	seen.mode = get_u32(unpacker);
	seen.dev = get_u64(unpacker);
	seen.ino = get_u64(unpacker);
	seen.size = get_u64(unpacker);
	seen.mtime_ns = (int64_t)get_u64(unpacker);
	seen.ctime_ns = (int64_t)get_u64(unpacker);
	return seen;
}

static void get_attrs(struct unpacker *unpacker, struct attrs *attrs)
{
	size_t count;

	attrs->mode = get_u32(unpacker);
	attrs->uid = get_u32(unpacker);
	attrs->gid = get_u32(unpacker);
	attrs->atime_ns = (int64_t)get_u64(unpacker);
	attrs->mtime_ns = (int64_t)get_u64(unpacker);
	count = get_u32(unpacker);
	for (size_t i = 0; i < count && !unpacker->failed; i++) {
		const char *name = get_text(unpacker);
		size_t size;
		const uint8_t *value = get_blob(unpacker, &size);

		if (!unpacker->failed && attrs_add(attrs, name, value, size) != 0)
			unpacker->failed = true;
	}
}

static void read_begin(struct merge *merge, struct unpacker *unpacker)
{
	struct state_birth birth;
	const char *id;

	if (state_get_birth(merge->state, &birth) != 0)
		unpacker->failed = true;
	merge->is_foreign = get_u64(unpacker) != birth.ino;
	merge->is_foreign |= (int64_t)get_u64(unpacker) != birth.born_ns;
	id = get_text(unpacker);
	if (!state_is_id(id) || merge->delta_path)
		unpacker->failed = true;
	snprintf(merge->id, sizeof(merge->id), "%s", id);
	merge->delta_path = get_copy(unpacker, false);
	merge->upper_dev = get_u64(unpacker);
	merge->upper_ino = get_u64(unpacker);
	merge->time_ns = (int64_t)get_u64(unpacker);
}

/* Makes room for one more in an array: its zeroed place, or NULL. */
static void *grow(void *array, size_t *count, size_t size)
{
	void **place = array;
	/* Doubled whenever the count is a power of two. */
	bool full = (*count & (*count - 1)) == 0;
	uint8_t *bytes = full ? reallocarray(*place, *count ? *count * 2 : 1, size) : *place;

	if (!bytes)
		return NULL;
	*place = bytes;
	return memset(bytes + (*count)++ * size, 0, size);
}

static void read_entry(struct merge *merge, struct unpacker *unpacker)
{
	struct merge_entry *entry =
		grow(&merge->entries, &merge->entry_count, sizeof(*merge->entries));

	if (!entry) {
		unpacker->failed = true;
		return;
	}
	entry->letter = get_u32(unpacker);
	entry->stays = get_u32(unpacker);
	entry->path = get_path(unpacker, false);
	entry->old_path = get_path(unpacker, true);
	entry->upper = get_seen(unpacker);
}

static void read_dir(struct merge *merge, struct unpacker *unpacker)
{
	struct merge_dir *dir = grow(&merge->dirs, &merge->dir_count, sizeof(*merge->dirs));

	if (!dir) {
		unpacker->failed = true;
		return;
	}
	dir->path = get_path(unpacker, false);
	dir->mode = get_u32(unpacker);
	dir->dev = get_u64(unpacker);
	dir->ino = get_u64(unpacker);
	dir->atime_ns = (int64_t)get_u64(unpacker);
	dir->mtime_ns = (int64_t)get_u64(unpacker);
	dir->after_ns = (int64_t)get_u64(unpacker);
	dir->upper_ns = (int64_t)get_u64(unpacker);
}

/* The next step, or one that is there already, emptied. */
static struct merge_step *step_to_read(struct merge *merge, uint64_t index)
{
	struct merge_step *step;

	if (index > merge->step_count)
		return NULL;
	if (index == merge->step_count)
		return grow(&merge->steps, &merge->step_count, sizeof(*merge->steps));
	step = &merge->steps[index];
	free(step->path);
	free(step->from);
	attrs_fini(&step->before);
	attrs_fini(&step->after);
	*step = (struct merge_step){0};
	return step;
}

static void read_step(struct merge *merge, struct unpacker *unpacker)
{
	struct merge_step *step = step_to_read(merge, get_u64(unpacker));
	uint32_t kind = get_u32(unpacker);

	if (!step || kind > STEP_REMOVE) {
		unpacker->failed = true;
		return;
	}
	step->kind = (enum plan_step_kind)kind;
	step->entry = get_u32(unpacker);
	step->take = get_u32(unpacker);
	step->path = get_path(unpacker, false);
	step->from = get_path(unpacker, true);
	step->seen = get_seen(unpacker);
	step->put = get_seen(unpacker);
	step->upper = get_seen(unpacker);
	step->shown_ino = get_u64(unpacker);
	if (step->kind == STEP_ATTRS) {
		get_attrs(unpacker, &step->before);
		get_attrs(unpacker, &step->after);
	}
	if (step->entry >= merge->entry_count || (step->take && !step->from))
		unpacker->failed = true;
}

static void read_stays(struct merge *merge, struct unpacker *unpacker)
{
	uint32_t entry = get_u32(unpacker);

	if (entry < merge->entry_count)
		merge->entries[entry].stays = true;
	else
		unpacker->failed = true;
}

static void read_phase(struct merge *merge, struct unpacker *unpacker)
{
	uint32_t phase = get_u32(unpacker);

	merge->applied_ns = (int64_t)get_u64(unpacker);
	if (phase <= MERGE_ENDED)
		merge->phase = (enum merge_phase)phase;
	else
		unpacker->failed = true;
}

static void read_undo(struct merge *merge, struct unpacker *unpacker)
{
	const char *id = get_text(unpacker);

	merge->is_undo = state_is_id(id);
	unpacker->failed |= !merge->is_undo;
	snprintf(merge->id, sizeof(merge->id), "%s", id);
}

static int read_record(struct merge *merge, const struct journal_record *record)
{
	static void (*const readers[])(struct merge *, struct unpacker *) = {
		[RECORD_BEGIN] = read_begin,
		[RECORD_ENTRY] = read_entry,
		[RECORD_DIR] = read_dir,
		[RECORD_STEP] = read_step,
		[RECORD_STAYS] = read_stays,
		[RECORD_PHASE] = read_phase,
		[RECORD_UNDO] = read_undo,
	};
	struct unpacker unpacker = {.data = record->data, .size = record->size};

	if (record->type < RECORD_BEGIN || record->type > RECORD_UNDO)
		return -EBADMSG;
	/* Whose it is comes first. */
	if (!merge->delta_path && record->type != RECORD_BEGIN && record->type != RECORD_UNDO)
		return -EBADMSG;
	readers[record->type](merge, &unpacker);
	if (unpacker.failed || unpacker.size)
		return -EBADMSG;
	return merge->is_foreign ? -EXDEV : 0;
}

int record_load(struct merge *merge)
{
	struct journal_reader reader;
	struct journal_record record;
	int got, err = journal_read(&reader, &merge->journal);

	while (!err && (got = journal_next(&reader, &record)) != 0)
		err = got < 0 ? got : read_record(merge, &record);
	journal_read_end(&reader);
	return err;
}

const char *record_why_not(int err)
{
	if (err == -EBADMSG)
		return "damaged";
	if (err == -EXDEV)
		return "it came with a copy of the state directory, and is not believed; if it is of "
		       "no use, remove it";
	return strerror(-err);
}
