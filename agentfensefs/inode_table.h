/*
 * The table of nodes from within: what inode.c and inode_name.c share. All but table_free_chain() are
 * called under the table's lock.
 */
#ifndef AF_INODE_TABLE_H
#define AF_INODE_TABLE_H

#include "inode.h"

/* A node that is new. Counts are 0. Returns NULL where there is no memory. */
struct af_inode *table_add(struct af_table *table, const struct stat *st, uint8_t key_level);

/* The node of this identity and level (a directory's does not matter), or NULL. Counts nothing. */
struct af_inode *table_find(struct af_table *table, const struct stat *st, uint8_t level);

/*
 * Takes a node whose counts are 0 out of the table. What it held (its parent, whose counts may then
 * be 0 as well) goes with it; the whole chain is returned through next_by_id, to be freed unlocked.
 */
struct af_inode *table_release(struct af_table *table, struct af_inode *inode);

/* Frees such a chain; without the lock. */
void table_free_chain(const struct af_table *table, struct af_inode *inode);

#endif
