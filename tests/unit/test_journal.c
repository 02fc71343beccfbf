/*
 * Unit tests of common/journal.c: what was appended is read back, and whatever was done to the
 * file, no more and no less than the whole records before the damage.
 */
#include "journal.h"

#include "io.h"
#include "log.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { KIND = 0x4b494e44, VERSION = 3 };

static int dir_fd;
static char dir_path[] = "/tmp/test_journal.XXXXXX";

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir_path))
		return -1;
	dir_fd = open(dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(dir_fd);
	return rmdir(dir_path);
}

static void append(struct af_journal *journal, uint16_t type, const char *text)
{
	/* In two parts, the first of them maybe empty. */
	size_t len = strlen(text), half = len / 2;
	char *copy = strdup(text);
	const struct iovec parts[] = {{copy, half}, {copy + half, len - half}};

	assert_non_null(copy);
	assert_int_equal(journal_append(journal, type, parts, 2), 0);
	free(copy);
}

/* The texts of all records, each after its type and before a semicolon; then ! where torn. */
static char *texts_of(const struct af_journal *journal)
{
	struct journal_reader reader;
	struct journal_record record;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int rc;

	assert_non_null(out);
	assert_int_equal(journal_read(&reader, journal), 0);
	while ((rc = journal_next(&reader, &record)) > 0)
		fprintf(out, "%u%.*s;", record.type, (int)record.size, (const char *)record.data);
	assert_int_equal(rc, 0);
	/* The end stays the end. */
	assert_int_equal(journal_next(&reader, &record), 0);
	fputs(reader.torn ? "!" : "", out);
	journal_read_end(&reader);
	fclose(out);
	return text;
}

static void assert_texts(const struct af_journal *journal, const char *expected)
{
	char *text = texts_of(journal);

	assert_string_equal(text, expected);
	free(text);
}

static void make(struct af_journal *journal)
{
	unlinkat(dir_fd, "log", 0);
	assert_int_equal(journal_create(journal, dir_fd, "log", KIND, VERSION), 0);
}

static int reopen(struct af_journal *journal, int flags)
{
	journal_close(journal);
	return journal_open(journal, dir_fd, "log", KIND, VERSION, flags);
}

static void finish(struct af_journal *journal)
{
	journal_close(journal);
	assert_int_equal(journal->fd, -1);
	assert_int_equal(unlinkat(dir_fd, "log", 0), 0);
}

