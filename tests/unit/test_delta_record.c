/*
 * Unit tests of common/delta_record.c: what was logged is read back; what cannot be is neither
 * logged nor read, whatever bytes lie there.
 */
#include "delta.h"

#include "log.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static struct af_journal log_;
static struct journal_reader reader;

static int setup(void **state)
{
	(void)state;
	log_ = (struct af_journal){.fd = memfd_create("log", MFD_CLOEXEC), .end = 16};
	return log_.fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	journal_read_end(&reader);
	journal_close(&log_);
	return 0;
}

/* The last record. */
static struct journal_record last(void)
{
	struct journal_record record = {.size = 0}, next;

	journal_read_end(&reader);
	assert_int_equal(journal_read(&reader, &log_), 0);
	while (journal_next(&reader, &next) > 0)
		record = next;
	assert_false(reader.torn);
	return record;
}

static const struct delta_source a_source = {.dev = 1,
	.ino = UINT64_MAX,
	.path = "/home/a b/\xff",
	.upper_dev = 3,
	.upper_ino = 4,
	.is_volatile = true};

static const struct delta_origin an_origin = {.path = "dir/file",
	.mode = S_IFREG | 0644,
	.uid = 1000,
	.gid = UINT32_MAX - 1,
	.size = 1ULL << 40,
	.ino = 7,
	.dev = 8,
	.nlink = 2,
	.mtime_ns = -1,
	.ctime_ns = INT64_MAX,
	.time_ns = INT64_MIN,
	.has_xattrs = true,
	.xattrs = UINT64_MAX - 2,
	.has_hash = true,
	.hash = {1, 2, 3, 255},
	.text = "some\ntext",
	.text_size = 9};

static void source(void **state)
{
	struct delta_source source = a_source, got;
	struct journal_record record;

	(void)state;
	assert_int_equal(delta_log_source(&log_, &source), 0);
	record = last();
	assert_int_equal(delta_read_source(&record, &got), 0);
	assert_true(got.dev == 1 && got.ino == UINT64_MAX && got.upper_dev == 3);
	assert_true(got.upper_ino == 4 && got.is_volatile);
	assert_string_equal(got.path, source.path);
	source.path = "/";
	source.is_volatile = false;
	assert_int_equal(delta_log_source(&log_, &source), 0);
	record = last();
	assert_int_equal(delta_read_source(&record, &got), 0);
	assert_false(got.is_volatile);
	assert_string_equal(got.path, "/");
}

static void policy_and_mount(void **state)
{
	struct delta_policy policy = {"default = none\n"};
	struct delta_mount mount = {.time_ns = -5}, got;
	struct journal_record record;
	int64_t time_ns;

	(void)state;
	assert_int_equal(delta_log_policy(&log_, &policy), 0);
	record = last();
	assert_int_equal(delta_read_policy(&record, &policy), 0);
	assert_string_equal(policy.text, "default = none\n");
	/* Of another type. */
	assert_int_equal(delta_read_mount(&record, &got), -EBADMSG);

	assert_int_equal(delta_boot_id(mount.boot_id), 0);
	assert_int_equal(strlen(mount.boot_id), 36);
	assert_int_equal(delta_log_mount(&log_, &mount), 0);
	record = last();
	assert_int_equal(delta_read_mount(&record, &got), 0);
	assert_memory_equal(got.boot_id, mount.boot_id, sizeof(got.boot_id));
	assert_int_equal(got.time_ns, -5);
	memset(mount.boot_id, 0, sizeof(mount.boot_id));
	assert_int_equal(delta_log_mount(&log_, &mount), 0);
	record = last();
	assert_int_equal(delta_read_mount(&record, &got), 0);
	assert_string_equal(got.boot_id, "");
	memset(mount.boot_id, 'a', sizeof(mount.boot_id));
	assert_int_equal(delta_log_mount(&log_, &mount), -EINVAL);

	assert_int_equal(delta_log_unmount(&log_, 77), 0);
	record = last();
	assert_int_equal(delta_read_unmount(&record, &time_ns), 0);
	assert_int_equal(time_ns, 77);
	assert_in_range(delta_now_ns() / 1000000000, 1700000000, 10000000000);
}

