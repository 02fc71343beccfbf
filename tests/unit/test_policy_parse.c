/*
 * Policy files and command-line rules -> rules; each mistake with its file, line and reason.
 */
#include "policy_internal.h"
#include "policy_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <sys/stat.h>

#include <cmocka.h>

/* Rules of text as lines "LEVEL PRIORITY LINE CALL [nocase] PATTERN"; CALL counts from 1. */
static void expect(const char *text, const char *lines)
{
	struct af_rules *rules = rules_new();
	char got[4096] = "";
	size_t used = 0;

	assert_non_null(rules);
	assert_int_equal(add_policy_text(rules, text, strlen(text)), 0);
	for (size_t i = 0; i < rules->count; i++) {
		const struct pattern *p = &rules->patterns[i];

		used += (size_t)snprintf(got + used, sizeof(got) - used, "%s %d %u %u %s%s\n",
			level_name(p->rule.level), p->rule.priority, p->rule.line, p->group + 1,
			p->nocase ? "nocase " : "", p->rule.pattern);
	}
	assert_string_equal(got, lines);
	rules_free(rules);
}

/* That text is refused with a message that has line and why in it. */
static void refuse_bytes(const char *text, size_t size, unsigned int line, const char *why)
{
	struct af_rules *rules = rules_new();
	struct caught caught;
	char place[32];
	int rc;

	assert_non_null(rules);
	catch_begin(&caught);
	rc = add_policy_text(rules, text, size);
	catch_end(&caught);
	rules_free(rules);
	snprintf(place, sizeof(place), ":%u: ", line);
	if (rc != -EINVAL || !strstr(caught.text, place) || !strstr(caught.text, why) ||
		!strstr(caught.text, "test_policy_parse: /proc/self/fd/"))
		fail_msg("%s\nresult %d, message: %s, expected %s %s", text, rc, caught.text, place,
			why);
}

static void refuse(const char *text, unsigned int line, const char *why)
{
	refuse_bytes(text, strlen(text), line, why);
}

static void test_calls(void **state)
{
	(void)state;
	expect("none('a')\nview('b')\nread('c')\nwrite('d')\n",
		"none 0 1 1 a\nview 0 2 2 b\nread 0 3 3 c\nwrite 0 4 4 d\n");
	expect("read('a', \"b\",\n'c'\n,\n'!d',)",
		"read 0 1 1 a\nread 0 1 1 b\nread 0 2 1 c\nread 0 4 1 !d\n");
	expect("# c\n// c\n/* c\n*/ read /* x */ ('a') # c", "read 0 4 1 a\n");
	expect("read('a')read('b')", "read 0 1 1 a\nread 0 1 2 b\n");
	/* Lines are still counted right behind a comment. */
	refuse("/* a\n * b\n */\n\ndefault = x", 5, "x: not a level");
	expect("# nothing but a comment", "");
	expect("read('a')\r\nread('b')\r\n", "read 0 1 1 a\nread 0 2 2 b\n");
}

static void test_quotes(void **state)
{
	(void)state;
	expect("read('\\*')", "read 0 1 1 \\*\n");
	expect("read('\\\\a')", "read 0 1 1 \\a\n");
	expect("read(\"\\\\*\")", "read 0 1 1 \\*\n");
	expect("read(\"\\*\")", "read 0 1 1 *\n");
	expect("read('a b#c/ /d')", "read 0 1 1 a b#c/ /d\n");
	expect("read('it\\'s')", "read 0 1 1 it's\n");
	expect("read('${HOME}')", "read 0 1 1 ${HOME}\n");
	expect("read(\"\\${HOME}\")", "read 0 1 1 ${HOME}\n");
	expect("read(\"\\x41\\102\")", "read 0 1 1 AB\n");
	expect("read('\xc3\xa9\xff')", "read 0 1 1 \xc3\xa9\xff\n");
}

