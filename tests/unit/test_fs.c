/*
 * The parts of agentfensefs that decide without a mount: options and attributes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "attr.h"
#include "options.h"

#include <getopt.h>
#include <string.h>

/* ---- options ---------------------------------------------------------------------------------- */

static int parse(struct fs_options *options, int argc, const char **argv)
{
	optind = 0;
	return options_parse(options, argc, (char **)(uintptr_t)argv);
}

#define PARSE(options, ...)                                                                  \
	parse(options, (int)(sizeof((const char *[]){"afs", __VA_ARGS__}) / sizeof(char *)), \
		(const char *[]){"afs", __VA_ARGS__, NULL})

static void options_are_split_at_plain_commas(void **state)
{
	struct fs_options options;

	(void)state;
	assert_int_equal(
		PARSE(&options, "-o", "rule=read:a\\,b,rule=none:c\\\\d,threads=7", "src", "mnt"),
		0);
	assert_int_equal(options.rules_count, 2);
	assert_string_equal(options.rules[0].text, "read:a,b");
	assert_string_equal(options.rules[1].text, "none:c\\d");
	assert_int_equal(options.threads, 7);
	assert_string_equal(options.source, "src");
	assert_string_equal(options.mountpoint, "mnt");
	options_fini(&options);
}

static void options_have_long_forms(void **state)
{
	struct fs_options options;

	(void)state;
	assert_int_equal(PARSE(&options, "--policy", "p.conf", "--preset=read-only", "--rule",
				 "none:x", "--default", "view", "--cache=never", "--passthrough",
				 "no", "--ready-fd", "9", "--lend", "70000:70001", "s", "m"),
		0);
	assert_int_equal(options.rules_count, 3);
	assert_int_equal(options.rules[0].kind, FS_RULES_FILE);
	assert_true(options.rules[0].absolute[0] == '/');
	assert_string_equal(options.rules[0].text, "p.conf");
	assert_int_equal(options.rules[1].kind, FS_RULES_PRESET);
	assert_int_equal(options.rules[2].kind, FS_RULES_TEXT);
	assert_true(options.has_default);
	assert_int_equal(options.default_level, AF_VIEW);
	assert_int_equal(options.cache, FS_CACHE_NEVER);
	assert_false(options.passthrough);
	assert_int_equal(options.ready_fd, 9);
	assert_true(options.lend);
	assert_int_equal(options.lend_uid, 70000);
	assert_int_equal(options.lend_gid, 70001);
	options_fini(&options);
}

static void options_of_fstab_are_accepted(void **state)
{
	struct fs_options options;

	(void)state;
	assert_int_equal(PARSE(&options, "s", "m", "-o",
				 "rw,noauto,user,nofail,_netdev,x-systemd.automount,comment=a,"
				 "defaults,allow_other,fsname=n"),
		0);
	assert_string_equal(options.mount.name, "n");
	assert_true(options.mount.allow_other);
	assert_false(options.mount.unusual);
	/* argv[0], and "-o" with each of rw, allow_other and fsname=n. */
	assert_int_equal(options.mount_args.argc, 7);
	options_fini(&options);
}

static void bad_options_are_refused(void **state)
{
	static const struct {
		const char *option;
		int status;
	} bad[] = {
		{"cache=sometimes", 2},
		{"default=all", 2},
		{"threads=0", 2},
		{"threads=1000000", 2},
		{"threads=x", 2},
		{"passthrough=yes", 2},
		{"lend=0:5", 2},
		{"lend=5", 2},
		{"lend=5:x", 2},
		{"policy", 2},
		{"audit_all=1", 2},
		{"quota=1G", 2}, /* of what? */
		{"volatile", 2},
		{"delta=/d,quota=0", 2},
		{"delta=/d,quota=1Q", 2},
		{"delta=/d,quota=K", 2},
		{"delta=/d,quota=16777216T", 2},
		{"delta=/d,quota_files=-1", 2},
	};
	struct fs_options options;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(PARSE(&options, "-o", bad[i].option, "s", "m"), bad[i].status);
		options_fini(&options);
	}
	assert_int_equal(PARSE(&options, "only-one"), 2);
	options_fini(&options);
	assert_int_equal(PARSE(&options, "--check", "surplus"), 2);
	options_fini(&options);
}

