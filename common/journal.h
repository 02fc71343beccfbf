/*
 * Append-only files of checksummed records: a delta's log, a merge's journal.
 *
 * A header of 16 bytes (the magic "AFJOURNL", then kind and version, 32 bits each), then records:
 * length of the payload (32 bits), type (16), 0 (16), a checksum (64), and the payload, padded with
 * zero bytes to a multiple of 8. The checksum is XXH3-64 over the whole padded record, taken while
 * its own place holds the record's offset in the file. All numbers are little-endian. The first
 * record that is not whole ends the file: so a crash, a torn write or a cut leaves what was whole
 * before it, and a record moved to another place is none.
 */
#ifndef AF_JOURNAL_H
#define AF_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { JOURNAL_MAX_PAYLOAD = 16 << 20 }; /* bytes */

struct af_journal {
	int fd;       /* owned; -1: closed */
	uint64_t end; /* bytes: where the next record goes */
};

/* One record, borrowed from the reader until its next call. */
struct journal_record {
	uint16_t type;
	const uint8_t *data;
	size_t size;
};

/* Reading from the beginning, whole in memory a piece at a time. */
struct journal_reader {
	int fd;                /* borrowed */
	uint64_t offset, size; /* bytes: of the next record; of the file when reading began */
	uint8_t *data;         /* owned: what the file has from loaded_at on */
	uint64_t loaded_at;
	size_t loaded, room;
	bool torn; /* after the last record: bytes follow that are no whole record */
};

/*
 * Makes the file `name` (0600) in dirfd with its header, synced; -EEXIST where there is one.
 * Returns 0 or -errno. Closed with journal_close().
 */
int journal_create(
	struct af_journal *journal, int dirfd, const char *name, uint32_t kind, uint32_t version);
/* ... where a crash of the machine does not matter: not synced. */
int journal_create_unsynced(
	struct af_journal *journal, int dirfd, const char *name, uint32_t kind, uint32_t version);

/*
 * Opens an existing one for appending and cuts off a torn end (flags O_RDWR), or for reading alone
 * (O_RDONLY). Never follows a symlink and never blocks on a FIFO. -ENOENT; -EBADMSG: not such a
 * file; -EPROTONOSUPPORT: another version; -EMLINK: to be written, but it has other names; -errno.
 */
int journal_open(struct af_journal *journal, int dirfd, const char *name, uint32_t kind,
	uint32_t version, int flags);
void journal_close(struct af_journal *journal);

/*
 * Appends one record in one write. Returns 0, or -errno with the file as it was before (the part
 * that was written is cut off again); -EMSGSIZE: too large. Not for two threads at once.
 */
int journal_append(
	struct af_journal *journal, uint16_t type, const struct iovec *parts, size_t count);
/* Makes what was appended durable (fdatasync(2)). */
int journal_sync(const struct af_journal *journal);
/* Makes the names in a directory durable; dirfd may be O_PATH. */
int journal_sync_dir(int dirfd);

/* From the first record on, without what is appended later. Ended with journal_read_end(). */
int journal_read(struct journal_reader *reader, const struct af_journal *journal);
/* 1 and *record, 0 at the end (see torn), or -errno. */
int journal_next(struct journal_reader *reader, struct journal_record *record);
void journal_read_end(struct journal_reader *reader);

#endif