static void test_groups(void **state)
{
	(void)state;
	expect("rules 'x' {\nread('a')\npriority = 5\nnocase = true\nnone('b')\n}\nread('c')",
		"read 5 2 1 nocase a\nnone 5 5 2 nocase b\nread 0 7 3 c\n");
	expect("rules \"x\" { priority = -5 read('a') }\nrules \"x\" { read('b') }",
		"read -5 1 1 a\nread 0 2 2 b\n");
	expect("rules x { priority = \"+3\" nocase = no read('a') }", "read 3 1 1 a\n");
	expect("rules 'x' {\n}", "");
	/* A title again takes nothing from the group between. */
	expect("rules 'x' { priority = 5 read('a') }\nrules 'y' { priority = 7 nocase = yes\n"
	       "read('b') }\nrules 'x' { none('b') }\nrules 'x' { }",
		"read 5 1 1 a\nread 7 3 2 nocase b\nnone 0 4 3 b\n");
}

static void test_mistakes(void **state)
{
	(void)state;
	refuse("read('a')\nread('b//c')", 2, "b//c: an empty component");
	refuse("read('a',\n'')", 2, "an empty pattern");
	refuse("read('a/../b')", 1, "a component that is . or ..");
	refuse("\nread('[a')", 2, "a [ without its ]");
	refuse("read('{a')", 1, "a { without its }");
	refuse("read('{a/b}')", 1, "a slash in braces");
	refuse("read('a\\\\')", 1, "nothing follows the backslash");
	refuse("read('!a')", 1, "only patterns with !");
	refuse("read('!a', '!b')", 1, "only patterns with !");
	refuse("read()", 1, "no pattern");
	refuse("\n\nallow('a')", 3, "no such option 'allow'");
	refuse("colour = red", 1, "no such option 'colour'");
	refuse("default = all", 1, "all: not a level");
	refuse("default = 'None'", 1, "None: not a level");
	refuse("default", 1, "premature end of file");
	refuse("default read('a')", 1, "missing equal sign");
	refuse("rules 'x' {\npriority = high\n}", 2, "high: not a priority");
	refuse("rules 'x' { priority = 1000001 }", 1, "not a priority");
	refuse("rules 'x' { priority = 0x10 }", 1, "not a priority");
	refuse("rules 'x' { priority = '' }", 1, "not a priority");
	refuse("rules 'x' { nocase = maybe }", 1, "nocase");
	refuse("rules 'x' {\nread('a')", 1, "a group that is not closed");
	refuse("rules { read('a') }", 1, "missing title");
	refuse("rules 'x' {\nrules 'y' { } }", 2, "a group is rules 'TITLE' { ... }");
	refuse("rules 'x' {\ninclude('read-only')\n}", 2, "not inside a group");
	refuse("priority = 5", 1, "no such option 'priority'");
	refuse("read('a'))", 1, "a call is LEVEL('PATTERN', ...)");
	refuse("read(('a'))", 1, "a call is LEVEL('PATTERN', ...)");
	refuse("read('a' 'b')", 1, "two strings without a comma");
	refuse("read(,'a')", 1, "a call is LEVEL('PATTERN', ...)");
	refuse("\nread('a'", 2, "a call that is not closed");
	refuse("read('a')\n}", 2, "a group is rules 'TITLE' { ... }");
	refuse("read 'a'", 1, "missing parenthesis");
}

