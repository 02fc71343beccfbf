/*
 * Unit tests of what is held back and of which paths were asked for. Run where policies/ is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "hold.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define LIST "policies/hold.conf"

enum { FILE_MODE = S_IFREG | 0644, EXEC_MODE = S_IFREG | 0755, DIR_MODE = S_IFDIR | 0755 };

static const char *why(const struct sync_hold *hold, const char *path, mode_t mode,
	const char *target, mode_t source_mode)
{
	struct stat st = {.st_mode = mode};

	return hold_why(hold, path, &st, target, source_mode);
}

static int load(void **state)
{
	static const char *const patterns[] = {"/billing/", "*.asked", "/srv/deep/x"};

	return hold_load_list((struct sync_hold **)state, LIST, patterns, 3);
}

static int unload(void **state)
{
	hold_free(*state);
	return 0;
}

/* Whatever is done to these, as a file; and all below them. */
static const char *const listed[] = {".git/hooks/pre-commit", ".git/config", "sub/.git/hooks/x",
	"a/b/.GIT/Hooks/y", ".git/modules/m/hooks/post-checkout", ".git/modules/m/config",
	".git/worktrees/w/config.worktree", ".git/commondir", ".git/info/attributes",
	".gitattributes", "deep/down/.gitattributes", ".gitmodules", ".envrc", "sub/.ENVRC",
	".vscode/settings.json", ".vscode/tasks.json", ".idea/workspace.xml", "p.code-workspace",
	".claude/settings.json", ".cursor/mcp.json", ".mcp.json", "x/.mcp.json",
	".devcontainer/devcontainer.json", ".devcontainer.json", ".github/workflows/ci.yml",
	"sub/.github/workflows/x", ".gitlab-ci.yml", ".circleci/config.yml", "Jenkinsfile",
	"jenkinsfile", ".travis.yml", "azure-pipelines.yml", ".ci/run", ".bashrc", ".profile",
	".zshrc", "home/.zshenv", ".bash_profile", ".husky/pre-push", ".pre-commit-config.yaml",
	"lefthook.yml", ".lefthook.yml", ".vimrc", ".exrc", ".dir-locals.el", ".gdbinit", ".npmrc",
	".yarnrc.yml", ".config/fish/config.fish", ".hg/hgrc", ".ssh/authorized_keys", "billing/x",
	"a.asked", "b/c/d.asked", "srv/deep/x", ".git/rebase-merge/git-rebase-todo"};

static const char *const free_paths[] = {"main.c", "src/hooks/useThing.ts", ".git/HEAD",
	".git/index", ".git/objects/ab/cdef", ".git/refs/heads/main", ".github/CODEOWNERS",
	".github/ISSUE_TEMPLATE.md", "CLAUDE.md", "AGENTS.md", "README.md", "git/hooks/x", "config",
	"hooks/readme", ".gitignore", "vscode/settings.json", "a.mcp.jsonx", "Makefile",
	"package.json", "build.yml", "sub/billing/x", "asked", ".git/config.lock.not", "x.envrc",
	"bashrc", ".config/app/settings", "workflows/ci.yml", ".yarn/cache/x.zip"};

static void names(void **state)
{
	for (size_t i = 0; i < sizeof(listed) / sizeof(listed[0]); i++) {
		if (!why(*state, listed[i], FILE_MODE, NULL, 0) ||
			!why(*state, listed[i], FILE_MODE, NULL, EXEC_MODE) ||
			!why(*state, listed[i], DIR_MODE, NULL, 0) ||
			!why(*state, listed[i], 0, NULL, FILE_MODE) ||
			!why(*state, listed[i], S_IFLNK | 0777, "x", 0))
			fail_msg("not held: %s", listed[i]);
	}
	for (size_t i = 0; i < sizeof(free_paths) / sizeof(free_paths[0]); i++) {
		if (why(*state, free_paths[i], FILE_MODE, NULL, 0) ||
			why(*state, free_paths[i], DIR_MODE, NULL, DIR_MODE) ||
			why(*state, free_paths[i], S_IFLNK | 0777, "x", 0) ||
			why(*state, free_paths[i], 0, NULL, FILE_MODE))
			fail_msg("held: %s", free_paths[i]);
	}
	assert_string_equal(why(*state, "a.asked", FILE_MODE, NULL, 0), "listed: *.asked");
	assert_null(why(*state, "billing", FILE_MODE, NULL, 0));
	assert_non_null(why(*state, "billing", DIR_MODE, NULL, 0));
	assert_non_null(why(*state, "billing", 0, NULL, DIR_MODE));
}

