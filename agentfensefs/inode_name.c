/*
 * The names by which nodes are reached: learnt in lookups, changed by renames, lost when removed. See
 * inode.h. What is above a directory must stay a way to the root, whatever moves in the source.
 */
#include "inode_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_name(const struct af_inode *inode, const struct af_inode *parent, const char *name)
{
	return inode->parent == parent && inode->name && strcmp(inode->name, name) == 0;
}

/* Whether dir is the node or lies below it, as far as names are known. */
static bool is_below(const struct af_inode *dir, const struct af_inode *inode)
{
	while (dir && dir != inode)
		dir = dir->parent;
	return dir != NULL;
}

uint64_t table_renames(struct af_table *table)
{
	uint64_t renames;

	pthread_mutex_lock(&table->lock);
	renames = table->renames;
	pthread_mutex_unlock(&table->lock);
	return renames;
}

/*
 * Sets the node's name. The parent that it had is returned for the caller to put (unlocked), since
 * that may free it.
 */
static struct af_inode *set_name(struct af_inode *inode, struct af_inode *parent, char *name)
{
	struct af_inode *old = inode->parent;

	free(inode->name);
	inode->name = name;
	inode->parent = parent;
	if (parent)
		parent->refs++;
	inode->stamp = 0;
	return old;
}

/* Gives a node that was just looked up its name. 0 or -errno, see inode_lookup(). Locked. */
static int name_found(struct af_table *table, struct af_inode *inode, struct af_inode *parent,
	const char *name, uint64_t since, struct af_inode **old_parent)
{
	char *copy;

	if (inode == table->root || has_name(inode, parent, name))
		return 0;
	if (inode->name && since != AF_RENAMES_ANY && since != table->renames)
		return -EAGAIN;
	/* Somebody has moved directories of the source around. */
	if (S_ISDIR(inode->type) && is_below(parent, inode))
		return -ESTALE;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	*old_parent = set_name(inode, parent, copy);
	return 0;
}

struct af_inode *inode_lookup(struct af_table *table, struct af_inode *parent, const char *name,
	const struct stat *st, enum af_level level, bool covered, uint64_t since, bool *moved)
{
	return inode_lookup_as(table, parent, name, st, st->st_ino, level, covered, since, moved);
}

struct af_inode *inode_lookup_as(struct af_table *table, struct af_inode *parent, const char *name,
	const struct stat *st, uint64_t shown, enum af_level level, bool covered, uint64_t since,
	bool *moved)
{
	struct af_inode *inode, *old_parent = NULL, *dead = NULL;
	bool had_name;
	int err = -ENOMEM;

	*moved = false;
	pthread_mutex_lock(&table->lock);
	inode = table_find(table, st, (uint8_t)level);
	if (!inode) {
		inode = table_add(table, st, (uint8_t)level);
		if (inode)
			inode->shown = shown;
	}
	if (inode) {
		had_name = inode->name != NULL;
		err = name_found(table, inode, parent, name, since, &old_parent);
		*moved = had_name && old_parent && S_ISDIR(st->st_mode);
	}
	if (!err) {
		inode->nlookup++;
		inode->refs++;
		if (covered)
			inode->flags |= AF_INODE_COVERED;
	} else if (inode) {
		dead = table_release(table, inode);
		inode = NULL;
	}
	pthread_mutex_unlock(&table->lock);
	table_free_chain(table, dead);
	inode_put(table, old_parent);
	errno = -err;
	return inode;
}

struct af_inode *inode_find(struct af_table *table, const struct af_inode *parent, const char *name,
	const struct stat *st)
{
	struct af_inode *found = NULL;

	pthread_mutex_lock(&table->lock);
	for (uint8_t level = AF_NONE; level <= AF_WRITE && !found; level++) {
		struct af_inode *inode = table_find(table, st, level);

		if (inode && has_name(inode, parent, name))
			found = inode;
	}
	if (found)
		found->refs++;
	pthread_mutex_unlock(&table->lock);
	return found;
}

/* Gives a node that loses its name its descriptor, unless it can do without. Locked. */
static void keep_fd(struct af_table *table, struct af_inode *inode, struct af_unname *how)
{
	if (inode->fd >= 0 || (how->linked && table->linked >= how->max_linked))
		return;
	inode->fd = how->path_fd;
	how->path_fd = -1;
	if (how->linked) {
		inode->flags |= AF_INODE_LINKED;
		table->linked++;
	}
}

void inode_unname(struct af_table *table, struct af_inode *inode, const struct af_inode *parent,
	const char *name, struct af_unname how)
{
	struct af_inode *old_parent = NULL;

	pthread_mutex_lock(&table->lock);
	table->renames++;
	if (has_name(inode, parent, name)) {
		uint32_t stamp = inode->stamp;

		old_parent = set_name(inode, NULL, NULL);
		inode->stamp = stamp;
		keep_fd(table, inode, &how);
	}
	pthread_mutex_unlock(&table->lock);
	inode_put(table, old_parent);
	if (how.path_fd >= 0)
		close(how.path_fd);
}

int inode_rename(struct af_table *table, struct af_inode *inode, const struct af_inode *old_parent,
	const char *old_name, struct af_inode *parent, const char *name)
{
	struct af_inode *put = NULL;
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	pthread_mutex_lock(&table->lock);
	table->renames++;
	if (has_name(inode, old_parent, old_name)) {
		/* Where that cannot be, parent has moved in the source: found again by name. */
		if (S_ISDIR(inode->type) && is_below(parent, inode)) {
			put = set_name(inode, NULL, NULL);
		} else {
			put = set_name(inode, parent, copy);
			copy = NULL;
		}
	}
	pthread_mutex_unlock(&table->lock);
	inode_put(table, put);
	free(copy);
	return 0;
}
