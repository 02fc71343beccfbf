/*
 * Random policies and paths against the reference of slow_match.h, with a roomy cache, with one that
 * is full at once, and with rules that were written down and read again. PROPERTY_ROUNDS and
 * PROPERTY_SEED change how long and what.
 */
#include "policy_check.h"

#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PATHS_PER_POLICY 40

struct random {
	uint64_t state;
};

/* splitmix64 */
static uint32_t pick(struct random *random, uint32_t below)
{
	uint64_t z = (random->state += 0x9e3779b97f4a7c15U);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
	z = (z ^ z >> 27) * 0x94d049bb133111ebU;
	return (uint32_t)((z ^ z >> 31) >> 32) % below;
}

struct text {
	char bytes[512];
	size_t len;
};

static void append(struct text *text, const char *more)
{
	size_t len = strlen(more);

	assert_true(text->len + len < sizeof(text->bytes));
	memcpy(text->bytes + text->len, more, len + 1);
	text->len += len;
}

#define PICK(random, list) list[pick(random, sizeof(list) / sizeof(list[0]))]

/* Few characters, so that patterns and names meet; of one, two, three and four bytes, and strays. */
static const char *const characters[] = {"a", "a", "b", "b", "c", "A", "B", ".", "e", "\xc3\xa9",
	"\xc3\xa8", "\xe2\x82\xac", "\xf0\x9f\x90\xa7", "\xff", "\xc3"};

static void put_name(struct random *random, struct text *text)
{
	static const char *const names[] = {"a", "b", "ab", "a.b", ".e", "aa", "A", "abc",
		".agentfense", ".agentfEnse", "\xc3\xa9", "b\xff"};

	if (pick(random, 3)) {
		append(text, PICK(random, names));
		return;
	}
	for (uint32_t i = pick(random, 4) + 1; i > 0; i--)
		append(text, PICK(random, characters));
}

static void put_piece(struct random *random, struct text *text, unsigned int depth)
{
	static const char *const classes[] = {"[ab]", "[!a]", "[^a-b]", "[[:upper:]]", "[]a]",
		"[a-]", "[\xc3\xa8-\xc3\xa9]", "[!\xc3\xa9]", "[\\]b]", "[[:alpha:]c.]", "[!\xff]",
		"[\xff]", "[![:punct:]]", "[a-ce]"};
	static const char *const escapes[] = {"\\a", "\\*", "\\{", "\\[", "\\\\", "\\."};

	switch (pick(random, depth < 2 ? 12 : 10)) {
	case 0:
	case 1:
		append(text, "*");
		return;
	case 2:
		append(text, "?");
		return;
	case 3:
		append(text, PICK(random, classes));
		return;
	case 4:
		append(text, pick(random, 4) ? "**" : PICK(random, escapes));
		return;
	case 10:
	case 11:
		append(text, "{");
		for (uint32_t i = pick(random, 3);; i--) {
			for (uint32_t j = pick(random, 3); j > 0; j--)
				put_piece(random, text, depth + 1);
			if (i == 0)
				break;
			append(text, ",");
		}
		append(text, "}");
		return;
	}
	append(text, PICK(random, characters));
}

static void put_component(struct random *random, struct text *text)
{
	if (pick(random, 5) == 0) {
		append(text, "**");
	} else if (pick(random, 3) == 0) {
		put_name(random, text);
	} else {
		for (uint32_t i = pick(random, 4) + 1; i > 0; i--)
			put_piece(random, text, 0);
	}
}

static void put_pattern(struct random *random, struct text *text)
{
	if (pick(random, 40) == 0) {
		append(text, "/");
		return;
	}
	if (pick(random, 3) == 0)
		append(text, "/");
	for (uint32_t i = pick(random, 3);; i--) {
		put_component(random, text);
		if (i == 0)
			break;
		append(text, "/");
	}
	if (pick(random, 3) == 0)
		append(text, "/");
}

static void put_path(struct random *random, struct text *text)
{
	for (uint32_t i = pick(random, 5); i > 0; i--) {
		put_name(random, text);
		if (i > 1)
			append(text, "/");
	}
}

struct made {
	struct check check;
	struct text texts[CHECK_MAX_PATTERNS];
	struct af_rules *rules;
};

