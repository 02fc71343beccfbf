/*
 * Unit tests of copy_attrs(): each compares a copy's attributes with those that it was to get.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "copy.h"
#include "needs.h"
#include "remove.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char place[64];
static int place_fd;

static int make_place(void **state)
{
	(void)state;
	strcpy(place, "/tmp/unit.XXXXXX");
	if (!mkdtemp(place))
		return -1;
	place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return place_fd < 0 ? -1 : 0;
}

static int drop_place(void **state)
{
	(void)state;
	remove_entries(place_fd);
	close(place_fd);
	return rmdir(place);
}

/* A pair of the same type, `from` and `to`, open in this way. */
struct pair {
	int from, to;
	struct stat st; /* of from; look() fills it in, and the copy's */
	struct stat copied;
};

static void open_pair(struct pair *pair, int flags)
{
	pair->from = openat(place_fd, "from", flags | O_NOFOLLOW | O_CLOEXEC);
	pair->to = openat(place_fd, "to", flags | O_NOFOLLOW | O_CLOEXEC);
	assert_true(pair->from >= 0 && pair->to >= 0);
}

static void make_files(void)
{
	static const char *const names[] = {"from", "to"};

	for (int i = 0; i < 2; i++) {
		int fd = openat(place_fd, names[i], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		assert_true(fd >= 0);
		close(fd);
	}
}

static void close_pair(struct pair *pair)
{
	close(pair->from);
	close(pair->to);
}

static void look(struct pair *pair)
{
	assert_int_equal(fstat(pair->from, &pair->st), 0);
	assert_int_equal(fstat(pair->to, &pair->copied), 0);
}

static void age(const char *name)
{
	const struct timespec times[2] = {{981173106, 123456789}, {-5, 1}};

	assert_int_equal(utimensat(place_fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void has_times(const struct pair *pair)
{
	assert_memory_equal(&pair->copied.st_atim, &pair->st.st_atim, sizeof(struct timespec));
	assert_memory_equal(&pair->copied.st_mtim, &pair->st.st_mtim, sizeof(struct timespec));
}

/* Whether one of the place's files has an xattr of this value; NULL: has none of this name. */
static void xattr_is(const char *file, const char *name, const char *value)
{
	char path[512], got[256];
	ssize_t size;

	snprintf(path, sizeof(path), "%s/%s", place, file);
	size = lgetxattr(path, name, got, sizeof(got));
	if (!value) {
		assert_true(size < 0);
		assert_int_equal(errno, ENODATA);
		return;
	}
	assert_int_equal(size, strlen(value));
	assert_memory_equal(got, value, strlen(value));
}

#define need_xattrs() need(keeps_xattrs(place), "/tmp keeps no user xattrs")

static void set_xattr(const char *name, const char *value)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/from", place);
	assert_int_equal(lsetxattr(path, name, value, strlen(value), 0), 0);
}

/* To somebody else, where this process may do that. */
static void give_away(const char *name)
{
	if (can_give_away(12345, 54321))
		assert_int_equal(fchownat(place_fd, name, 12345, 54321, AT_SYMLINK_NOFOLLOW), 0);
}

static const struct copy_attrs everything = {.owner = true, .mode_mask = 07777, .times = true};

static void copies_all_of_a_file(void **state)
{
	static const int flags[] = {O_RDONLY, O_PATH};

	(void)state;
	need_xattrs();
	for (int i = 0; i < 2; i++) {
		struct pair pair;

		make_files();
		set_xattr("user.a", "one");
		set_xattr("user.b", "");
		give_away("from");
		assert_int_equal(fchmodat(place_fd, "from", 06451, 0), 0);
		age("from");
		open_pair(&pair, flags[i]);
		look(&pair);
		assert_int_equal(copy_attrs(pair.from, &pair.st, pair.to, &everything), 0);
		look(&pair);
		assert_int_equal(pair.copied.st_mode, S_IFREG | 06451);
		assert_int_equal(pair.copied.st_uid, pair.st.st_uid);
		assert_int_equal(pair.copied.st_gid, pair.st.st_gid);
		has_times(&pair);
		assert_int_equal(pair.copied.st_mtim.tv_nsec, 1);
		xattr_is("to", "user.a", "one");
		xattr_is("to", "user.b", "");
		close_pair(&pair);
		assert_int_equal(remove_entries(place_fd), 0);
	}
}

static void copies_what_is_asked_for_alone(void **state)
{
	struct copy_attrs attrs = {.mode_mask = 0755};
	struct pair pair;

	(void)state;
	make_files();
	give_away("from");
	assert_int_equal(fchmodat(place_fd, "from", 07777, 0), 0);
	age("from");
	open_pair(&pair, O_RDONLY);
	look(&pair);
	assert_int_equal(copy_attrs(pair.from, &pair.st, pair.to, &attrs), 0);
	look(&pair);
	assert_int_equal(pair.copied.st_mode, S_IFREG | 0755);
	assert_int_equal(pair.copied.st_uid, getuid());
	assert_int_equal(pair.copied.st_gid, getgid());
	assert_true(pair.copied.st_mtim.tv_sec > 1);
	attrs.mode_mask = 0;
	assert_int_equal(fchmod(pair.to, 0611), 0);
	assert_int_equal(copy_attrs(pair.from, &pair.st, pair.to, &attrs), 0);
	look(&pair);
	assert_int_equal(pair.copied.st_mode, S_IFREG | 0611);
	close_pair(&pair);
}

/* A symlink, and a FIFO, which nobody opens. */
static void copies_what_cannot_be_opened(void **state)
{
	struct pair pair;

	(void)state;
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 2; k++) {
			const char *name = k ? "from" : "to";

			if (i == 0)
				assert_int_equal(symlinkat("nowhere", place_fd, name), 0);
			else
				assert_int_equal(mkfifoat(place_fd, name, k ? 0624 : 0600), 0);
		}
		give_away("from");
		age("from");
		open_pair(&pair, O_PATH);
		look(&pair);
		assert_int_equal(copy_attrs(pair.from, &pair.st, pair.to, &everything), 0);
		look(&pair);
		assert_int_equal(pair.copied.st_uid, pair.st.st_uid);
		assert_int_equal(pair.copied.st_gid, pair.st.st_gid);
		if (i == 1)
			assert_int_equal(pair.copied.st_mode & 07777, pair.st.st_mode & 07777);
		has_times(&pair);
		close_pair(&pair);
		assert_int_equal(remove_entries(place_fd), 0);
	}
}

/* As setfacl -m u:12345:rw would have it, in the form in which the kernel takes it. */
static const unsigned char acl[] = {2, 0, 0, 0, /* version */
	1, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,     /* the owner: rw */
	2, 0, 6, 0, 0x39, 0x30, 0, 0,           /* 12345: rw */
	4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,     /* the group: nothing */
	16, 0, 6, 0, 0xff, 0xff, 0xff, 0xff,    /* the mask: rw */
	32, 0, 4, 0, 0xff, 0xff, 0xff, 0xff};   /* others: r */

static void copies_acls(void **state)
{
	static const char *const names[] = {"system.posix_acl_access", "system.posix_acl_default"};
	unsigned char got[256];
	struct pair pair;

	(void)state;
	assert_int_equal(mkdirat(place_fd, "from", 0700), 0);
	assert_int_equal(mkdirat(place_fd, "to", 0700), 0);
	open_pair(&pair, O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 2; i++)
		need(fsetxattr(pair.from, names[i], acl, sizeof(acl), 0) == 0,
			"/tmp keeps no ACLs, or not for that user");
	look(&pair);
	assert_int_equal(copy_attrs(pair.from, &pair.st, pair.to, &everything), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fgetxattr(pair.to, names[i], got, sizeof(got)), sizeof(acl));
		assert_memory_equal(got, acl, sizeof(acl));
	}
	look(&pair);
	assert_int_equal(pair.copied.st_mode, S_IFDIR | 0664);
	assert_int_equal(pair.copied.st_mode, pair.st.st_mode);
	close_pair(&pair);
}

