/*
 * Rules as one text: whatever they came from, the text gives the same rules, and needs nothing else.
 */
#include "policy_internal.h"
#include "policy_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

static char *dump(const struct af_rules *rules)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(rules_dump(rules, out), 0);
	fclose(out);
	assert_int_equal(strlen(text), size);
	return text;
}

static void assert_same(const struct af_rules *a, const struct af_rules *b)
{
	assert_int_equal(a->level, b->level);
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct pattern *p = &a->patterns[i], *q = &b->patterns[i];

		assert_string_equal(p->rule.pattern, q->rule.pattern);
		assert_int_equal(p->rule.level, q->rule.level);
		assert_int_equal(p->rule.priority, q->rule.priority);
		assert_int_equal(p->nocase, q->nocase);
		assert_int_equal(p->negative, q->negative);
		if (i > 0)
			assert_int_equal(p->group == p[-1].group, q->group == q[-1].group);
	}
}

/* The rules, which go, by way of their text, which is returned. */
static char *expect_round_trip(struct af_rules *rules)
{
	struct af_rules *again = rules_new();
	char *text = dump(rules), *second;

	assert_non_null(again);
	if (rules_add_named_text(again, "stored", text) != 0)
		fail_msg("%s", text);
	assert_same(rules, again);
	second = dump(again);
	assert_string_equal(text, second);
	free(second);
	rules_free(again);
	rules_free(rules);
	return text;
}

static char *round_trip_of(const char *text)
{
	struct af_rules *rules = rules_new();

	assert_non_null(rules);
	assert_int_equal(add_policy_text(rules, text, strlen(text)), 0);
	return expect_round_trip(rules);
}

static void test_text(void **state)
{
	char *text = round_trip_of("read('a', '!b')\nread('c')\n"
				   "rules 'x' { priority = -3 none('d') none('e', '!f') }\n"
				   "rules 'y' { nocase = true priority = -3 view('g') }\n"
				   "rules 'x' { write('h') }\ndefault = view");

	(void)state;
	assert_string_equal(text,
		"default = view\n"
		"read(\"a\", \"!b\")\n"
		"read(\"c\")\n"
		"rules \"\" {\npriority = -3\nnocase = false\n"
		"none(\"d\")\n"
		"none(\"e\", \"!f\")\n"
		"}\n"
		"rules \"\" {\npriority = -3\nnocase = true\n"
		"view(\"g\")\n"
		"}\n"
		"write(\"h\")\n");
	free(text);
	free(round_trip_of("# nothing"));
	free(round_trip_of("rules 'x' { priority = 1000000 nocase = yes read('**') }"));
	free(round_trip_of("rules 'x' { priority = -1000000 read('**') }"));
}

/* Every byte that can be in a pattern, and what libConfuse or the shell would take as its own. */
static void test_bytes(void **state)
{
	static const char *const patterns[] = {"it's", "\"", "\\\"", "\\'", "\\\\", "$HOME",
		"${HOME}", "\\${HOME}", "a\\x41", "# no", "// no/x", "a\nb", "a\r\tb", "\\!a", "~",
		"~/x", "a,b", ")", "[\\]\"]", "\xc3\xa9", "\xff\xc3"};
	struct af_rules *rules = rules_new();

	(void)state;
	assert_non_null(rules);
	assert_int_equal(setenv("HOME", "elsewhere", 1), 0);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		char line[64];

		/* Not all are patterns; those that are must survive. */
		snprintf(line, sizeof(line), "read@%zu:%s", i / 4, patterns[i]);
		if (strstr(patterns[i], "//"))
			continue;
		assert_int_equal(rules_add_text(rules, line, "-o"), 0);
	}
	for (int c = 1; c < 256; c++) {
		char line[32];

		if (c == '/' || c == '!' || c == '[' || c == '{' || c == '}' || c == '\\')
			continue;
		snprintf(line, sizeof(line), "none:x%cFa", c);
		assert_int_equal(rules_add_text(rules, line, "-o"), 0);
	}
	free(expect_round_trip(rules));
}

