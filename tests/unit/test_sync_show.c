/*
 * Unit tests of how a plan is shown: lines, records, JSON, names and back; and of three-way merges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "names.h"
#include "show.h"

#include <stdlib.h>
#include <string.h>

/* ---- lines, records, JSON ----------------------------------------------------------------------- */

static char bad_name[] = "a\nM\tsecret\x1b[2J", new_name[] = "new \xc3\xa9\xff",
	    old_name[] = "old\tname", held_name[] = ".git/hooks/x", reason[] = "listed: \"x\"",
	    dir_name[] = "dir";

static struct plan_entry entries[] = {
	{.letter = PLAN_MODIFIED, .path = bad_name},
	{.letter = PLAN_ADDED, .path = dir_name, .is_dir = true},
	{.letter = PLAN_RENAMED, .path = new_name, .old_path = old_name},
	{.letter = PLAN_MODIFIED, .path = dir_name, .unlisted = true},
	{.letter = PLAN_HELD, .path = held_name, .why = reason, .stays = true},
};
static const struct plan plan = {.entries = entries, .entry_count = 5};

static void shows(enum show_form form, const char *expected, size_t size)
{
	char *text = NULL;
	size_t got = 0;
	FILE *out = open_memstream(&text, &got);

	assert_non_null(out);
	assert_int_equal(show_plan(out, &plan, form), 0);
	fclose(out);
	assert_int_equal(got, size);
	assert_memory_equal(text, expected, size);
	free(text);
}

#define SHOWS(form, text) shows((form), (text), sizeof(text) - 1)

static void forms(void **state)
{
	(void)state;
	SHOWS(SHOW_LINES,
		"M\ta\\x0aM\\x09secret\\x1b[2J\n"
		"A\tdir\n"
		"R\told\\x09name\tnew \xc3\xa9\\xff\n"
		"Q\t.git/hooks/x\n");
	SHOWS(SHOW_NUL,
		"M\ta\nM\tsecret\x1b[2J\0"
		"A\tdir\0"
		"R\told\tname\tnew \xc3\xa9\xff\0"
		"Q\t.git/hooks/x\0");
	SHOWS(SHOW_JSON,
		"{\"letter\":\"M\",\"path\":\"a\\nM\\tsecret\\u001b[2J\",\"old\":null,\"dir\":false,"
		"\"stays\":false,\"why\":null}\n"
		"{\"letter\":\"A\",\"path\":\"dir\",\"old\":null,\"dir\":true,\"stays\":false,"
		"\"why\":null}\n"
		"{\"letter\":\"R\",\"path\":\"new \xc3\xa9\\udcff\",\"old\":\"old\\tname\","
		"\"dir\":false,\"stays\":false,\"why\":null}\n"
		"{\"letter\":\"Q\",\"path\":\".git/hooks/x\",\"old\":null,\"dir\":false,"
		"\"stays\":true,\"why\":\"listed: \\\"x\\\"\"}\n");
}

static void full_disk(void **state)
{
	FILE *out = fopen("/dev/full", "we");

	(void)state;
	assert_non_null(out);
	assert_int_equal(show_plan(out, &plan, SHOW_LINES), -ENOSPC);
	fclose(out);
}

/* ---- names and back ----------------------------------------------------------------------------- */

/* The name as it is printed, in the caller's buffer. */
static void print(char *to, size_t size, const char *name)
{
	FILE *out = fmemopen(to, size, "w");

	assert_non_null(out);
	names_print(out, name);
	putc('\0', out);
	assert_int_equal(fclose(out), 0);
}

