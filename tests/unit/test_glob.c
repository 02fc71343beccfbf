/*
 * Patterns -> tokens: what is one, what each means, and why others are none.
 */
#include "glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Tokens as a line of text: easy to write down and to compare. */
static const char *tokens(const char *pattern, bool nocase)
{
	static char out[512];
	struct glob glob = {0};
	const char *why = "";
	size_t used = 0;
	int rc = glob_parse(&glob, pattern, nocase, &why);

	if (rc) {
		glob_fini(&glob);
		return why;
	}
	out[0] = '\0';
	if (glob.negative)
		used += (size_t)snprintf(out, sizeof(out), "! ");
	for (size_t i = 0; i < glob.token_count; i++) {
		const struct glob_token *t = &glob.tokens[i];
		static const char *const names[] = {[GLOB_ANY] = "?",
			[GLOB_STAR] = "*",
			[GLOB_OPEN] = "{",
			[GLOB_COMMA] = ",",
			[GLOB_CLOSE] = "}",
			[GLOB_SLASH] = "/",
			[GLOB_GLOBSTAR] = "**/"};
		const struct glob_class *class = &glob.classes[t->value];

		if (t->kind == GLOB_CHAR && t->value < 0x80)
			used += (size_t)snprintf(out + used, sizeof(out) - used, "%c", t->value);
		else if (t->kind == GLOB_CHAR)
			used += (size_t)snprintf(out + used, sizeof(out) - used, "<%x>", t->value);
		else if (t->kind != GLOB_CLASS)
			used += (size_t)snprintf(
				out + used, sizeof(out) - used, "%s", names[t->kind]);
		for (uint32_t j = 0; t->kind == GLOB_CLASS && j < class->ranges; j++)
			used += (size_t)snprintf(out + used, sizeof(out) - used, "[%x-%x]",
				glob.ranges[class->first_range + j].first,
				glob.ranges[class->first_range + j].last);
	}
	if (glob.directory_only)
		snprintf(out + used, sizeof(out) - used, " dir");
	glob_fini(&glob);
	return out;
}

struct expect {
	const char *pattern, *tokens;
};

static void check_all(const struct expect *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(tokens(list[i].pattern, false), list[i].tokens);
}

#define CHECK_ALL(list) check_all(list, sizeof(list) / sizeof(list[0]))

static void test_places(void **state)
{
	static const struct expect list[] = {
		{"a", "**/a"},
		{"/a", "a"},
		{"a/", "**/a dir"},
		{"/a/", "a dir"},
		{"a/b", "a/b"},
		{"a/b/", "a/b dir"},
		{"/", ""},
		{"**", " dir"},
		{"/**", " dir"},
		{"a/**", "a dir"},
		{"/a/**", "a dir"},
		{"**/a", "**/a"},
		{"/**/a", "**/a"},
		{"a/**/b", "a/**/b"},
		{"**/*", "**/*"},
		{"**/", "**/* dir"},
		{"/**/", "**/* dir"},
		{"a/**/", "a/**/* dir"},
		{"**/**/a", "**/a"},
		{"a/**/**", "a dir"},
		{"a/**/**/b", "a/**/b"},
		{"**/a/**", "**/a dir"},
		{"*", "**/*"},
		{"a**b", "**/a*b"},
		{"***", "**/*"},
		{"/***", "*"},
	};

	(void)state;
	CHECK_ALL(list);
}

static void test_characters(void **state)
{
	static const struct expect list[] = {
		{"/\\*\\?\\[\\{\\\\", "*?[{\\"},
		{"/\\a", "a"},
		{"/a,b}", "a,b}"},
		{"/a]", "a]"},
		{"/\xc3\xa9\xff", "<e9><1100ff>"},
		{"/\\\xc3\xa9", "<e9>"},
		{"!a", "! **/a"},
		{"!/a", "! a"},
		{"\\!a", "**/!a"},
		{"a!", "**/a!"},
		{"/ a ", " a "},
		{"/#a", "#a"},
	};

	(void)state;
	CHECK_ALL(list);
}

