/*
 * The daemon's table: which deltas are merged into which source, and how. In the form of fstab(5): a
 * line each, DELTA-GLOB SOURCE [OPTION[,OPTION]...], blanks between, \040 and the like for a blank in a
 * word, a # that begins a word begins a comment.
 */
#ifndef AF_TABLE_H
#define AF_TABLE_H

#include <stddef.h>

struct table_row {
	/* For glob(7): absolute, single slashes, none at the end; owned, as all here. */
	char *pattern;
	/*
	 * So many bytes of it come before the first component with a wildcard, the slash included; all of
	 * them where there is none. Nobody but who wrote the table says what these lead to.
	 */
	size_t literal;
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
 * Reads the file. A row that is wrong is reported with file and line, and left out: so is one whose pattern
 * another had before. Returns 0, or -errno, reported, where the file cannot be read. Released with
 * table_fini() in any case.
 */
int table_load(struct table *table, const char *path);
void table_fini(struct table *table);

#endif
