/*
 * Unit tests of afrun's command line, durations, words and environment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "env.h"
#include "opts.h"
#include "words.h"

#include <fcntl.h>
#include <string.h>

/* The words of a command line, in memory that may be written to, as argv's may. */
static enum af_opts_result parse(
	struct af_opts *opts, struct af_words *line, const char *const *texts)
{
	*line = (struct af_words){0};
	words_add(line, "afrun");
	words_add_all(line, texts);
	assert_int_equal(words_error(line), 0);
	return opts_parse(opts, (int)line->count, line->items);
}

#define PARSE(opts, line, ...) parse((opts), (line), (const char *const[]){__VA_ARGS__, NULL})

/* What opts_parse() says goes to stderr, which these tests do not look at. */
static int hush(void **state)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	*state = (void *)(intptr_t)dup(2);
	return dup2(null, 2) < 0 || close(null) ? -1 : 0;
}

static int unhush(void **state)
{
	int saved = (int)(intptr_t)*state;

	return dup2(saved, 2) < 0 || close(saved) ? -1 : 0;
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {{"0", 0}, {"1", 1000}, {"1s", 1000}, {"1.5", 1500}, {".5m", 30000},
		{"2h", 7200000}, {"1d", 86400000}, {"0.0001", 1}, {"10m", 600000}, {"007", 7000}};
	static const char *const bad[] = {"", "s", ".", "-1", "1x", "1ss", "1 s", " 1", "1e3",
		"0x10", "inf", "nan", "1.2.3", "+1", "99999999999999999999"};
	int64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(opts_duration(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (opts_duration(bad[i], &ms) != -EINVAL)
			fail_msg("a duration: %s", bad[i]);
}

static void defaults(void **state)
{
	struct af_opts opts;
	struct af_words line;

	(void)state;
	assert_int_equal(PARSE(&opts, &line, "--direct", "true"), AF_OPTS_RUN);
	assert_string_equal(opts.mount_at, "/workspace");
	assert_null(opts.source);
	assert_false(opts.net_host);
	assert_int_equal(opts.timeout_ms, 0);
	assert_int_equal(opts.kill_after_ms, 5000);
	assert_string_equal(opts.command[0], "true");
	assert_null(opts.command[1]);
	opts_fini(&opts);
	words_fini(&line);
}

static void order_is_kept(void **state)
{
	static const enum af_item_kind kinds[] = {AF_ITEM_RULE, AF_ITEM_POLICY, AF_ITEM_PRESET,
		AF_ITEM_RULE, AF_ITEM_ENV_FILE, AF_ITEM_RO_BIND, AF_ITEM_BIND};
	struct af_opts opts;
	struct af_words line;

	(void)state;
	assert_int_equal(PARSE(&opts, &line, "--direct", "-rnone:x", "--policy", "f", "--preset=p",
				 "-r", "read:y", "--env-file", "e", "--ro-bind", "a", "--bind=b"),
		AF_OPTS_RUN);
	assert_int_equal(opts.item_count, sizeof(kinds) / sizeof(kinds[0]));
	for (size_t i = 0; i < opts.item_count; i++)
		assert_int_equal(opts.items[i].kind, kinds[i]);
	assert_string_equal(opts.items[0].text, "none:x");
	assert_string_equal(opts.items[3].text, "read:y");
	assert_null(opts.command[0]);
	opts_fini(&opts);
	words_fini(&line);
}

static void command_ends_options(void **state)
{
	struct af_opts opts;
	struct af_words line;

	(void)state;
	assert_int_equal(PARSE(&opts, &line, "--direct", "ls", "-r", "--net"), AF_OPTS_RUN);
	assert_string_equal(opts.command[0], "ls");
	assert_string_equal(opts.command[2], "--net");
	opts_fini(&opts);
	words_fini(&line);
	assert_int_equal(PARSE(&opts, &line, "--direct", "--", "-c", "x"), AF_OPTS_RUN);
	assert_string_equal(opts.command[0], "-c");
	assert_null(opts.script);
	opts_fini(&opts);
	words_fini(&line);
}

static void env_values_are_hidden(void **state)
{
	struct af_opts opts;
	struct af_words line;

	(void)state;
	assert_int_equal(
		PARSE(&opts, &line, "--direct", "-e", "A=secret", "--env=B=", "-e", "C", "true"),
		AF_OPTS_RUN);
	assert_string_equal(opts.items[0].text, "A=secret");
	assert_string_equal(opts.items[1].text, "B=");
	assert_string_equal(opts.items[2].text, "C");
	for (size_t i = 0; i < line.count; i++)
		assert_null(strstr(line.items[i], "secret"));
	opts_fini(&opts);
	words_fini(&line);
}

static void refused(void **state)
{
	static const char *const lines[][4] = {
		{"--direct", "--net", "all"},
		{"--direct", "-t", "x"},
		{"--direct", "-C"},
		{"--direct", "--nonsense"},
		{"--direct", "-Z"},
		{"--direct", "-c", "x", "y"},
		{"--direct", "-R", "docker"},
		{"--direct", "--memory=0"},
		{"--direct", "--limits=loose"},
		{"--direct", "--list"},
		{"--direct=yes"},
		{"--direct", "-D", "delta"},
		{"--direct", "--sync", "never"},
		{"--direct", "--sync", "success"},
		{"--direct", "--conflict", "keep"},
		{"--direct", "--delta-size", "1G"},
		{"--direct", "--state", "/s"},
		{"--sync", "sometimes"},
		{"--conflict", "mine"},
		{"--delta-size", "0"},
		{"--delta-size", "1.5G"},
		{"--delta-size", "1GB"},
		{"--delta-size", "-1"},
		{"--direct", "-S", "name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		const char *texts[5] = {lines[i][0], lines[i][1], lines[i][2], lines[i][3], NULL};
		struct af_opts opts;
		struct af_words line;

		if (parse(&opts, &line, texts) != AF_OPTS_ERROR)
			fail_msg("accepted: line %zu", i);
		opts_fini(&opts);
		words_fini(&line);
	}
}

static char *quoted(const char *text)
{
	char *out = NULL;
	size_t size;
	FILE *stream = open_memstream(&out, &size);

	words_quote(stream, text);
	fclose(stream);
	return out;
}

static void quoting(void **state)
{
	static const char *const cases[][2] = {{"plain-1.0_x/y", "plain-1.0_x/y"}, {"", "''"},
		{"a b", "'a b'"}, {"it's", "'it'\\''s'"}, {"$x", "'$x'"}, {"~", "'~'"},
		{"*", "'*'"}, {"new\nline", "'new\nline'"}, {"#", "'#'"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		af_autofree char *got = quoted(cases[i][0]);

		assert_string_equal(got, cases[i][1]);
	}
}

static void environment(void **state)
{
	char known[] = "KNOWN=from caller", knowner[] = "KNOWNER=no", empty[] = "EMPTY=";
	char *caller[] = {known, knowner, empty, NULL};
	struct af_words env = {0};

	(void)state;
	assert_int_equal(env_add(&env, "A=1", caller), 0);
	assert_int_equal(env_add(&env, "KNOWN", caller), 0);
	assert_int_equal(env_add(&env, "UNKNOWN", caller), 0);
	assert_int_equal(env_add(&env, "EMPTY", caller), 0);
	assert_int_equal(env_add(&env, "B=x=y z", caller), 0);
	assert_int_equal(env_add(&env, "A=2", caller), 0);
	assert_int_equal(env_add(&env, "=x", caller), -EINVAL);
	assert_int_equal(env_add(&env, "", caller), -EINVAL);
	assert_int_equal(env.count, 4);
	assert_string_equal(env_get(env.items, "A"), "2");
	assert_string_equal(env_get(env.items, "KNOWN"), "from caller");
	assert_string_equal(env_get(env.items, "EMPTY"), "");
	assert_string_equal(env_get(env.items, "B"), "x=y z");
	assert_null(env_get(env.items, "UNKNOWN"));
	words_fini(&env);
}

static void env_file(void **state)
{
	static const char text[] = "# a comment\n\nA=1\nKNOWN\nB=two words # not a comment\nLAST=x";
	char path[] = "/tmp/test_env.XXXXXX", known[] = "KNOWN=k", a[] = "A=0", b[] = "B=b";
	char *caller[] = {known, NULL};
	struct af_env_base base = {.path = "/bin", .home = "/h", .user = "u"};
	struct af_item items[] = {{AF_ITEM_ENV, a}, {AF_ITEM_ENV_FILE, path}, {AF_ITEM_ENV, b}};
	struct af_opts opts = {.items = items, .item_count = 3};
	struct af_words env = {0};
	af_autoclose int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), (long)strlen(text));
	assert_int_equal(env_build(&env, &base, &opts, caller), 0);
	assert_string_equal(env_get(env.items, "A"), "1");
	assert_string_equal(env_get(env.items, "B"), "b");
	assert_string_equal(env_get(env.items, "KNOWN"), "k");
	assert_string_equal(env_get(env.items, "LAST"), "x");
	assert_string_equal(env_get(env.items, "LANG"), "C.UTF-8");
	assert_null(env_get(env.items, "TERM"));
	assert_int_equal(env.count, 8);
	words_fini(&env);
	assert_int_equal(write(fd, "\n=bad\n", 6), 6);
	assert_int_equal(env_build(&env, &base, &opts, caller), -EINVAL);
	words_fini(&env);
	unlink(path);
	assert_int_equal(env_build(&env, &base, &opts, caller), -ENOENT);
	words_fini(&env);
}

static void sessions(void **state)
{
	static const struct {
		const char *words[4];
		enum af_session_do what;
	} good[] = {{{"-S", "a"}, AF_SESSION_RUN}, {{"-Sa", "--start"}, AF_SESSION_START},
		{{"--stop", "-S", "a.b_c-D9"}, AF_SESSION_STOP},
		{{"--session=a", "--status", "--json"}, AF_SESSION_STATUS},
		{{"--list", "--json"}, AF_SESSION_LIST},
		{{"-Sa", "--start", "--idle=1.5m"}, AF_SESSION_START},
		{{"-Sa", "-t1", "-c", "true"}, AF_SESSION_RUN},
		{{"-Sa", "-q", "ls", "--start"}, AF_SESSION_RUN}};
	struct af_opts opts;
	struct af_words line;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (PARSE(&opts, &line, good[i].words[0], good[i].words[1], good[i].words[2],
			    good[i].words[3]) != AF_OPTS_RUN)
			fail_msg("refused: %s %s", good[i].words[0], good[i].words[1]);
		assert_int_equal(opts.session_do, good[i].what);
		assert_int_equal(opts.session == NULL, good[i].what == AF_SESSION_LIST);
		opts_fini(&opts);
		words_fini(&line);
	}
	assert_int_equal(PARSE(&opts, &line, "-Sa", "--start", "--idle=1.5m"), AF_OPTS_RUN);
	assert_int_equal(opts.idle_ms, 90000);
	opts_fini(&opts);
	words_fini(&line);
}

/* What made the sandbox was said at --start; a name is one of a file. */
static void combinations_refused(void **state)
{
	static const char *const bad[][4] = {{"--start"}, {"--status"}, {"--stop"}, {"--idle=1"},
		{"--json"}, {"--json", "true"}, {"-S", ""}, {"-S", "."}, {"-S", ".."},
		{"-S", "a/b"}, {"-S", "-a"}, {"-S", "a b"}, {"-S", "a\n"}, {"-S", "\303\244"},
		{"-S", "01234567890123456789012345678901234567890123456789012345678901234"},
		{"-Sa", "--list"}, {"-Sa", "--start", "--stop"}, {"-Sa", "--status", "--list"},
		{"-Sa", "--start", "true"}, {"-Sa", "--start", "-ctrue"}, {"-Sa", "--start", "-t1"},
		{"-Sa", "--status", "true"}, {"-Sa", "--stop", "-cx"}, {"-Sa", "--stop", "-Cx"},
		{"--list", "-pread"}, {"-Sa", "--idle=1"}, {"-Sa", "--json"}, {"-Sa", "-C."},
		{"-Sa", "-pread"}, {"-Sa", "-Px"}, {"-Sa", "-rnone:x"}, {"-Sa", "-Dx"},
		{"-Sa", "--direct"}, {"-Sa", "-nhost"}, {"-Sa", "-uroot"}, {"-Sa", "-m1G"},
		{"-Sa", "--pids=9"}, {"-Sa", "-eA=b"}, {"-Sa", "-w."}, {"-Sa", "--bind=a"},
		{"-Sa", "--report=-"}, {"-Sa", "--audit=a"}, {"-Sa", "--sync=never"},
		{"-Sa", "--mount-at=/x"}, {"-Sa", "--dry-run"}, {"-Sa", "--start", "--idle=x"}};
	struct af_opts opts;
	struct af_words line;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (PARSE(&opts, &line, bad[i][0], bad[i][1], bad[i][2], bad[i][3]) !=
			AF_OPTS_ERROR)
			fail_msg("taken: %s %s %s", bad[i][0], bad[i][1] ? bad[i][1] : "",
				bad[i][2] ? bad[i][2] : "");
		opts_fini(&opts);
		words_fini(&line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(defaults),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(command_ends_options),
		cmocka_unit_test(env_values_are_hidden),
		cmocka_unit_test_setup_teardown(refused, hush, unhush),
		cmocka_unit_test(sessions),
		cmocka_unit_test_setup_teardown(combinations_refused, hush, unhush),
		cmocka_unit_test(quoting),
		cmocka_unit_test(environment),
		cmocka_unit_test_setup_teardown(env_file, hush, unhush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
