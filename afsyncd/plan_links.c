/*
 * Which names are to be one file, and which are not any more: where that is not as the source has it, names
 * are put anew whose content and attributes alone would not ask for it. See decide.h. Pure.
 */
#include "decide_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A fact with the files that its path is a name of, to be sorted by. */
struct name {
	const struct fact *fact;
	struct decided *decided;
	bool rid; /* no name of its file in the source would be left if those that may be put were */
};

static bool is_file(mode_t mode)
{
	return S_ISREG(mode) || S_ISLNK(mode);
}

bool decide_has_links(const struct fact *fact)
{
	return is_file(fact->upper.st_mode) && fact->upper.st_nlink > 1;
}

bool decide_is_put(const struct decided *decided)
{
	return decided->kind == DECIDE_ADD || decided->kind == DECIDE_MODIFY ||
		decided->kind == DECIDE_TYPE;
}

/* Whether the source's file is kept under this name, and the delta's would do as well. */
static bool is_kept(const struct name *name)
{
	const struct fact *fact = name->fact;
	const struct decided *decided = name->decided;

	return is_file(fact->upper.st_mode) && is_file(fact->source.st_mode) && fact->origin &&
		fact->source_unchanged && fact->same_content && !decide_barrier(fact) &&
		((decided->kind == DECIDE_NOTHING && decided->fate == FATE_NOTHING) ||
			(decided->kind == DECIDE_ATTRS && decided->fate == FATE_DO));
}

/* Whether the source's file has this name no more afterwards. */
static bool goes(const struct name *name)
{
	return name->decided->fate == FATE_DO &&
		(decide_is_put(name->decided) || name->decided->kind == DECIDE_DELETE);
}

static void put_anew(const struct name *name, bool tell)
{
	struct decided *decided = name->decided;

	decided->fate = FATE_DO;
	decided->kind = DECIDE_MODIFY;
	if (!tell || decided->listed)
		return;
	decided->listed = true;
	decided->letter = PLAN_MODIFIED;
}

/* ---- sorting ------------------------------------------------------------------------------------ */

static int compare_stats(const struct stat *a, const struct stat *b)
{
	if (a->st_dev != b->st_dev)
		return a->st_dev < b->st_dev ? -1 : 1;
	return (a->st_ino > b->st_ino) - (a->st_ino < b->st_ino);
}

static int compare_facts(const struct name *a, const struct name *b)
{
	return (a->fact > b->fact) - (a->fact < b->fact);
}

static int by_source(const void *a, const void *b)
{
	const struct name *one = a, *other = b;
	int order = compare_stats(&one->fact->source, &other->fact->source);

	return order ? order : compare_facts(one, other);
}

static int by_upper(const void *a, const void *b)
{
	const struct name *one = a, *other = b;
	int order = compare_stats(&one->fact->upper, &other->fact->upper);

	return order ? order : compare_facts(one, other);
}

/* How many from the first on are names of one file, on the side that `stat_of` tells. */
static size_t count_names(const struct name *names, size_t left, size_t stat_of)
{
	size_t n = 1;

	while (n < left &&
		compare_stats((const struct stat *)((const char *)names[0].fact + stat_of),
			(const struct stat *)((const char *)names[n].fact + stat_of)) == 0)
		n++;
	return n;
}

/* ---- a file of the source, a file of the delta -------------------------------------------------- */

/*
 * Names of one file of the source. Those that the delta has made another file of are put. Where it has names
 * beside these, which the sandbox did not change or was not allowed to, attributes of these are not for it.
 */
static void split(struct name *names, size_t count)
{
	const struct name *first = NULL;
	size_t known = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_kept(&names[i])) {
			if (!first)
				first = &names[i];
			else if (compare_stats(&first->fact->upper, &names[i].fact->upper) != 0)
				put_anew(&names[i], true);
		}
		known += is_kept(&names[i]) || goes(&names[i]);
	}
	for (size_t i = 0; i < count; i++) {
		names[i].rid = known == names[i].fact->source.st_nlink;
		if (!names[i].rid && is_kept(&names[i]) && names[i].decided->kind == DECIDE_ATTRS)
			put_anew(&names[i], false);
	}
}

static bool may_join(const struct name *name)
{
	return name->rid && is_kept(name);
}

/* Names of one file of the delta: to be one where one of them is put, or they are of several files now. */
static void join(const struct name *names, size_t count)
{
	const struct name *first = NULL;
	bool put = false, several = false;

	for (size_t i = 0; i < count; i++) {
		put |= names[i].decided->fate == FATE_DO && decide_is_put(names[i].decided);
		if (!may_join(&names[i]))
			continue;
		if (!first)
			first = &names[i];
		several |= compare_stats(&first->fact->source, &names[i].fact->source) != 0;
	}
	for (size_t i = 0; i < count && (put || several); i++)
		if (may_join(&names[i]))
			put_anew(&names[i], several);
}

/* The facts that can have to do with this. */
static size_t collect(const struct planner *planner, struct name *names)
{
	size_t count = 0;

	for (size_t i = 0; i < planner->facts->count; i++) {
		const struct fact *fact = &planner->facts->items[i];

		if (decide_has_links(fact) ||
			(is_file(fact->source.st_mode) && fact->source.st_nlink > 1))
			names[count++] = (struct name){
				.fact = fact, .decided = &planner->decided[i], .rid = true};
	}
	return count;
}

int decide_links(const struct planner *planner)
{
	struct name *names = calloc(planner->facts->count + 1, sizeof(*names));
	size_t count, n;

	if (!names)
		return -ENOMEM;
	count = collect(planner, names);
	qsort(names, count, sizeof(*names), by_source);
	for (size_t i = 0; i < count; i += n) {
		n = count_names(&names[i], count - i, offsetof(struct fact, source));
		if (is_file(names[i].fact->source.st_mode) && names[i].fact->source.st_nlink > 1)
			split(&names[i], n);
	}
	qsort(names, count, sizeof(*names), by_upper);
	for (size_t i = 0; i < count; i += n) {
		n = count_names(&names[i], count - i, offsetof(struct fact, upper));
		if (decide_has_links(names[i].fact))
			join(&names[i], n);
	}
	free(names);
	return 0;
}
