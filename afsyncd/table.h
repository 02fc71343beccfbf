/*
 * The daemon's table: which deltas are merged into which source, and how. In the form of fstab(5): a
 * line each, DELTA-GLOB SOURCE [OPTION[,OPTION]...], blanks between, \040 and the like for a blank in a
 * word, a # that begins a word begins a comment.
 */
#ifndef AF_TABLE_H
#define AF_TABLE_H

#include <stddef.h>

struct table_row {
	char *pattern;  /* absolute; for glob(7); owned, as all here */
	char *source;   /* absolute */
	char **options; /* as afsyncd takes them: --NAME or --NAME=VALUE */
	size_t option_count;
	unsigned int line; /* from 1 */
};

struct table {
	struct table_row *rows;
	size_t count;
};

/*
 * Reads the file. A row that is wrong is reported with file and line, and left out. Returns 0, or -errno,
 * reported, where the file cannot be read. Released with table_fini() in any case.
 */
int table_load(struct table *table, const char *path);
void table_fini(struct table *table);

#endif
