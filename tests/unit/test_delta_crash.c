/*
 * What is killed in the middle of changing a delta, at each of its system calls one after the
 * other, leaves the delta as it was or as it was to be; and whoever has the lock next need not
 * know.
 */
#include "delta_check.h"

#include "log.h"
#include "needs.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static char dir_path[32], path[64];
static int dir_fd;

static int setup(void **state)
{
	(void)state;
	snprintf(dir_path, sizeof(dir_path), "/tmp/test_delta.XXXXXX");
	if (!mkdtemp(dir_path))
		return -1;
	snprintf(path, sizeof(path), "%s/delta", dir_path);
	dir_fd = open(dir_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	remove_entries(dir_fd);
	close(dir_fd);
	return rmdir(dir_path);
}

/*
 * Runs work() in a child until it is about to make, or has just made, its step-th system call, and
 * kills it there. Returns false where it was done before.
 */
static bool killed_at(int step, int (*work)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		_exit(work() ? 1 : 0);
	}
	for (int i = 0; i <= step; i++) {
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status)) {
			need(WEXITSTATUS(status) != 77, "tracing is forbidden");
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		if (i < step)
			assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	while (waitpid(child, &status, 0) == child && !WIFSIGNALED(status))
		;
	return true;
}

/* Volatile, so that thousands of openings do not wait for a disk. */
static int open_for(struct af_delta *delta, enum delta_use use)
{
	struct delta_fault fault;

	delta->is_volatile = true;
	return delta_open(delta, path, use, &fault);
}

/* A delta with something in it, made anew. */
static void make_full(void)
{
	struct af_delta delta;

	remove_tree(dir_fd, "delta");
	assert_int_equal(open_for(&delta, DELTA_WRITE), 0);
	log_source(&delta);
	assert_int_equal(delta_log_unmount(&delta.log, 1), 0);
	fill_upper(&delta);
	delta_close(&delta);
}

static size_t count_records(const struct af_delta *delta)
{
	struct journal_reader reader;
	struct journal_record record;
	size_t count = 0;

	assert_int_equal(journal_read(&reader, &delta->log), 0);
	while (journal_next(&reader, &record) > 0)
		count++;
	assert_false(reader.torn);
	journal_read_end(&reader);
	return count;
}

static int work_open(void)
{
	struct af_delta delta;
	int rc = open_for(&delta, DELTA_WRITE);

	delta_close(&delta);
	return rc;
}

static void killed_while_made(void **state)
{
	int steps = 0;

	(void)state;
	for (bool more = true; more; steps++) {
		struct af_delta delta;

		remove_tree(dir_fd, "delta");
		more = killed_at(steps, work_open);
		delta = must_open(path, DELTA_WRITE);
		assert_true(delta.is_new && delta.trusted);
		delta_close(&delta);
	}
	assert_in_range(steps, 50, 1000);
}

static int work_reset(void)
{
	struct af_delta delta;
	int rc = open_for(&delta, DELTA_MERGE);

	if (!rc)
		rc = delta_reset(&delta);
	delta_close(&delta);
	return rc;
}

/* Upper and log belong together at every point, for who merges next and for who looks. */
static void killed_while_emptied(void **state)
{
	int steps = 0, full = 0, empty = 0;

	(void)state;
	for (bool more = true; more; steps++) {
		struct af_delta delta;
		bool has_upper;

		make_full();
		more = killed_at(steps, work_reset);
		delta = must_open(path, DELTA_LOOK);
		has_upper = upper_is_full(&delta);
		if (has_upper)
			assert_int_equal(count_records(&delta), 2);
		delta_close(&delta);

		delta = must_open(path, steps % 2 ? DELTA_MERGE : DELTA_WRITE);
		assert_int_equal(upper_is_full(&delta), has_upper);
		assert_int_equal(count_records(&delta), has_upper ? 2 : 0);
		assert_int_equal(delta.is_new, !has_upper);
		full += has_upper;
		empty += !has_upper;
		/* And it can be done again. */
		assert_int_equal(delta_reset(&delta), 0);
		assert_false(upper_is_full(&delta));
		assert_int_equal(delta_is_empty(delta.work_fd), 1);
		delta_close(&delta);
	}
	assert_true(full > 20 && empty > 5);
}

static int three_records(void *arg, struct af_journal *log)
{
	const struct delta_source source = {.path = "/src", .is_volatile = true};
	int rc = delta_log_source(log, &source);

	(void)arg;
	for (int i = 0; i < 2 && !rc; i++)
		rc = delta_log_unmount(log, i);
	return rc;
}

static int work_replace(void)
{
	struct af_delta delta;
	int rc = open_for(&delta, DELTA_MERGE);

	if (!rc)
		rc = delta_log_replace(&delta, three_records, NULL);
	delta_close(&delta);
	return rc;
}

