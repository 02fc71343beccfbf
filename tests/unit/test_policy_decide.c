/*
 * What rules mean: each sentence of agentfense-policy(5), as decisions; what a directory's flags
 * promise; and the life of policies and their caches.
 */
#include "policy_internal.h"
#include "policy_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/*
 * "PATH LEVEL" a line; a path that ends in / is a directory. A + after the level: traversable.
 */
static void expect(const char *policy_text, const char *lines)
{
	struct af_policy *policy = policy_from(policy_text);
	char *copy = strdup(lines), *save = NULL;

	assert_non_null(policy);
	assert_non_null(copy);
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strrchr(line, ' ');
		size_t len = (size_t)(space - line);
		bool dir = len == 0 || line[len - 1] == '/';
		char got[32];
		struct af_step step;
		const struct af_verdict *v = dir ? &step.dir : &step.file;

		policy_path(policy, line, len - (dir && len > 0), &step);
		snprintf(got, sizeof(got), "%s%s", level_name((enum af_level)v->level),
			v->flags & AF_V_TRAVERSABLE ? "+" : "");
		if (strcmp(got, space + 1) != 0)
			fail_msg("%s\n%s: %s", policy_text, line, got);
	}
	free(copy);
	policy_put(policy);
}

static void test_wildcards(void **state)
{
	(void)state;
	expect("read('/a*c')", "ac read\nabc read\nab none\nabcd none\nx/abc none");
	expect("read('/*')", ".hidden read\na read");
	expect("read('/a?c')",
		"abc read\nac none\na\xc3\xa9"
		"c read\na\xff"
		"c read\na\xc3\xa9\xc3\xa9"
		"c none");
	expect("read('/?"
	       "?')",
		"\xc3\xa9\xc3\xa9 read\n\xc3\xa9 none\n\xff\xff read\nab read");
	expect("read('/[a-c]')", "b read\nd none");
	expect("read('/[!a-c]')", "b none\nd read\n\xc3\xa9 read\n\xff read");
	expect("read('/[^a-c]')", "b none\nd read");
	expect("read('/[[:alpha:]]')", "b read\n1 none");
	expect("read('/[\xc3\xa8-\xc3\xaa]x')", "\xc3\xa9x read\nax none");
	expect("read('/\\*')", "* read\na none");
	expect("read('/a/**/d')", "a/d read\na/b/d read\na/b/c/d read\na/b/c none");
	expect("read('/{a,b{c,d},}x')", "ax read\nbcx read\nbdx read\nx read\nbx none");
}

static void test_places(void **state)
{
	(void)state;
	expect("read('a')", "a read\nx/a read\nx/y/a read\nxa none");
	expect("read('a/')", "a none\na/ read\nx/a/ read\nx/a none\na/b read");
	expect("read('/a')", "a read\nx/a none");
	expect("read('x/a')", "x/a read\ny/x/a none");
	for (int i = 0; i < 3; i++) {
		static const char *const forms[] = {
			"read('/docs')", "read('/docs/')", "read('/docs/**')"};

		expect(forms[i], "docs/ read\ndocs/a read\ndocs/a/b read\ndocsx/ none");
	}
	expect("read('/docs')", "docs read");
	expect("read('/docs/')", "docs none");
	expect("read('/docs/**')", "docs none");
	expect("read('output/*')", "output/ none+\noutput/a read\noutput/a/b read");
	expect("read('**/*')", " none+\na read\na/b read");
	expect("read('/')", " read\na read\na/b read");
	expect("read('**')", " read\na read\na/b/ read");
}

static void test_case(void **state)
{
	(void)state;
	expect("read('a[b]')", "ab read\nAB none");
	expect("rules 'x' {\nnocase = true\nread('a[b]', '\xc3\xa9')\n}",
		"ab read\nAB read\nAb read\n\xc3\xa9 read\n\xc3\x89 none");
	/* One group's case is not another's. */
	expect("rules 'x' {\nnocase = true\nread('a')\n}\nwrite('b')", "A read\nb write\nB none");
	expect("rules 'x' {\nread('a')\nnocase = true\n}", "A read");
}

static void test_negation(void **state)
{
	(void)state;
	expect("read('**')\nnone('.env*', '!.env.example')",
		".env none\n.env.example read\nx/.env.example read\n.env.d/ none+\n"
		".env.d/a none\n.env.d/.env.example read");
	/* As if that rule had not been written: other rules hold. */
	expect("none('**', '!a')\nview('/b/a')", "a none\nb/a view\nc none");
	/* Everything below what it matches, and above a pattern that matches deeper. */
	expect("none('b', '!/a')\ndefault = read", "b none\na/b read\na/x/b read");
	/* All patterns of the call, and only of that. */
	expect("default = read\nnone('x', 'y', '!z')\nview('x')", "z/x view\nz/y read\ny none");
	expect("read('\\!a')", "!a read\na none");
	expect("read('a', '\\!b', '!/c')", "!b read\nc/a none\nd/a read");
	/* Directories only, there too. */
	expect("default = read\nnone('k*', '!k/')", "k none\nk/ read\nkk/ none+");
}

