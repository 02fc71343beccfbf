/*
 * Bracket expressions: [a-z] [!a-z] [^a-z] [[:alpha:]] -> sorted ranges of symbols.
 */
#include "glob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ASCII only, whatever the locale is: a policy means the same everywhere (POSIX XBD 7.3.1). */
static const struct {
	const char *name;
	struct glob_range ranges[4];
} named_classes[] = {
	{"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
	{"alpha", {{'A', 'Z'}, {'a', 'z'}}},
	{"blank", {{'\t', '\t'}, {' ', ' '}}},
	{"cntrl", {{1, 0x1f}, {0x7f, 0x7f}}},
	{"digit", {{'0', '9'}}},
	{"graph", {{'!', '~'}}},
	{"lower", {{'a', 'z'}}},
	{"print", {{' ', '~'}}},
	{"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
	{"space", {{'\t', '\r'}, {' ', ' '}}},
	{"upper", {{'A', 'Z'}}},
	{"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

static int add_range(struct glob *glob, uint32_t first, uint32_t last)
{
	if (!glob_grow((void **)&glob->ranges, &glob->range_room, glob->range_count,
		    sizeof(*glob->ranges)))
		return -ENOMEM;
	glob->ranges[glob->range_count++] = (struct glob_range){first, last};
	return 0;
}

/* Adds the part of a range that lies within from..to, moved by delta: the other case. */
static int add_shifted(
	struct glob *glob, struct glob_range range, uint32_t from, uint32_t to, int delta)
{
	uint32_t first = range.first > from ? range.first : from;
	uint32_t last = range.last < to ? range.last : to;

	if (first > last)
		return 0;
	return add_range(glob, (uint32_t)((int)first + delta), (uint32_t)((int)last + delta));
}

static int add_item(struct glob *glob, uint32_t first, uint32_t last)
{
	struct glob_range range = {first, last};
	int rc = add_range(glob, first, last);

	if (rc || !glob->nocase)
		return rc;
	rc = add_shifted(glob, range, 'A', 'Z', 'a' - 'A');
	return rc ? rc : add_shifted(glob, range, 'a', 'z', 'A' - 'a');
}

/* [:name:] at *text. Returns 1 where there is none. */
static int parse_named(struct glob *glob, const char **text, const char **why)
{
	const char *name = *text + 2;
	const char *end;

	if ((*text)[0] != '[' || (*text)[1] != ':')
		return 1;
	end = strstr(name, ":]");
	if (!end || memchr(name, '/', (size_t)(end - name)))
		return 1;
	for (size_t i = 0; i < sizeof(named_classes) / sizeof(named_classes[0]); i++) {
		const struct glob_range *range = named_classes[i].ranges;

		if (strlen(named_classes[i].name) != (size_t)(end - name) ||
			memcmp(named_classes[i].name, name, (size_t)(end - name)) != 0)
			continue;
		for (size_t j = 0; j < 4 && range[j].first; j++)
			if (add_item(glob, range[j].first, range[j].last) < 0)
				return -ENOMEM;
		*text = end + 2;
		return 0;
	}
	*why = "no such character class";
	return -EINVAL;
}

/* One end of a range, or a single member. */
static int parse_member(const char **text, uint32_t *symbol, const char **why)
{
	size_t bytes, len;

	if (**text == '\\')
		(*text)++;
	if (**text == '\0' || **text == '/') {
		*why = "a [ without its ]";
		return -EINVAL;
	}
	len = strnlen(*text, 4);
	*symbol = glob_symbol(*text, len, &bytes);
	*text += bytes;
	return 0;
}

static int parse_item(struct glob *glob, const char **text, const char **why)
{
	uint32_t first, last;
	int rc = parse_named(glob, text, why);

	if (rc <= 0)
		return rc;
	rc = parse_member(text, &first, why);
	if (rc)
		return rc;
	last = first;
	if ((*text)[0] == '-' && (*text)[1] != ']') {
		(*text)++;
		rc = parse_member(text, &last, why);
		if (rc)
			return rc;
	}
	if (last < first) {
		*why = "a range that runs backwards";
		return -EINVAL;
	}
	if (first < GLOB_STRAY_BASE && last >= GLOB_STRAY_BASE) {
		*why = "a range from a character to a byte that is none";
		return -EINVAL;
	}
	return add_item(glob, first, last);
}

static int by_first(const void *a, const void *b)
{
	const struct glob_range *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* Sorts the ranges from first on and joins those that touch. */
static void join_ranges(struct glob *glob, size_t first)
{
	struct glob_range *ranges = glob->ranges + first;
	size_t count = glob->range_count - first, kept = 0;

	qsort(ranges, count, sizeof(*ranges), by_first);
	for (size_t i = 1; i < count; i++) {
		if (ranges[i].first > ranges[kept].last + 1)
			ranges[++kept] = ranges[i];
		else if (ranges[i].last > ranges[kept].last)
			ranges[kept].last = ranges[i].last;
	}
	glob->range_count = first + kept + 1;
}

/* Puts what the (joined) ranges from first on leave out in their place. */
static int negate_ranges(struct glob *glob, size_t first)
{
	size_t end = glob->range_count;
	uint32_t next = 1;
	int rc = 0;

	for (size_t i = first; i < end && !rc; i++) {
		struct glob_range range = glob->ranges[i];

		if (range.first > next)
			rc = add_range(glob, next, range.first - 1);
		next = range.last + 1;
	}
	if (!rc && next < GLOB_SYMBOLS)
		rc = add_range(glob, next, GLOB_SYMBOLS - 1);
	if (rc)
		return rc;
	memmove(glob->ranges + first, glob->ranges + end,
		(glob->range_count - end) * sizeof(*glob->ranges));
	glob->range_count -= end - first;
	return 0;
}

int glob_parse_class(struct glob *glob, const char **text, const char **why)
{
	size_t first = glob->range_count;
	bool negate = **text == '!' || **text == '^';
	int rc;

	*text += negate;
	/* A ] that comes first is a member. */
	do {
		rc = parse_item(glob, text, why);
		if (rc)
			return rc;
	} while (**text != ']');
	(*text)++;
	join_ranges(glob, first);
	if (negate && (rc = negate_ranges(glob, first)) < 0)
		return rc;
	if (!glob_grow((void **)&glob->classes, &glob->class_room, glob->class_count,
		    sizeof(*glob->classes)))
		return -ENOMEM;
	glob->classes[glob->class_count++] =
		(struct glob_class){(uint32_t)first, (uint32_t)(glob->range_count - first)};
	if (!glob_grow((void **)&glob->tokens, &glob->token_room, glob->token_count,
		    sizeof(*glob->tokens)))
		return -ENOMEM;
	glob->tokens[glob->token_count++] =
		(struct glob_token){GLOB_CLASS, (uint32_t)(glob->class_count - 1)};
	return 0;
}