static void symlinks(void **state)
{
	static const struct {
		const char *path, *target;
		bool held;
	} cases[] = {
		{"l", "/etc/passwd", true},
		{"l", "/", true},
		{"l", "..", true},
		{"l", "../x", true},
		{"l", ".", false},
		{"l", "x", false},
		{"l", "./x/y", false},
		{"l", "x/", false},
		{"a/l", "..", false},
		{"a/l", "../b", false},
		{"a/l", "../../b", true},
		{"a/l", ".././/b", false},
		{"a/l", ".././..", true},
		{"a/b/l", "../../c", false},
		{"a/b/l", "../../../c", true},
		{"a/b/l", "..//..//../c", true},
		/* x may be a symlink to the root: x/.. is then above it. */
		{"a/l", "x/../y", true},
		{"l", "x/..", true},
		{"l", "...", false},
		{"l", "..a/b", false},
		{"l", ".a/..b", false},
		{"l", "", false},
		/* A place for what is listed. */
		{".github", "innocent", true},
		{"sub/.GitHub", "innocent", true},
		{".config", "innocent", true},
		{".git", "innocent", true},
		{".git/modules", "innocent", true},
		{"srv", "innocent", true},
		{"srv/deep", "innocent", true},
		{"sub/srv", "innocent", false},
		{"github", "innocent", false},
		{"billing", "innocent", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!why(*state, cases[i].path, S_IFLNK | 0777, cases[i].target, 0) ==
			cases[i].held)
			fail_msg("%s -> %s", cases[i].path, cases[i].target);
	assert_non_null(why(*state, "l", S_IFLNK | 0777, NULL, 0));
	assert_null(why(*state, "l", 0, NULL, S_IFLNK | 0777));
}

static void executables(void **state)
{
	assert_non_null(why(*state, ".git/x", EXEC_MODE, NULL, FILE_MODE));
	assert_non_null(why(*state, "sub/.Git/a/b", EXEC_MODE, NULL, 0));
	assert_non_null(why(*state, ".git/x", S_IFREG | 0645, NULL, FILE_MODE));
	assert_non_null(why(*state, ".git/x", EXEC_MODE, NULL, DIR_MODE));
	assert_null(why(*state, ".git/x", EXEC_MODE, NULL, EXEC_MODE));
	assert_null(why(*state, ".git/x", FILE_MODE, NULL, EXEC_MODE));
	assert_non_null(why(*state, "tools/hooks/pre-commit", EXEC_MODE, NULL, FILE_MODE));
	assert_non_null(why(*state, "hooks/x", EXEC_MODE, NULL, 0));
	assert_null(why(*state, "hooks", EXEC_MODE, NULL, 0));
	assert_null(why(*state, "webhooks/x", EXEC_MODE, NULL, 0));
	assert_null(why(*state, "bin/x", EXEC_MODE, NULL, 0));
	/* A file that names another directory as git's. */
	assert_non_null(why(*state, "sub/.git", FILE_MODE, NULL, 0));
	assert_non_null(why(*state, ".GIT", FILE_MODE, NULL, DIR_MODE));
	assert_null(why(*state, ".git", DIR_MODE, NULL, 0));
}

/* Many different names, so that the cache of states fills and is renewed. */
static void many(void **state)
{
	struct sync_hold *hold = *state;

	for (int i = 0; i < 20000; i++) {
		char path[64];

		snprintf(path, sizeof(path), "d%d/e%d/f", i, i * 7);
		assert_null(why(hold, path, S_IFLNK | 0777, "x", 0));
		snprintf(path, sizeof(path), "d%d/.github", i);
		assert_non_null(why(hold, path, S_IFLNK | 0777, "x", 0));
	}
}

static void bad_patterns(void **state)
{
	static const char *const bad[] = {"a//b", "[", ""};
	struct sync_hold *hold = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(hold_load_list(&hold, LIST, &bad[i], 1), -EINVAL);
	assert_int_equal(hold_load_list(&hold, "/nonexistent", NULL, 0), -ENOENT);
	assert_null(hold);
}

/* ---- --only and --exclude ----------------------------------------------------------------------- */

/* Loads from a file with this content, or from nothing. */
static struct sync_only *load_only(
	const char *text, size_t size, bool nul, const char *const *exclude, size_t count)
{
	char name[] = "/tmp/test_only.XXXXXX";
	struct sync_only *only = NULL;
	int fd;

	if (text) {
		fd = mkstemp(name);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, text, size), size);
		close(fd);
	}
	assert_int_equal(only_load(&only, text ? name : NULL, nul, exclude, count), 0);
	if (text)
		unlink(name);
	return only;
}

