/*
 * Unit tests of remove.h. Each has a new directory, DIR, beside which lies what must stay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "needs.h"
#include "remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[64]; /* of this test */
static int place_fd;

static int make_place(void **state)
{
	(void)state;
	strcpy(place, "/tmp/unit.XXXXXX");
	if (!mkdtemp(place))
		return -1;
	place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return place_fd < 0 ? -1 : mkdirat(place_fd, "dir", 0755);
}

/* With the function that is tested: what it leaves, rmdir(2) tells. */
static int drop_place(void **state)
{
	(void)state;
	remove_entries(place_fd);
	close(place_fd);
	return rmdir(place);
}

static void make_file(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static int open_at(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static bool exists(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void removes_one_of_any_kind(void **state)
{
	(void)state;
	assert_int_equal(remove_tree(place_fd, "none"), -ENOENT);
	make_file(place_fd, "file");
	assert_int_equal(mkfifoat(place_fd, "fifo", 0600), 0);
	assert_int_equal(symlinkat("dir", place_fd, "link"), 0);
	assert_int_equal(remove_tree(place_fd, "file"), 0);
	assert_int_equal(remove_tree(place_fd, "fifo"), 0);
	assert_int_equal(remove_tree(place_fd, "link"), 0);
	assert_true(exists(place_fd, "dir"));
	assert_int_equal(remove_tree(place_fd, "dir"), 0);
	assert_int_equal(remove_entries(place_fd), 0);
}

static void takes_one_name_alone(void **state)
{
	(void)state;
	assert_int_equal(remove_tree(place_fd, ".."), -EINVAL);
	assert_int_equal(remove_tree(place_fd, "."), -EINVAL);
	assert_int_equal(remove_tree(place_fd, "dir/x"), -EINVAL);
	assert_int_equal(remove_tree(place_fd, ""), -EINVAL);
	assert_true(exists(place_fd, "dir"));
}

/* Three levels, wide enough that a directory is read in several pieces. */
static void removes_wide_trees(void **state)
{
	int dir = open_at(place_fd, "dir");

	(void)state;
	for (int i = 0; i < 40; i++) {
		char name[32];
		int sub, below;

		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(mkdirat(dir, name, 0755), 0);
		sub = open_at(dir, name);
		assert_int_equal(mkdirat(sub, "below", 0755), 0);
		assert_int_equal(mkdirat(sub, "empty", 0755), 0);
		below = open_at(sub, "below");
		for (int k = 0; k < 100; k++) {
			snprintf(name, sizeof(name), "f%d", k);
			make_file(below, name);
		}
		close(below);
		close(sub);
	}
	for (int k = 0; k < 3000; k++) {
		char name[32];

		snprintf(name, sizeof(name), "a rather long name %d", k);
		make_file(dir, name);
	}
	assert_int_equal(remove_entries(dir), 0);
	close(dir);
	assert_true(exists(place_fd, "dir"));
	assert_int_equal(unlinkat(place_fd, "dir", AT_REMOVEDIR), 0);
}

/* Names that look like those it moves directories to are as good as any. */
static void is_not_misled_by_names(void **state)
{
	int dir = open_at(place_fd, "dir"), sub;

	(void)state;
	make_file(dir, ".remove-0");
	assert_int_equal(mkdirat(dir, ".remove-1", 0755), 0);
	assert_int_equal(mkdirat(dir, ".remove-1/.remove-2", 0755), 0);
	make_file(dir, ".remove-1/.remove-2/.remove-3");
	assert_int_equal(mkdirat(dir, ".remove-1/.remove-4", 0755), 0);
	sub = open_at(dir, ".remove-1/.remove-4");
	make_file(sub, ".remove-1");
	close(sub);
	close(dir);
	assert_int_equal(remove_tree(place_fd, "dir"), 0);
	assert_false(exists(place_fd, "dir"));
}

static void follows_no_symlink(void **state)
{
	int dir = open_at(place_fd, "dir"), outside;

	(void)state;
	assert_int_equal(mkdirat(place_fd, "outside", 0755), 0);
	outside = open_at(place_fd, "outside");
	make_file(outside, "kept");
	assert_int_equal(symlinkat("../outside", dir, "link"), 0);
	assert_int_equal(mkdirat(dir, "sub", 0755), 0);
	assert_int_equal(symlinkat("../../outside", dir, "sub/link"), 0);
	assert_int_equal(symlinkat("/", dir, "sub/root"), 0);
	assert_int_equal(remove_tree(place_fd, "dir"), 0);
	assert_false(exists(place_fd, "dir"));
	assert_true(exists(outside, "kept"));
	close(outside);
	close(dir);
}

enum { DEPTH = 5000 };

static void removes_deep_trees_with_few_descriptors(void **state)
{
	struct rlimit old, few = {64, 64};
	int fd = open_at(place_fd, "dir");

	(void)state;
	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "down", 0755), 0);
		make_file(fd, "file");
		next = open_at(fd, "down");
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(remove_tree(place_fd, "dir"), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_false(exists(place_fd, "dir"));
}

/* O_PATH asks for no right to read. */
static void empties_what_is_open_by_path(void **state)
{
	int dir = openat(place_fd, "dir", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(mkdirat(place_fd, "dir/sub", 0755), 0);
	make_file(place_fd, "dir/sub/file");
	assert_int_equal(remove_entries(dir), 0);
	close(dir);
	assert_int_equal(unlinkat(place_fd, "dir", AT_REMOVEDIR), 0);
}

/* As an ordinary user, whom modes hinder: in a child that gives root up, if it is root's to give. */
static void closed_directories_hinder_nobody(void **state)
{
	const bool as_another = can_give_away(12345, 12345) && can_become(12345, 12345);
	int dir = open_at(place_fd, "dir"), status;
	pid_t pid;

	(void)state;
	for (mode_t mode = 0; mode <= 0700; mode += 0100) {
		char path[64];

		snprintf(path, sizeof(path), "%o", mode);
		assert_int_equal(mkdirat(dir, path, 0700), 0);
		snprintf(path, sizeof(path), "%o/sub", mode);
		assert_int_equal(mkdirat(dir, path, 0700), 0);
		snprintf(path, sizeof(path), "%o/sub/file", mode);
		make_file(dir, path);
		if (as_another)
			assert_int_equal(fchownat(dir, path, 12345, 12345, 0), 0);
		*strrchr(path, '/') = '\0';
		if (as_another)
			assert_int_equal(fchownat(dir, path, 12345, 12345, 0), 0);
		assert_int_equal(fchmodat(dir, path, mode, 0), 0);
		*strrchr(path, '/') = '\0';
		if (as_another)
			assert_int_equal(fchownat(dir, path, 12345, 12345, 0), 0);
		assert_int_equal(fchmodat(dir, path, mode, 0), 0);
	}
	if (as_another)
		assert_int_equal(fchown(dir, 12345, 12345), 0);
	assert_int_equal(fchmod(dir, 0), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (as_another && (setgid(12345) != 0 || setuid(12345) != 0))
			_exit(1);
		_exit(remove_entries(dir) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(dir);
	assert_int_equal(unlinkat(place_fd, "dir", AT_REMOVEDIR), 0);
}

static void enters_no_other_filesystem(void **state)
{
	char path[128];
	int dir;

	(void)state;
	need(can_mount(), "no right to mount");
	dir = open_at(place_fd, "dir");
	assert_int_equal(mkdirat(dir, "sub", 0755), 0);
	assert_int_equal(mkdirat(dir, "sub/mnt", 0755), 0);
	close(dir);
	snprintf(path, sizeof(path), "%s/dir/sub/mnt", place);
	assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
	make_file(place_fd, "dir/sub/mnt/kept");
	assert_true(remove_tree(place_fd, "dir") != 0);
	/* Wherever it was moved to, it is there. */
	dir = openat(place_fd, "dir/sub/mnt/kept", O_RDONLY | O_CLOEXEC);
	assert_true(dir >= 0);
	close(dir);
	/* Nor where it is the topmost one's own entry. */
	dir = open_at(place_fd, "dir/sub");
	assert_true(remove_entries(dir) != 0);
	assert_true(exists(dir, "mnt/kept"));
	assert_true(remove_tree(dir, "mnt") != 0);
	assert_true(exists(dir, "mnt/kept"));
	close(dir);
	assert_int_equal(umount(path), 0);
}

/* What cannot be removed is told, not tried for ever. */
static void tells_what_it_cannot(void **state)
{
	int dir, status;
	pid_t pid;

	(void)state;
	need(can_become(12345, 12345), "no right to become another user");
	assert_int_equal(mkdirat(place_fd, "dir/sub", 0755), 0);
	make_file(place_fd, "dir/sub/file");
	dir = open_at(place_fd, "dir");
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(12345) != 0 || setuid(12345) != 0)
			_exit(1);
		_exit(remove_entries(dir) == -EACCES ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_true(exists(dir, "sub/file"));
	close(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, drop_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(removes_one_of_any_kind),
		TEST(takes_one_name_alone),
		TEST(removes_wide_trees),
		TEST(is_not_misled_by_names),
		TEST(follows_no_symlink),
		TEST(removes_deep_trees_with_few_descriptors),
		TEST(empties_what_is_open_by_path),
		TEST(closed_directories_hinder_nobody),
		TEST(enters_no_other_filesystem),
		TEST(tells_what_it_cannot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
