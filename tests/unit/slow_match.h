/*
 * The reference: decides a path by trying every pattern on it and on each of its ancestors, straight
 * from the pattern's text, by recursion. Slow, and written to be obviously right; it shares nothing
 * with common/glob.c or the automaton but the meaning of a character (utf8.h).
 */
#ifndef AF_SLOW_MATCH_H
#define AF_SLOW_MATCH_H

#include "utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SLOW_MAX_PARTS 63 /* the numbers of parts left are bits of 64 */

struct slow_text {
	const char *at;
	size_t len;
};

/* ---- one component against one name ----------------------------------------------------------- */

/* A character is its code point, or 0x200000 + the byte where it is none. */
static uint32_t slow_char(const char *text, size_t len, size_t *bytes)
{
	uint32_t code;

	*bytes = utf8_length(text, len, &code);
	if (*bytes)
		return code;
	*bytes = 1;
	return 0x200000 + (unsigned char)text[0];
}

static uint32_t slow_other_case(uint32_t c)
{
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 'A';
	return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool slow_named(const char *name, size_t len, uint32_t c)
{
	bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
	bool digit = c >= '0' && c <= '9', graph = c > ' ' && c < 0x7f;

#define SLOW_IS(text) (len == strlen(text) && memcmp(name, text, len) == 0)
	if (SLOW_IS("alpha"))
		return upper || lower;
	if (SLOW_IS("upper"))
		return upper;
	if (SLOW_IS("lower"))
		return lower;
	if (SLOW_IS("digit"))
		return digit;
	if (SLOW_IS("alnum"))
		return upper || lower || digit;
	if (SLOW_IS("xdigit"))
		return digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
	if (SLOW_IS("blank"))
		return c == ' ' || c == '\t';
	if (SLOW_IS("space"))
		return c == ' ' || (c >= '\t' && c <= '\r');
	if (SLOW_IS("cntrl"))
		return (c > 0 && c < ' ') || c == 0x7f;
	if (SLOW_IS("print"))
		return graph || c == ' ';
	if (SLOW_IS("graph"))
		return graph;
	if (SLOW_IS("punct"))
		return graph && !upper && !lower && !digit;
#undef SLOW_IS
	return false;
}

/* Where the :] of a class's name is, within the component; else the [ is an ordinary member. */
static const char *slow_named_end(const char *name)
{
	for (; *name && *name != '/'; name++)
		if (name[0] == ':' && name[1] == ']')
			return name;
	return NULL;
}

/*
 * The bracket expression that p begins with (after the [): whether c is in it, and its length with
 * the ]. Only valid ones get here.
 */
static bool slow_class(struct slow_text p, uint32_t c, size_t *used)
{
	size_t i = 0, bytes;
	bool negate = p.at[0] == '!' || p.at[0] == '^', in = false;

	i += negate;
	for (bool first = true; first || p.at[i] != ']'; first = false) {
		uint32_t low, high;

		if (p.at[i] == '[' && p.at[i + 1] == ':') {
			const char *end = slow_named_end(p.at + i + 2);

			if (end) {
				in |= slow_named(p.at + i + 2, (size_t)(end - p.at) - i - 2, c);
				i = (size_t)(end - p.at) + 2;
				continue;
			}
		}
		i += p.at[i] == '\\';
		low = high = slow_char(p.at + i, p.len - i, &bytes);
		i += bytes;
		if (p.at[i] == '-' && p.at[i + 1] != ']') {
			i++;
			i += p.at[i] == '\\';
			high = slow_char(p.at + i, p.len - i, &bytes);
			i += bytes;
		}
		in |= c >= low && c <= high;
	}
	*used = i + 1;
	return in != negate;
}

static bool slow_in_class(struct slow_text p, uint32_t c, bool nocase, size_t *used)
{
	bool negate = p.at[0] == '!' || p.at[0] == '^';
	bool one = slow_class(p, c, used), other = slow_class(p, slow_other_case(c), used);

	if (!nocase)
		return one;
	return negate ? one && other : one || other;
}

/* The length of the bracket expression after its [. */
static size_t slow_class_length(struct slow_text p)
{
	size_t used;

	slow_class(p, 0, &used);
	return used;
}

/* Where the first comma or closing brace of this level is. */
static size_t slow_alternative(struct slow_text p)
{
	unsigned int depth = 0;

	for (size_t i = 0; i < p.len; i++) {
		if (p.at[i] == '\\') {
			i++;
		} else if (p.at[i] == '[') {
			i += slow_class_length((struct slow_text){p.at + i + 1, p.len - i - 1});
		} else if (p.at[i] == '{') {
			depth++;
		} else if (p.at[i] == '}') {
			if (depth == 0)
				return i;
			depth--;
		} else if (p.at[i] == ',' && depth == 0) {
			return i;
		}
	}
	return p.len;
}

/* What is still to be matched: texts one after the other, so that braces need no new strings. */
struct slow_list {
	struct slow_text text;
	const struct slow_list *next;
};

/*
 * One component tried on one name. What is still to be matched follows from where in the pattern it
 * begins, so that the same two places fail again each time: without being remembered, they would be
 * tried for every split of the name between stars and braces, exponentially often. Places beyond the
 * memory are tried again.
 */
#define SLOW_REMEMBERED 64
struct slow_try {
	const char *pattern;
	bool nocase;
	uint64_t failed[SLOW_REMEMBERED]; /* by place in the pattern: a bit for each length left */
};

static bool slow_name(struct slow_try *try, const struct slow_list *list, struct slow_text name);

static bool slow_brace(struct slow_try *try, const struct slow_list *list, struct slow_text name)
{
	struct slow_text p = {list->text.at + 1, list->text.len - 1};
	size_t close = 0;

	/* The rest begins after the closing brace of this level. */
	while (p.at[close += slow_alternative((struct slow_text){p.at + close, p.len - close})] ==
		',')
		close++;
	for (size_t from = 0; from <= close;) {
		size_t len = slow_alternative((struct slow_text){p.at + from, p.len - from});
		struct slow_list rest = {{p.at + close + 1, p.len - close - 1}, list->next};
		struct slow_list one = {{p.at + from, len}, &rest};

		if (slow_name(try, &one, name))
			return true;
		from += len + 1;
	}
	return false;
}

/* What is to be matched is not at its end. */
static bool slow_name_from(
	struct slow_try *try, const struct slow_list *list, struct slow_text name)
{
	struct slow_text p = list->text;
	struct slow_list rest = {{p.at + 1, p.len - 1}, list->next};
	uint32_t c = 0, want;
	size_t bytes = 0, used = 1;
	bool hit;

	if (p.at[0] == '{')
		return slow_brace(try, list, name);
	if (p.at[0] == '*') {
		if (slow_name(try, &rest, name))
			return true;
		if (name.len == 0)
			return false;
		slow_char(name.at, name.len, &bytes);
		name = (struct slow_text){name.at + bytes, name.len - bytes};
		return slow_name(try, list, name);
	}
	if (name.len == 0)
		return false;
	c = slow_char(name.at, name.len, &bytes);
	if (p.at[0] == '?') {
		hit = true;
	} else if (p.at[0] == '[') {
		hit = slow_in_class((struct slow_text){p.at + 1, p.len - 1}, c, try->nocase, &used);
		used++;
	} else {
		size_t skip = p.at[0] == '\\';

		want = slow_char(p.at + skip, p.len - skip, &used);
		used += skip;
		hit = c == want || (try->nocase && slow_other_case(c) == want);
	}
	rest.text = (struct slow_text){p.at + used, p.len - used};
	return hit && slow_name(try, &rest, (struct slow_text){name.at + bytes, name.len - bytes});
}

static bool slow_name(struct slow_try *try, const struct slow_list *list, struct slow_text name)
{
	uint64_t bit = 0;
	size_t place;

	while (list && list->text.len == 0)
		list = list->next;
	if (!list)
		return name.len == 0;
	place = (size_t)(list->text.at - try->pattern);
	if (place < SLOW_REMEMBERED && name.len < 64)
		bit = 1ULL << name.len;
	if (bit && (try->failed[place] & bit))
		return false;
	if (slow_name_from(try, list, name))
		return true;
	if (bit)
		try->failed[place] |= bit;
	return false;
}

/* ---- components -------------------------------------------------------------------------------- */

/* Splits at each slash; returns how many parts. No valid pattern has a slash in a class or brace. */
static size_t slow_split(const char *text, size_t len, struct slow_text *parts)
{
	size_t count = 0, from = 0;

	if (len == 0)
		return 0;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '/')
			continue;
		if (count < SLOW_MAX_PARTS)
			parts[count++] = (struct slow_text){text + from, i - from};
		from = i + 1;
	}
	return count;
}

