/*
 * The names of hard-linked files in the source: a file that is copied up keeps all those that can be
 * seen, as it would if it were written to in the source. They are found by one walk of the source, when the first such file is
 * copied up, and again where names seem to be missing.
 */
#ifndef AF_LINKS_H
#define AF_LINKS_H

#include "layer.h"

#include <stddef.h>

struct af_fs;
struct af_inode;

/* A name that a copy is to get. */
struct af_link_target {
	struct layer_dir at; /* owned; the upper's directory is there */
	char *path;          /* owned */
	const char *name;    /* its last component */
};

/*
 * The names of the lower's file with these attributes: path, in the directory at, first (at NULL: it
 * has none that we know), then the others. Released with links_targets_free(). 0 or -errno.
 */
int links_targets(struct af_fs *fs, const struct layer_dir *at, const char *path,
	const struct stat *st, struct af_link_target **targets, size_t *count);
void links_targets_free(struct af_link_target *targets, size_t count);

/*
 * A name of the lower's file (not a directory) was taken away: the lower still counts it. And how many
 * names the file of a node then has, by what the lower says in st.
 */
void links_name_gone(struct af_fs *fs, const struct stat *st);
void links_count_names(const struct af_fs *fs, const struct af_inode *inode, struct stat *st);

struct af_links;
void links_free(struct af_links *links);
void links_gone_free(void *gone);

#endif