static void test_classes(void **state)
{
	static const struct expect list[] = {
		{"/[ab]", "[61-62]"},
		{"/[ac]", "[61-61][63-63]"},
		{"/[a-c]", "[61-63]"},
		{"/[]a]", "[5d-5d][61-61]"},
		{"/[a-]", "[2d-2d][61-61]"},
		{"/[-a]", "[2d-2d][61-61]"},
		{"/[!a]", "[1-60][62-1100ff]"},
		{"/[^a]", "[1-60][62-1100ff]"},
		{"/[!]a]", "[1-5c][5e-60][62-1100ff]"},
		{"/[a!]", "[21-21][61-61]"},
		{"/[\\]]", "[5d-5d]"},
		{"/[\\!a]", "[21-21][61-61]"},
		{"/[a\\-c]", "[2d-2d][61-61][63-63]"},
		{"/[[:digit:]]", "[30-39]"},
		{"/[[:alpha:]_]", "[41-5a][5f-5f][61-7a]"},
		{"/[![:alnum:]]", "[1-2f][3a-40][5b-60][7b-1100ff]"},
		{"/[[]", "[5b-5b]"},
		{"/[{,}]", "[2c-2c][7b-7b][7d-7d]"},
		{"/[\xc3\xa8-\xc3\xa9]", "[e8-e9]"},
		{"/[\xff]", "[1100ff-1100ff]"},
	};

	(void)state;
	CHECK_ALL(list);
}

static void test_case(void **state)
{
	(void)state;
	assert_string_equal(tokens("/[a-c]", true), "[41-43][61-63]");
	assert_string_equal(tokens("/[Z-b]", true), "[41-42][5a-62][7a-7a]");
	assert_string_equal(tokens("/[!a]", true), "[1-40][42-60][62-1100ff]");
	assert_string_equal(tokens("/[\xc3\xa9]", true), "[e9-e9]");
}

static void test_braces(void **state)
{
	static const struct expect list[] = {
		{"/{a,b}", "{a,b}"},
		{"/{a,{b,c}d}", "{a,{b,c}d}"},
		{"/{,a}", "{,a}"},
		{"/a{}", "a{}"},
		{"/{a}", "{a}"},
		{"/{*,?}", "{*,?}"},
		{"/\\{a,b\\}", "{a,b}"},
		{"/{a\\,b}", "{a,b}"},
		{"/{a}}", "{a}}"},
		{"/{**,a}", "{*,a}"},
		{"/*{*}", "*{*}"},
	};

	(void)state;
	CHECK_ALL(list);
}

static void test_errors(void **state)
{
	static const struct expect list[] = {
		{"", "an empty pattern"},
		{"!", "an empty pattern"},
		{"//", "an empty component"},
		{"a//b", "an empty component"},
		{"a//", "an empty component"},
		{"//a", "an empty component"},
		{"**//a", "an empty component"},
		{"{}", "an empty component"},
		{"a/{,}/b", "an empty component"},
		{".", "a component that is . or .."},
		{"..", "a component that is . or .."},
		{"./a", "a component that is . or .."},
		{"a/..", "a component that is . or .."},
		{"a/../b", "a component that is . or .."},
		{"a/\\.", "a component that is . or .."},
		{"[a", "a [ without its ]"},
		{"[", "a [ without its ]"},
		{"[]", "a [ without its ]"},
		{"[!]", "a [ without its ]"},
		{"[a/b]", "a [ without its ]"},
		{"[a\\]", "a [ without its ]"},
		{"[a-", "a [ without its ]"},
		{"{a", "a { without its }"},
		{"{a,{b}", "a { without its }"},
		{"{a/b}", "a slash in braces"},
		{"{a,/}", "a slash in braces"},
		{"a\\", "nothing follows the backslash at its end"},
		{"a\\/b", "a backslash before a slash"},
		{"[z-a]", "a range that runs backwards"},
		{"[[:none:]]", "no such character class"},
		{"[a-\xff]", "a range from a character to a byte that is none"},
	};

	(void)state;
	CHECK_ALL(list);
	/* Names that only begin with dots are names. */
	assert_string_equal(tokens("/...", false), "...");
	assert_string_equal(tokens("/.a", false), ".a");
}

static void test_deep_braces(void **state)
{
	char pattern[256];

	(void)state;
	memset(pattern, '{', GLOB_MAX_DEPTH);
	pattern[GLOB_MAX_DEPTH] = 'a';
	memset(pattern + GLOB_MAX_DEPTH + 1, '}', GLOB_MAX_DEPTH);
	pattern[2 * GLOB_MAX_DEPTH + 1] = '\0';
	assert_string_not_equal(tokens(pattern, false), "braces nested too deeply");
	memset(pattern, '{', GLOB_MAX_DEPTH + 1);
	assert_string_equal(tokens(pattern, false), "braces nested too deeply");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_braces),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_deep_braces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
