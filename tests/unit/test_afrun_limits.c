/*
 * Unit tests of limits as they are written, and of where this process is among the control groups.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cgroup.h"
#include "limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What is wrong goes to stderr, which these tests do not look at. */
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

static void sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"1", 1}, {"007", 7}, {"500M", 500ULL << 20}, {"1K", 1024}, {"2G", 2ULL << 30},
		{"3T", 3ULL << 40}, {"8388607T", 8388607ULL << 40}};
	static const char *const bad[] = {"", "0", "0G", "M", "1m", "1KB", "1 K", "-1", "+1",
		"1.5G", "8388608T", "9999999999999999999"};
	uint64_t bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(limits_size(good[i].text, &bytes), 0);
		assert_true(bytes == good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(limits_size(bad[i], &bytes), -EINVAL);
}

static void options(void **state)
{
	struct af_limits limits = {.memory = 0};

	(void)state;
	assert_int_equal(limits_set_memory(&limits, "1M"), 0);
	assert_int_equal(limits_set_pids(&limits, "20"), 0);
	assert_int_equal(limits_set_cpus(&limits, "1.25"), 0);
	assert_int_equal(limits_set_cpu_shares(&limits, "2"), 0);
	assert_int_equal(limits.memory, 1 << 20);
	assert_int_equal(limits.pids, 20);
	assert_int_equal(limits.cpus_milli, 1250);
	assert_int_equal(limits.cpu_shares, 2);
	assert_int_equal(limits_set_cpus(&limits, ".01"), 0);
	assert_int_equal(limits.cpus_milli, 10);
	assert_int_equal(limits_set_cpus(&limits, "0.001"), -EINVAL);
	assert_int_equal(limits_set_cpus(&limits, "1e3"), -EINVAL);
	assert_int_equal(limits_set_cpus(&limits, ""), -EINVAL);
	assert_int_equal(limits_set_cpus(&limits, "inf"), -EINVAL);
	assert_int_equal(limits_set_pids(&limits, "0"), -EINVAL);
	assert_int_equal(limits_set_pids(&limits, "4194305"), -EINVAL);
	assert_int_equal(limits_set_cpu_shares(&limits, "1"), -EINVAL);
	assert_int_equal(limits.mode, AF_LIMITS_USUAL);
	assert_int_equal(limits_set_mode(&limits, "strict"), 0);
	assert_int_equal(limits.mode, AF_LIMITS_STRICT);
	assert_int_equal(limits_set_mode(&limits, "best-effort"), 0);
	assert_int_equal(limits.mode, AF_LIMITS_BEST_EFFORT);
	assert_int_equal(limits_set_mode(&limits, "none"), -EINVAL);
}

/* ---- control groups ------------------------------------------------------------------------------ */

static void home_is(const char *mountinfo, const char *self, const char *memory, const char *pids,
	const char *cpu, const char *unified, size_t unified_root)
{
	const char *const expected[CGROUP_COUNT] = {
		[CGROUP_MEMORY] = memory, [CGROUP_PIDS] = pids, [CGROUP_CPU] = cpu};
	struct cgroup_home home;

	assert_int_equal(cgroup_find_home(&home, mountinfo, self), 0);
	for (int i = 0; i < CGROUP_COUNT; i++) {
		if (expected[i])
			assert_string_equal(home.legacy[i], expected[i]);
		else
			assert_null(home.legacy[i]);
	}
	if (unified) {
		assert_string_equal(home.unified, unified);
		assert_int_equal(home.unified_root, unified_root);
	} else {
		assert_null(home.unified);
	}
	cgroup_home_fini(&home);
}

static void version_2(void **state)
{
	static const char mount[] =
		"22 27 0:21 / /proc rw,relatime - proc proc rw\n"
		"31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

	(void)state;
	home_is(mount, "0::/user.slice/a.scope\n", NULL, NULL, NULL,
		"/sys/fs/cgroup/user.slice/a.scope", strlen("/sys/fs/cgroup"));
	home_is(mount, "0::/\n", NULL, NULL, NULL, "/sys/fs/cgroup", strlen("/sys/fs/cgroup"));
	home_is(mount, "", NULL, NULL, NULL, NULL, 0);
	home_is("", "0::/a\n", NULL, NULL, NULL, NULL, 0);
	/* A container shows a part of the hierarchy; what is not in it is where that begins. */
	home_is("31 23 0:28 /box /cg rw - cgroup2 none rw\n", "0::/box/in\n", NULL, NULL, NULL,
		"/cg/in", 3);
	home_is("31 23 0:28 /box /cg rw - cgroup2 none rw\n", "0::/boxes\n", NULL, NULL, NULL,
		"/cg", 3);
	home_is("31 23 0:28 /box /cg rw - cgroup2 none rw\n", "0::/box\n", NULL, NULL, NULL, "/cg",
		3);
	/* The first mount of several. */
	home_is("1 2 0:28 / /a rw - cgroup2 none rw\n1 2 0:28 / /bbbb rw - cgroup2 none rw\n",
		"0::/x\n", NULL, NULL, NULL, "/a/x", 2);
}

static void version_1(void **state)
{
	static const char mounts[] =
		"32 31 0:29 / /cg/cpu\\040acct rw - cgroup cgroup rw,cpu,cpuacct\n"
		"35 31 0:32 / /cg/memory rw master:2 - cgroup cgroup rw,memory\n"
		"36 31 0:33 / /cg/sets rw - cgroup cgroup rw,cpuset\n"
		"41 31 0:38 / /cg/unified rw - cgroup2 cgroup2 rw\n";

	(void)state;
	home_is(mounts, "8:cpu,cpuacct:/c\n7:cpuset:/s\n4:memory:/m/n\n1:name=systemd:/x\n0::/u\n",
		"/cg/memory/m/n", NULL, "/cg/cpu acct/c", "/cg/unified/u", strlen("/cg/unified"));
	/* A colon in a path is the path's. */
	home_is(mounts, "4:memory:/a:b\n", "/cg/memory/a:b", NULL, NULL, NULL, 0);
	/* Lines that are none. */
	home_is("35 31\n\n - cgroup\nx - cgroup c memory\n", "4\n4:memory\n:::\n", NULL, NULL, NULL,
		NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),
		cmocka_unit_test_setup_teardown(options, hush, unhush),
		cmocka_unit_test(version_2),
		cmocka_unit_test(version_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