static bool slow_is_globstar(struct slow_text part)
{
	return part.len == 2 && part.at[0] == '*' && part.at[1] == '*';
}

static bool slow_component(struct slow_text p, struct slow_text name, bool nocase)
{
	/* A star may not stop in the middle of a character: names are tried as whole characters. */
	struct slow_list one = {p, NULL};
	struct slow_try try = {.pattern = p.at, .nocase = nocase};

	return slow_name(&try, &one, name);
}

/*
 * failed: a bit for each number of names left, by the number of parts left; as in slow_try, but that
 * all places have one.
 */
static bool slow_parts(const struct slow_text *p, size_t np, const struct slow_text *names,
	size_t n, bool nocase, uint64_t *failed)
{
	bool hit = false;

	if (np == 0)
		return n == 0;
	if (failed[np] & 1ULL << n)
		return false;
	if (slow_is_globstar(p[0]))
		for (size_t skip = 0; skip <= n && !hit; skip++)
			hit = slow_parts(p + 1, np - 1, names + skip, n - skip, nocase, failed);
	else if (n > 0)
		hit = slow_component(p[0], names[0], nocase) &&
			slow_parts(p + 1, np - 1, names + 1, n - 1, nocase, failed);
	if (!hit)
		failed[np] |= 1ULL << n;
	return hit;
}