static void killed_while_log_is_replaced(void **state)
{
	int old = 0, new = 0;

	(void)state;
	for (int more = 1, steps = 0; more; steps++) {
		struct af_delta delta;
		size_t count;

		make_full();
		more = killed_at(steps, work_replace);
		delta = must_open(path, DELTA_MERGE);
		count = count_records(&delta);
		assert_true(count == 2 || count == 3);
		old += count == 2;
		new += count == 3;
		assert_true(upper_is_full(&delta));
		assert_int_equal(faccessat(delta.meta_fd, DELTA_LOG_NEXT, F_OK, 0), -1);
		delta_close(&delta);
	}
	assert_true(old > 20 && new > 1);
}

static int two_then_no_more(void *arg, struct af_journal *log)
{
	assert_int_equal(delta_log_unmount(log, 1), 0);
	return *(int *)arg;
}

/* What does not get all its records is not put into the log's place; the journal goes on. */
static void log_not_replaced(void **state)
{
	struct af_delta delta;
	int rc = -ENOSPC;

	(void)state;
	make_full();
	delta = must_open(path, DELTA_MERGE);
	assert_int_equal(delta_log_replace(&delta, two_then_no_more, &rc), -ENOSPC);
	assert_int_equal(faccessat(delta.meta_fd, DELTA_LOG_NEXT, F_OK, 0), -1);
	assert_int_equal(delta_log_unmount(&delta.log, 2), 0);
	assert_int_equal(count_records(&delta), 3);
	assert_int_equal(delta_log_replace(&delta, three_records, NULL), 0);
	assert_int_equal(delta_log_unmount(&delta.log, 2), 0);
	delta_close(&delta);
	delta = must_open(path, DELTA_LOOK);
	assert_int_equal(count_records(&delta), 4);
	delta_close(&delta);
}

/* What the mount's user names like bookkeeping is not, and comes back as they named it. */
static void xattr_names(void **state)
{
	static const char *const names[][2] = {
		{"user.a", "user.a"},
		{"user.overlay", "user.overlay"},
		{"user.overlayx", "user.overlayx"},
		{"user.overlay.opaque", "user.overlay.overlay.opaque"},
		{"user.overlay.", "user.overlay.overlay."},
		{"user.overlay.overlay.opaque", "user.overlay.overlay.overlay.opaque"},
		{"system.posix_acl_access", "system.posix_acl_access"},
	};
	char stored[256], back[256], most[256] = "user.overlay.";

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(delta_xattr_escape(stored, sizeof(stored), names[i][0]), 0);
		assert_string_equal(stored, names[i][1]);
		assert_int_equal(delta_xattr_unescape(back, sizeof(back), stored), 0);
		assert_string_equal(back, names[i][0]);
		assert_int_equal(
			delta_xattr_escape(stored, strlen(names[i][1]), names[i][0]), -ERANGE);
		assert_int_equal(
			delta_xattr_unescape(back, strlen(names[i][0]), names[i][1]), -ERANGE);
	}
	assert_int_equal(delta_xattr_unescape(back, sizeof(back), DELTA_XATTR_OPAQUE), -ENODATA);
	assert_int_equal(delta_xattr_unescape(back, sizeof(back), DELTA_XATTR_INO), -ENODATA);
	assert_int_equal(delta_xattr_unescape(back, sizeof(back), DELTA_XATTR_PREFIX), -ENODATA);
	memset(most + strlen(most), 'x', 255 - strlen(most));
	assert_int_equal(delta_xattr_escape(stored, sizeof(stored), most), -ERANGE);
}

static void opaque(void **state)
{
	static const struct {
		const char *value;
		bool opaque;
	} values[] = {{"y", true}, {"n", false}, {"x", false}, {"", false}, {"yes", false}};
	struct af_delta delta;

	(void)state;
	make_full();
	delta = must_open(path, DELTA_MERGE);
	assert_false(delta_is_opaque(delta.upper_fd));
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		int fd = openat(delta.upper_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		assert_int_equal(fsetxattr(fd, DELTA_XATTR_OPAQUE, values[i].value,
					 strlen(values[i].value), 0),
			0);
		assert_int_equal(delta_is_opaque(fd), values[i].opaque);
		assert_int_equal(delta_is_opaque(delta.upper_fd), values[i].opaque);
		close(fd);
	}
	delta_close(&delta);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_while_made, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_while_emptied, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_while_log_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(log_not_replaced, setup, teardown),
		cmocka_unit_test(xattr_names),
		cmocka_unit_test_setup_teardown(opaque, setup, teardown),
	};

	log_init("test_delta_crash");
	if (!keeps_xattrs("/tmp"))
		return leave_all_out("/tmp keeps no user xattrs");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