static void origin(void **state)
{
	enum { XATTRS = 72 }; /* where the sum is, and the hash behind it */
	struct delta_origin origin = an_origin, got;
	struct journal_record record;

	(void)state;
	assert_int_equal(delta_log_origin(&log_, &origin), 0);
	record = last();
	assert_int_equal(delta_read_origin(&record, &got), 0);
	assert_string_equal(got.path, "dir/file");
	assert_true(got.mode == origin.mode && got.uid == 1000 && got.gid == origin.gid);
	assert_true(got.size == origin.size && got.ino == 7 && got.dev == 8 && got.nlink == 2);
	assert_true(got.mtime_ns == -1 && got.ctime_ns == INT64_MAX && got.time_ns == INT64_MIN);
	assert_true(got.has_hash && memcmp(got.hash, origin.hash, sizeof(got.hash)) == 0);
	assert_true(got.has_xattrs && got.xattrs == origin.xattrs);
	assert_int_equal(got.text_size, 9);
	assert_memory_equal(got.text, "some\ntext", 10);

	/* An empty text is not none. */
	origin.text = "";
	origin.text_size = 0;
	assert_int_equal(delta_log_origin(&log_, &origin), 0);
	record = last();
	assert_int_equal(delta_read_origin(&record, &got), 0);
	assert_string_equal(got.text, "");

	/* Without a hash its bytes say nothing; nor does a sum without xattrs. */
	origin = (struct delta_origin){
		.path = "", .mode = S_IFDIR | 01777, .hash = {9}, .xattrs = 9};
	assert_int_equal(delta_log_origin(&log_, &origin), 0);
	record = last();
	assert_int_equal(delta_read_origin(&record, &got), 0);
	assert_string_equal(got.path, "");
	assert_null(got.text);
	assert_false(got.has_hash);
	assert_int_equal(got.hash[0], 0);
	assert_false(got.has_xattrs);
	assert_int_equal(got.xattrs, 0);
	/* Bytes that say nothing are zeros, and nothing else is taken. */
	for (size_t at = XATTRS; at < XATTRS + 8 + DELTA_HASH_SIZE; at++) {
		uint8_t *bytes = malloc(record.size);

		assert_non_null(bytes);
		memcpy(bytes, record.data, record.size);
		bytes[at] = 1;
		assert_int_equal(
			delta_read_origin(
				&(struct journal_record){record.type, bytes, record.size}, &got),
			-EBADMSG);
		free(bytes);
	}
}

static void origins_that_cannot_be(void **state)
{
	char *text = calloc(1, DELTA_TEXT_MAX + 2);
	struct delta_origin origin = an_origin;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', DELTA_TEXT_MAX + 1);
	origin.text = text;
	origin.text_size = DELTA_TEXT_MAX;
	assert_int_equal(delta_log_origin(&log_, &origin), 0);
	origin.text_size++;
	assert_int_equal(delta_log_origin(&log_, &origin), -EINVAL);
	origin = an_origin;
	origin.text = "a\0b";
	origin.text_size = 3;
	assert_int_equal(delta_log_origin(&log_, &origin), -EINVAL);
	origin = an_origin;
	origin.mode = S_IFLNK | 0777;
	assert_int_equal(delta_log_origin(&log_, &origin), -EINVAL);
	origin.text = NULL;
	assert_int_equal(delta_log_origin(&log_, &origin), 0);
	origin.mode = S_IFDIR | 0755;
	assert_int_equal(delta_log_origin(&log_, &origin), -EINVAL);
	origin.has_hash = false;
	assert_int_equal(delta_log_origin(&log_, &origin), 0);
	origin.mode = 0644;
	assert_int_equal(delta_log_origin(&log_, &origin), -EINVAL);
	origin.mode = S_IFIFO | 0644 | 1U << 20;
	assert_int_equal(delta_log_origin(&log_, &origin), -EINVAL);
	origin.mode = S_IFIFO | 0644;
	assert_int_equal(delta_log_origin(&log_, &origin), 0);
	origin.path = "";
	assert_int_equal(delta_log_origin(&log_, &origin), -EINVAL);
	free(text);
}