static void test_order(void **state)
{
	(void)state;
	expect("read('a')\nnone('a')", "a none");
	expect("none('a')\nread('a')", "a read");
	/* Not the more specific one. */
	expect("write('/a/b/c')\nread('a')", "a/b/c read");
	expect("rules 'x' {\npriority = 1\nnone('a')\n}\nread('a')", "a none");
	expect("rules 'x' {\nnone('a')\npriority = 1\n}\nread('a')", "a none");
	expect("rules 'x' {\npriority = -1\nnone('a')\n}\nread('**')", "a read");
	expect("rules 'x' {\npriority = 2\nnone('a')\n}\nrules 'x' {\npriority = 3\nread('a')\n}\n"
	       "view('a')",
		"a read");
	expect("default = view\nread('a')", "a read\nb view\n view");
	expect("default = view\ndefault = read\nview('a')", "b read");
	expect("view('a')", "b none");
}

static void test_traversable(void **state)
{
	(void)state;
	expect("read('**', '!secret/')",
		"secret/ none\na/secret/ none\nsecret/a none\nsecret read");
	expect("none('.env*')\nnone('*.key')", ".env.d/ none\n none");
	expect("none('/secret/')\nread('/secret/pub')",
		" none+\nsecret/ none+\nsecret/x/ none\nsecret/pub/ read\nsecret/pub/x read");
	expect("read('/a/b/c')", " none+\na/ none+\na/b/ none+\na/x/ none\nb/ none\na/b/c/ read");
	expect("read('/a/b/c')", "a none\na/b none");
	/* What can only be overruled does not count. */
	expect("read('**/pub')\nnone('/secret/')", "secret/ none\nsecret/pub none");
	expect("rules 'x' {\npriority = 1\nnone('*.d/')\n}\nread('**')", "a.d/ none\na.d/b none");
	/* What a negation may uncover does. */
	expect("read('**')\nnone('s/', '!pub')", "s/ none+\ns/pub read\ns/x/ none+");
	expect("none('s/', '!pub')", "s/ none");
}

static unsigned int flags_of(const char *policy_text, const char *path)
{
	struct af_policy *policy = policy_from(policy_text);
	struct af_step step;

	assert_non_null(policy);
	policy_path(policy, path, strlen(path), &step);
	policy_put(policy);
	return step.dir.flags & ~(unsigned int)AF_V_HAS_RULE;
}

static void test_flags(void **state)
{
	(void)state;
	assert_int_equal(flags_of("read('**')", "a"), AF_V_UNIFORM);
	assert_int_equal(flags_of("write('**')", "a"), AF_V_UNIFORM | AF_V_MAY_CREATE);
	assert_int_equal(flags_of("default = read", "a/b"), AF_V_UNIFORM);
	assert_int_equal(flags_of("none('a')", "a"), AF_V_UNIFORM | AF_V_MAY_HIDE);
	/* The root could hold .agentfense. */
	assert_int_equal(flags_of("read('**')", ""), AF_V_MAY_HIDE);
	assert_int_equal(flags_of("read('**')\nwrite('/out/a')", "out"), AF_V_MAY_CREATE);
	assert_int_equal(flags_of("read('**')\nwrite('/out/a/b')", "out"), 0);
	assert_int_equal(flags_of("read('**')\nwrite('/out/*/b')", "out/x"), AF_V_MAY_CREATE);
	assert_int_equal(flags_of("read('**')\nnone('*.key')", "a"), AF_V_MAY_HIDE);
	assert_int_equal(flags_of("read('**')\nnone('/a/*/k')", "b"), AF_V_UNIFORM);
	assert_int_equal(flags_of("read('**')\nview('*.key')", "a"), 0);
	/* A rule of the same level changes nothing below. */
	assert_int_equal(flags_of("read('**')\nread('*.key')", "a"), AF_V_UNIFORM);
}

