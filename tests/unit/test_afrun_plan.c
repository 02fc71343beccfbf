/*
 * Unit tests of what afrun decides before it acts: who, what is shown, and bubblewrap's arguments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend.h"
#include "cleanup.h"
#include "plan.h"

#include <bsd/string.h>
#include <fcntl.h>
#include <string.h>

/* ---- who ---------------------------------------------------------------------------------------- */

static void ordinary_caller(void **state)
{
	struct af_identity_facts facts = {
		.caller_uid = 1000, .caller_gid = 100, .owner_uid = 0, .pid = 42};
	struct af_identity id;

	(void)state;
	assert_int_equal(identity_choose(&facts, &id), 0);
	assert_false(id.as_root);
	assert_false(id.lend);
	assert_int_equal(id.uid, 1000);
	assert_int_equal(id.gid, 100);
	assert_int_equal(id.shown_uid, 1000);
	assert_int_equal(id.shown_gid, 100);
	facts.asked = true;
	facts.asked_uid = 1001;
	assert_int_equal(identity_choose(&facts, &id), -EPERM);
	facts.asked_uid = 0;
	assert_int_equal(identity_choose(&facts, &id), -EPERM);
	facts.asked_uid = 1000;
	assert_int_equal(identity_choose(&facts, &id), 0);
}

static void root_is_never_root(void **state)
{
	struct af_identity_facts facts = {.owner_uid = 1000, .owner_gid = 100, .pid = 42};
	struct af_identity id, other;

	(void)state;
	assert_int_equal(identity_choose(&facts, &id), 0);
	assert_true(id.as_root);
	assert_false(id.lend);
	assert_int_equal(id.uid, 1000);
	assert_int_equal(id.shown_uid, 1000);
	facts.owner_uid = 0;
	facts.owner_gid = 0;
	assert_int_equal(identity_choose(&facts, &id), 0);
	assert_true(id.lend);
	assert_true(id.uid >= 0x70000000U && id.uid < 0x7fff0000U);
	assert_true(id.gid >= 0x70000000U && id.gid < 0x7fff0000U);
	assert_int_equal(id.shown_uid, 0);
	assert_int_equal(id.shown_gid, 0);
	facts.pid = 43;
	assert_int_equal(identity_choose(&facts, &other), 0);
	assert_int_not_equal(id.uid, other.uid);
	facts = (struct af_identity_facts){.owner_uid = 1000, .asked = true, .pid = 4194304};
	assert_int_equal(identity_choose(&facts, &id), 0);
	assert_true(id.lend && id.uid >= 0x70000000U && id.uid < 0x7fff0000U);
}

/* ---- the plan ----------------------------------------------------------------------------------- */

struct fixture {
	struct af_host host;
	struct af_identity identity;
	struct af_opts opts;
	struct af_facts facts;
	struct af_plan plan;
	struct af_words argv;
};

static char *no_words[] = {NULL};
static char link_text[] = "usr/bin", name_text[] = "someone", group_text[] = "people",
	    home_text[] = "/home/someone";
static char term_text[] = "TERM=vt100", other_text[] = "OTHER=x";
static char *caller_env[] = {term_text, other_text, NULL};

static void begin(struct fixture *f)
{
	*f = (struct fixture){
		.host = {.dirs = {{"/bin", link_text}, {"/lib", NULL}}, .dir_count = 2},
		.identity = {.uid = 1000,
			.gid = 100,
			.shown_uid = 1000,
			.shown_gid = 100,
			.name = name_text,
			.group = group_text,
			.home = home_text},
		.opts = {.mount_at = "/workspace", .direct = true, .command = no_words},
	};
}

static int make(struct fixture *f, char *const *binds)
{
	f->facts = (struct af_facts){.host = &f->host,
		.identity = &f->identity,
		.source = "/srv/data/project",
		.bind_real = binds,
		.caller_env = caller_env};
	return plan_make(&f->plan, &f->opts, &f->facts);
}

static void build(struct fixture *f)
{
	struct af_backend_input input = {
		.view = "/view", .seccomp_fd = 11, .inside = {"/self", "--inside", "12", NULL}};

	assert_int_equal(backend_bwrap.build(&f->plan, &input, &f->argv), 0);
}

/* Where the words are, one after another, in bwrap's arguments; -1: nowhere. */
static int find(const struct fixture *f, const char *const *words)
{
	for (size_t i = 0; i < f->argv.count; i++) {
		size_t k = 0;

		while (words[k] && i + k < f->argv.count &&
			strcmp(f->argv.items[i + k], words[k]) == 0)
			k++;
		if (!words[k])
			return (int)i;
	}
	return -1;
}