/* ---- attributes ------------------------------------------------------------------------------- */

static mode_t shown(enum af_level level, unsigned int flags, mode_t mode)
{
	struct af_verdict verdict = {.level = (uint8_t)level, .flags = (uint8_t)flags};

	return mode & attr_mask(&verdict, mode);
}

static void mode_bits_tell_the_truth(void **state)
{
	(void)state;
	assert_int_equal(shown(AF_WRITE, 0, S_IFREG | 0755), 0755);
	assert_int_equal(shown(AF_READ, 0, S_IFREG | 0755), 0555);
	assert_int_equal(shown(AF_VIEW, 0, S_IFREG | 0755), 0);
	assert_int_equal(shown(AF_READ, 0, S_IFDIR | 0755), 0555);
	assert_int_equal(shown(AF_READ, AF_V_MAY_CREATE, S_IFDIR | 0755), 0755);
	assert_int_equal(shown(AF_VIEW, 0, S_IFDIR | 0755), 0555);
	assert_int_equal(shown(AF_NONE, AF_V_TRAVERSABLE, S_IFDIR | 0755), 0555);
	assert_int_equal(shown(AF_READ, AF_V_MAY_CREATE, S_IFREG | 0644), 0444);
	assert_int_equal(shown(AF_VIEW, 0, S_IFLNK | 0777), 0777);
	assert_int_equal(shown(AF_READ, 0, S_IFIFO | 0666), 0444);
}

static void setid_bits_are_recognised(void **state)
{
	(void)state;
	assert_true(attr_is_setid(S_ISUID | 0644, false));
	assert_true(attr_is_setid(S_ISGID | 0750, false));
	assert_false(attr_is_setid(S_ISGID | 0640, false));
	assert_false(attr_is_setid(S_ISGID | 0775, true));
	assert_true(attr_is_setid(S_ISUID | 0775, true));
	assert_false(attr_is_setid(S_ISVTX | 0777, true));
}

static void directories_that_may_hide_tell_no_counts(void **state)
{
	struct af_owners owners = {0};
	struct af_verdict hiding = {.level = AF_READ, .flags = AF_V_MAY_HIDE};
	struct af_verdict open = {.level = AF_READ, .flags = AF_V_UNIFORM};
	struct stat st = {.st_mode = S_IFDIR | 0755, .st_nlink = 9, .st_size = 12345};

	(void)state;
	attr_show(&owners, &open, -1, "", &st);
	assert_int_equal(st.st_nlink, 9);
	assert_int_equal(st.st_size, 12345);
	attr_show(&owners, &hiding, -1, "", &st);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_size, 4096);
}

static void lent_ids_go_both_ways(void **state)
{
	struct af_owners owners = {.lend = true, .lend_uid = 70000, .lend_gid = 70001};

	(void)state;
	assert_int_equal(owners_uid_out(&owners, 0), 70000);
	assert_int_equal(owners_gid_out(&owners, 0), 70001);
	assert_int_equal(owners_uid_in(&owners, 70000), 0);
	assert_int_equal(owners_gid_in(&owners, 70001), 0);
	assert_int_equal(owners_uid_out(&owners, 1000), 1000);
	assert_int_equal(owners_uid_in(&owners, 1000), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_split_at_plain_commas),
		cmocka_unit_test(options_have_long_forms),
		cmocka_unit_test(options_of_fstab_are_accepted),
		cmocka_unit_test(bad_options_are_refused),
		cmocka_unit_test(mode_bits_tell_the_truth),
		cmocka_unit_test(setid_bits_are_recognised),
		cmocka_unit_test(directories_that_may_hide_tell_no_counts),
		cmocka_unit_test(lent_ids_go_both_ways),
	};

	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
