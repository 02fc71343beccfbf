/*
 * The daemon's table. See table.h.
 */
#include "table.h"

#include "cleanup.h"
#include "io.h"
#include "log.h"

#include <bsd/stdlib.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 3, MAX_TABLE = 16 << 20 /* bytes */ };

static const struct {
	const char *name;
	bool has_value;
} known[] = {
	{"conflict", true},
	{"exclude", true},
	{"hold", true},
	{"no-hold", false},
	{"policy", true},
	{"preset", true},
	{"rule", true},
	{"state", true},
	{"undo-keep", true},
};

static const char *const strategies[] = {"lww", "keep", "both", "fail", "merge"};

/* Where messages say that something is wrong. */
struct place {
	const char *file;
	unsigned int line;
};

static int wrong(const struct place *place, const char *what, const char *why)
{
	log_error("%s:%u: %s: %s", place->file, place->line, what, why);
	return -EINVAL;
}

/* Replaces \OOO (three octal digits) in place, as fstab has it. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
			from[2] <= '7' && from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

static bool is_one_of(const char *value, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(value, names[i]) == 0)
			return true;
	return false;
}

static int check_value(const struct place *place, const char *name, const char *value)
{
	const char *problem = NULL;

	if (strcmp(name, "conflict") == 0 &&
		!is_one_of(value, strategies, sizeof(strategies) / sizeof(strategies[0])))
		return wrong(place, value, "not lww, keep, both, fail or merge");
	if (strcmp(name, "undo-keep") == 0)
		strtonum(value, 0, INT_MAX, &problem);
	return problem ? wrong(place, value, "not a number of merges") : 0;
}

static int add_option(struct table_row *row, const struct place *place, const char *option)
{
	size_t len = strcspn(option, "="), i = 0;
	const char *value = option[len] ? option + len + 1 : NULL;
	char **options;

	if (*option == '\0' || strcmp(option, "defaults") == 0)
		return 0;
	while (i < sizeof(known) / sizeof(known[0]) &&
		!(strlen(known[i].name) == len && strncmp(known[i].name, option, len) == 0))
		i++;
	if (i == sizeof(known) / sizeof(known[0]))
		return wrong(place, option, "not an option here");
	if (known[i].has_value != (value != NULL))
		return wrong(
			place, option, value ? "takes no value" : "needs a value (NAME=VALUE)");
	if (value && check_value(place, known[i].name, value) != 0)
		return -EINVAL;
	options = reallocarray(row->options, row->option_count + 1, sizeof(*options));
	if (!options)
		return -ENOMEM;
	row->options = options;
	if (asprintf(&options[row->option_count], "--%s", option) < 0)
		return -ENOMEM;
	row->option_count++;
	return 0;
}

/* OPTION[,OPTION]...: a backslash before a comma keeps it. */
static int add_options(struct table_row *row, const struct place *place, const char *text)
{
	af_autofree char *one = malloc(strlen(text) + 1);
	size_t used = 0;
	int err = one ? 0 : -ENOMEM;

	for (const char *c = text; !err; c++) {
		if (*c == ',' || *c == '\0') {
			one[used] = '\0';
			used = 0;
			err = add_option(row, place, one);
			if (*c == '\0')
				break;
		} else {
			if (c[0] == '\\' && c[1] == ',')
				c++;
			one[used++] = *c;
		}
	}
	return err;
}

static void row_fini(struct table_row *row)
{
	free(row->pattern);
	free(row->source);
	for (size_t i = 0; i < row->option_count; i++)
		free(row->options[i]);
	free(row->options);
}

static int set_path(const struct place *place, const char *what, const char *text, char **path)
{
	if (text[0] != '/')
		return wrong(place, text, what);
	*path = strdup(text);
	return *path ? 0 : -ENOMEM;
}

/* Splits the line at blanks; the number of words, MAX_FIELDS + 1 where there are more. */
static size_t split(char *line, char *fields[MAX_FIELDS])
{
	size_t count = 0;
	char *word;

	while ((word = strsep(&line, " \t"))) {
		if (*word == '\0')
			continue;
		if (count == MAX_FIELDS)
			return MAX_FIELDS + 1;
		unescape(word);
		fields[count++] = word;
	}
	return count;
}

static int add_row(struct table *table, const struct place *place, char *fields[], size_t count)
{
	struct table_row row = {.line = place->line};
	struct table_row *rows;
	int err = set_path(place, "the delta's pattern must begin with /", fields[0], &row.pattern);

	if (!err)
		err = set_path(place, "the source must begin with /", fields[1], &row.source);
	if (!err && count == MAX_FIELDS)
		err = add_options(&row, place, fields[2]);
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

static int add_line(struct table *table, const struct place *place, char *line)
{
	char *fields[MAX_FIELDS];
	size_t count;

	cut_comment(line);
	count = split(line, fields);
	if (count == 0)
		return 0;
	if (count < 2 || count > MAX_FIELDS)
		return wrong(place, fields[0], "a row is DELTA-GLOB SOURCE [OPTIONS]");
	return add_row(table, place, fields, count);
}

int table_load(struct table *table, const char *path)
{
	af_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct place place = {.file = path};
	af_autofree char *text = NULL;
	char *rest, *line;
	size_t size;
	int err;

	*table = (struct table){0};
	err = fd < 0 ? -errno : io_read_all(fd, MAX_TABLE, &text, &size);
	rest = text;
	while (!err && (line = strsep(&rest, "\n"))) {
		place.line++;
		/* A bad row is one merge less, not all. */
		if (add_line(table, &place, line) == -ENOMEM)
			err = -ENOMEM;
	}
	if (err)
		log_error("%s: %s", path, strerror(-err));
	return err;
}

void table_fini(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		row_fini(&table->rows[i]);
	free(table->rows);
	*table = (struct table){0};
}