#define FIND(f, ...) find((f), (const char *const[]){__VA_ARGS__, NULL})

static void end(struct fixture *f)
{
	words_fini(&f->argv);
	plan_fini(&f->plan);
}

static void isolation_is_always_there(void **state)
{
	static const char *const flags[] = {"--unshare-all", "--unshare-user", "--disable-userns",
		"--die-with-parent", "--new-session", "--as-pid-1"};
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(make(&f, no_words), 0);
	build(&f);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		assert_true(FIND(&f, flags[i]) > 0);
	assert_true(FIND(&f, "--cap-drop", "ALL") > 0);
	assert_true(FIND(&f, "--seccomp", "11") > 0);
	assert_true(FIND(&f, "--uid", "1000", "--gid", "100") > 0);
	assert_int_equal(FIND(&f, "--share-net"), -1);
	assert_int_equal(FIND(&f, "--", "/self", "--inside", "12"), (int)f.argv.count - 4);
	end(&f);
	f.opts.net_host = true;
	assert_int_equal(make(&f, no_words), 0);
	build(&f);
	assert_true(FIND(&f, "--share-net") > 0);
	end(&f);
}

static void tree(void **state)
{
	struct fixture f;
	int view, read_only;

	(void)state;
	begin(&f);
	assert_int_equal(make(&f, no_words), 0);
	build(&f);
	assert_true(FIND(&f, "--ro-bind", "/usr", "/usr") > 0);
	assert_true(FIND(&f, "--symlink", "usr/bin", "/bin") > 0);
	assert_true(FIND(&f, "--ro-bind", "/lib", "/lib") > 0);
	assert_true(
		FIND(&f, "--ro-bind-try", "/proc/sys", "/proc/sys") > FIND(&f, "--proc", "/proc"));
	view = FIND(&f, "--bind", "/view", "/workspace");
	read_only = FIND(&f, "--remount-ro", "/");
	assert_true(view > 0 && read_only > view);
	/* Nothing of the host is writable, and its devices are nowhere. */
	for (size_t i = 0; i < f.argv.count; i++) {
		assert_true((int)i == view || strcmp(f.argv.items[i], "--bind") != 0);
		assert_string_not_equal(f.argv.items[i], "--dev-bind");
		assert_null(strstr(f.argv.items[i], "/srv"));
	}
	assert_string_equal(f.plan.cwd, "/workspace");
	end(&f);
}

static void accounts(void **state)
{
	const char *passwd = NULL, *group = NULL;
	struct fixture f;

	(void)state;
	begin(&f);
	assert_int_equal(make(&f, no_words), 0);
	for (size_t i = 0; i < f.plan.rootfs.count; i++) {
		const struct af_place *place = &f.plan.rootfs.places[i];

		if (place->kind == AF_PLACE_FILE && strcmp(place->dst, "/etc/passwd") == 0)
			passwd = place->src;
		if (place->kind == AF_PLACE_FILE && strcmp(place->dst, "/etc/group") == 0)
			group = place->src;
	}
	assert_non_null(passwd);
	assert_non_null(group);
	assert_non_null(strstr(passwd, "\nsomeone:x:1000:100:someone:/home/someone:/bin/bash\n"));
	assert_non_null(strstr(group, "\npeople:x:100:\n"));
	end(&f);
}

static void binds(void **state)
{
	char first[] = "/srv/data", second[] = "/opt/x:y";
	char *real[] = {first, second, NULL};
	struct af_item items[] = {
		{AF_ITEM_RO_BIND, (char[]){"data:/opt/data"}}, {AF_ITEM_BIND, (char[]){"x\\:y"}}};
	struct fixture f;

	(void)state;
	begin(&f);
	f.opts.items = items;
	f.opts.item_count = 2;
	assert_int_equal(make(&f, real), 0);
	build(&f);
	assert_true(FIND(&f, "--ro-bind", "/srv/data", "/opt/data") > 0);
	assert_true(FIND(&f, "--bind", "/opt/x:y", "/opt/x:y") > 0);
	/* The source is below what the first one shows: covered there. */
	assert_true(FIND(&f, "--tmpfs", "/opt/data/project") >
		FIND(&f, "--ro-bind", "/srv/data", "/opt/data"));
	end(&f);
}

