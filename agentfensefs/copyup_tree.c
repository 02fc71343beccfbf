/*
 * Copy-up of a whole directory, so that it can be renamed. See copyup.h.
 *
 * Overlayfs reads no redirects from user xattrs, and what later appears in the source under the old
 * name must not show under the new one: so all of it is copied, and the directory is made opaque.
 */
#include "copyup.h"

#include "change_internal.h"
#include "cleanup.h"
#include "copyup_dir.h"
#include "fs.h"
#include "merge.h"
#include "whiteout.h"

#include <string.h>

/* The directories of the tree: those before `done` have been copied up with what is in them. */
struct tree {
	struct af_fs *fs;
	struct tree_dir {
		char *path;      /* owned */
		struct stat low; /* what its node is known as; st_mode 0: the upper's own */
		struct stat up;
	} * dirs;
	size_t count, room, done;
};

static int add_dir(struct tree *tree, const char *dir, const char *name)
{
	char *path = NULL;

	if (tree->count == tree->room) {
		size_t room = tree->room ? tree->room * 2 : 32;
		struct tree_dir *dirs = reallocarray(tree->dirs, room, sizeof(*dirs));

		if (!dirs)
			return -ENOMEM;
		tree->dirs = dirs;
		tree->room = room;
	}
	if (asprintf(&path, "%s%s%s", dir, name ? "/" : "", name ? name : "") < 0)
		return -ENOMEM;
	tree->dirs[tree->count++] = (struct tree_dir){.path = path};
	return 0;
}

static int copy_entry(struct tree *tree, const char *dir, const struct layer_dir *at,
	const struct merge_entry *entry)
{
	af_autofree char *path = NULL;
	struct af_found found;
	int err;

	if (asprintf(&path, "%s/%s", dir, entry->name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	err = overlay_stat(tree->fs, at, entry->name, &found);
	if (err)
		return err;
	if (S_ISDIR(found.st.st_mode))
		return add_dir(tree, dir, entry->name);
	return found.upper ? 0 : copyup_name(tree->fs, at, entry->name, path);
}

static int copy_entries(struct tree *tree, const char *path, const struct layer_dir *at)
{
	struct merge_entry entry;
	struct af_merge merge;
	int got = merge_open(&merge, tree->fs, at);

	if (got)
		return got;
	while ((got = merge_next(&merge, &entry)) > 0) {
		got = copy_entry(tree, path, at, &entry);
		if (got)
			break;
	}
	merge_close(&merge);
	return got;
}

static int copy_dir(struct tree *tree, size_t index)
{
	const char *path = tree->dirs[index].path;
	struct layer_dir at;
	int err = copyup_dirs(tree->fs, path, &at);

	if (err)
		return err;
	if (fstat(at.upper, &tree->dirs[index].up) != 0 ||
		(at.lower >= 0 && fstat(at.lower, &tree->dirs[index].low) != 0))
		err = -errno;
	/* What is the upper's alone has all that is in it. */
	if (!err && at.lower >= 0)
		err = copy_entries(tree, path, &at);
	layer_dir_close(&at);
	return err;
}

/* The nodes of directories that both layers had are the upper's from now on. */
static void rekey(struct tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		const struct tree_dir *dir = &tree->dirs[i];
		struct af_inode *inode = NULL;

		if (dir->low.st_mode)
			inode = inode_known(&tree->fs->table, &dir->low, AF_NONE);
		if (inode)
			inode_rekey(&tree->fs->table, inode, &dir->up);
		inode_put(&tree->fs->table, inode);
	}
}

static int make_opaque(struct tree *tree)
{
	const char *path = tree->dirs[0].path, *slash = strrchr(path, '/');
	af_autofree char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	struct layer_dir at;
	int err = parent ? copyup_dirs(tree->fs, parent, &at) : -ENOMEM;

	if (err)
		return err;
	pthread_rwlock_wrlock(&tree->fs->upper->swap_lock);
	err = change_set_opaque(at.upper, slash ? slash + 1 : path);
	if (!err)
		rekey(tree);
	pthread_rwlock_unlock(&tree->fs->upper->swap_lock);
	layer_dir_close(&at);
	/* Descriptors of the lower's part are held no more. */
	dirfds_flush(&tree->fs->dirfds);
	return err;
}

/* Whiteouts hide nothing any more; overlayfs would list them. */
static int clean(struct tree *tree)
{
	int err = 0;

	for (size_t i = 0; i < tree->count && !err; i++) {
		struct layer_dir at;

		err = copyup_dirs(tree->fs, tree->dirs[i].path, &at);
		if (!err) {
			err = whiteout_clean(at.upper);
			layer_dir_close(&at);
		}
	}
	return err;
}

int copyup_tree(struct af_fs *fs, const char *path)
{
	struct tree tree = {.fs = fs};
	int err = add_dir(&tree, path, NULL);

	for (; !err && tree.done < tree.count; tree.done++)
		err = copy_dir(&tree, tree.done);
	if (!err && tree.dirs[0].low.st_mode)
		err = make_opaque(&tree);
	if (!err && tree.dirs[0].low.st_mode)
		err = clean(&tree);
	for (size_t i = 0; i < tree.count; i++)
		free(tree.dirs[i].path);
	free(tree.dirs);
	return err;
}