static int rename_xattr(void *arg, const char *name, char *out)
{
	++*(int *)arg;
	if (!strcmp(name, "user.left.out"))
		return -ENODATA;
	if (!strncmp(name, "user.", 5))
		snprintf(out, 256, "user.escaped.%s", name + 5);
	else
		snprintf(out, 256, "%s", name);
	return 0;
}

static void renames_xattrs(void **state)
{
	const bool trusted = has_cap(CAP_SYS_ADMIN) && is_first_namespace();
	int asked = 0;
	struct copy_attrs attrs = {.xattr_name = rename_xattr, .arg = &asked};
	struct pair pair;

	(void)state;
	need_xattrs();
	make_files();
	set_xattr("user.a", "1");
	set_xattr("user.left.out", "2");
	/* Which nobody is asked about. */
	if (trusted)
		set_xattr("trusted.note", "3");
	open_pair(&pair, O_RDONLY);
	look(&pair);
	assert_int_equal(copy_attrs(pair.from, &pair.st, pair.to, &attrs), 0);
	assert_int_equal(asked, 2);
	xattr_is("to", "user.escaped.a", "1");
	xattr_is("to", "user.a", NULL);
	xattr_is("to", "user.left.out", NULL);
	xattr_is("to", "user.escaped.left.out", NULL);
	if (trusted)
		xattr_is("to", "trusted.note", NULL);
	close_pair(&pair);
}