static void paths(void **state)
{
	static const char *const good[] = {
		"a", "a/b", "...", ".a", "..a/b..", "a b", "\n", "\xff", ".agentfense"};
	static const char *const bad[] = {
		"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "a/..", "./a", "../a", "a/../b"};
	char name[NAME_MAX + 3] = "d/", *deep;
	struct delta_remove removed = {.time_ns = 3, .is_dir = true}, got;
	struct journal_record record;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		removed.path = good[i];
		assert_int_equal(delta_log_remove(&log_, &removed), 0);
		record = last();
		assert_int_equal(delta_read_remove(&record, &got), 0);
		assert_string_equal(got.path, good[i]);
		assert_true(got.is_dir && got.time_ns == 3);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		removed.path = bad[i];
		assert_int_equal(delta_log_remove(&log_, &removed), -EINVAL);
	}
	memset(name + 2, 'n', NAME_MAX);
	removed.path = name;
	assert_int_equal(delta_log_remove(&log_, &removed), 0);
	removed.path = name + 1;
	name[1] = 'n';
	assert_int_equal(delta_log_remove(&log_, &removed), -EINVAL);
	/* As deep as a path may be, and one deeper. */
	deep = malloc(DELTA_PATH_MAX + 3);
	assert_non_null(deep);
	for (size_t i = 0; i < DELTA_PATH_MAX + 2; i++)
		deep[i] = i % 2 ? '/' : 'd';
	deep[DELTA_PATH_MAX - 1] = '\0';
	removed.path = deep;
	assert_int_equal(delta_log_remove(&log_, &removed), 0);
	deep[DELTA_PATH_MAX - 1] = '/';
	deep[DELTA_PATH_MAX + 1] = '\0';
	assert_int_equal(delta_log_remove(&log_, &removed), -EINVAL);
	free(deep);
}