static void docker_line(void **state)
{
	struct af_backend_input input = {
		.view = "/run/p/view", .place = "/run/p", .name = "afrun-abc"};
	char src[] = "/srv/a,\"b\"", *real[] = {src, NULL};
	struct af_item items[] = {{AF_ITEM_RO_BIND, (char[]){"x:/opt/x"}},
		{AF_ITEM_CHANNEL, (char[]){"team,size=1M"}}};
	struct fixture f;

	(void)state;
	begin(&f);
	f.opts.items = items;
	f.opts.item_count = 2;
	f.opts.in_docker = true, f.opts.docker = "/opt/my-docker", f.opts.image = "debian:12";
	f.opts.limits = (struct af_limits){
		.memory = 1 << 30, .pids = 10, .cpus_milli = 1500, .cpu_shares = 512};
	assert_int_equal(make(&f, real) | backend_docker.build(&f.plan, &input, &f.argv), 0);
	assert_int_equal(FIND(&f, "/opt/my-docker", "run", "--rm", "--name", "afrun-abc"), 0);
	assert_true(FIND(&f, "--network", "none", "--read-only", "--cap-drop", "ALL",
			    "--security-opt", "no-new-privileges") > 0);
	assert_true(FIND(&f, "--no-healthcheck", "--init=false", "--userns", "host", "--hostname",
			    "sandbox", "--user", "1000:100") > 0);
	assert_true(FIND(&f, "--memory-swap", "1073741824", "--pids-limit", "11", "--cpus", "1.500",
			    "--cpu-shares", "512") > 0);
	assert_true(FIND(&f, "--mount",
			    "type=bind,\"src=/srv/a,\"\"b\"\"\",\"dst=/opt/x\",readonly") > 0);
	assert_true(FIND(&f, "--mount", "type=bind,\"src=/run/p/view\",\"dst=/workspace\"") > 0);
	assert_true(FIND(&f, "--mount",
			    "type=bind,\"src=/run/p/channel.team\",\"dst=/run/channel/team\"") > 0);
	assert_true(FIND(&f, "--tmpfs", "/home/someone:exec,mode=0700,uid=1000,gid=100") > 0);
	assert_int_equal(FIND(&f, "debian:12", "/.afrun/control"), (int)f.argv.count - 2);
	end(&f);
}

/* It has other options for a tmpfs, and would fill it. */
static void podman_line(void **state)
{
	struct af_backend_input input = {
		.view = "/run/p/view", .place = "/run/p", .name = "afrun-abc"};
	struct fixture f;

	(void)state;
	begin(&f);
	f.opts.in_docker = true, f.opts.docker = "/opt/my-podman", f.opts.image = "debian:12";
	assert_int_equal(make(&f, NULL) | backend_docker.build(&f.plan, &input, &f.argv), 0);
	assert_int_equal(FIND(&f, "/opt/my-podman", "run", "--rm"), 0);
	assert_true(FIND(&f, "--tmpfs", "/home/someone:exec,notmpcopyup,U,mode=0700") > 0);
	assert_true(FIND(&f, "--tmpfs", "/tmp:exec,notmpcopyup,mode=1777") > 0);
	end(&f);
}

static void bad_places(void **state)
{
	static const char *const bad[] = {"a:b", "a:/", "a:/x/../y", "a:/x//y", "a:/x/",
		"a:/workspace", "a:/proc/sys", "a:/dev/x", "a:/x/.."};
	static const char *const mounts[] = {"workspace", "/", "/usr", "/usr/x", "/etc", "/proc",
		"/dev/x", "/a/../b", "/a/", "/lib"};
	char a[] = "/a";
	char *real[] = {a, NULL};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct af_item item = {AF_ITEM_BIND, strdup(bad[i])};

		begin(&f);
		f.opts.items = &item;
		f.opts.item_count = 1;
		if (make(&f, real) != -EINVAL)
			fail_msg("accepted: --bind %s", bad[i]);
		end(&f);
		free(item.text);
	}
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		begin(&f);
		f.opts.mount_at = mounts[i];
		if (make(&f, no_words) != -EINVAL)
			fail_msg("accepted: --mount-at %s", mounts[i]);
		end(&f);
	}
}