static int plain_xattr(void *arg, const char *name, char *out)
{
	(void)arg;
	if (strncmp(name, "user.escaped.", 13) != 0)
		return -ENODATA;
	snprintf(out, 256, "user.%s", name + 13);
	return 0;
}

static void sums_xattrs_up(void **state)
{
	int asked = 0;
	struct copy_attrs attrs = {.xattr_name = rename_xattr, .arg = &asked};
	const struct copy_attrs same = {.mode_mask = 0}, plain = {.xattr_name = plain_xattr};
	uint64_t none, one, two, copied;
	struct pair pair;

	(void)state;
	need_xattrs();
	make_files();
	open_pair(&pair, O_PATH);
	look(&pair);
	assert_int_equal(copy_sum_xattrs(pair.from, &same, &none), 0);
	assert_int_equal(none, 0);
	set_xattr("user.a", "1");
	assert_int_equal(copy_sum_xattrs(pair.from, &same, &one), 0);
	assert_int_not_equal(one, 0);
	set_xattr("user.b", "1");
	assert_int_equal(copy_sum_xattrs(pair.from, &same, &two), 0);
	assert_true(two != one && two == copy_xattr_sum("user.b", "1", 1) + one);
	/* The copy, by the names that it was made from, has the same; by its own it has another. */
	assert_int_equal(copy_attrs(pair.from, &pair.st, pair.to, &attrs), 0);
	assert_int_equal(copy_sum_xattrs(pair.to, &plain, &copied), 0);
	assert_true(copied == two);
	assert_int_equal(copy_sum_xattrs(pair.to, &same, &copied), 0);
	assert_true(copied != two);
	/* What was in one name is in the other now. */
	set_xattr("user.a", "1 ");
	assert_int_equal(copy_sum_xattrs(pair.from, &same, &copied), 0);
	assert_true(copied != two);
	close_pair(&pair);
}

static void copies_many_and_large_xattrs(void **state)
{
	char name[256], value[3001] = "";
	struct pair pair;
	int count = 0;

	(void)state;
	need_xattrs();
	make_files();
	memset(value, 'v', sizeof(value) - 1);
	set_xattr("user.large", value);
	/* As many as the filesystem takes: their names are to exceed 4096 bytes. */
	open_pair(&pair, O_RDONLY);
	for (; count < 40; count++) {
		snprintf(name, sizeof(name), "user.%d.%0200d", count, 0);
		if (fsetxattr(pair.from, name, "x", 1, 0) != 0)
			break;
	}
	look(&pair);
	assert_int_equal(copy_attrs(pair.from, &pair.st, pair.to, &everything), 0);
	assert_int_equal(fgetxattr(pair.to, "user.large", NULL, 0), sizeof(value) - 1);
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "user.%d.%0200d", i, 0);
		xattr_is("to", name, "x");
	}
	close_pair(&pair);
}

