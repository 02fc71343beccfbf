/*
 * The records of a delta's log: to bytes and back. See delta.h.
 *
 * A payload is numbers first, little-endian and of fixed sizes, each text's length among them; then
 * the texts, in the same order, each with a NUL that its length does not count. What is decoded is
 * hostile: a value that the encoder would not write is refused, and so is any byte too many.
 */
#include "delta.h"

#include "cleanup.h"
#include "io.h"

#include <endian.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>

enum {
	ORIGIN_HAS_HASH = 1,
	ORIGIN_HAS_TEXT = 2,
	ORIGIN_HAS_XATTRS = 4,
	RENAME_IS_DIR = 1,
	RENAME_IS_NEW = 2,
};

/* ---- what may be in a record ----------------------------------------------------------------- */

/* len bytes of components as path_is_component() wants them, without a slash at either end. */
static bool path_is_sound(const char *path, size_t len)
{
	if (len == 0 || len > DELTA_PATH_MAX)
		return false;
	for (size_t start = 0; start <= len;) {
		const char *slash = memchr(path + start, '/', len - start);
		size_t size = (slash ? (size_t)(slash - path) : len) - start;

		if (size == 0 || size > NAME_MAX)
			return false;
		if (path[start] == '.' && (size == 1 || (size == 2 && path[start + 1] == '.')))
			return false;
		start += size + 1;
	}
	return true;
}

static bool source_is_sound(const struct delta_source *source)
{
	const char *path = source->path;

	return path[0] == '/' && (path[1] == '\0' || path_is_sound(path + 1, strlen(path + 1)));
}

static bool mount_is_sound(const struct delta_mount *mount)
{
	const char *id = mount->boot_id;
	size_t len = strnlen(id, sizeof(mount->boot_id));

	if (len == sizeof(mount->boot_id) || strspn(id, "0123456789abcdef-") != len)
		return false;
	for (size_t i = len; i < sizeof(mount->boot_id); i++)
		if (id[i] != '\0')
			return false;
	return true;
}

static bool mode_is_sound(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR:
	case S_IFLNK:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return (mode & ~(uint32_t)(S_IFMT | 07777)) == 0;
	}
	return false;
}

static bool origin_is_sound(const struct delta_origin *origin)
{
	bool regular = S_ISREG(origin->mode), is_root = origin->path[0] == '\0';

	if (!mode_is_sound(origin->mode) || (is_root && !S_ISDIR(origin->mode)))
		return false;
	if (origin->has_hash && !regular && !S_ISLNK(origin->mode))
		return false;
	if (origin->text &&
		(!regular || origin->text_size > DELTA_TEXT_MAX ||
			memchr(origin->text, '\0', origin->text_size)))
		return false;
	return is_root || path_is_sound(origin->path, strlen(origin->path));
}

/* Whether one is the other, or above it. */
static bool are_nested(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b), len = a_len < b_len ? a_len : b_len;

	return strncmp(a, b, len) == 0 && (a_len == b_len || (a_len < b_len ? b : a)[len] == '/');
}

static bool rename_is_sound(const struct delta_rename *renamed)
{
	return path_is_sound(renamed->from, strlen(renamed->from)) &&
		path_is_sound(renamed->to, strlen(renamed->to)) &&
		!are_nested(renamed->from, renamed->to);
}

/* ---- to bytes -------------------------------------------------------------------------------- */

struct pack {
	uint8_t numbers[160];
	size_t used;
	struct iovec parts[5]; /* the numbers; texts, each with its NUL */
	size_t count;
};

static void pack_bytes(struct pack *pack, const void *data, size_t size)
{
	memcpy(pack->numbers + pack->used, data, size);
	pack->used += size;
}

static void pack_u32(struct pack *pack, uint32_t value)
{
	value = htole32(value);
	pack_bytes(pack, &value, sizeof(value));
}

