/*
 * libFuzzer target: whatever a delta's log holds, reading it ends, and what is decoded can be
 * encoded again to the same bytes.
 *
 * Input: a byte, then, with 0: a whole file. 1: a file's records, to which its header is added.
 * 2 to 8: the payload of a record of type 1 to 7, which gets its checksum. Others: as 1, with the
 * checksums put right, so that what is behind them is met.
 */
#include "delta.h"

#include "io.h"
#include "log.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { HEAD = 16, RECORD_HEAD = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static int dir_fd = -1;
static char dir_path[] = "/dev/shm/fuzz_delta.XXXXXX";

static void remove_dir(void)
{
	unlinkat(dir_fd, "log", 0);
	rmdir(dir_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_init("fuzz_delta");
	if (!mkdtemp(dir_path))
		abort();
	dir_fd = open(dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0 || atexit(remove_dir) != 0)
		abort();
	return 0;
}

/* Encodes again what was decoded from the record; 1: it could not be decoded. */
static int encode_again(const struct journal_record *record, struct af_journal *log)
{
	union {
		struct delta_source source;
		struct delta_policy policy;
		struct delta_mount mount;
		struct delta_origin origin;
		struct delta_remove removed;
		struct delta_rename renamed;
		int64_t time_ns;
	} u;

	switch (record->type) {
	case DELTA_SOURCE:
		return delta_read_source(record, &u.source) ? 1 : delta_log_source(log, &u.source);
	case DELTA_POLICY:
		return delta_read_policy(record, &u.policy) ? 1 : delta_log_policy(log, &u.policy);
	case DELTA_MOUNT:
		return delta_read_mount(record, &u.mount) ? 1 : delta_log_mount(log, &u.mount);
	case DELTA_UNMOUNT:
		return delta_read_unmount(record, &u.time_ns) ? 1
							      : delta_log_unmount(log, u.time_ns);
	case DELTA_ORIGIN:
		return delta_read_origin(record, &u.origin) ? 1 : delta_log_origin(log, &u.origin);
	case DELTA_REMOVE:
		return delta_read_remove(record, &u.removed) ? 1
							     : delta_log_remove(log, &u.removed);
	case DELTA_RENAME:
		return delta_read_rename(record, &u.renamed) ? 1
							     : delta_log_rename(log, &u.renamed);
	}
	return 1;
}

static bool is_same(const struct journal_record *a, const struct journal_record *b)
{
	return a->type == b->type && a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

static void check_record(const struct journal_record *record)
{
	struct af_journal log = {.fd = memfd_create("again", MFD_CLOEXEC), .end = HEAD};
	struct journal_reader reader;
	struct journal_record again;
	/* Exactly as large as it is, so that reading beyond it is seen. */
	uint8_t *copy = malloc(record->size + (record->size == 0));
	const struct journal_record exact = {record->type, copy, record->size};
	int rc;

	if (log.fd < 0 || !copy)
		abort();
	memcpy(copy, record->data, record->size);
	rc = encode_again(&exact, &log);
	if (rc < 0)
		abort();
	if (rc == 0 &&
		(journal_read(&reader, &log) != 0 || journal_next(&reader, &again) != 1 ||
			!is_same(&exact, &again)))
		abort();
	if (rc == 0)
		journal_read_end(&reader);
	free(copy);
	journal_close(&log);
}

/* Returns the end of the last whole record. */
static uint64_t read_all(const struct af_journal *log, size_t *count)
{
	struct journal_reader reader;
	struct journal_record record;
	uint64_t end;
	int rc = journal_read(&reader, log);

	*count = 0;
	while (rc == 0 && (rc = journal_next(&reader, &record)) > 0) {
		rc = 0;
		++*count;
		check_record(&record);
	}
	if (rc < 0 || reader.torn != (reader.offset != reader.size))
		abort();
	end = reader.offset;
	journal_read_end(&reader);
	return end;
}

/* Opened for reading and for writing, it has the same records; only the latter cuts the file. */
static void check_file(void)
{
	struct af_journal log;
	size_t count, again;
	uint64_t end;
	struct stat st;

	if (journal_open(&log, dir_fd, "log", DELTA_LOG_KIND, DELTA_LOG_VERSION, O_RDONLY) != 0)
		return;
	end = read_all(&log, &count);
	journal_close(&log);
	if (journal_open(&log, dir_fd, "log", DELTA_LOG_KIND, DELTA_LOG_VERSION, O_RDWR) != 0)
		abort();
	if (log.end != end || fstat(log.fd, &st) < 0 || (uint64_t)st.st_size != end ||
		delta_log_unmount(&log, 1) != 0)
		abort();
	read_all(&log, &again);
	if (again != count + 1)
		abort();
	journal_close(&log);
}

/* data as the records of a file: puts a right checksum wherever a record could be. */
static void mend(uint8_t *data, size_t size)
{
	size_t at = 0;

	while (size - at >= RECORD_HEAD) {
		uint32_t payload;
		uint64_t sum = htole64(HEAD + at);
		size_t whole;

		memcpy(&payload, data + at, sizeof(payload));
		whole = RECORD_HEAD + (((size_t)le32toh(payload) + 7) & ~(size_t)7);
		if (whole > size - at)
			return;
		memcpy(data + at + 8, &sum, sizeof(sum));
		sum = htole64(XXH3_64bits(data + at, whole));
		memcpy(data + at + 8, &sum, sizeof(sum));
		at += whole;
	}
}

static void check_input(uint8_t mode, uint8_t *data, size_t size)
{
	struct af_journal log;
	int rc;

	unlinkat(dir_fd, "log", 0);
	if (journal_create_unsynced(&log, dir_fd, "log", DELTA_LOG_KIND, DELTA_LOG_VERSION) != 0)
		abort();
	if (mode > 8)
		mend(data, size);
	if (mode == 0 && (ftruncate(log.fd, 0) < 0 || lseek(log.fd, 0, SEEK_SET) < 0))
		abort();
	if (mode >= 2 && mode <= 8)
		rc = journal_append(&log, (uint16_t)(mode - 1), &(struct iovec){data, size}, 1);
	else
		rc = io_write_all(log.fd, data, size);
	if (rc != 0)
		abort();
	journal_close(&log);
	check_file();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (size == 0)
		return 0;
	copy = malloc(size);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	check_input(copy[0], copy + 1, size - 1);
	free(copy);
	return 0;
}