static void test_built_in(void **state)
{
	struct af_policy *policy = policy_from("rules 'x' {\npriority = 1000000\nwrite('**')\n}");
	struct af_step step;
	const struct af_rule *rule;

	(void)state;
	assert_non_null(policy);
	policy_path(policy, ".agentfense/x", 13, &step);
	assert_int_equal(step.file.level, AF_NONE);
	policy_path(policy, ".agentfense", 11, &step);
	assert_int_equal(step.dir.level, AF_NONE);
	assert_int_equal(step.dir.flags & AF_V_TRAVERSABLE, 0);
	rule = policy_rule(policy, &step.dir);
	assert_non_null(rule);
	assert_string_equal(rule->file, "built-in");
	/* A filesystem may not care for the case of letters. */
	policy_path(policy, ".AgentFense/x", 13, &step);
	assert_int_equal(step.file.level, AF_NONE);
	policy_path(policy, "a/.agentfense", 13, &step);
	assert_int_equal(step.dir.level, AF_WRITE);
	policy_put(policy);
}

static void test_rule(void **state)
{
	struct af_rules *rules = rules_new();
	struct af_policy *policy = NULL;
	struct af_step step;
	const struct af_rule *rule;

	(void)state;
	assert_non_null(rules);
	assert_int_equal(rules_add_text(rules, "read@-3:a", "-o"), 0);
	assert_int_equal(rules_add_text(rules, "write@7:/b:c", "command line"), 0);
	assert_int_equal(policy_compile(rules, &policy), 0);
	rules_free(rules);
	policy_path(policy, "b:c", 3, &step);
	rule = policy_rule(policy, &step.file);
	assert_non_null(rule);
	assert_int_equal(rule->level, AF_WRITE);
	assert_int_equal(rule->priority, 7);
	assert_int_equal(rule->line, 2);
	assert_string_equal(rule->file, "command line");
	assert_string_equal(rule->pattern, "/b:c");
	policy_path(policy, "x", 1, &step);
	assert_null(policy_rule(policy, &step.file));
	policy_put(policy);
}

static void test_default_forced(void **state)
{
	struct af_rules *rules = rules_new();
	struct af_policy *policy = NULL;
	struct af_step step;

	(void)state;
	assert_non_null(rules);
	rules_set_default(rules, AF_VIEW);
	assert_int_equal(add_policy_text(rules, "default = write", 15), 0);
	assert_int_equal(policy_compile(rules, &policy), 0);
	rules_free(rules);
	policy_path(policy, "x", 1, &step);
	assert_int_equal(step.file.level, AF_VIEW);
	policy_put(policy);
}

/* A full cache says so, decides as before, and a renewed policy is another with an empty one. */
static void test_full(void **state)
{
	struct af_rules *rules = rules_new();
	struct af_policy *policy = NULL, *renewed;
	struct af_step step;
	char name[32];

	(void)state;
	assert_non_null(rules);
	assert_int_equal(rules_add_text(rules, "read:a*b*c*", "-o"), 0);
	assert_int_equal(policy_compile_sized(rules, 512, &policy), 0);
	rules_free(rules);
	assert_false(policy_is_full(policy));
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "a%cb%cc", 'd' + i % 20, 'd' + i / 20);
		policy_path(policy, name, strlen(name), &step);
		assert_int_equal(step.file.level, AF_READ);
		name[4] = 'x';
		policy_path(policy, name, strlen(name), &step);
		assert_int_equal(step.file.level, AF_NONE);
	}
	assert_true(policy_is_full(policy));
	renewed = policy_renew(policy);
	assert_non_null(renewed);
	assert_false(policy_is_full(renewed));
	assert_int_not_equal(policy_serial(policy), policy_serial(renewed));
	assert_int_not_equal(policy_serial(renewed), 0);
	policy_put(policy);
	policy_path(renewed, "axbyc", 5, &step);
	assert_int_equal(step.file.level, AF_READ);
	assert_ptr_equal(policy_get(renewed), renewed);
	policy_put(renewed);
	policy_put(renewed);
}

/* Unreadably many nodes are refused in time and memory; text that explodes is not. */
static void test_size(void **state)
{
	struct af_rules *rules = rules_new();
	struct af_policy *policy = NULL;
	struct caught caught;
	char pattern[4096];
	int rc = 0;

	(void)state;
	assert_non_null(rules);
	for (int i = 0; i < 700 && rc == 0; i++) {
		int used = snprintf(pattern, sizeof(pattern), "read:/%d", i);

		memset(pattern + used, 'a' + i % 26, sizeof(pattern) - (size_t)used - 1);
		pattern[sizeof(pattern) - 1] = '\0';
		rc = rules_add_text(rules, pattern, "-o");
	}
	assert_int_equal(rc, 0);
	catch_begin(&caught);
	rc = policy_compile(rules, &policy);
	catch_end(&caught);
	assert_int_equal(rc, -E2BIG);
	assert_non_null(strstr(caught.text, "too large"));
	rules_free(rules);
	expect("read('**/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}*?')",
		"ababababababax read\nababababababa none");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wildcards),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_negation),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_traversable),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_built_in),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_default_forced),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_size),
	};

	log_init("test_policy_decide");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