/* Whether the pattern matches the path or an ancestor of it (the root is one of all). */
static bool slow_covers(
	const char *pattern, bool nocase, const char *path, size_t path_len, bool dir)
{
	struct slow_text parts[SLOW_MAX_PARTS + 2], names[SLOW_MAX_PARTS];
	size_t len = strlen(pattern), np = 0, n = slow_split(path, path_len, names);
	bool trailing, anchored, dir_only;

	if (len == 1 && pattern[0] == '/')
		return true;
	trailing = pattern[len - 1] == '/';
	len -= trailing;
	anchored = memchr(pattern, '/', len) != NULL;
	if (!anchored)
		parts[np++] = (struct slow_text){"**", 2};
	if (pattern[0] == '/') {
		pattern++;
		len--;
	}
	np += slow_split(pattern, len, parts + np);
	dir_only = trailing || slow_is_globstar(parts[np - 1]);
	/* A last "**" with a slash is every directory below, without one it adds nothing. */
	if (trailing && slow_is_globstar(parts[np - 1]))
		parts[np++] = (struct slow_text){"*", 1};
	else if (slow_is_globstar(parts[np - 1]))
		while (np > 0 && slow_is_globstar(parts[np - 1]))
			np--;
	for (size_t i = 0; i <= n; i++) {
		uint64_t failed[SLOW_MAX_PARTS + 3] = {0};

		if ((!dir_only || i < n || dir) && slow_parts(parts, np, names, i, nocase, failed))
			return true;
	}
	return false;
}

/* ---- rules -------------------------------------------------------------------------------------- */

struct slow_pattern {
	const char *text; /* with its ! */
	unsigned int call;
	int level, priority;
	bool nocase;
};

/* The place of the pattern that decides, or -1 for the default. */
static int slow_decide(
	const struct slow_pattern *patterns, size_t count, const char *path, size_t len, bool dir)
{
	int best = -1;

	for (size_t i = 0; i < count; i++) {
		const struct slow_pattern *p = &patterns[i];
		bool out = false;

		if (p->text[0] == '!' || !slow_covers(p->text, p->nocase, path, len, dir))
			continue;
		for (size_t j = 0; j < count; j++)
			out |= patterns[j].call == p->call && patterns[j].text[0] == '!' &&
				slow_covers(
					patterns[j].text + 1, patterns[j].nocase, path, len, dir);
		if (!out && (best < 0 || p->priority >= patterns[best].priority))
			best = (int)i;
	}
	return best;
}

#endif