static void pack_u64(struct pack *pack, uint64_t value)
{
	value = htole64(value);
	pack_bytes(pack, &value, sizeof(value));
}

/* Lengths beyond 32 bits are beyond any payload: the append refuses them. */
static void pack_text(struct pack *pack, const char *text, size_t size)
{
	static char nul;

	pack_u32(pack, (uint32_t)size);
	/* An iovec has no const; it is only read. */
	pack->parts[++pack->count] = (struct iovec){(void *)(uintptr_t)text, size};
	pack->parts[++pack->count] = (struct iovec){&nul, 1};
}

static int pack_append(struct pack *pack, struct af_journal *log, enum delta_record_type type)
{
	pack->parts[0] = (struct iovec){pack->numbers, pack->used};
	return journal_append(log, (uint16_t)type, pack->parts, pack->count + 1);
}

int delta_log_source(struct af_journal *log, const struct delta_source *source)
{
	struct pack pack = {.used = 0};

	if (!source_is_sound(source))
		return -EINVAL;
	pack_u64(&pack, source->dev);
	pack_u64(&pack, source->ino);
	pack_u64(&pack, source->upper_dev);
	pack_u64(&pack, source->upper_ino);
	pack_u32(&pack, source->is_volatile);
	pack_text(&pack, source->path, strlen(source->path));
	return pack_append(&pack, log, DELTA_SOURCE);
}

int delta_log_policy(struct af_journal *log, const struct delta_policy *policy)
{
	struct pack pack = {.used = 0};

	pack_text(&pack, policy->text, strlen(policy->text));
	return pack_append(&pack, log, DELTA_POLICY);
}

int delta_log_mount(struct af_journal *log, const struct delta_mount *mount)
{
	struct pack pack = {.used = 0};

	if (!mount_is_sound(mount))
		return -EINVAL;
	pack_bytes(&pack, mount->boot_id, sizeof(mount->boot_id));
	pack_u64(&pack, (uint64_t)mount->time_ns);
	return pack_append(&pack, log, DELTA_MOUNT);
}

int delta_log_unmount(struct af_journal *log, int64_t time_ns)
{
	struct pack pack = {.used = 0};

	pack_u64(&pack, (uint64_t)time_ns);
	return pack_append(&pack, log, DELTA_UNMOUNT);
}

static const uint8_t no_hash[DELTA_HASH_SIZE];

int delta_log_origin(struct af_journal *log, const struct delta_origin *origin)
{
	struct pack pack = {.used = 0};

	if (!origin_is_sound(origin))
		return -EINVAL;
	pack_u32(&pack,
		(origin->has_hash ? ORIGIN_HAS_HASH : 0U) | (origin->text ? ORIGIN_HAS_TEXT : 0U) |
			(origin->has_xattrs ? ORIGIN_HAS_XATTRS : 0U));
	pack_u32(&pack, origin->mode);
	pack_u32(&pack, origin->uid);
	pack_u32(&pack, origin->gid);
	pack_u64(&pack, origin->size);
	pack_u64(&pack, origin->ino);
	pack_u64(&pack, origin->dev);
	pack_u64(&pack, origin->nlink);
	pack_u64(&pack, (uint64_t)origin->mtime_ns);
	pack_u64(&pack, (uint64_t)origin->ctime_ns);
	pack_u64(&pack, (uint64_t)origin->time_ns);
	pack_u64(&pack, origin->has_xattrs ? origin->xattrs : 0);
	pack_bytes(&pack, origin->has_hash ? origin->hash : no_hash, DELTA_HASH_SIZE);
	pack_text(&pack, origin->path, strlen(origin->path));
	pack_text(&pack, origin->text, origin->text ? origin->text_size : 0);
	return pack_append(&pack, log, DELTA_ORIGIN);
}