static void escapes(void **state)
{
	static const struct {
		const char *name, *printed;
	} cases[] = {
		{"plain name", "plain name"},
		{"\xc3\xa9", "\xc3\xa9"},
		{"a\tb\nc", "a\\x09b\\x0ac"},
		{"\x7f\xc2\x9b", "\\x7f\\xc2\\x9b"},
		{"\xff\xfe", "\\xff\\xfe"},
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"},
		{"a\\b", "a\\b"},
		{"\\x41", "\\x5cx41"},
		{"\\x4", "\\x4"},
		{"\\x4\x01", "\\x4\\x01"},
		{"\\\x01", "\\\\x01"},
		{"\\x5cx41", "\\x5cx5cx41"},
		{"\\x00", "\\x00"},
		{"\\X41\\x4G\\xAB", "\\X41\\x4G\\xAB"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print(text, sizeof(text), cases[i].name);
		assert_string_equal(text, cases[i].printed);
		names_unescape(text);
		assert_string_equal(text, cases[i].name);
	}
}

/* Whatever the bytes are; mostly those that mean something here. */
static void round_trips(void **state)
{
	static const char likely[] = "\\\\\\x\\x4104567890abcdefx\t\n\x1b\xc3\xa9\xff\xe2\x80\xae.";

	(void)state;
	srandom(1);
	for (int i = 0; i < 200000; i++) {
		char name[16], text[80];
		size_t len = (size_t)random() % (sizeof(name) - 1);

		for (size_t k = 0; k < len; k++)
			name[k] = random() % 8 ? likely[(size_t)random() % (sizeof(likely) - 1)]
					       : (char)(1 + random() % 255);
		name[len] = '\0';
		print(text, sizeof(text), name);
		assert_null(strpbrk(text, "\t\n\x1b\x7f"));
		names_unescape(text);
		assert_string_equal(text, name);
	}
}

/* ---- merge3 ------------------------------------------------------------------------------------- */

static struct merge_text text_of(const char *text)
{
	return (struct merge_text){.data = text, .size = strlen(text)};
}

static void merges(void **state)
{
	static const struct {
		const char *mine, *base, *theirs;
		const char *merged; /* NULL: they conflict */
	} cases[] = {
		{"0\nb\nc\n", "a\nb\nc\n", "a\nb\nd\n", "0\nb\nd\n"},
		{"a\nb\nc\n", "a\nb\nc\n", "a\nb\nc\n", "a\nb\nc\n"},
		{"x\n", "a\n", "a\n", "x\n"},
		{"a\n", "a\n", "x\n", "x\n"},
		/* The same change on both sides is none to quarrel about. */
		{"a\nx\nc\n", "a\nb\nc\n", "a\nx\nc\n", "a\nx\nc\n"},
		{"a\nx\nc\n", "a\nb\nc\n", "a\ny\nc\n", NULL},
		{"", "a\n", "b\n", NULL},
		{"", "a\nb\nc\n", "a\nb\nc\n", ""},
		{"x\n", "", "y\n", NULL},
		{"a\nb\nC", "a\nb\nc", "x\nb\nc", "x\nb\nC"},
		{"a\nb\nc\nd", "a\nb\nc", "x\nb\nc", "x\nb\nc\nd"},
		{"\xff\n1\n2\n3\nx\n", "\xff\n1\n2\n3\n", "\xfe\n1\n2\n3\n", "\xfe\n1\n2\n3\nx\n"},
		{"-- a\n1\n2\n", "-- a\n1\n2\n3\n", "<<<<<<<\n-- a\n1\n2\n3\n",
			"<<<<<<<\n-- a\n1\n2\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct merge_text mine = text_of(cases[i].mine), base = text_of(cases[i].base),
				  theirs = text_of(cases[i].theirs);
		char *merged = NULL;
		size_t size = 0;
		int result = merge3(&mine, &base, &theirs, &merged, &size);

		assert_int_equal(result, cases[i].merged ? 0 : 1);
		if (!cases[i].merged) {
			assert_null(merged);
			continue;
		}
		assert_int_equal(size, strlen(cases[i].merged));
		assert_memory_equal(merged, cases[i].merged, size);
		free(merged);
	}
}

/* More than a pipe holds, in all directions. */
static void merges_large(void **state)
{
	enum { LINES = 100000 };
	char *base = NULL, *mine = NULL, *theirs = NULL, *merged = NULL;
	size_t sizes[3], size = 0;
	FILE *files[3] = {open_memstream(&mine, &sizes[0]), open_memstream(&base, &sizes[1]),
		open_memstream(&theirs, &sizes[2])};
	struct merge_text texts[3];

	(void)state;
	for (int i = 0; i < LINES; i++) {
		fprintf(files[0], "line %d%s\n", i, i == 5 ? " mine" : "");
		fprintf(files[1], "line %d\n", i);
		fprintf(files[2], "line %d%s\n", i, i == LINES - 5 ? " theirs" : "");
	}
	for (int i = 0; i < 3; i++)
		fclose(files[i]);
	texts[0] = (struct merge_text){mine, sizes[0]};
	texts[1] = (struct merge_text){base, sizes[1]};
	texts[2] = (struct merge_text){theirs, sizes[2]};
	assert_int_equal(merge3(&texts[0], &texts[1], &texts[2], &merged, &size), 0);
	assert_int_equal(size, sizes[1] + strlen(" mine theirs"));
	assert_non_null(strstr(merged, "line 5 mine\n"));
	assert_non_null(strstr(merged, "line 99995 theirs\n"));
	free(base);
	free(mine);
	free(theirs);
	free(merged);
}

/* Without the program it is an error, and no conflict. */
static void no_diff3(void **state)
{
	struct merge_text text = text_of("a\n"), other = text_of("b\n");
	char *merged = NULL, *path = strdup(getenv("PATH"));
	size_t size;

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	assert_int_equal(merge3(&text, &text, &other, &merged, &size), -ENOENT);
	setenv("PATH", path, 1);
	free(path);
	assert_null(merged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(full_disk),
		cmocka_unit_test(escapes),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(merges),
		cmocka_unit_test(merges_large),
		cmocka_unit_test(no_diff3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
