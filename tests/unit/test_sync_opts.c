/*
 * Unit tests of afsyncd's command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "opts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORDS = 32 };

/* Splits at spaces; the words stay until the next call. */
static enum sync_opts_result parse(struct sync_opts *opts, const char *line)
{
	static char text[256];
	char *argv[WORDS + 1], *rest = text, *word;
	int argc = 0;

	snprintf(text, sizeof(text), "afsyncd %s", line);
	while ((word = strsep(&rest, " ")) && argc < WORDS)
		if (*word)
			argv[argc++] = word;
	argv[argc] = NULL;
	return opts_parse(opts, argc, argv);
}

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

static void operands(void **state)
{
	struct sync_opts opts;

	(void)state;
	assert_int_equal(parse(&opts, "d"), SYNC_OPTS_RUN);
	assert_int_equal(opts.action, SYNC_MERGE);
	assert_string_equal(opts.delta, "d");
	assert_null(opts.source);
	assert_int_equal(opts.conflict, CONFLICT_LWW);
	assert_int_equal(opts.undo_keep, 10);
	opts_fini(&opts);
	assert_int_equal(parse(&opts, "-n d s"), SYNC_OPTS_RUN);
	assert_int_equal(opts.action, SYNC_SHOW);
	assert_string_equal(opts.source, "s");
	opts_fini(&opts);
	assert_int_equal(parse(&opts, "--undo s"), SYNC_OPTS_RUN);
	assert_int_equal(opts.action, SYNC_UNDO);
	assert_null(opts.id);
	assert_null(opts.delta);
	assert_string_equal(opts.source, "s");
	opts_fini(&opts);
	assert_int_equal(parse(&opts, "--undo id s"), SYNC_OPTS_RUN);
	assert_string_equal(opts.id, "id");
	assert_string_equal(opts.source, "s");
	opts_fini(&opts);
	assert_int_equal(parse(&opts, "d --fsck"), SYNC_OPTS_RUN);
	assert_int_equal(opts.action, SYNC_FSCK);
	assert_string_equal(opts.delta, "d");
	opts_fini(&opts);
	assert_int_equal(parse(&opts, "--daemon --table t"), SYNC_OPTS_RUN);
	assert_int_equal(opts.action, SYNC_DAEMON);
	assert_string_equal(opts.table, "t");
	opts_fini(&opts);
	assert_int_equal(parse(&opts, "-- -n"), SYNC_OPTS_RUN);
	assert_string_equal(opts.delta, "-n");
	opts_fini(&opts);
}

static void values(void **state)
{
	struct sync_opts opts;

	(void)state;
	assert_int_equal(parse(&opts,
				 "--only - -0 --exclude a --exclude=b --hold x --hold y --hold z "
				 "--conflict merge --undo-keep 0 --state st -q -v d"),
		SYNC_OPTS_RUN);
	assert_string_equal(opts.only, "-");
	assert_int_equal(opts.exclude_count, 2);
	assert_string_equal(opts.exclude[0], "a");
	assert_string_equal(opts.exclude[1], "b");
	assert_int_equal(opts.hold_count, 3);
	assert_string_equal(opts.hold[2], "z");
	assert_int_equal(opts.conflict, CONFLICT_MERGE);
	assert_int_equal(opts.undo_keep, 0);
	assert_string_equal(opts.state, "st");
	assert_true(opts.nul && opts.quiet && opts.verbose && !opts.json && !opts.no_hold);
	opts_fini(&opts);
	assert_int_equal(
		parse(&opts, "-r none:x -p read-only -Pfile --no-hold --json d"), SYNC_OPTS_RUN);
	assert_int_equal(opts.rules_count, 3);
	assert_int_equal(opts.rules[0].kind, SYNC_RULES_TEXT);
	assert_int_equal(opts.rules[1].kind, SYNC_RULES_PRESET);
	assert_int_equal(opts.rules[2].kind, SYNC_RULES_FILE);
	assert_string_equal(opts.rules[2].text, "file");
	assert_true(opts.no_hold && opts.json);
	opts_fini(&opts);
}

static void refused(void **state)
{
	static const char *const lines[] = {"", "a b c", "--undo", "--undo a b c", "--history",
		"--history a b", "--fsck", "--fsck a b", "--discard a b", "--bogus d", "-x d", "-n",
		"d --only", "--conflict lwww d", "--conflict d", "--undo-keep -1 d",
		"--undo-keep 1x d", "--undo-keep 9999999 d", "-n --diff d", "--undo --history d",
		"--fsck --discard d", "--diff --json d", "--fsck --json d", "--undo -0 s",
		"--history --only x s", "--discard --state x d", "--undo --conflict lww s",
		"-n --undo-keep 1 d", "--fsck -p x d", "--hold x --no-hold d", "--json -0 d",
		"-n --json -0 d", "--history --json -0 s", "--daemon d", "--table t d",
		"--daemon -n"};
	struct sync_opts opts;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (parse(&opts, lines[i]) != SYNC_OPTS_ERROR)
			fail_msg("taken: %s", lines[i]);
		opts_fini(&opts);
	}
	assert_int_equal(parse(&opts, "--json -0 --only f d"), SYNC_OPTS_RUN);
	opts_fini(&opts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(operands),
		cmocka_unit_test(values),
		cmocka_unit_test_setup_teardown(refused, hush, unhush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