/* On a filesystem that takes many, unlike ext4: the list is longer than what is tried at first. */
static void copies_long_lists(void **state)
{
	static const struct copy_attrs attrs = {.mode_mask = 0};
	int from = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int to = open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char name[256], *longest;
	struct stat st;

	(void)state;
	need(from >= 0 && to >= 0 && fsetxattr(from, "user.first", "1", 1, 0) == 0,
		"/dev/shm keeps no user xattrs");
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "user.%d.%0200d", i, 0);
		assert_int_equal(fsetxattr(from, name, "x", 1, 0), 0);
	}
	longest = malloc(30000);
	assert_non_null(longest);
	memset(longest, 'l', 30000);
	assert_int_equal(fsetxattr(from, "user.large", longest, 30000, 0), 0);
	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(copy_attrs(from, &st, to, &attrs), 0);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "user.%d.%0200d", i, 0);
		assert_int_equal(fgetxattr(to, name, NULL, 0), 1);
	}
	assert_int_equal(fgetxattr(to, "user.large", NULL, 0), 30000);
	free(longest);
	close(from);
	close(to);
}

static void nothing_to_copy_is_no_error(void **state)
{
	static const struct copy_attrs attrs = {.mode_mask = 0};
	int proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	struct pair pair;

	(void)state;
	need_xattrs();
	make_files();
	set_xattr("user.a", "1");
	open_pair(&pair, O_RDONLY);
	look(&pair);
	assert_true(proc >= 0);
	/* procfs has no xattrs, neither to give nor, to one who may write, to take. */
	assert_int_equal(copy_attrs(proc, &pair.st, pair.to, &attrs), 0);
	if (has_cap(CAP_DAC_OVERRIDE))
		assert_int_equal(copy_attrs(pair.from, &pair.st, proc, &attrs), 0);
	close(proc);
	close_pair(&pair);
}

/* What an ordinary user may give away: nothing, but a group of theirs. */
static int copy_as_user(const struct copy_attrs *attrs, struct pair *pair)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(12345) != 0 || setuid(12345) != 0)
			_exit(255);
		_exit(-copy_attrs(pair->from, &pair->st, pair->to, attrs));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

static void owner_is_kept_where_possible(void **state)
{
	struct copy_attrs attrs = {.owner = true};
	struct pair pair;

	(void)state;
	need(can_give_away(1, 12345) && can_give_away(12345, 1) && can_become(12345, 12345),
		"no right to give files away and to become another user");
	make_files();
	assert_int_equal(fchownat(place_fd, "from", 1, 12345, 0), 0);
	assert_int_equal(fchownat(place_fd, "to", 12345, 1, 0), 0);
	assert_int_equal(fchmodat(place_fd, "from", 0644, 0), 0);
	open_pair(&pair, O_RDONLY);
	look(&pair);
	assert_int_equal(copy_as_user(&attrs, &pair), -EPERM);
	attrs = (struct copy_attrs){.owner_if_possible = true};
	assert_int_equal(copy_as_user(&attrs, &pair), 0);
	look(&pair);
	assert_int_equal(pair.copied.st_uid, 12345);
	assert_int_equal(pair.copied.st_gid, 12345);
	close_pair(&pair);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_place, drop_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copies_all_of_a_file),
		TEST(copies_what_is_asked_for_alone),
		TEST(copies_what_cannot_be_opened),
		TEST(copies_acls),
		TEST(renames_xattrs),
		TEST(sums_xattrs_up),
		TEST(copies_many_and_large_xattrs),
		TEST(copies_long_lists),
		TEST(nothing_to_copy_is_no_error),
		TEST(owner_is_kept_where_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
