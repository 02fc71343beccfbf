/*
 * What a directory holds, as one: the upper's names but for whiteouts, then the lower's that the
 * upper does not have.
 */
#ifndef AF_MERGE_H
#define AF_MERGE_H

#include "layer.h"

#include <dirent.h>

struct af_fs;

struct merge_entry {
	const char *name; /* until the next call */
	uint64_t ino;     /* as which it is shown */
	uint8_t type;     /* DT_*, DT_UNKNOWN where the filesystem does not tell */
	bool upper;
};

struct af_merge {
	const struct af_fs *fs;
	struct layer_dir at; /* borrowed */
	DIR *stream;         /* of the part that is being read */
	bool in_lower;
	bool count_whites;         /* entries are whiteouts too: type DT_CHR, upper */
	struct merge_names *names; /* of the upper, where there is a lower to compare with */
};

/* The directory's descriptors must stay open until merge_close(). 0 or -errno. */
int merge_open(struct af_merge *merge, const struct af_fs *fs, const struct layer_dir *at);
/* 1 with *entry, 0 at the end, or -errno. Without "." and "..". */
int merge_next(struct af_merge *merge, struct merge_entry *entry);
void merge_close(struct af_merge *merge);

#endif