/* What libConfuse would take silently. */
static void test_traps(void **state)
{
	(void)state;
	refuse("read(\"a${HOME}\")", 1, "from the environment");
	refuse("\n${HOME}", 2, "from the environment");
	refuse("read(*.key)", 1, "must be in quotes");
	refuse("read(a)", 1, "must be in quotes");
	refuse("default = none;", 1, "an unexpected character");
	refuse("read('a'\n\n", 1, "not closed");
	refuse("\nread('a\n')", 2, "goes on in the next line");
	refuse("read('a", 1, "a string that is not closed");
	refuse("read(\"a", 1, "a string that is not closed");
	refuse("x\n/* a", 2, "a comment that is not closed");
	refuse("read(\"a\\0b\")", 1, "a NUL");
	refuse("read(\"a\\x00b\")", 1, "a NUL");
	refuse("read(\"a\\000b\")", 1, "a NUL");
	refuse_bytes("read('a')\n\0none('b')", 20, 2, "a NUL byte");
	refuse_bytes("", 0, 1, "an empty file");
	/* A quote left open is not remembered for the next file. */
	expect("read('a')", "read 0 1 1 a\n");
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int read_dir_file(const char *dir, const char *name, struct af_rules *rules, char *message)
{
	char path[256];
	struct caught caught;
	int rc;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	catch_begin(&caught);
	rc = rules_add_file(rules, path);
	snprintf(message, 1024, "%.1023s", catch_end(&caught));
	return rc;
}

static void test_include(void **state)
{
	char dir[] = "/tmp/test_policy_parse.XXXXXX", message[1024], command[64];
	struct af_rules *rules = rules_new();
	char got[256] = "";

	(void)state;
	assert_non_null(rules);
	assert_non_null(mkdtemp(dir));
	write_file(dir, "a.conf",
		"read('1')\ninclude('sub/b.conf')\ndefault = view\nread('4')\ninclude('c.conf')");
	snprintf(command, sizeof(command), "%s/sub", dir);
	assert_int_equal(mkdir(command, 0755), 0);
	write_file(
		dir, "sub/b.conf", "read('2')\ndefault = write\nread('3')\ninclude('../c.conf')");
	write_file(dir, "c.conf", "none('c')");
	assert_int_equal(read_dir_file(dir, "a.conf", rules, message), 0);
	for (size_t i = 0; i < rules->count; i++)
		strncat(got, rules->patterns[i].rule.pattern, 8);
	/* Each in its place; the default said last holds; twice is not a loop. */
	assert_string_equal(got, "123c4c");
	assert_int_equal(rules->level, AF_VIEW);
	rules_free(rules);

	rules = rules_new();
	write_file(dir, "c.conf", "\ninclude('a.conf')");
	assert_int_equal(read_dir_file(dir, "a.conf", rules, message), -EINVAL);
	assert_non_null(strstr(message, "includes itself"));
	rules_free(rules);

	rules = rules_new();
	write_file(dir, "c.conf", "\ninclude('nowhere.conf')");
	assert_int_equal(read_dir_file(dir, "c.conf", rules, message), -ENOENT);
	assert_non_null(strstr(message, "c.conf:2: include: "));
	assert_non_null(strstr(message, "nowhere.conf: No such file or directory"));
	rules_free(rules);

	rules = rules_new();
	write_file(dir, "c.conf", "include('sub', 'x')");
	assert_int_equal(read_dir_file(dir, "c.conf", rules, message), -EINVAL);
	assert_non_null(strstr(message, "takes one file or preset"));
	rules_free(rules);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

static void test_deep_include(void **state)
{
	char dir[] = "/tmp/test_policy_parse.XXXXXX", message[1024], name[32], text[64];
	struct af_rules *rules = rules_new();

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "%d.conf", i);
		snprintf(text, sizeof(text), "include('%d.conf')", i + 1);
		write_file(dir, name, text);
	}
	assert_int_equal(read_dir_file(dir, "0.conf", rules, message), -EINVAL);
	assert_non_null(strstr(message, "nested too deeply"));
	rules_free(rules);
	snprintf(text, sizeof(text), "rm -rf %s", dir);
	assert_int_equal(system(text), 0);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/test_policy_parse.XXXXXX", message[1024], path[64];
	struct af_rules *rules = rules_new();

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(read_dir_file(dir, "none", rules, message), -ENOENT);
	assert_non_null(strstr(message, "No such file"));
	assert_int_equal(read_dir_file(dir, ".", rules, message), -EISDIR);
	assert_non_null(strstr(message, "Is a directory"));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	/* This must not wait for a writer. */
	assert_int_equal(read_dir_file(dir, "fifo", rules, message), -EINVAL);
	assert_non_null(strstr(message, "not a regular file"));
	assert_int_equal(rules_add_file(rules, "/dev/null"), -EINVAL);
	snprintf(path, sizeof(path), "%s/huge", dir);
	write_file(dir, "huge", "#");
	assert_int_equal(truncate(path, (off_t)1 << 40), 0);
	assert_int_equal(read_dir_file(dir, "huge", rules, message), -EFBIG);
	rules_free(rules);
	snprintf(path, sizeof(path), "rm -rf %s", dir);
	assert_int_equal(system(path), 0);
}