static void appended_is_read(void **state)
{
	struct af_journal journal, other;
	struct stat st;

	(void)state;
	make(&journal);
	assert_int_equal(fstatat(dir_fd, "log", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | S_IRUSR | S_IWUSR);
	assert_int_equal(st.st_size, 16);
	assert_texts(&journal, "");
	append(&journal, 1, "one");
	append(&journal, 65535, "");
	append(&journal, 3, "of sixteen bytes");
	assert_texts(&journal, "1one;65535;3of sixteen bytes;");
	assert_int_equal(journal_sync(&journal), 0);
	assert_int_equal(journal_create(&other, dir_fd, "log", KIND, VERSION), -EEXIST);
	assert_int_equal(other.fd, -1);

	assert_int_equal(reopen(&journal, O_RDWR), 0);
	append(&journal, 4, "more");
	assert_int_equal(reopen(&journal, O_RDONLY), 0);
	assert_texts(&journal, "1one;65535;3of sixteen bytes;4more;");
	assert_int_equal(fstat(journal.fd, &st), 0);
	assert_int_equal(st.st_size, 16 + 24 + 16 + 32 + 24);
	assert_int_equal(journal.end, st.st_size);
	finish(&journal);
}

/* The format is a contract: these are its bytes. */
static void bytes_on_disk(void **state)
{
	static const uint8_t head[] = {
		'A', 'F', 'J', 'O', 'U', 'R', 'N', 'L', 'D', 'N', 'I', 'K', 3, 0, 0, 0};
	static const uint8_t record[] = {3, 0, 0, 0, 0x34, 0x12, 0, 0};
	static const uint8_t payload[] = {'a', 'b', 'c', 0, 0, 0, 0, 0};
	struct af_journal journal;
	uint8_t got[64];

	(void)state;
	make(&journal);
	append(&journal, 0x1234, "abc");
	assert_int_equal(pread(journal.fd, got, sizeof(got), 0), 40);
	assert_memory_equal(got, head, sizeof(head));
	assert_memory_equal(got + 16, record, sizeof(record));
	assert_memory_equal(got + 32, payload, sizeof(payload));
	finish(&journal);
}

/* Cut anywhere: the whole records before it, and appending goes on from there. */
static void cut_anywhere(void **state)
{
	static const char *const expected[] = {"", "1one;", "1one;2twelve bytes;", NULL};
	static const off_t ends[] = {16, 40, 72, 96};

	(void)state;
	for (off_t cut = 16; cut < 96; cut++) {
		struct af_journal journal;
		char both[64];
		size_t whole = 0;

		make(&journal);
		append(&journal, 1, "one");
		append(&journal, 2, "twelve bytes");
		append(&journal, 3, "three");
		assert_int_equal(journal.end, 96);
		while (cut >= ends[whole + 1])
			whole++;
		assert_int_equal(ftruncate(journal.fd, cut), 0);
		assert_int_equal(reopen(&journal, O_RDONLY), 0);
		snprintf(
			both, sizeof(both), "%s%s", expected[whole], cut == ends[whole] ? "" : "!");
		assert_texts(&journal, both);
		assert_int_equal(reopen(&journal, O_RDWR), 0);
		assert_int_equal(journal.end, ends[whole]);
		append(&journal, 4, "");
		snprintf(both, sizeof(both), "%s4;", expected[whole]);
		assert_texts(&journal, both);
		finish(&journal);
	}
}

/* One bit anywhere: that record is none, nor what follows; and in the header it is no such file. */
static void any_bit_flipped(void **state)
{
	struct af_journal journal;

	(void)state;
	make(&journal);
	append(&journal, 1, "one");
	append(&journal, 2, "two");
	for (off_t bit = 0; bit < 64 * 8; bit++) {
		uint8_t byte;
		int rc;

		assert_int_equal(pread(journal.fd, &byte, 1, bit / 8), 1);
		byte ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(pwrite(journal.fd, &byte, 1, bit / 8), 1);
		if (bit / 8 < 16) {
			struct af_journal other;

			rc = journal_open(&other, dir_fd, "log", KIND, VERSION, O_RDONLY);
			assert_int_equal(rc, bit / 8 < 12 ? -EBADMSG : -EPROTONOSUPPORT);
			assert_int_equal(other.fd, -1);
		} else {
			assert_texts(&journal, bit / 8 < 40 ? "!" : "1one;!");
		}
		byte ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(pwrite(journal.fd, &byte, 1, bit / 8), 1);
	}
	assert_texts(&journal, "1one;2two;");
	finish(&journal);
}

/* A whole record, but of another place. */
static void moved_record(void **state)
{
	struct af_journal journal;
	uint8_t first[24], second[24];

	(void)state;
	make(&journal);
	append(&journal, 1, "one");
	append(&journal, 2, "two");
	assert_int_equal(pread(journal.fd, first, sizeof(first), 16), sizeof(first));
	assert_int_equal(pread(journal.fd, second, sizeof(second), 40), sizeof(second));
	assert_int_equal(pwrite(journal.fd, first, sizeof(first), 40), sizeof(first));
	assert_texts(&journal, "1one;!");
	assert_int_equal(pwrite(journal.fd, second, sizeof(second), 40), sizeof(second));
	assert_int_equal(pwrite(journal.fd, second, sizeof(second), 16), sizeof(second));
	assert_texts(&journal, "!");
	finish(&journal);
}

/* Lengths that would wrap, exceed the file, or the bound. */
static void hostile_lengths(void **state)
{
	static const uint32_t sizes[] = {UINT32_MAX, UINT32_MAX - 7, UINT32_MAX - 16, 1U << 31,
		JOURNAL_MAX_PAYLOAD + 1, JOURNAL_MAX_PAYLOAD, 4097, 4};
	struct af_journal journal;

	(void)state;
	make(&journal);
	append(&journal, 1, "abc");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t size = htole32(sizes[i]);

		assert_int_equal(pwrite(journal.fd, &size, sizeof(size), 16), sizeof(size));
		assert_texts(&journal, "!");
	}
	finish(&journal);
}

static void large_records(void **state)
{
	struct af_journal journal;
	struct journal_reader reader;
	struct journal_record record;
	char *big = calloc(1, JOURNAL_MAX_PAYLOAD + 1);
	struct iovec part = {big, JOURNAL_MAX_PAYLOAD + 1};

	(void)state;
	assert_non_null(big);
	make(&journal);
	assert_int_equal(journal_append(&journal, 1, &part, 1), -EMSGSIZE);
	part.iov_len = SIZE_MAX;
	assert_int_equal(journal_append(&journal, 1, &part, 1), -EMSGSIZE);
	append(&journal, 1, "before");
	part.iov_len = JOURNAL_MAX_PAYLOAD;
	memset(big, 'x', JOURNAL_MAX_PAYLOAD);
	assert_int_equal(journal_append(&journal, 2, &part, 1), 0);
	append(&journal, 3, "after");

	assert_int_equal(journal_read(&reader, &journal), 0);
	assert_int_equal(journal_next(&reader, &record), 1);
	assert_int_equal(journal_next(&reader, &record), 1);
	assert_int_equal(record.size, JOURNAL_MAX_PAYLOAD);
	assert_memory_equal(record.data, big, JOURNAL_MAX_PAYLOAD);
	assert_int_equal(journal_next(&reader, &record), 1);
	assert_int_equal(record.type, 3);
	assert_int_equal(journal_next(&reader, &record), 0);
	assert_false(reader.torn);
	journal_read_end(&reader);
	finish(&journal);
	free(big);
}

