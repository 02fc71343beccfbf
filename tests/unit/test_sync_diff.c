/*
 * Unit tests of --diff: patches of small random trees, which git and patch(1) must take as they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "io.h"
#include "show.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Below a directory of our own: source, upper, and want (the source as it should be afterwards). */
struct trees {
	char dir[32];
	int source, upper, want;
	struct plan_step steps[64];
	struct plan_entry entries[64];
	struct plan plan;
};

static int make_dir(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void trees_open(struct trees *trees)
{
	*trees = (struct trees){.dir = "/tmp/test_diff.XXXXXX"};
	assert_non_null(mkdtemp(trees->dir));
	trees->source = make_dir(trees->dir, "source");
	trees->upper = make_dir(trees->dir, "upper");
	trees->want = make_dir(trees->dir, "want");
	trees->plan = (struct plan){.entries = trees->entries, .steps = trees->steps};
}

__attribute__((format(printf, 2, 3))) static int shell(
	const struct trees *trees, const char *fmt, ...)
{
	char words[1024], line[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(words, sizeof(words), fmt, args);
	va_end(args);
	snprintf(line, sizeof(line), "cd %s && { %s; } >>log 2>&1", trees->dir, words);
	return system(line);
}

static void trees_close(struct trees *trees)
{
	close(trees->source);
	close(trees->upper);
	close(trees->want);
	assert_int_equal(shell(trees, "cd / && rm -rf %s", trees->dir), 0);
}

/* ---- what files are ----------------------------------------------------------------------------- */

enum shape { NONE, TEXT, EMPTY, EXECUTABLE, BINARY, SYMLINK, SHAPES };

struct file {
	enum shape shape;
	char data[600];
	size_t size;
};

/* The same few lines again and again, so that two texts have some in common. */
static struct file random_file(bool may_be_none)
{
	struct file file = {.shape = (enum shape)(random() % SHAPES)};
	int lines = (int)(random() % 30);

	while (file.shape == NONE && !may_be_none)
		file.shape = (enum shape)(random() % SHAPES);
	if (file.shape == NONE || file.shape == EMPTY)
		return file;
	if (file.shape == SYMLINK) {
		file.size = (size_t)snprintf(
			file.data, sizeof(file.data), "to/%ld\n -- x", random() % 4);
		return file;
	}
	for (int i = 0; i < lines; i++)
		file.size += (size_t)snprintf(file.data + file.size, 16, "%s line %ld\n",
			random() % 4 ? "" : "--", i + random() % 2);
	if (file.size && random() % 3 == 0)
		file.size--;
	if (file.shape == BINARY)
		file.data[random() % (long)(file.size + 1)] = '\0';
	if (file.shape == BINARY)
		file.size++;
	return file;
}

static void put_file(int dir, const char *path, const struct file *file)
{
	mode_t mode = file->shape == EXECUTABLE ? 0755 : 0644;
	int fd;

	if (file->shape == NONE)
		return;
	if (file->shape == SYMLINK) {
		assert_int_equal(symlinkat(file->data, dir, path), 0);
		return;
	}
	fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, file->data, file->size), 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static uint32_t seen_mode(const struct trees *trees, const char *path)
{
	struct stat st;

	return fstatat(trees->source, path, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mode;
}

static void add_step(struct trees *trees, enum plan_step_kind kind, const char *path)
{
	struct plan_step *step = &trees->steps[trees->plan.step_count++];

	*step = (struct plan_step){.kind = kind, .entry = trees->plan.entry_count - 1};
	step->path = step->from = strdup(path);
	step->seen.mode = seen_mode(trees, path);
}

static void add_entry(struct trees *trees, enum plan_letter letter, const char *path)
{
	trees->entries[trees->plan.entry_count++] =
		(struct plan_entry){.letter = letter, .path = strdup(path)};
}

static void free_plan(struct trees *trees)
{
	for (size_t i = 0; i < trees->plan.step_count; i++)
		free(trees->steps[i].path);
	for (size_t i = 0; i < trees->plan.entry_count; i++) {
		free(trees->entries[i].path);
		free(trees->entries[i].old_path);
	}
}

/* ---- patches that are taken ---------------------------------------------------------------------- */

static void write_patch(struct trees *trees)
{
	struct af_delta delta = {.upper_fd = trees->upper};
	char path[64];
	FILE *out;

	snprintf(path, sizeof(path), "%s/patch", trees->dir);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(diff_plan(out, &trees->plan, &delta, trees->source), 0);
	fclose(out);
}

static bool same_as(struct trees *trees, const char *wanted)
{
	return shell(trees, "find %s made -mindepth 1 -depth -type d -empty -delete", wanted) ==
		0 &&
		shell(trees, "diff -r --no-dereference %s made", wanted) == 0 &&
		shell(trees,
			"for d in %s made; do (cd $d && find . ! -type d -printf '%%P %%y "
			"%%m\\n' | sort) >$d.list; done; cmp %s.list made.list",
			wanted, wanted) == 0;
}

/* undo: how it takes the patch back; NULL: it cannot, for patches that change types. */
static void apply_with(struct trees *trees, const char *tool, const char *undo)
{
	bool right = shell(trees, "cp -a source made && cd made && %s", tool) == 0 &&
		same_as(trees, "want");

	if (right && undo)
		right = shell(trees, "cd made && %s", undo) == 0 && same_as(trees, "source");
	if (!right || shell(trees, "rm -rf made")) {
		shell(trees, "cat patch; find source want made -printf '%%p %%y %%m\n'");
		fail_msg("%s: see %s", tool, trees->dir);
	}
}

static const char *const names[] = {"plain", "sp ace", "t\tab", "new\nline", "q\"uote\\",
	"\xc3\xa9", "\xff\x1b", "-dash", "sub/x", "sub/deep/y z"};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static void random_trees(bool binaries)
{
	for (int round = 0; round < 40; round++) {
		struct trees trees;

		srandom((unsigned int)round);
		trees_open(&trees);
		assert_int_equal(
			shell(&trees, "mkdir -p source/sub/deep upper/sub/deep want/sub/deep"), 0);
		for (int i = 0; i < NAMES; i++) {
			struct file before = random_file(true), after = random_file(true);

			if (!binaries && before.shape == BINARY)
				before.shape = NONE;
			if (!binaries && after.shape == BINARY)
				after.shape = NONE;
			put_file(trees.source, names[i], &before);
			put_file(trees.want, names[i], &after);
			if (before.shape == after.shape && before.size == after.size &&
				memcmp(before.data, after.data, after.size) == 0)
				continue;
			put_file(trees.upper, names[i], &after);
			add_entry(&trees, PLAN_MODIFIED, names[i]);
			if (before.shape || after.shape)
				add_step(&trees, after.shape ? STEP_PUT : STEP_REMOVE, names[i]);
		}
		write_patch(&trees);
		apply_with(&trees, "git apply --check ../patch && git apply ../patch",
			"git apply -R ../patch");
		if (!binaries)
			apply_with(&trees, "patch -s -p1 <../patch", NULL);
		free_plan(&trees);
		trees_close(&trees);
	}
}

static void taken_by_git(void **state)
{
	(void)state;
	random_trees(true);
}

static void taken_by_patch(void **state)
{
	(void)state;
	random_trees(false);
}

/* ---- renames, and what a diff does not carry -------------------------------------------------------- */

static void put_text(int dir, const char *path, const char *text)
{
	struct file file = {.shape = TEXT, .size = strlen(text)};

	memcpy(file.data, text, file.size);
	put_file(dir, path, &file);
}

static void add_rename(struct trees *trees, const char *from, const char *to)
{
	add_entry(trees, PLAN_RENAMED, to);
	trees->entries[trees->plan.entry_count - 1].old_path = strdup(from);
}

static void renames(void **state)
{
	static const char ten[] = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n",
			  eleven[] = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n";
	struct trees trees;

	(void)state;
	trees_open(&trees);
	assert_int_equal(shell(&trees, "mkdir source/dir upper/new want/new"), 0);
	put_text(trees.source, "a 1", ten);
	put_text(trees.source, "dir/x", ten);
	put_text(trees.source, "dir/y", eleven);
	put_text(trees.upper, "b\t1", eleven);
	put_text(trees.upper, "new/x", ten);
	put_text(trees.upper, "new/y", ten);
	put_text(trees.want, "b\t1", eleven);
	put_text(trees.want, "new/x", ten);
	put_text(trees.want, "new/y", ten);
	add_rename(&trees, "a 1", "b\t1");
	add_step(&trees, STEP_PUT, "b\t1");
	add_step(&trees, STEP_REMOVE, "a 1");
	add_rename(&trees, "dir", "new");
	add_step(&trees, STEP_MKDIR, "new");
	add_step(&trees, STEP_PUT, "new/x");
	add_step(&trees, STEP_PUT, "new/y");
	add_step(&trees, STEP_REMOVE, "dir/x");
	add_step(&trees, STEP_REMOVE, "dir/y");
	add_step(&trees, STEP_REMOVE, "dir");
	write_patch(&trees);
	assert_int_equal(shell(&trees, "test $(grep -c '^rename from' patch) = 3"), 0);
	assert_int_equal(shell(&trees, "test $(grep -c '^similarity index 100%%$' patch) = 1"), 0);
	assert_int_equal(shell(&trees, "test $(grep -c '^[+-]11$' patch) = 2"), 0);
	apply_with(&trees, "git apply ../patch", "git apply -R ../patch");
	apply_with(&trees, "patch -s -p1 <../patch", "patch -s -R -p1 <../patch");
	free_plan(&trees);
	trees_close(&trees);
}

/* What standard error gets meanwhile is in the file `told`. */
static void patch_and_tell(struct trees *trees)
{
	char path[64];
	int saved = dup(2), told;

	snprintf(path, sizeof(path), "%s/told", trees->dir);
	told = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(saved >= 0 && told >= 0 && dup2(told, 2) == 2);
	write_patch(trees);
	dup2(saved, 2);
	close(saved);
	close(told);
}

static void told(void **state)
{
	static const char *const lines[] = {"empty: not in it: an empty directory",
		"private: not in it: all bits of its mode",
		"link: not in it: that it is a hard link",
		"gone: not in it: that an empty directory goes", "same: not in it: attributes"};
	struct trees trees;

	(void)state;
	trees_open(&trees);
	assert_int_equal(shell(&trees, "mkdir source/gone upper/empty upper/full"), 0);
	put_text(trees.upper, "private", "x\n");
	put_text(trees.upper, "full/x", "x\n");
	put_text(trees.upper, "same", "x\n");
	put_text(trees.source, "same", "x\n");
	assert_int_equal(fchmodat(trees.upper, "private", 0600, 0), 0);
	add_entry(&trees, PLAN_ADDED, "private");
	add_step(&trees, STEP_PUT, "private");
	add_entry(&trees, PLAN_ADDED, "link");
	add_step(&trees, STEP_LINK, "link");
	trees.steps[1].from = trees.steps[0].path;
	add_entry(&trees, PLAN_ADDED, "empty");
	add_step(&trees, STEP_MKDIR, "empty");
	add_entry(&trees, PLAN_ADDED, "full");
	add_step(&trees, STEP_MKDIR, "full");
	add_entry(&trees, PLAN_ADDED, "full/x");
	add_step(&trees, STEP_PUT, "full/x");
	add_entry(&trees, PLAN_DELETED, "gone");
	add_step(&trees, STEP_REMOVE, "gone");
	add_entry(&trees, PLAN_MODE, "same");
	add_step(&trees, STEP_ATTRS, "same");
	patch_and_tell(&trees);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (shell(&trees, "grep -q -- '--diff: %s$' told", lines[i]))
			fail_msg("not told: %s: see %s", lines[i], trees.dir);
	assert_int_equal(shell(&trees,
				 "! grep full told && cat patch >>log && "
				 "test $(grep -c '^+x$' patch) = 3"),
		0);
	free_plan(&trees);
	trees_close(&trees);
}

/* Content that moved on, or that is no file any more, is an error, and the rest is still shown. */
static void changed_meanwhile(void **state)
{
	struct af_delta delta;
	struct trees trees;
	FILE *out = fopen("/dev/null", "we");

	(void)state;
	trees_open(&trees);
	delta = (struct af_delta){.upper_fd = trees.upper};
	add_entry(&trees, PLAN_ADDED, "fifo");
	add_step(&trees, STEP_PUT, "fifo");
	assert_int_equal(mkfifoat(trees.upper, "fifo", 0644), 0);
	assert_int_equal(diff_plan(out, &trees.plan, &delta, trees.source), -ESTALE);
	assert_int_equal(shell(&trees, "rm upper/fifo && mkdir upper/d && ln -s d upper/fifo"), 0);
	put_text(trees.upper, "d/x", "x\n");
	free(trees.steps[0].path);
	trees.steps[0].path = trees.steps[0].from = strdup("fifo/x");
	assert_int_equal(diff_plan(out, &trees.plan, &delta, trees.source), -ELOOP);
	fclose(out);
	free_plan(&trees);
	trees_close(&trees);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_by_git),
		cmocka_unit_test(taken_by_patch),
		cmocka_unit_test(renames),
		cmocka_unit_test(told),
		cmocka_unit_test(changed_meanwhile),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
