/*
 * Where nodes are: places, paths, and all of them in turn. See inode.h. It only reads the table.
 */
#include "inode.h"

#include "cleanup.h"

#include <bsd/string.h>
#include <string.h>

void inode_place(struct af_table *table, struct af_inode *inode, struct af_place *place)
{
	pthread_mutex_lock(&table->lock);
	place->parent = inode->parent;
	place->fd = inode->fd;
	place->covered = inode->flags & AF_INODE_COVERED;
	place->name[0] = '\0';
	if (inode->parent) {
		inode->parent->refs++;
		strlcpy(place->name, inode->name, sizeof(place->name));
	}
	pthread_mutex_unlock(&table->lock);
}

/* The length of the path, or SIZE_MAX where something on the way has no name. Locked. */
static size_t path_length(const struct af_table *table, const struct af_inode *inode)
{
	size_t len = 0;

	for (; inode != table->root; inode = inode->parent) {
		if (!inode->parent)
			return SIZE_MAX;
		len += strlen(inode->name) + 1;
	}
	return len ? len - 1 : 0;
}

char *inode_path(struct af_table *table, struct af_inode *inode, const char *child, size_t *len)
{
	size_t child_len = child ? strlen(child) : 0;
	size_t dir_len;
	char *path = NULL, *end;

	pthread_mutex_lock(&table->lock);
	dir_len = path_length(table, inode);
	if (dir_len == SIZE_MAX) {
		pthread_mutex_unlock(&table->lock);
		errno = ENOENT;
		return NULL;
	}
	*len = dir_len + (dir_len && child ? 1 : 0) + child_len;
	path = malloc(*len + 1);
	if (path) {
		end = path + dir_len;
		for (; inode != table->root; inode = inode->parent) {
			size_t part = strlen(inode->name);

			end -= part;
			memcpy(end, inode->name, part);
			if (end > path)
				*--end = '/';
		}
	}
	pthread_mutex_unlock(&table->lock);
	if (!path)
		return NULL;
	if (child && dir_len)
		path[dir_len++] = '/';
	if (child)
		memcpy(path + dir_len, child, child_len);
	path[*len] = '\0';
	return path;
}

int table_each(struct af_table *table, int (*fn)(void *arg, struct af_inode *inode), void *arg)
{
	af_autofree uint64_t *ids = NULL;
	size_t count = 0;
	int stop = 0;

	pthread_mutex_lock(&table->lock);
	ids = reallocarray(NULL, table->count + 1, sizeof(*ids));
	for (size_t i = 0; ids && i <= table->mask; i++)
		for (const struct af_inode *inode = table->by_id[i]; inode;
			inode = inode->next_by_id)
			ids[count++] = inode->id;
	pthread_mutex_unlock(&table->lock);
	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; i < count && !stop; i++) {
		struct af_inode *inode = inode_get(table, ids[i]);

		if (inode)
			stop = fn(arg, inode);
		inode_put(table, inode);
	}
	return stop;
}
