/*
 * The parts of agentfensefs that decide or count without a mount: options, attributes, nodes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "attr.h"
#include "dirfd.h"
#include "inode.h"
#include "options.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
		{"delta=/d", 1},
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

/* ---- nodes ------------------------------------------------------------------------------------ */

struct world {
	struct af_table table;
	struct af_dirfds dirfds;
};

static int make_world(void **state)
{
	struct stat root = {.st_ino = 2, .st_dev = 1, .st_mode = S_IFDIR | 0755};
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		return -1;
	dirfds_init(&world->dirfds, -1, 16);
	*state = world;
	return table_init(&world->table, &root, &world->dirfds);
}

static int end_world(void **state)
{
	struct world *world = *state;

	table_fini(&world->table);
	dirfds_fini(&world->dirfds);
	free(world);
	return 0;
}

static struct stat file_stat(ino_t ino)
{
	return (struct stat){.st_ino = ino, .st_dev = 1, .st_mode = S_IFREG | 0644};
}

static struct stat dir_stat(ino_t ino)
{
	return (struct stat){.st_ino = ino, .st_dev = 1, .st_mode = S_IFDIR | 0755};
}

static struct af_inode *look(struct world *world, struct af_inode *parent, const char *name,
	struct stat st, enum af_level level)
{
	bool moved;

	return inode_lookup(&world->table, parent, name, &st, level, false, AF_RENAMES_ANY, &moved);
}

static void the_root_is_always_there(void **state)
{
	struct world *world = *state;
	struct af_inode *root = inode_get(&world->table, AF_ROOT_ID);

	assert_ptr_equal(root, world->table.root);
	inode_put(&world->table, root);
	inode_forget(&world->table, AF_ROOT_ID, 1000);
	root = inode_get(&world->table, AF_ROOT_ID);
	assert_non_null(root);
	inode_put(&world->table, root);
	assert_null(inode_get(&world->table, 4711));
}

static void names_of_two_levels_are_two_nodes(void **state)
{
	struct world *world = *state;
	struct af_inode *root = world->table.root;
	struct af_inode *one = look(world, root, "a", file_stat(10), AF_READ);
	struct af_inode *same = look(world, root, "b", file_stat(10), AF_READ);
	struct af_inode *other = look(world, root, "c", file_stat(10), AF_WRITE);

	assert_ptr_equal(one, same);
	assert_ptr_not_equal(one, other);
	assert_int_equal(one->ino, other->ino);
	assert_int_not_equal(one->id, other->id);
	inode_put(&world->table, one);
	inode_put(&world->table, same);
	inode_put(&world->table, other);
}

static void a_directory_is_one_node_at_any_level(void **state)
{
	struct world *world = *state;
	struct af_inode *root = world->table.root;
	struct af_inode *one = look(world, root, "d", dir_stat(20), AF_READ);
	struct af_inode *same = look(world, root, "d", dir_stat(20), AF_WRITE);

	assert_ptr_equal(one, same);
	inode_put(&world->table, one);
	inode_put(&world->table, same);
}

static void a_node_goes_with_its_last_count_and_frees_its_parents(void **state)
{
	struct world *world = *state;
	struct af_inode *dir = look(world, world->table.root, "d", dir_stat(20), AF_READ);
	struct af_inode *file = look(world, dir, "f", file_stat(21), AF_READ);
	uint64_t dir_id = dir->id, file_id = file->id;

	inode_put(&world->table, dir);
	inode_forget(&world->table, dir_id, 1);
	/* Its child still holds it. */
	dir = inode_get(&world->table, dir_id);
	assert_non_null(dir);
	inode_put(&world->table, dir);
	inode_put(&world->table, file);
	inode_forget(&world->table, file_id, 1);
	assert_null(inode_get(&world->table, file_id));
	assert_null(inode_get(&world->table, dir_id));
	assert_int_equal(world->table.count, 1);
}

static void forgetting_too_much_is_harmless(void **state)
{
	struct world *world = *state;
	struct af_inode *file = look(world, world->table.root, "f", file_stat(21), AF_READ);
	uint64_t id = file->id;

	inode_forget(&world->table, id, UINT64_MAX);
	assert_int_equal(file->nlookup, 0);
	inode_put(&world->table, file);
	assert_null(inode_get(&world->table, id));
	inode_forget(&world->table, id, 1);
}

static void paths_follow_renames(void **state)
{
	struct world *world = *state;
	struct af_inode *a = look(world, world->table.root, "a", dir_stat(20), AF_READ);
	struct af_inode *b = look(world, a, "b", dir_stat(21), AF_READ);
	struct af_inode *f = look(world, b, "f", file_stat(22), AF_READ);
	size_t len;
	char *path = inode_path(&world->table, f, NULL, &len);

	assert_string_equal(path, "a/b/f");
	assert_int_equal(len, 5);
	free(path);
	assert_int_equal(inode_rename(&world->table, b, a, "b", world->table.root, "moved"), 0);
	path = inode_path(&world->table, f, "child", &len);
	assert_string_equal(path, "moved/f/child");
	free(path);
	path = inode_path(&world->table, world->table.root, "x", &len);
	assert_string_equal(path, "x");
	free(path);
	inode_put(&world->table, a);
	inode_put(&world->table, b);
	inode_put(&world->table, f);
}

