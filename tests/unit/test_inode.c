/*
 * The table of nodes, without a mount: identities, names, counts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dirfd.h"
#include "inode.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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
	dirfds_init(&world->dirfds, &(struct layer_dir){-1, -1}, 16);
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

	return cmocka_run_group_tests_name("inode", tests, NULL, NULL);
}