int delta_log_remove(struct af_journal *log, const struct delta_remove *removed)
{
	struct pack pack = {.used = 0};

	if (!path_is_sound(removed->path, strlen(removed->path)))
		return -EINVAL;
	pack_u64(&pack, (uint64_t)removed->time_ns);
	pack_u32(&pack, removed->is_dir);
	pack_text(&pack, removed->path, strlen(removed->path));
	return pack_append(&pack, log, DELTA_REMOVE);
}

int delta_log_rename(struct af_journal *log, const struct delta_rename *renamed)
{
	struct pack pack = {.used = 0};

	if (!rename_is_sound(renamed))
		return -EINVAL;
	pack_u32(&pack,
		(renamed->is_dir ? RENAME_IS_DIR : 0U) | (renamed->is_new ? RENAME_IS_NEW : 0U));
	pack_text(&pack, renamed->from, strlen(renamed->from));
	pack_text(&pack, renamed->to, strlen(renamed->to));
	return pack_append(&pack, log, DELTA_RENAME);
}

/* ---- and back -------------------------------------------------------------------------------- */

struct unpack {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static struct unpack unpack_begin(const struct journal_record *record, enum delta_record_type type)
{
	return (struct unpack){record->data, record->size, record->type != type};
}

static void unpack_bytes(struct unpack *unpack, void *data, size_t size)
{
	if (unpack->failed || size > unpack->left) {
		unpack->failed = true;
		memset(data, 0, size);
		return;
	}
	memcpy(data, unpack->at, size);
	unpack->at += size;
	unpack->left -= size;
}

static uint32_t unpack_u32(struct unpack *unpack)
{
	uint32_t value;

	unpack_bytes(unpack, &value, sizeof(value));
	return le32toh(value);
}

static uint64_t unpack_u64(struct unpack *unpack)
{
	uint64_t value;

	unpack_bytes(unpack, &value, sizeof(value));
	return le64toh(value);
}

/* A number in which only these bits may be set. */
static uint32_t unpack_bits(struct unpack *unpack, uint32_t bits)
{
	uint32_t value = unpack_u32(unpack);

	unpack->failed |= (value & ~bits) != 0;
	return value;
}

/* The next text, of this length; there is none other inside. */
static const char *unpack_text(struct unpack *unpack, uint32_t size)
{
	const char *text = (const char *)unpack->at;

	if (unpack->failed || size >= unpack->left ||
		memchr(text, '\0', (size_t)size + 1) != text + size) {
		unpack->failed = true;
		return "";
	}
	unpack->at += (size_t)size + 1;
	unpack->left -= (size_t)size + 1;
	return text;
}

static int unpack_end(const struct unpack *unpack, bool sound)
{
	return unpack->failed || unpack->left != 0 || !sound ? -EBADMSG : 0;
}

int delta_read_source(const struct journal_record *record, struct delta_source *source)
{
	struct unpack unpack = unpack_begin(record, DELTA_SOURCE);

	source->dev = unpack_u64(&unpack);
	source->ino = unpack_u64(&unpack);
	source->upper_dev = unpack_u64(&unpack);
	source->upper_ino = unpack_u64(&unpack);
	source->is_volatile = unpack_bits(&unpack, 1) != 0;
	source->path = unpack_text(&unpack, unpack_u32(&unpack));
	return unpack_end(&unpack, source_is_sound(source));
}

int delta_read_policy(const struct journal_record *record, struct delta_policy *policy)
{
	struct unpack unpack = unpack_begin(record, DELTA_POLICY);

	policy->text = unpack_text(&unpack, unpack_u32(&unpack));
	return unpack_end(&unpack, true);
}

int delta_read_mount(const struct journal_record *record, struct delta_mount *mount)
{
	struct unpack unpack = unpack_begin(record, DELTA_MOUNT);

	unpack_bytes(&unpack, mount->boot_id, sizeof(mount->boot_id));
	mount->time_ns = (int64_t)unpack_u64(&unpack);
	return unpack_end(&unpack, mount_is_sound(mount));
}

int delta_read_unmount(const struct journal_record *record, int64_t *time_ns)
{
	struct unpack unpack = unpack_begin(record, DELTA_UNMOUNT);

	*time_ns = (int64_t)unpack_u64(&unpack);
	return unpack_end(&unpack, true);
}

int delta_read_origin(const struct journal_record *record, struct delta_origin *origin)
{
	struct unpack unpack = unpack_begin(record, DELTA_ORIGIN);
	uint32_t bits = unpack_bits(&unpack, ORIGIN_HAS_HASH | ORIGIN_HAS_TEXT | ORIGIN_HAS_XATTRS);
	uint32_t path_size;

	origin->has_hash = bits & ORIGIN_HAS_HASH;
	origin->has_xattrs = bits & ORIGIN_HAS_XATTRS;
	origin->mode = unpack_u32(&unpack);
	origin->uid = unpack_u32(&unpack);
	origin->gid = unpack_u32(&unpack);
	origin->size = unpack_u64(&unpack);
	origin->ino = unpack_u64(&unpack);
	origin->dev = unpack_u64(&unpack);
	origin->nlink = unpack_u64(&unpack);
	origin->mtime_ns = (int64_t)unpack_u64(&unpack);
	origin->ctime_ns = (int64_t)unpack_u64(&unpack);
	origin->time_ns = (int64_t)unpack_u64(&unpack);
	origin->xattrs = unpack_u64(&unpack);
	unpack_bytes(&unpack, origin->hash, sizeof(origin->hash));
	path_size = unpack_u32(&unpack);
	origin->text_size = unpack_u32(&unpack);
	origin->path = unpack_text(&unpack, path_size);
	origin->text = unpack_text(&unpack, (uint32_t)origin->text_size);
	/* What there is not is zeros: a record has one form. */
	unpack.failed |= !origin->has_xattrs && origin->xattrs != 0;
	unpack.failed |=
		!origin->has_hash && memcmp(origin->hash, no_hash, sizeof(origin->hash)) != 0;
	if (!(bits & ORIGIN_HAS_TEXT)) {
		unpack.failed |= origin->text_size != 0;
		origin->text = NULL;
	}
	return unpack_end(&unpack, origin_is_sound(origin));
}

int delta_read_remove(const struct journal_record *record, struct delta_remove *removed)
{
	struct unpack unpack = unpack_begin(record, DELTA_REMOVE);

	removed->time_ns = (int64_t)unpack_u64(&unpack);
	removed->is_dir = unpack_bits(&unpack, 1) != 0;
	removed->path = unpack_text(&unpack, unpack_u32(&unpack));
	return unpack_end(&unpack, path_is_sound(removed->path, strlen(removed->path)));
}

int delta_read_rename(const struct journal_record *record, struct delta_rename *renamed)
{
	struct unpack unpack = unpack_begin(record, DELTA_RENAME);
	uint32_t bits = unpack_bits(&unpack, RENAME_IS_DIR | RENAME_IS_NEW);
	uint32_t from_size = unpack_u32(&unpack), to_size = unpack_u32(&unpack);

	renamed->is_dir = bits & RENAME_IS_DIR;
	renamed->is_new = bits & RENAME_IS_NEW;
	renamed->from = unpack_text(&unpack, from_size);
	renamed->to = unpack_text(&unpack, to_size);
	return unpack_end(&unpack, rename_is_sound(renamed));
}

/* ---- what records are stamped with ----------------------------------------------------------- */

int64_t delta_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int delta_boot_id(char boot_id[DELTA_BOOT_ID_SIZE])
{
	af_autoclose int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	memset(boot_id, 0, DELTA_BOOT_ID_SIZE);
	if (fd < 0)
		return -errno;
	got = io_read_full(fd, boot_id, DELTA_BOOT_ID_SIZE - 1);
	if (got < 0)
		return (int)got;
	for (char *c = boot_id; *c; c++)
		if (*c == '\n')
			*c = '\0';
	return boot_id[0] ? 0 : -EBADMSG;
}