/* One call; what is not a pattern is left out, and so is a call of negations only. */
static void add_call(struct random *random, struct made *made, unsigned int call)
{
	struct slow_pattern proto = {.call = call, .level = (int)pick(random, 4)};
	bool positive = false;

	proto.priority = pick(random, 3) ? 0 : (int)pick(random, 3) - 1;
	proto.nocase = pick(random, 4) == 0;
	for (uint32_t i = pick(random, 4) + 1; i > 0 && made->check.count < CHECK_MAX_PATTERNS;
		i--) {
		struct text *text = &made->texts[made->check.count];
		struct glob glob = {0};
		const char *why;

		text->len = 0;
		if (positive && pick(random, 2))
			append(text, "!");
		put_pattern(random, text);
		if (glob_parse(&glob, text->bytes, proto.nocase, &why) == 0) {
			proto.text = text->bytes;
			positive |= !glob.negative;
			made->check.patterns[made->check.count++] = proto;
		}
		glob_fini(&glob);
	}
}

static void add_rules(struct made *made)
{
	unsigned int call = UINT32_MAX;

	for (size_t i = 0; i < made->check.count; i++) {
		const struct slow_pattern *p = &made->check.patterns[i];
		struct af_rule rule = {
			.level = (enum af_level)p->level,
			.priority = p->priority,
			.file = "test",
			.line = 1,
			.pattern = p->text,
		};

		made->rules->groups += p->call != call;
		call = p->call;
		assert_int_equal(rules_add_pattern(made->rules, &rule), 0);
		made->rules->patterns[i].nocase = p->nocase;
	}
}

static void make_policy(struct random *random, struct made *made)
{
	made->check.count = 0;
	made->check.level = (enum af_level)(pick(random, 2) ? 0 : pick(random, 4));
	for (uint32_t i = 0, calls = pick(random, 6); i < calls; i++)
		add_call(random, made, i);
	made->rules = rules_new();
	assert_non_null(made->rules);
	rules_set_default(made->rules, made->check.level);
	add_rules(made);
}

/* The rules by way of their text. */
static struct af_rules *dumped(struct af_rules *rules)
{
	struct af_rules *again = rules_new();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_true(out && again);
	assert_int_equal(rules_dump(rules, out), 0);
	fclose(out);
	assert_int_equal(rules_add_named_text(again, "dumped", text), 0);
	free(text);
	rules_free(rules);
	return again;
}

static void run(size_t cache_bytes, unsigned long divisor, bool by_text)
{
	const char *rounds_text = getenv("PROPERTY_ROUNDS"), *seed = getenv("PROPERTY_SEED");
	unsigned long rounds = (rounds_text ? strtoul(rounds_text, NULL, 10) : 3000) / divisor;
	static struct made made;

	for (unsigned long i = 0; i < rounds; i++) {
		struct random random = {(seed ? strtoul(seed, NULL, 10) : 1) * 1000003 + i};

		make_policy(&random, &made);
		if (by_text)
			made.rules = dumped(made.rules);
		assert_int_equal(
			policy_compile_sized(made.rules, cache_bytes, &made.check.policy), 0);
		rules_free(made.rules);
		for (int j = 0; j < PATHS_PER_POLICY; j++) {
			struct text path = {.len = 0};

			put_path(&random, &path);
			if (!check_path(&made.check, path.bytes, path.len))
				fail_msg("round %lu", i);
		}
		policy_put(made.check.policy);
	}
}

static void test_cached(void **state)
{
	(void)state;
	run((size_t)1 << 20, 1, false);
}

/* What is written down decides the same when it is read. */
static void test_dumped(void **state)
{
	(void)state;
	run((size_t)1 << 20, 2, true);
}

/* Room for a few states only: most steps are made without the cache. */
static void test_uncached(void **state)
{
	(void)state;
	run(8192, 4, false);
}

/* Patterns with more splits than could ever be tried: alarm(2) ends us where one takes long. */
static void test_many_splits(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool covers;
	} cases[] = {
		{"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", true},
		{"{a,aa}{a,aa}{*,a}{*a,a*}{a,*,}{*,a}{*,}b",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"{*,a}{*,a}{*,a}{*,a}{*,a}{*,a}{*,a}{,*}b",
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", true},
		{"**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b",
			"a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", false},
		{"**/**/**/**/**/**/**/**/**/**/**/**/*a/b",
			"a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/b", true},
	};

	(void)state;
	alarm(20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(slow_covers(cases[i].pattern, false, cases[i].path,
					 strlen(cases[i].path), false),
			cases[i].covers);
	alarm(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cached),
		cmocka_unit_test(test_uncached),
		cmocka_unit_test(test_dumped),
		cmocka_unit_test(test_many_splits),
	};

	log_init("test_policy_property");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