static void write_file(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

/* The text has what was included, so that it holds when the files are gone. */
static void test_includes(void **state)
{
	char dir[] = "/tmp/test_policy_dump.XXXXXX", path[64];
	struct af_rules *rules = rules_new();
	char *text;
	int dir_fd;

	(void)state;
	assert_non_null(rules);
	assert_non_null(mkdtemp(dir));
	dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	write_file(dir_fd, "outer", "read('one')\ninclude('inner')\nread('last')");
	write_file(dir_fd, "inner", "default = read\nrules 'x' { priority = 9 none('two') }");
	snprintf(path, sizeof(path), "%s/outer", dir);
	assert_int_equal(rules_add_file(rules, path), 0);
	assert_int_equal(rules_add_text(rules, "write@-2:/out", "-o"), 0);
	rules_set_default(rules, AF_VIEW);
	unlinkat(dir_fd, "outer", 0);
	unlinkat(dir_fd, "inner", 0);
	close(dir_fd);
	assert_int_equal(rmdir(dir), 0);
	text = expect_round_trip(rules);
	assert_null(strstr(text, "include"));
	assert_non_null(strstr(text, "(\"two\")"));
	free(text);
}

/* A text that others may have written. Each is refused, by name and line. */
static void refuse(const char *text, int line, const char *why)
{
	struct af_rules *rules = rules_new();
	struct caught caught;
	char place[64];
	int rc;

	assert_non_null(rules);
	snprintf(place, sizeof(place), "test_policy_dump: the policy:%d: ", line);
	catch_begin(&caught);
	rc = rules_add_named_text(rules, "the policy", text);
	catch_end(&caught);
	rules_free(rules);
	if (rc != -EINVAL || !strstr(caught.text, place) || !strstr(caught.text, why))
		fail_msg("%s\nresult %d, message: %s", text, rc, caught.text);
}

static void test_refused(void **state)
{
	(void)state;
	refuse("", 1, "an empty file");
	refuse("read('a')\ninclude('/etc/passwd')", 2, "includes no other");
	refuse("include('secrets.conf')", 1, "includes no other");
	refuse("rules 'x' { include('secrets') }", 1, "not inside a group");
	refuse("\nread(\"${HOME}\")", 2, "environment");
	refuse("read('a'", 1, "not closed");
	refuse("\n\ndefault = maybe", 3, "not a level");
}

/* After others, and before others: each keeps its place. */
static void test_order(void **state)
{
	struct af_rules *rules = rules_new();

	(void)state;
	assert_non_null(rules);
	assert_int_equal(rules_add_named_text(rules, "first", "read('a')\ndefault = read"), 0);
	assert_int_equal(rules_add_named_text(rules, "second", "view('b')\ndefault = view"), 0);
	assert_int_equal(rules_add_text(rules, "none:c", "-o"), 0);
	assert_int_equal(rules->count, 3);
	assert_int_equal(rules->level, AF_VIEW);
	assert_string_equal(rules->patterns[1].rule.file, "second");
	assert_int_equal(rules->patterns[1].rule.line, 1);
	free(expect_round_trip(rules));
}

/* Many groups: no step of it takes the square of their number. */
static void test_many(void **state)
{
	struct af_rules *rules = rules_new();
	struct timespec begin, end;

	(void)state;
	assert_non_null(rules);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (int i = 0; i < 100000; i++) {
		char line[64];

		snprintf(line, sizeof(line), "read@%d:/dir%d/*", i % 2, i);
		assert_int_equal(rules_add_text(rules, line, "-o"), 0);
	}
	free(expect_round_trip(rules));
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_in_range(end.tv_sec - begin.tv_sec, 0, 60);
}

static void test_full_disk(void **state)
{
	struct af_rules *rules = rules_new();
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	assert_true(rules && out);
	assert_int_equal(rules_dump(rules, out), -ENOSPC);
	fclose(out);
	rules_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_full_disk),
	};

	log_init("test_policy_dump");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
