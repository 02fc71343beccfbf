/*
 * Unit tests of the small parts of common/: log_escape, json, utf8, path, io, cleanup.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "io.h"
#include "json.h"
#include "log.h"
#include "path.h"
#include "utf8.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- utf8 -------------------------------------------------------------------------------------- */

static void utf8_well_formed(void **state)
{
	static const struct {
		const char *text;
		size_t bytes;
		uint32_t code;
	} cases[] = {
		{"a", 1, 'a'},
		{"\x7f", 1, 0x7f},
		{"\xc2\x80", 2, 0x80},
		{"\xdf\xbf", 2, 0x7ff},
		{"\xe0\xa0\x80", 3, 0x800},
		{"\xed\x9f\xbf", 3, 0xd7ff},
		{"\xee\x80\x80", 3, 0xe000},
		{"\xef\xbf\xbf", 3, 0xffff},
		{"\xf0\x90\x80\x80", 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t code = 0;
		size_t len = strlen(cases[i].text);

		assert_int_equal(utf8_length(cases[i].text, len, &code), cases[i].bytes);
		assert_int_equal(code, cases[i].code);
		/* Cut short, the first byte is a stray one. */
		if (len > 1)
			assert_int_equal(utf8_length(cases[i].text, len - 1, NULL), 0);
	}
	assert_int_equal(utf8_length("\0", 1, NULL), 1);
}

static void utf8_malformed(void **state)
{
	static const char *const cases[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2\x20",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xe2\x28\xa1",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x9f\x98",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xfe",
		"\xff",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(utf8_length(cases[i], strlen(cases[i]), NULL), 0);
}

/* ---- log ---------------------------------------------------------------------------------------- */

static void escape_is(const char *text, size_t len, const char *expected)
{
	char out[256];

	assert_int_equal(log_escape(out, sizeof(out), text, len), strlen(expected));
	assert_string_equal(out, expected);
}

static void log_escapes_what_drives_terminals(void **state)
{
	(void)state;
	escape_is("plain text", 10, "plain text");
	escape_is("gr\xc3\xbc\xc3\x9f", 6, "gr\xc3\xbc\xc3\x9f");
	escape_is("a\nb\tc", 5, "a\\x0ab\\x09c");
	escape_is("\x1b[31m", 5, "\\x1b[31m");
	escape_is("a\0b", 3, "a\\x00b");
	escape_is("\x7f", 1, "\\x7f");
	escape_is("\xc2\x9b", 2, "\\xc2\\x9b");          /* CSI, a C1 control */
	escape_is("\xe2\x80\xae", 3, "\\xe2\\x80\\xae"); /* right-to-left override */
	escape_is("\xe2\x80\xa8", 3, "\\xe2\\x80\\xa8"); /* line separator */
	escape_is("\xff\xfe", 2, "\\xff\\xfe");          /* not UTF-8 */
	escape_is("\xed\xa0\x80", 3, "\\xed\\xa0\\x80"); /* a surrogate */
	escape_is("", 0, "");
}

static void log_escape_is_bounded(void **state)
{
	char out[8];

	(void)state;
	memset(out, '#', sizeof(out));
	assert_int_equal(log_escape(out, 0, "abc", 3), 0);
	assert_int_equal(out[0], '#');
	assert_int_equal(log_escape(out, 1, "abc", 3), 0);
	assert_string_equal(out, "");
	assert_int_equal(log_escape(out, 4, "abcdef", 6), 3);
	assert_string_equal(out, "abc");
	/* Neither half a character nor half an escape. */
	assert_int_equal(log_escape(out, 4, "ab\xc3\xbc", 4), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(log_escape(out, 8, "ab\n\n", 4), 6);
	assert_string_equal(out, "ab\\x0a");
}

/* A message that tries to forge a line is one line, and errno is kept. */
static void log_error_is_one_line(void **state)
{
	char line[256] = "";
	int report[2], saved = dup(STDERR_FILENO);
	ssize_t got;

	(void)state;
	assert_int_equal(pipe2(report, O_CLOEXEC), 0);
	assert_true(dup2(report[1], STDERR_FILENO) >= 0);
	log_init("unit");
	errno = EXDEV;
	log_error("%s: %s", "a\nunit: forged", "why");
	assert_int_equal(errno, EXDEV);
	log_info("not asked for");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(report[1]);
	close(saved);
	got = io_read_full(report[0], line, sizeof(line) - 1);
	close(report[0]);
	assert_true(got > 0);
	assert_string_equal(line, "unit: a\\x0aunit: forged: why\n");
}

/* ---- json --------------------------------------------------------------------------------------- */

static void json_nests_and_separates(void **state)
{
	char text[512] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	struct af_json json;

	(void)state;
	assert_non_null(out);
	json_init(&json, out);
	json_object(&json, NULL);
	json_string(&json, "a", "b");
	json_int(&json, "n", INT64_MIN);
	json_array(&json, "list");
	json_bool(&json, NULL, true);
	json_null(&json, NULL);
	json_object(&json, NULL);
	json_object_end(&json);
	json_array_end(&json);
	json_string(&json, "none", NULL);
	json_double(&json, "d", 1.5);
	json_double(&json, "nan", NAN);
	json_object_end(&json);
	fclose(out);
	assert_string_equal(text,
		"{\"a\":\"b\",\"n\":-9223372036854775808,\"list\":[true,null,{}],"
		"\"none\":null,\"d\":1.500000,\"nan\":null}");
}

static void json_escapes(void **state)
{
	static const char bytes[] = "\"\\\n\t\r\x01\x7f/\0\xc3\xbc\xff\xed\xa0\x80";
	char text[256] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	struct af_json json;

	(void)state;
	assert_non_null(out);
	json_init(&json, out);
	json_bytes(&json, NULL, bytes, sizeof(bytes) - 1);
	fclose(out);
	assert_string_equal(text,
		"\"\\\"\\\\\\n\\t\\u000d\\u0001\\u007f/\\u0000\xc3\xbc"
		"\\udcff\\udced\\udca0\\udc80\"");
}

/* ---- path --------------------------------------------------------------------------------------- */

static void path_components(void **state)
{
	char name[NAME_MAX + 2];

	(void)state;
	assert_true(path_is_component("a"));
	assert_true(path_is_component("..."));
	assert_true(path_is_component(".git"));
	assert_true(path_is_component("\xff"));
	assert_false(path_is_component(""));
	assert_false(path_is_component("."));
	assert_false(path_is_component(".."));
	assert_false(path_is_component("a/b"));
	assert_false(path_is_component("/"));
	memset(name, 'x', sizeof(name));
	name[NAME_MAX] = '\0';
	assert_true(path_is_component(name));
	name[NAME_MAX] = 'x';
	name[NAME_MAX + 1] = '\0';
	assert_false(path_is_component(name));
}

static void path_stays_beneath(void **state)
{
	const uint64_t beneath = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
	char dir[] = "/tmp/unit.XXXXXX";
	int root, fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root >= 0);
	assert_int_equal(symlinkat("/", root, "out"), 0);
	fd = path_openat2(root, "file", O_RDWR | O_CREAT, 0600, beneath);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
	assert_int_equal(path_openat2(root, "..", O_PATH, 0, beneath), -EXDEV);
	assert_int_equal(path_openat2(root, "/etc", O_PATH, 0, beneath), -EXDEV);
	assert_int_equal(path_openat2(root, "out/etc", O_PATH, 0, beneath), -ELOOP);
	assert_int_equal(path_openat2(root, "none", O_PATH, 0, beneath), -ENOENT);
	unlinkat(root, "file", 0);
	unlinkat(root, "out", 0);
	close(root);
	assert_int_equal(rmdir(dir), 0);
}

static void path_finds_programs_beside_this_one(void **state)
{
	char *self = path_find_program("test_common"),
	     *other = path_find_program("no-such-program");

	(void)state;
	assert_non_null(self);
	assert_int_equal(self[0], '/');
	assert_int_equal(access(self, X_OK), 0);
	assert_string_equal(other, "no-such-program");
	free(self);
	free(other);
	errno = 0;
	assert_null(path_find_data("no/such/file"));
	assert_int_equal(errno, ENOENT);
}

/* ---- io ----------------------------------------------------------------------------------------- */

/* A pipe of which a child writes the bytes one at a time. */
static int slow_pipe(const char *text, pid_t *pid)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*pid = fork();
	assert_true(*pid >= 0);
	if (*pid == 0) {
		for (; *text; text++)
			if (write(ends[1], text, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

static void io_reads_in_full(void **state)
{
	char got[16] = "";
	pid_t pid;
	int fd = slow_pipe("hello world", &pid);

	(void)state;
	assert_int_equal(io_read_full(fd, got, 5), 5);
	assert_memory_equal(got, "hello", 5);
	assert_int_equal(io_read_full(fd, got, sizeof(got)), 6);
	assert_memory_equal(got, " world", 6);
	assert_int_equal(io_read_full(fd, got, sizeof(got)), 0);
	close(fd);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(io_read_full(fd, got, 1), -EBADF);
}

static void io_reads_all_within_bounds(void **state)
{
	char *data = NULL;
	size_t size = 0;
	pid_t pid;
	int fd = slow_pipe("0123456789", &pid);

	(void)state;
	assert_int_equal(io_read_all(fd, 10, &data, &size), 0);
	assert_int_equal(size, 10);
	assert_string_equal(data, "0123456789");
	free(data);
	close(fd);
	waitpid(pid, NULL, 0);
	fd = slow_pipe("0123456789", &pid);
	assert_int_equal(io_read_all(fd, 9, &data, &size), -EFBIG);
	close(fd);
	waitpid(pid, NULL, 0);
}

static void io_writes_all(void **state)
{
	static char big[300000];
	char *data = NULL;
	size_t size = 0;
	int ends[2];
	pid_t pid;

	(void)state;
	memset(big, 'b', sizeof(big));
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(io_write_all(ends[1], big, sizeof(big)) == 0 ? 0 : 1);
	close(ends[1]);
	assert_int_equal(io_read_all(ends[0], sizeof(big), &data, &size), 0);
	assert_int_equal(size, sizeof(big));
	assert_memory_equal(data, big, size);
	free(data);
	close(ends[0]);
	waitpid(pid, NULL, 0);
	assert_int_equal(io_write_all(ends[0], "x", 1), -EBADF);
}

/* ---- cleanup ------------------------------------------------------------------------------------ */

static void cleanup_keeps_errno_and_stolen_things(void **state)
{
	int kept;
	char *text;

	(void)state;
	errno = EXDEV;
	{
		af_autoclose int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		af_autoclose int bad = 1000000;
		af_autofree char *copy = strdup("kept");

		kept = af_steal_fd(&fd);
		text = af_steal(&copy);
		assert_int_equal(fd, -1);
		assert_null(copy);
		(void)bad;
	}
	assert_int_equal(errno, EXDEV);
	assert_int_equal(fcntl(kept, F_GETFD), FD_CLOEXEC);
	assert_string_equal(text, "kept");
	close(kept);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_well_formed),
		cmocka_unit_test(utf8_malformed),
		cmocka_unit_test(log_escapes_what_drives_terminals),
		cmocka_unit_test(log_escape_is_bounded),
		cmocka_unit_test(log_error_is_one_line),
		cmocka_unit_test(json_nests_and_separates),
		cmocka_unit_test(json_escapes),
		cmocka_unit_test(path_components),
		cmocka_unit_test(path_stays_beneath),
		cmocka_unit_test(path_finds_programs_beside_this_one),
		cmocka_unit_test(io_reads_in_full),
		cmocka_unit_test(io_reads_all_within_bounds),
		cmocka_unit_test(io_writes_all),
		cmocka_unit_test(cleanup_keeps_errno_and_stolen_things),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
