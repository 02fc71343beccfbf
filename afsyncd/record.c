/*
 * A merge's journal: its records, as they are written. record_load.c reads them.
 *
 * Numbers are little-endian; a text is its length (32 bits), its bytes and a NUL.
 */
#include "record.h"

#include "cleanup.h"

#include <endian.h>
#include <string.h>

struct packer {
	uint8_t *data; /* owned */
	size_t size, room;
	bool failed;
};

static void put_bytes(struct packer *packer, const void *bytes, size_t size)
{
	if (!packer->data || packer->room - packer->size < size) {
		size_t room = packer->room * 2 + size + 256;
		uint8_t *data = realloc(packer->data, room);

		if (!data) {
			packer->failed = true;
			return;
		}
		packer->data = data;
		packer->room = room;
	}
	if (size && bytes)
		memcpy(packer->data + packer->size, bytes, size);
	packer->size += size;
}

static void put_u32(struct packer *packer, uint32_t value)
{
	value = htole32(value);
	put_bytes(packer, &value, sizeof(value));
}

static void put_u64(struct packer *packer, uint64_t value)
{
	value = htole64(value);
	put_bytes(packer, &value, sizeof(value));
}

static void put_blob(struct packer *packer, const void *bytes, size_t size)
{
	put_u32(packer, (uint32_t)size);
	put_bytes(packer, bytes, size);
	put_bytes(packer, "", 1);
}

/* NULL is written as "": no path that may be missing is the root's. */
static void put_text(struct packer *packer, const char *text)
{
	put_blob(packer, text ? text : "", text ? strlen(text) : 0);
}

static void put_seen(struct packer *packer, const struct plan_seen *seen)
{
	put_u32(packer, seen->mode);
	put_u64(packer, seen->dev);
	put_u64(packer, seen->ino);
	put_u64(packer, seen->size);
	put_u64(packer, (uint64_t)seen->mtime_ns);
	put_u64(packer, (uint64_t)seen->ctime_ns);
}

static void put_attrs(struct packer *packer, const struct attrs *attrs)
{
	put_u32(packer, attrs->mode);
	put_u32(packer, attrs->uid);
	put_u32(packer, attrs->gid);
	put_u64(packer, (uint64_t)attrs->atime_ns);
	put_u64(packer, (uint64_t)attrs->mtime_ns);
	put_u32(packer, (uint32_t)attrs->xattr_count);
	for (size_t i = 0; i < attrs->xattr_count; i++) {
		put_text(packer, attrs->xattrs[i].name);
		put_blob(packer, attrs->xattrs[i].value, attrs->xattrs[i].size);
	}
}

static int append(struct merge *merge, enum record_type type, struct packer *packer)
{
	struct iovec part = {.iov_base = packer->data, .iov_len = packer->size};
	int err = packer->failed ? -ENOMEM
				 : journal_append(&merge->journal, (uint16_t)type, &part, 1);

	free(packer->data);
	return err;
}

int record_undo(struct af_journal *journal, const char *id)
{
	struct merge merge = {.journal = *journal};
	struct packer packer = {0};
	int err;

	put_text(&packer, id);
	err = append(&merge, RECORD_UNDO, &packer);
	*journal = merge.journal;
	return err;
}

int record_begin(struct merge *merge)
{
	struct packer packer = {0};
	struct state_birth birth;
	int err = state_get_birth(merge->state, &birth);

	if (err)
		return err;
	put_u64(&packer, birth.ino);
	put_u64(&packer, (uint64_t)birth.born_ns);
	put_text(&packer, merge->id);
	put_text(&packer, merge->delta_path);
	put_u64(&packer, merge->upper_dev);
	put_u64(&packer, merge->upper_ino);
	put_u64(&packer, (uint64_t)merge->time_ns);
	return append(merge, RECORD_BEGIN, &packer);
}

int record_entry(struct merge *merge, const struct merge_entry *entry)
{
	struct packer packer = {0};

	put_u32(&packer, entry->letter);
	put_u32(&packer, entry->stays);
	put_text(&packer, entry->path);
	put_text(&packer, entry->old_path);
	put_seen(&packer, &entry->upper);
	return append(merge, RECORD_ENTRY, &packer);
}

int record_dir(struct merge *merge, const struct merge_dir *dir)
{
	struct packer packer = {0};

	put_text(&packer, dir->path);
	put_u32(&packer, dir->mode);
	put_u64(&packer, dir->dev);
	put_u64(&packer, dir->ino);
	put_u64(&packer, (uint64_t)dir->atime_ns);
	put_u64(&packer, (uint64_t)dir->mtime_ns);
	put_u64(&packer, (uint64_t)dir->after_ns);
	put_u64(&packer, (uint64_t)dir->upper_ns);
	return append(merge, RECORD_DIR, &packer);
}

int record_step(struct merge *merge, size_t step)
{
	const struct merge_step *s = &merge->steps[step];
	struct packer packer = {0};

	put_u64(&packer, step);
	put_u32(&packer, (uint32_t)s->kind);
	put_u32(&packer, s->entry);
	put_u32(&packer, s->take);
	put_text(&packer, s->path);
	put_text(&packer, s->from);
	put_seen(&packer, &s->seen);
	put_seen(&packer, &s->put);
	put_seen(&packer, &s->upper);
	put_u64(&packer, s->shown_ino);
	if (s->kind == STEP_ATTRS) {
		put_attrs(&packer, &s->before);
		put_attrs(&packer, &s->after);
	}
	return append(merge, RECORD_STEP, &packer);
}

int record_stays(struct merge *merge, uint32_t entry)
{
	struct packer packer = {0};

	put_u32(&packer, entry);
	return append(merge, RECORD_STAYS, &packer);
}

int record_phase(struct merge *merge, enum merge_phase phase)
{
	struct packer packer = {0};
	int err;

	if (phase == MERGE_APPLIED)
		merge->applied_ns = delta_now_ns();
	put_u32(&packer, (uint32_t)phase);
	put_u64(&packer, (uint64_t)merge->applied_ns);
	err = append(merge, RECORD_PHASE, &packer);
	if (!err)
		err = journal_sync(&merge->journal);
	if (!err)
		merge->phase = phase;
	return err;
}
