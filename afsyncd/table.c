/*
 * The daemon's table. See table.h.
 */
#include "table.h"

#include "cleanup.h"
#include "io.h"
#include "log.h"
#include "table_option.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FIELDS = 3, MAX_TABLE = 16 << 20 /* bytes */ };

/* A NUL byte in the file, which is no line's end, made into something that is refused. */
enum { INSTEAD_OF_NUL = 1 };

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* Replaces \OOO (three octal digits) in place, as fstab has it. */
static int unescape(const struct table_place *place, char *text)
{
	char *to = text, *const begin = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
			from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
		if (is_control(*to)) {
			*to = '\0';
			return table_wrong(place, begin, "a control character follows");
		}
	}
	*to = '\0';
	return 0;
}

static void row_fini(struct table_row *row)
{
	free(row->pattern);
	free(row->source);
	for (size_t i = 0; i < row->option_count; i++)
		free(row->options[i]);
	free(row->options);
}

/* ---- paths -------------------------------------------------------------------------------------- */

static bool is_dots(const char *component, size_t len)
{
	return len <= 2 && strspn(component, ".") >= len;
}

/* A copy with single slashes and none at the end, NULL where there is no memory. */
static char *plain_copy(const char *path)
{
	char *copy = calloc(1, strlen(path) + 2), *to = copy;

	while (copy && *path) {
		size_t len = strcspn(path, "/");

		if (len > 0) {
			*to++ = '/';
			memcpy(to, path, len);
			to += len;
		}
		path += len + (path[len] == '/');
	}
	if (to == copy && copy)
		*to = '/';
	return copy;
}

static int set_path(
	const struct table_place *place, const char *what, const char *text, char **path)
{
	if (text[0] != '/')
		return table_wrong(place, text, what);
	if (strlen(text) >= PATH_MAX)
		return table_wrong(place, "a path", "longer than any path can be");
	for (const char *c = text; *c;) {
		size_t len = strcspn(c, "/");

		if (len && is_dots(c, len))
			return table_wrong(place, text, "no . or .. in a path here");
		c += len + (c[len] == '/');
	}
	*path = plain_copy(text);
	return *path ? 0 : -ENOMEM;
}

static size_t literal_part(const char *pattern)
{
	size_t len = strcspn(pattern, TABLE_WILDCARDS);

	if (!pattern[len])
		return len;
	while (pattern[len - 1] != '/')
		len--;
	return len;
}

/* ---- lines -------------------------------------------------------------------------------------- */

/* Splits the line at blanks; the number of words, MAX_FIELDS + 1 where there are more, or -errno. */
static int split(const struct table_place *place, char *line, char *fields[MAX_FIELDS])
{
	int count = 0;
	char *word;

	while ((word = strsep(&line, " \t"))) {
		if (*word == '\0')
			continue;
		if (count == MAX_FIELDS)
			return MAX_FIELDS + 1;
		if (unescape(place, word) != 0)
			return -EINVAL;
		fields[count++] = word;
	}
	return count;
}

static int check_new(
	const struct table *table, const struct table_place *place, const char *pattern)
{
	af_autofree char *why = NULL;

	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->rows[i].pattern, pattern) != 0)
			continue;
		if (asprintf(&why, "line %u has this pattern", table->rows[i].line) < 0) {
			why = NULL;
			return -ENOMEM;
		}
		return table_wrong(place, pattern, why);
	}
	return 0;
}

static int fill_row(
	struct table_row *row, const struct table_place *place, char *fields[], int count)
{
	int err =
		set_path(place, "the delta's pattern must begin with /", fields[0], &row->pattern);

	if (!err && strcmp(row->pattern, "/") == 0)
		err = table_wrong(place, fields[0], "no delta can be there");
	if (!err)
		err = set_path(place, "the source must begin with /", fields[1], &row->source);
	if (err)
		return err;
	row->literal = literal_part(row->pattern);
	return count == MAX_FIELDS ? table_add_options(row, place, fields[2]) : 0;
}

static int add_row(struct table *table, const struct table_place *place, char *fields[], int count)
{
	struct table_row row = {.line = place->line};
	struct table_row *rows;
	int err = fill_row(&row, place, fields, count);

	if (!err)
		err = check_new(table, place, row.pattern);
	rows = err ? NULL : reallocarray(table->rows, table->count + 1, sizeof(*rows));
	if (!rows) {
		row_fini(&row);
		return err ? err : -ENOMEM;
	}
	table->rows = rows;
	rows[table->count++] = row;
	return 0;
}

/* From a # that begins a word: within one it is part of a name. */
static void cut_comment(char *line)
{
	for (char *c = line; *c; c++) {
		if (*c == '#' && (c == line || c[-1] == ' ' || c[-1] == '\t')) {
			*c = '\0';
			return;
		}
	}
}

static int add_line(struct table *table, const struct table_place *place, char *line)
{
	char *fields[MAX_FIELDS];
	int count;

	cut_comment(line);
	count = split(place, line, fields);
	if (count <= 0)
		return count;
	if (count < 2 || count > MAX_FIELDS)
		return table_wrong(place, fields[0], "a row is DELTA-GLOB SOURCE [OPTIONS]");
	return add_row(table, place, fields, count);
}

static int read_table(const char *path, char **text)
{
	af_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	size_t size;
	int err;

	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	err = io_read_all(fd, MAX_TABLE, text, &size);
	for (size_t i = 0; !err && i < size; i++)
		if ((*text)[i] == '\0')
			(*text)[i] = INSTEAD_OF_NUL;
	return err;
}

int table_load(struct table *table, const char *path)
{
	struct table_place place = {.file = path};
	af_autofree char *text = NULL;
	char *rest, *line;
	int err;

	*table = (struct table){0};
	err = read_table(path, &text);
	rest = text;
	while (!err && (line = strsep(&rest, "\n"))) {
		place.line++;
		/* A bad row is one merge less, not all. */
		if (add_line(table, &place, line) == -ENOMEM)
			err = -ENOMEM;
	}
	if (err)
		log_error("%s: %s", path, err == -EINVAL ? "not a regular file" : strerror(-err));
	return err;
}

void table_fini(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		row_fini(&table->rows[i]);
	free(table->rows);
	*table = (struct table){0};
}