static void filesystem_line(void **state)
{
	struct af_item items[] = {
		{AF_ITEM_RULE, (char[]){"none:a,b\\c"}}, {AF_ITEM_RULE, (char[]){"write:/x"}}};
	struct fixture f;

	(void)state;
	begin(&f);
	f.opts.items = items;
	f.opts.item_count = 2;
	f.identity.as_root = f.identity.lend = true;
	assert_int_equal(make(&f, no_words), 0);
	plan_fs_argv(&f.plan, &f.argv, "fs", "/source", "/point", 7, 9, 11);
	assert_int_equal(words_error(&f.argv), 0);
	assert_int_equal(FIND(&f, "fs", "-f", "--ready-fd", "7", "-o", "fsname=workspace", "-o",
				 "preset=agent-safe", "-o", "rule=none:a\\,b\\\\c", "-o",
				 "rule=write:/x", "-o", "allow_other", "-o", "lend=1000:100", "-o",
				 "audit=fd:9", "-o", "hold_fd=11", "/source", "/point"),
		0);
	end(&f);
	/* A policy of one's own takes the default preset's place. */
	items[0] = (struct af_item){AF_ITEM_POLICY, (char[]){"mine.conf"}};
	f.identity.as_root = f.identity.lend = false;
	assert_int_equal(make(&f, no_words), 0);
	plan_fs_argv(&f.plan, &f.argv, "fs", "/source", "/point", 7, -1, -1);
	assert_int_equal(FIND(&f, "fs", "-f", "--ready-fd", "7", "-o", "fsname=workspace", "-o",
				 "policy=mine.conf", "-o", "rule=write:/x", "/source", "/point"),
		0);
	end(&f);
}

static void filesystem_with_a_delta(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.opts.direct = false;
	f.opts.delta_size = "5M";
	for (int temporary = 0; temporary < 2; temporary++) {
		assert_int_equal(make(&f, no_words), 0);
		f.plan.delta = "/a,b";
		f.plan.delta_temporary = temporary;
		plan_fs_argv(&f.plan, &f.argv, "fs", "/source", "/point", 7, -1, -1);
		assert_true(FIND(&f, "-o", "delta=/a\\,b") > 0);
		assert_true(FIND(&f, "-o", "quota=5M") > 0);
		/* The caller's own outlives the machine. */
		assert_int_equal(FIND(&f, "-o", "volatile") > 0, temporary);
		end(&f);
	}
}

/* merge_line's: exactly these words. */
static void is_merge(struct fixture *f, enum plan_sync what, const char *expected)
{
	struct af_words argv = {0};
	char got[512] = "";

	plan_sync_argv(&f->plan, &argv, "sync", "/delta", what);
	assert_int_equal(words_error(&argv), 0);
	for (size_t i = 0; i < argv.count; i++) {
		strlcat(got, i ? " " : "", sizeof(got));
		strlcat(got, argv.items[i], sizeof(got));
	}
	assert_string_equal(got, expected);
	words_fini(&argv);
}

static void merge_line(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	f.opts.direct = false;
	assert_int_equal(make(&f, no_words), 0);
	is_merge(&f, PLAN_SYNC_MERGE, "sync -q --preset=agent-safe -- /delta /srv/data/project");
	is_merge(&f, PLAN_SYNC_MERGE_LIST,
		"sync -q -v -0 --preset=agent-safe -- /delta /srv/data/project");
	is_merge(&f, PLAN_SYNC_LIST, "sync -n -0 --preset=agent-safe -- /delta /srv/data/project");
	f.plan.tells = true;
	f.opts.conflict = "both";
	f.opts.state = "st";
	is_merge(&f, PLAN_SYNC_MERGE,
		"sync --conflict both --state st --preset=agent-safe -- /delta /srv/data/project");
	end(&f);
}

static void commands(void **state)
{
	char ls[] = "ls", option[] = "-l";
	char *words[] = {ls, option, NULL};
	struct fixture f;

	(void)state;
	begin(&f);
	f.opts.command = words;
	f.opts.workdir = "sub/dir";
	assert_int_equal(make(&f, no_words), 0);
	assert_int_equal(f.plan.argv.count, 2);
	assert_string_equal(f.plan.argv.items[1], "-l");
	assert_string_equal(f.plan.cwd, "/workspace/sub/dir");
	end(&f);
	f.opts.command = no_words;
	f.opts.script = "echo x";
	f.opts.workdir = "/tmp";
	assert_int_equal(make(&f, no_words), 0);
	assert_string_equal(f.plan.argv.items[2], "echo x");
	assert_string_equal(f.plan.cwd, "/tmp");
	end(&f);
	f.opts.script = NULL;
	assert_int_equal(make(&f, no_words), 0);
	assert_int_equal(f.plan.argv.count, 1);
	end(&f);
}

/* What these say goes to stderr, which the tests do not look at. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_caller),
		cmocka_unit_test(root_is_never_root),
		cmocka_unit_test(isolation_is_always_there),
		cmocka_unit_test(tree),
		cmocka_unit_test(accounts),
		cmocka_unit_test(binds),
		cmocka_unit_test(docker_line),
		cmocka_unit_test(podman_line),
		cmocka_unit_test_setup_teardown(bad_places, hush, unhush),
		cmocka_unit_test(filesystem_line),
		cmocka_unit_test(filesystem_with_a_delta),
		cmocka_unit_test(merge_line),
		cmocka_unit_test(commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