static void a_node_without_a_name_keeps_a_descriptor(void **state)
{
	struct world *world = *state;
	struct af_inode *f = look(world, world->table.root, "f", file_stat(22), AF_WRITE);
	struct stat st = file_stat(22);
	struct af_unname how = {.path_fd = -1};
	int fd = open("/dev/null", O_PATH | O_CLOEXEC);
	size_t len;

	inode_unname(&world->table, f, world->table.root, "other", how);
	assert_ptr_equal(f->parent, world->table.root);
	how.path_fd = fd;
	inode_unname(&world->table, f, world->table.root, "f", how);
	assert_null(f->parent);
	assert_int_equal(f->fd, fd);
	assert_null(inode_path(&world->table, f, NULL, &len));
	assert_null(inode_find(&world->table, world->table.root, "f", &st));
	inode_forget(&world->table, f->id, 1);
	inode_put(&world->table, f);
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed with the node */
}

static void a_directory_found_elsewhere_has_moved(void **state)
{
	struct world *world = *state;
	struct stat st = dir_stat(20);
	bool moved = true;
	struct af_inode *d = inode_lookup(
		&world->table, world->table.root, "a", &st, AF_READ, false, AF_RENAMES_ANY, &moved);

	assert_false(moved);
	inode_put(&world->table, d);
	d = inode_lookup(
		&world->table, world->table.root, "b", &st, AF_READ, false, AF_RENAMES_ANY, &moved);
	assert_true(moved);
	assert_string_equal(d->name, "b");
	inode_put(&world->table, d);
}

/* As somebody may do in the source: a/b becomes b and then b/a, and we hear of the last step first. */
static void directories_never_form_a_ring(void **state)
{
	struct world *world = *state;
	struct af_inode *root = world->table.root;
	struct af_inode *a = look(world, root, "a", dir_stat(20), AF_READ);
	struct af_inode *b = look(world, a, "b", dir_stat(21), AF_READ);

	errno = 0;
	assert_null(look(world, b, "a", dir_stat(20), AF_READ));
	assert_int_equal(errno, ESTALE);
	assert_ptr_equal(a->parent, root);
	assert_int_equal(inode_rename(&world->table, a, root, "a", b, "a"), 0);
	assert_null(a->parent);
	assert_ptr_equal(look(world, root, "b", dir_stat(21), AF_READ), b);
	assert_ptr_equal(look(world, b, "a", dir_stat(20), AF_READ), a);
	assert_ptr_equal(a->parent, b);
	inode_put(&world->table, b);
	inode_put(&world->table, b);
	inode_put(&world->table, a);
	inode_put(&world->table, a);
}

static void a_name_found_before_a_rename_is_not_believed(void **state)
{
	struct world *world = *state;
	struct af_inode *root = world->table.root, *f;
	struct stat st = file_stat(22);
	uint64_t since = table_renames(&world->table);
	bool moved;

	f = look(world, root, "old", st, AF_WRITE);
	assert_int_equal(inode_rename(&world->table, f, root, "old", root, "new"), 0);
	errno = 0;
	assert_null(inode_lookup(&world->table, root, "old", &st, AF_WRITE, false, since, &moved));
	assert_int_equal(errno, EAGAIN);
	assert_string_equal(f->name, "new");
	inode_put(&world->table, f);
}

static void linked_files_keep_few_descriptors(void **state)
{
	struct world *world = *state;
	struct af_unname how = {.linked = true, .max_linked = 2};
	struct af_inode *f[3];

	for (uint64_t i = 0; i < 3; i++) {
		f[i] = look(world, world->table.root, "f", file_stat(30 + i), AF_WRITE);
		how.path_fd = open("/dev/null", O_PATH | O_CLOEXEC);
		inode_unname(&world->table, f[i], world->table.root, "f", how);
		assert_int_equal(f[i]->fd >= 0, i < 2);
		assert_null(f[i]->parent);
	}
	assert_int_equal(world->table.linked, 2);
	for (size_t i = 0; i < 3; i++) {
		inode_forget(&world->table, f[i]->id, 1);
		inode_put(&world->table, f[i]);
	}
	assert_int_equal(world->table.linked, 0);
}

static void many_nodes_come_and_go(void **state)
{
	enum { MANY = 50000 };
	struct world *world = *state;
	uint64_t first = world->table.next_id;
	char name[32];

	for (unsigned int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		inode_put(&world->table,
			look(world, world->table.root, name, file_stat(100 + i), AF_READ));
	}
	assert_int_equal(world->table.count, MANY + 1);
	for (uint64_t id = first; id < first + MANY; id++)
		inode_forget(&world->table, id, 1);
	assert_int_equal(world->table.count, 1);
	assert_true(world->table.mask < 16384);
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
		cmocka_unit_test_setup_teardown(the_root_is_always_there, make_world, end_world),
		cmocka_unit_test_setup_teardown(
			names_of_two_levels_are_two_nodes, make_world, end_world),
		cmocka_unit_test_setup_teardown(
			a_directory_is_one_node_at_any_level, make_world, end_world),
		cmocka_unit_test_setup_teardown(
			a_node_goes_with_its_last_count_and_frees_its_parents, make_world,
			end_world),
		cmocka_unit_test_setup_teardown(
			forgetting_too_much_is_harmless, make_world, end_world),
		cmocka_unit_test_setup_teardown(paths_follow_renames, make_world, end_world),
		cmocka_unit_test_setup_teardown(
			a_node_without_a_name_keeps_a_descriptor, make_world, end_world),
		cmocka_unit_test_setup_teardown(
			a_directory_found_elsewhere_has_moved, make_world, end_world),
		cmocka_unit_test_setup_teardown(
			directories_never_form_a_ring, make_world, end_world),
		cmocka_unit_test_setup_teardown(
			a_name_found_before_a_rename_is_not_believed, make_world, end_world),
		cmocka_unit_test_setup_teardown(
			linked_files_keep_few_descriptors, make_world, end_world),
		cmocka_unit_test_setup_teardown(many_nodes_come_and_go, make_world, end_world),
	};

	return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