static void test_text(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"a", "LEVEL[@PRIORITY]:PATTERN"},
		{"", "LEVEL[@PRIORITY]:PATTERN"},
		{":a", "not a level"},
		{"all:a", "not a level"},
		{"nonesuchlevel:a", "not a level"},
		{"read@:a", "not a priority"},
		{"read@x:a", "not a priority"},
		{"read@1x:a", "not a priority"},
		{"read@-:a", "not a priority"},
		{"read@99999999999:a", "not a priority"},
		{"read:", "an empty pattern"},
		{"read:a//b", "an empty component"},
		{"read:!a", "takes out of the others"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct af_rules *rules = rules_new();
		struct caught caught;
		int rc;

		catch_begin(&caught);
		rc = rules_add_text(rules, bad[i].text, "-o");
		catch_end(&caught);
		if (rc != -EINVAL || !strstr(caught.text, bad[i].why) ||
			!strstr(caught.text, "-o:1: "))
			fail_msg("%s: %d %s", bad[i].text, rc, caught.text);
		rules_free(rules);
	}
}

static void test_levels(void **state)
{
	enum af_level level = AF_NONE;

	(void)state;
	for (int i = AF_NONE; i <= AF_WRITE; i++) {
		assert_int_equal(level_parse(level_name((enum af_level)i), &level), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(level_parse("Read", &level), -EINVAL);
	assert_int_equal(level_parse("", &level), -EINVAL);
}

/* Returns the messages about text's rules that can never decide, and how many there are. */
static int unreachable(const char *text, struct caught *caught)
{
	struct af_rules *rules = rules_new();
	int count;

	assert_int_equal(add_policy_text(rules, text, strlen(text)), 0);
	catch_begin(caught);
	count = rules_warn_unreachable(rules);
	catch_end(caught);
	rules_free(rules);
	return count;
}

static void test_unreachable(void **state)
{
	static const struct {
		int count;
		const char *text;
	} list[] = {
		{0, "read('**')\nnone('*.key')"},
		{1, "none('*.key')\nread('**')"},
		{1, "read('/a/b')\nread('/a')"},
		{0, "read('/a')\nread('/a/b')"},
		{0, "read('a')\nread('a/')"},
		{1, "read('a/')\nread('a')"},
		{1, "read('ab')\nread('a?')"},
		{1, "read('/a/x/b')\nread('/a/**/b')"},
		{1, "read('[ab]')\nread('[a-c]')"},
		{1, "read('a', '!a')"},
		{1, "read('b')\nread('a')\nread('{a,c}')\nread('**', '!b', '!a')"},
		{2, "read('b')\nread('a')\nread('{a,b}')"},
		{1, "rules 'x' {\npriority = 1\nread('*')\n}\nnone('a')"},
		{1, "rules 'x' {\nnocase = true\nread('a')\n}\nrules 'x' {\nnocase = true\nread('A')\n}"},
		{0, "rules 'x' {\nnocase = true\nread('a')\n}\nread('A')"},
		{1, "read('/.agentfense/x')"},
	};
	struct caught caught;

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		int count = unreachable(list[i].text, &caught);

		if (count != list[i].count)
			fail_msg("%s: %d\n%s", list[i].text, count, caught.text);
	}
	assert_int_equal(unreachable("view('b')\n\nview('a')\nread('*')", &caught), 2);
	assert_non_null(strstr(caught.text, ":3: a: can never decide"));
	assert_non_null(strstr(caught.text, ":4: * wins"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_traps),
		cmocka_unit_test(test_include),
		cmocka_unit_test(test_deep_include),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_unreachable),
	};

	log_init("test_policy_parse");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