/* More than is read ahead at once, of sizes that do not divide it. */
static void many_records(void **state)
{
	enum { COUNT = 20000 };
	struct af_journal journal;
	struct journal_reader reader;
	struct journal_record record;
	char text[64];

	(void)state;
	make(&journal);
	for (int i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "%d%.*s", i, i % 50, "abcdefghijklmnopqrstuvwxyz");
		append(&journal, (uint16_t)(i % 7), text);
	}
	assert_int_equal(reopen(&journal, O_RDWR), 0);
	assert_int_equal(journal_read(&reader, &journal), 0);
	for (int i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "%d%.*s", i, i % 50, "abcdefghijklmnopqrstuvwxyz");
		assert_int_equal(journal_next(&reader, &record), 1);
		assert_int_equal(record.type, i % 7);
		assert_int_equal(record.size, strlen(text));
		assert_memory_equal(record.data, text, record.size);
	}
	assert_int_equal(journal_next(&reader, &record), 0);
	assert_false(reader.torn);
	journal_read_end(&reader);
	finish(&journal);
}

/* A write that stops half way, as on a full disk. */
static void no_room(void **state)
{
	struct rlimit old, low;
	struct af_journal journal;
	struct stat st;
	char text[5000];
	const struct iovec part = {text, sizeof(text)};

	(void)state;
	memset(text, 'x', sizeof(text));
	make(&journal);
	append(&journal, 1, "one");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){4096, old.rlim_max};
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(journal_append(&journal, 2, &part, 1), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(fstat(journal.fd, &st), 0);
	assert_int_equal(st.st_size, 40);
	append(&journal, 3, "three");
	assert_texts(&journal, "1one;3three;");
	finish(&journal);
}

static int try_open(const char *name, int flags)
{
	struct af_journal journal;
	int rc = journal_open(&journal, dir_fd, name, KIND, VERSION, flags);

	if (rc)
		assert_int_equal(journal.fd, -1);
	journal_close(&journal);
	return rc;
}

/* Whatever lies there under the name: an answer, and at once. */
static void not_a_journal(void **state)
{
	struct af_journal journal;
	int fd;

	(void)state;
	alarm(20);
	assert_int_equal(try_open("missing", O_RDWR), -ENOENT);
	make(&journal);
	journal_close(&journal);
	assert_int_equal(symlinkat("log", dir_fd, "link"), 0);
	assert_int_equal(mkfifoat(dir_fd, "fifo", S_IRWXU), 0);
	assert_int_equal(mkdirat(dir_fd, "dir", S_IRWXU), 0);
	fd = openat(dir_fd, "short", O_WRONLY | O_CREAT | O_CLOEXEC, S_IRUSR);
	assert_int_equal(io_write_all(fd, "AFJOURNL", 8), 0);
	close(fd);
	for (int i = 0; i < 2; i++) {
		int flags = i ? O_RDONLY : O_RDWR;

		assert_int_equal(try_open("link", flags), -EBADMSG);
		assert_int_equal(try_open("fifo", flags), -EBADMSG);
		assert_int_equal(try_open("dir", flags), -EBADMSG);
		assert_int_equal(try_open("../etc", flags), -EXDEV);
	}
	assert_int_equal(try_open("short", O_RDONLY), -EBADMSG);
	/* Written to, it would change under another name too. */
	assert_int_equal(linkat(dir_fd, "log", dir_fd, "second", 0), 0);
	assert_int_equal(try_open("second", O_RDWR), -EMLINK);
	assert_int_equal(try_open("second", O_RDONLY), 0);
	alarm(0);
	assert_int_equal(unlinkat(dir_fd, "second", 0), 0);
	assert_int_equal(unlinkat(dir_fd, "link", 0), 0);
	assert_int_equal(unlinkat(dir_fd, "fifo", 0), 0);
	assert_int_equal(unlinkat(dir_fd, "short", 0), 0);
	assert_int_equal(unlinkat(dir_fd, "dir", AT_REMOVEDIR), 0);
	finish(&journal);
}

/* The reader has what was there when it began; the file may even shrink under it. */
static void changes_while_read(void **state)
{
	struct af_journal journal;
	struct journal_reader reader;
	struct journal_record record;

	(void)state;
	make(&journal);
	append(&journal, 1, "one");
	append(&journal, 2, "two");
	assert_int_equal(journal_read(&reader, &journal), 0);
	append(&journal, 3, "three");
	assert_int_equal(ftruncate(journal.fd, 40), 0);
	assert_int_equal(journal_next(&reader, &record), 1);
	assert_int_equal(journal_next(&reader, &record), 0);
	assert_true(reader.torn);
	journal_read_end(&reader);
	finish(&journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(appended_is_read),
		cmocka_unit_test(bytes_on_disk),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(any_bit_flipped),
		cmocka_unit_test(moved_record),
		cmocka_unit_test(hostile_lengths),
		cmocka_unit_test(large_records),
		cmocka_unit_test(many_records),
		cmocka_unit_test(no_room),
		cmocka_unit_test(not_a_journal),
		cmocka_unit_test(changes_while_read),
	};

	log_init("test_journal");
	return cmocka_run_group_tests(tests, setup, teardown);
}