#define LINES(text) load_only(text, sizeof(text) - 1, false, NULL, 0)
#define NULS(text) load_only(text, sizeof(text) - 1, true, NULL, 0)

static void lists(void **state)
{
	static const char lines[] = "src\n./a/b/\n\n/top\nsp ace\nesc\\x1b\\x5cx41\nlast";
	static const char nuls[] = "new\nline\0esc\\x1b\0dir/sub\0";
	struct sync_only *only = LINES(lines);

	(void)state;
	assert_true(only_takes(only, "src", true));
	assert_true(only_takes(only, "src", false));
	assert_true(only_takes(only, "src/deep/x", false));
	assert_false(only_takes(only, "src2", false));
	assert_false(only_takes(only, "sr", false));
	assert_true(only_takes(only, "a/b", true));
	assert_true(only_takes(only, "a/b/c", true));
	assert_false(only_takes(only, "a", true));
	assert_false(only_takes(only, "a/bc", true));
	assert_true(only_takes(only, "top", true));
	assert_true(only_takes(only, "sp ace", false));
	assert_true(only_takes(only, "esc\x1b\\x41", false));
	assert_true(only_takes(only, "last", false));
	only_free(only);
	only = NULS(nuls);
	assert_true(only_takes(only, "new\nline", false));
	assert_true(only_takes(only, "esc\\x1b", false));
	assert_false(only_takes(only, "esc\x1b", false));
	assert_true(only_takes(only, "dir/sub/x", false));
	only_free(only);
	only = LINES("");
	assert_false(only_takes(only, "x", false));
	only_free(only);
	only = LINES(".\n");
	assert_true(only_takes(only, "x/y", false));
	only_free(only);
}

static void excludes(void **state)
{
	static const char *const patterns[] = {"*.o", "/build/", "a,b"};
	struct sync_only *only = load_only(NULL, 0, false, patterns, 3);

	(void)state;
	assert_false(only_takes(only, "x.o", false));
	assert_false(only_takes(only, "deep/x.o", false));
	assert_true(only_takes(only, "x.c", false));
	assert_false(only_takes(only, "build", true));
	assert_true(only_takes(only, "build", false));
	assert_false(only_takes(only, "build/x", false));
	assert_false(only_takes(only, "a,b", false));
	only_free(only);
	only = load_only("src\n", 4, false, patterns, 3);
	assert_true(only_takes(only, "src/x.c", false));
	assert_false(only_takes(only, "src/x.o", false));
	assert_false(only_takes(only, "x.c", false));
	only_free(only);
}

static void bad_lists(void **state)
{
	static const char *const bad[] = {"["};
	struct sync_only *only = NULL;

	(void)state;
	assert_int_equal(only_load(&only, "/nonexistent", false, NULL, 0), -ENOENT);
	assert_int_equal(only_load(&only, "/tmp", false, NULL, 0), -EISDIR);
	assert_int_equal(only_load(&only, NULL, false, bad, 1), -EINVAL);
	assert_null(only);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(names, load, unload),
		cmocka_unit_test_setup_teardown(symlinks, load, unload),
		cmocka_unit_test_setup_teardown(executables, load, unload),
		cmocka_unit_test_setup_teardown(many, load, unload),
		cmocka_unit_test(bad_patterns),
		cmocka_unit_test(lists),
		cmocka_unit_test(excludes),
		cmocka_unit_test(bad_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