static void renames(void **state)
{
	static const struct delta_rename bad[] = {{"a", "a", 0, 0}, {"a", "a/b", 0, 0},
		{"a/b", "a", 0, 0}, {"", "a", 0, 0}, {"a", "", 0, 0}, {"a", "../b", 0, 0}};
	struct delta_rename renamed = {"a/b", "a/bc", true, false}, got;
	struct journal_record record;

	(void)state;
	for (int i = 0; i < 4; i++) {
		renamed.is_dir = i & 1;
		renamed.is_new = i & 2;
		assert_int_equal(delta_log_rename(&log_, &renamed), 0);
		record = last();
		assert_int_equal(delta_read_rename(&record, &got), 0);
		assert_string_equal(got.from, "a/b");
		assert_string_equal(got.to, "a/bc");
		assert_true(got.is_dir == renamed.is_dir && got.is_new == renamed.is_new);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(delta_log_rename(&log_, &bad[i]), -EINVAL);
}

/* Any decoder, the one of the record's type or another. */
static int read_any(enum delta_record_type type, const struct journal_record *record)
{
	struct delta_source source;
	struct delta_policy policy;
	struct delta_mount mount;
	struct delta_origin origin;
	struct delta_remove removed;
	struct delta_rename renamed;
	int64_t time_ns;

	switch (type) {
	case DELTA_SOURCE:
		return delta_read_source(record, &source);
	case DELTA_POLICY:
		return delta_read_policy(record, &policy);
	case DELTA_MOUNT:
		return delta_read_mount(record, &mount);
	case DELTA_UNMOUNT:
		return delta_read_unmount(record, &time_ns);
	case DELTA_ORIGIN:
		return delta_read_origin(record, &origin);
	case DELTA_REMOVE:
		return delta_read_remove(record, &removed);
	case DELTA_RENAME:
		return delta_read_rename(record, &renamed);
	}
	return 0;
}

/* One of each type, by its number. */
static struct journal_record sample(enum delta_record_type type)
{
	const struct delta_policy policy = {"read('a')"};
	const struct delta_mount mount = {.boot_id = "0123-4567"};
	const struct delta_remove removed = {.path = "a/b", .is_dir = true};
	const struct delta_rename renamed = {"a", "b/c", true, true};
	struct journal_record record;

	switch (type) {
	case DELTA_SOURCE:
		assert_int_equal(delta_log_source(&log_, &a_source), 0);
		break;
	case DELTA_POLICY:
		assert_int_equal(delta_log_policy(&log_, &policy), 0);
		break;
	case DELTA_MOUNT:
		assert_int_equal(delta_log_mount(&log_, &mount), 0);
		break;
	case DELTA_UNMOUNT:
		assert_int_equal(delta_log_unmount(&log_, 1), 0);
		break;
	case DELTA_ORIGIN:
		assert_int_equal(delta_log_origin(&log_, &an_origin), 0);
		break;
	case DELTA_REMOVE:
		assert_int_equal(delta_log_remove(&log_, &removed), 0);
		break;
	case DELTA_RENAME:
		assert_int_equal(delta_log_rename(&log_, &renamed), 0);
		break;
	}
	record = last();
	assert_int_equal(record.type, type);
	return record;
}

/* Cut or longer by any number of bytes: in memory of exactly that size, for the sanitizers. */
static void other_sizes(void **state)
{
	(void)state;
	for (enum delta_record_type type = DELTA_SOURCE; type <= DELTA_RENAME; type++) {
		struct journal_record record = sample(type);
		size_t whole = record.size;

		for (size_t size = 0; size <= whole + 8; size++) {
			uint8_t *copy = calloc(1, size + (size == 0));

			assert_non_null(copy);
			memcpy(copy, record.data, size < whole ? size : whole);
			assert_int_equal(read_any(type, &(struct journal_record){type, copy, size}),
				size == whole ? 0 : -EBADMSG);
			free(copy);
		}
	}
}

/* Any one byte another: an answer; and a NUL is where a text ends, and nowhere else. */
static void other_bytes(void **state)
{
	(void)state;
	for (enum delta_record_type type = DELTA_SOURCE; type <= DELTA_RENAME; type++) {
		struct journal_record record = sample(type);
		uint8_t *copy = malloc(record.size);

		assert_non_null(copy);
		memcpy(copy, record.data, record.size);
		for (size_t i = 0; i < record.size * 255; i++) {
			uint8_t *byte = &copy[i / 255], was = *byte;
			struct journal_record other = {type, copy, record.size};
			int rc;

			*byte = (uint8_t)(was + 1 + i % 255);
			rc = read_any(type, &other);
			assert_true(rc == 0 || rc == -EBADMSG);
			if (i / 255 == record.size - 1 && type != DELTA_UNMOUNT &&
				type != DELTA_MOUNT)
				assert_int_equal(rc, -EBADMSG);
			*byte = was;
		}
		assert_int_equal(
			read_any(type, &(struct journal_record){type, copy, record.size}), 0);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(source, setup, teardown),
		cmocka_unit_test_setup_teardown(policy_and_mount, setup, teardown),
		cmocka_unit_test_setup_teardown(origin, setup, teardown),
		cmocka_unit_test_setup_teardown(origins_that_cannot_be, setup, teardown),
		cmocka_unit_test_setup_teardown(paths, setup, teardown),
		cmocka_unit_test_setup_teardown(renames, setup, teardown),
		cmocka_unit_test_setup_teardown(other_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(other_bytes, setup, teardown),
	};

	log_init("test_delta_record");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
