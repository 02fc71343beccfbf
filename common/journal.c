/*
 * Files of checksummed records. See journal.h, which has the format.
 *
 * What is read here may have been written by anyone: every length is checked against the file
 * before memory is taken for it. What the payloads mean is their owner's affair.
 */
#include "journal.h"

#include "cleanup.h"
#include "io.h"
#include "path.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

static const char magic[8] = "AFJOURNL";

enum { READ_AHEAD = 256 << 10 }; /* bytes */

/* As on disk, little-endian; no padding in either. */
struct file_head {
	char magic[8];
	uint32_t kind, version;
};

struct record_head {
	uint32_t size;
	uint16_t type, zero;
	uint64_t sum; /* while the sum is taken: the record's offset in the file */
};

_Static_assert(sizeof(struct file_head) == 16, "as journal.h says");
_Static_assert(sizeof(struct record_head) == 16, "as journal.h says");

/* All of a record with this payload. */
static size_t record_size(size_t payload)
{
	return sizeof(struct record_head) + ((payload + 7) & ~(size_t)7);
}

/* ---- files ----------------------------------------------------------------------------------- */

int journal_sync_dir(int dirfd)
{
	af_autoclose int fd =
		path_openat2(dirfd, ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

static int create(
	struct af_journal *journal, int dirfd, const char *name, uint32_t kind, uint32_t version)
{
	struct file_head head = {.kind = htole32(kind), .version = htole32(version)};
	af_autoclose int fd = openat(
		dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
	int rc;

	if (fd < 0)
		return -errno;
	memcpy(head.magic, magic, sizeof(magic));
	rc = io_write_all(fd, &head, sizeof(head));
	if (rc) {
		unlinkat(dirfd, name, 0);
		return rc;
	}
	journal->fd = af_steal_fd(&fd);
	journal->end = sizeof(head);
	return 0;
}

int journal_create_unsynced(
	struct af_journal *journal, int dirfd, const char *name, uint32_t kind, uint32_t version)
{
	*journal = (struct af_journal){.fd = -1};
	return create(journal, dirfd, name, kind, version);
}

int journal_create(
	struct af_journal *journal, int dirfd, const char *name, uint32_t kind, uint32_t version)
{
	int rc = journal_create_unsynced(journal, dirfd, name, kind, version);

	if (rc)
		return rc;
	rc = fsync(journal->fd) < 0 ? -errno : journal_sync_dir(dirfd);
	if (rc) {
		journal_close(journal);
		unlinkat(dirfd, name, 0);
	}
	return rc;
}

/*
 * Whether this is such a file at all, and how long it is. One that is written must not have another
 * name: a copy made of links, or one laid there to have us change what it is a name of.
 */
static int check_head(int fd, uint32_t kind, uint32_t version, bool write, uint64_t *size)
{
	struct file_head head;
	struct stat st;
	ssize_t got;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	got = pread(fd, &head, sizeof(head), 0);
	if (got < 0)
		return -errno;
	if (got < (ssize_t)sizeof(head) || memcmp(head.magic, magic, sizeof(magic)) != 0 ||
		le32toh(head.kind) != kind)
		return -EBADMSG;
	if (write && st.st_nlink != 1)
		return -EMLINK;
	*size = (uint64_t)st.st_size;
	return le32toh(head.version) == version ? 0 : -EPROTONOSUPPORT;
}

/* Cuts off what follows the last whole record. */
static int cut_torn(struct af_journal *journal)
{
	struct journal_reader reader;
	struct journal_record record;
	int rc = journal_read(&reader, journal);

	while (!rc && (rc = journal_next(&reader, &record)) > 0)
		rc = 0;
	if (!rc && reader.torn && ftruncate(journal->fd, (off_t)reader.offset) < 0)
		rc = -errno;
	if (!rc)
		journal->end = reader.offset;
	journal_read_end(&reader);
	return rc;
}

int journal_open(struct af_journal *journal, int dirfd, const char *name, uint32_t kind,
	uint32_t version, int flags)
{
	/* Opening a FIFO must not wait for its other end. */
	af_autoclose int fd = path_openat2(dirfd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	bool write = (flags & O_ACCMODE) != O_RDONLY;
	int rc;

	*journal = (struct af_journal){.fd = -1};
	/* A symlink; a directory; a FIFO, a socket or a device with nothing behind it. */
	if (fd == -ELOOP || fd == -EISDIR || fd == -ENXIO)
		return -EBADMSG;
	if (fd < 0)
		return fd;
	rc = check_head(fd, kind, version, write, &journal->end);
	if (rc)
		return rc;
	journal->fd = af_steal_fd(&fd);
	if (write)
		rc = cut_torn(journal);
	if (rc)
		journal_close(journal);
	return rc;
}

void journal_close(struct af_journal *journal)
{
	int saved = errno;

	if (journal->fd >= 0)
		close(journal->fd);
	*journal = (struct af_journal){.fd = -1};
	errno = saved;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int write_at(int fd, const uint8_t *data, size_t size, uint64_t offset)
{
	while (size > 0) {
		ssize_t done = pwrite(fd, data, size, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		data += done;
		size -= (size_t)done;
		offset += (size_t)done;
	}
	return 0;
}

/* The record that is to go to `offset`: newly allocated, or NULL. */
static uint8_t *make_record(
	uint16_t type, const struct iovec *parts, size_t count, size_t payload, uint64_t offset)
{
	struct record_head head = {
		.size = htole32((uint32_t)payload),
		.type = htole16(type),
		.sum = htole64(offset),
	};
	uint8_t *record = calloc(1, record_size(payload));
	size_t used = sizeof(head);

	if (!record)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		if (parts[i].iov_len)
			memcpy(record + used, parts[i].iov_base, parts[i].iov_len);
		used += parts[i].iov_len;
	}
	memcpy(record, &head, sizeof(head));
	head.sum = htole64(XXH3_64bits(record, record_size(payload)));
	memcpy(record, &head, sizeof(head));
	return record;
}

int journal_append(
	struct af_journal *journal, uint16_t type, const struct iovec *parts, size_t count)
{
	af_autofree uint8_t *record = NULL;
	size_t payload = 0;
	int rc;

	for (size_t i = 0; i < count; i++) {
		if (parts[i].iov_len > JOURNAL_MAX_PAYLOAD - payload)
			return -EMSGSIZE;
		payload += parts[i].iov_len;
	}
	record = make_record(type, parts, count, payload, journal->end);
	if (!record)
		return -ENOMEM;
	rc = write_at(journal->fd, record, record_size(payload), journal->end);
	/* Where even this fails, the rest is no whole record, and is written over. */
	if (rc && ftruncate(journal->fd, (off_t)journal->end) < 0)
		return rc;
	if (!rc)
		journal->end += record_size(payload);
	return rc;
}

int journal_sync(const struct af_journal *journal)
{
	return fdatasync(journal->fd) < 0 ? -errno : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

int journal_read(struct journal_reader *reader, const struct af_journal *journal)
{
	*reader = (struct journal_reader){
		.fd = journal->fd,
		.offset = sizeof(struct file_head),
		.size = journal->end,
	};
	return 0;
}

/*
 * Fills the memory from the record's beginning on with at least `want` bytes. Returns 1, 0 where
 * the file ends before, or -errno.
 */
static int load(struct journal_reader *reader, size_t want)
{
	uint64_t left = reader->size - reader->offset;
	size_t room = want > READ_AHEAD ? want : READ_AHEAD;

	if (want > left)
		return 0;
	if (reader->offset >= reader->loaded_at &&
		reader->offset + want <= reader->loaded_at + reader->loaded)
		return 1;
	if (room > reader->room) {
		uint8_t *data = realloc(reader->data, room);

		if (!data)
			return -ENOMEM;
		reader->data = data;
		reader->room = room;
	}
	reader->loaded_at = reader->offset;
	reader->loaded = 0;
	while (reader->loaded < want) {
		uint64_t most = left - reader->loaded;
		size_t free_room = reader->room - reader->loaded;
		ssize_t got = pread(reader->fd, reader->data + reader->loaded,
			most < free_room ? (size_t)most : free_room,
			(off_t)(reader->offset + reader->loaded));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		reader->loaded += (size_t)got;
	}
	return 1;
}

/* Whether the whole record in memory is what was written here. */
static bool is_sound(uint8_t *bytes, struct record_head head, size_t size, uint64_t offset)
{
	uint64_t sum = le64toh(head.sum);

	head.sum = htole64(offset);
	memcpy(bytes, &head, sizeof(head));
	return XXH3_64bits(bytes, size) == sum;
}

int journal_next(struct journal_reader *reader, struct journal_record *record)
{
	struct record_head head;
	size_t payload = 0;
	uint8_t *bytes;
	int rc;

	if (reader->torn || reader->offset >= reader->size)
		return 0;
	rc = load(reader, sizeof(head));
	if (rc > 0) {
		memcpy(&head, reader->data + (reader->offset - reader->loaded_at), sizeof(head));
		payload = le32toh(head.size);
		rc = payload <= JOURNAL_MAX_PAYLOAD && head.zero == 0
			? load(reader, record_size(payload))
			: 0;
	}
	if (rc < 0)
		return rc;
	if (rc > 0) {
		bytes = reader->data + (reader->offset - reader->loaded_at);
		rc = is_sound(bytes, head, record_size(payload), reader->offset);
	}
	if (rc == 0) {
		reader->torn = true;
		return 0;
	}
	*record = (struct journal_record){
		.type = le16toh(head.type),
		.data = bytes + sizeof(head),
		.size = payload,
	};
	reader->offset += record_size(payload);
	return 1;
}

void journal_read_end(struct journal_reader *reader)
{
	free(reader->data);
	*reader = (struct journal_reader){.fd = -1};
}
