/*
 * What the mount refused. See refusals.h.
 *
 * The lines are the mount daemon's own JSON, one object a line with string and number values only. A
 * path there has one spelling (json.h), so paths are compared and repeated as spelled and never
 * decoded: bytes that are not UTF-8 survive, and nothing in a name can break the report.
 */
#include "refusals.h"

#include "cleanup.h"
#include "io.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <search.h>
#include <string.h>

enum { DISTINCT_MAX = 10000, LINE_MAX_BYTES = 64 << 10, PIPE_BYTES = 1 << 20 };

int refusals_open(struct af_refusals *refusals, int copy)
{
	int ends[2];

	*refusals = AF_REFUSALS_NONE;
	refusals->copy = copy;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	refusals->pipe_read = ends[0];
	refusals->pipe_write = ends[1];
	/* As large as it may be: the daemon waits while it is full. */
	fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
	refusals->line = malloc(LINE_MAX_BYTES);
	if (!refusals->line)
		return -ENOMEM;
	return fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int compare(const void *left, const void *right)
{
	const struct af_refusal *a = left, *b = right;
	int order = strcmp(a->path, b->path);

	return order ? order : strcmp(a->op, b->op);
}

/* The end of the string whose text begins at text: its closing quote, or NULL. */
static const char *string_end(const char *text, const char *end)
{
	for (; text < end && *text != '"'; text++)
		if (*text == '\\')
			text++;
	return text < end ? text : NULL;
}

/*
 * The value of a key of a flat object: a string's text as spelled, or a number's. NULL where there is
 * none; only keys are looked at, never values, so a path cannot pose as a key.
 */
static const char *find_value(const char *line, size_t size, const char *key, size_t *len)
{
	const char *at = line + 1, *end = line + size;

	while (at < end && *at == '"') {
		const char *name = at + 1, *name_end = string_end(name, end), *value, *value_end;
		bool text;

		if (!name_end || name_end + 2 >= end || name_end[1] != ':')
			return NULL;
		text = name_end[2] == '"';
		value = name_end + (text ? 3 : 2);
		value_end = text ? string_end(value, end) : value + strcspn(value, ",}");
		if (!value_end || value_end >= end)
			return NULL;
		*len = (size_t)(value_end - value);
		if ((size_t)(name_end - name) == strlen(key) && memcmp(name, key, strlen(key)) == 0)
			return value;
		at = value_end + (text ? 1 : 0);
		at += at < end && *at == ',' ? 1 : 0;
	}
	return NULL;
}

static void free_refusal(void *data)
{
	struct af_refusal *refusal = data;

	free(refusal->path);
	free(refusal->op);
	free(refusal);
}

static struct af_refusal *new_refusal(
	const char *path, size_t path_len, const char *op, size_t op_len)
{
	struct af_refusal *refusal = calloc(1, sizeof(*refusal));

	if (!refusal)
		return NULL;
	refusal->path = strndup(path, path_len);
	refusal->op = strndup(op, op_len);
	if (refusal->path && refusal->op)
		return refusal;
	free_refusal(refusal);
	return NULL;
}

/* Takes over refusal: counts it with those like it, or as a new kind. */
static void add(struct af_refusals *refusals, struct af_refusal *refusal)
{
	struct af_refusal **found = tfind(refusal, &refusals->tree, compare);

	if (!found && refusals->distinct < DISTINCT_MAX)
		found = tsearch(refusal, &refusals->tree, compare);
	if (!found) {
		refusals->uncounted++;
		free_refusal(refusal);
		return;
	}
	(*found)->count++;
	if (*found == refusal)
		refusals->distinct++;
	else
		free_refusal(refusal);
}

void refusals_count(struct af_refusals *refusals, const char *line, size_t len)
{
	size_t path_len, op_len, number_len, quota_len;
	const char *number = find_value(line, len, "dropped", &number_len);
	const char *path = find_value(line, len, "path", &path_len);
	const char *op = find_value(line, len, "op", &op_len);
	struct af_refusal *refusal;

	refusals->met_quota |= find_value(line, len, "quota", &quota_len) != NULL;
	if (number)
		refusals->uncounted += strtoull(number, NULL, 10);
	if (!path || !op)
		return;
	refusal = new_refusal(path, path_len, op, op_len);
	if (refusal)
		add(refusals, refusal);
	else
		refusals->uncounted++;
}

/* Splits what has come into lines; one that is too long is cut, and then counts as nothing. */
static void take_text(struct af_refusals *refusals, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '\n') {
			if (refusals->line_len + 1 < LINE_MAX_BYTES)
				refusals->line[refusals->line_len++] = text[i];
			continue;
		}
		refusals->line[refusals->line_len] = '\0';
		refusals_count(refusals, refusals->line, refusals->line_len);
		refusals->line_len = 0;
	}
}

bool refusals_read(struct af_refusals *refusals)
{
	char text[16384];

	while (refusals->pipe_read >= 0) {
		ssize_t got = read(refusals->pipe_read, text, sizeof(text));

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (got <= 0)
			return false;
		if (refusals->copy >= 0 && !refusals->copy_error)
			refusals->copy_error = io_write_all(refusals->copy, text, (size_t)got);
		take_text(refusals, text, (size_t)got);
	}
	return false;
}

/* twalk_r(3) visits in order; each node's own turn is `postorder`, or `leaf` where it has no child. */
struct path_counter {
	const char *last;
	size_t paths;
};

static void count_path(const void *node, VISIT visit, void *data)
{
	struct path_counter *counter = data;
	const struct af_refusal *refusal = *(struct af_refusal *const *)node;

	if (visit != postorder && visit != leaf)
		return;
	if (!counter->last || strcmp(counter->last, refusal->path) != 0)
		counter->paths++;
	counter->last = refusal->path;
}

size_t refusals_paths(const struct af_refusals *refusals)
{
	struct path_counter counter = {0};

	twalk_r(refusals->tree, count_path, &counter);
	return counter.paths;
}

struct refusal_writer {
	FILE *out;
	bool need_comma;
};

static void write_one(const void *node, VISIT visit, void *data)
{
	struct refusal_writer *writer = data;
	const struct af_refusal *refusal = *(struct af_refusal *const *)node;

	if (visit != postorder && visit != leaf)
		return;
	fprintf(writer->out, "%s{\"path\":\"%s\",\"op\":\"%s\",\"count\":%llu}",
		writer->need_comma ? "," : "", refusal->path, refusal->op,
		(unsigned long long)refusal->count);
	writer->need_comma = true;
}

void refusals_write(const struct af_refusals *refusals, FILE *out)
{
	struct refusal_writer writer = {.out = out};

	putc('[', out);
	twalk_r(refusals->tree, write_one, &writer);
	putc(']', out);
}

void refusals_close(struct af_refusals *refusals)
{
	tdestroy(refusals->tree, free_refusal);
	free(refusals->line);
	if (refusals->pipe_read >= 0)
		close(refusals->pipe_read);
	if (refusals->pipe_write >= 0)
		close(refusals->pipe_write);
	if (refusals->copy >= 0)
		close(refusals->copy);
	*refusals = AF_REFUSALS_NONE;
}
