/*
 * Plans from facts, without a filesystem: what each change is, who wins, and the steps in their order.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "decide.h"
#include "scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A fact in short. upper and source: '-' nothing, 'f' a file, 'd' a directory, 'l' a symlink. flags:
 *     o  the log has an origin            u  the source's content is what that says
 *     a  ... and its attributes           s  upper and source have the same content
 *     t  ... and attributes               c  the delta has changed the content
 *     m  ... attributes                   z  ... the mtime
 *     L  upper is later than the source   e  it is in a directory that moved, and lost
 *     w  the policy forbids it            x  not asked for
 *     h  held back                        r  refused
 *     O  a directory that hides           H  hidden by it
 *     M  a merged text is there           +  the one before has this in it, in the source
 * A slash may follow, and upper's inode, how many names it has, source's inode, how many names that has.
 */
struct short_fact {
	const char *path;
	char upper, source;
	const char *flags;
	const char *old_path;
};

enum { MAX_FACTS = 8, TEXT_SIZE = 2048 };

static const struct origin an_origin = {.record = {.mode = S_IFREG | 0644}, .removed_ns = 20};
static const struct origin an_old_removal = {.record = {.mode = S_IFREG | 0644}, .removed_ns = 5};

static mode_t mode_of(char type)
{
	switch (type) {
	case 'f':
		return S_IFREG | 0644;
	case 'd':
		return S_IFDIR | 0755;
	case 'l':
		return S_IFLNK | 0777;
	default:
		return 0;
	}
}

static void expand(struct fact *fact, const struct short_fact *brief)
{
	const char *flags = brief->flags, *links = strchr(flags, '/');
	bool later = strchr(flags, 'L') != NULL;

	fact->upper = (struct stat){
		.st_mode = mode_of(brief->upper), .st_ctim.tv_nsec = later ? 20 : 5, .st_nlink = 1};
	fact->source = (struct stat){
		.st_mode = mode_of(brief->source), .st_ctim.tv_nsec = 10, .st_nlink = 1};
	if (links) {
		fact->upper.st_ino = (ino_t)links[1];
		fact->upper.st_nlink = (nlink_t)(links[2] - '0');
		fact->source.st_ino = (ino_t)links[3];
		fact->source.st_nlink = (nlink_t)(links[4] - '0');
	}
	fact->origin = !strchr(flags, 'o') ? NULL : later ? &an_origin : &an_old_removal;
	fact->source_unchanged = strchr(flags, 'u');
	fact->source_attrs_same = strchr(flags, 'a');
	fact->same_content = strchr(flags, 's');
	fact->same_attrs = strchr(flags, 't');
	fact->content_changed = strchr(flags, 'c');
	fact->attrs_changed = strchr(flags, 'm');
	fact->mtime_changed = strchr(flags, 'z');
	if (fact->mtime_changed)
		fact->upper.st_mtim.tv_nsec = 1;
	fact->lost = strchr(flags, 'e');
	fact->opaque = strchr(flags, 'O');
	fact->hidden = strchr(flags, 'H');
	fact->forbidden = strchr(flags, 'w') ? strdup("policy") : NULL;
	fact->taken = !strchr(flags, 'x');
	fact->held = strchr(flags, 'h') ? strdup("listed") : NULL;
	fact->refused = strchr(flags, 'r') ? "refused" : NULL;
	fact->merged = strchr(flags, 'M') ? strdup("merged") : NULL;
	fact->merged_size = fact->merged ? strlen(fact->merged) : 0;
	if (brief->old_path) {
		fact->old_path = strdup(brief->old_path);
		fact->old = &an_origin;
	}
}

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, TEXT_SIZE - used, format, args);
	va_end(args);
}

/* Entries that are listed, with ! where they stay, then the steps, with ~ where attributes are kept. */
static void describe(const struct plan *plan, char text[TEXT_SIZE])
{
	static const char *const kinds[] = {"mkdir", "put", "link", "attrs", "remove"};

	text[0] = '\0';
	for (size_t i = 0; i < plan->entry_count; i++)
		if (!plan->entries[i].unlisted)
			append(text, "%c%s %s%s%s, ", plan->entries[i].letter,
				plan->entries[i].stays ? "!" : "",
				plan->entries[i].old_path ? plan->entries[i].old_path : "",
				plan->entries[i].old_path ? ">" : "", plan->entries[i].path);
	append(text, "|");
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		append(text, " %s %s%s%s", kinds[step->kind], step->path,
			step->content ? "=merged" : "", step->keep_attrs ? "~" : "");
		if (step->kind == STEP_PUT && step->seen.mode)
			append(text, "*"); /* in the place of something */
		append(text, ",");
	}
}

static void check(const struct short_fact *briefs, size_t count, enum conflict_strategy strategy,
	const char *expected)
{
	struct facts facts = {0}, below = {0};
	char text[TEXT_SIZE];
	struct plan plan;

	for (size_t i = 0; i < count && briefs[i].path; i++) {
		bool within = strchr(briefs[i].flags, '+');
		struct fact *fact = facts_add(within ? &below : &facts, briefs[i].path);

		assert_non_null(fact);
		expand(fact, &briefs[i]);
		if (within) {
			facts.items[facts.count - 1].below_end = below.count;
		} else {
			fact->below_first = fact->below_end = below.count;
		}
	}
	assert_int_equal(decide_plan(&plan, &facts, &below, strategy, "ID"), 0);
	describe(&plan, text);
	assert_string_equal(text, expected);
	plan_fini(&plan);
	facts_fini(&facts);
	facts_fini(&below);
}

struct plan_case {
	struct short_fact facts[MAX_FACTS];
	const char *expected;
};

static void check_all(const struct plan_case *cases, size_t count, enum conflict_strategy strategy)
{
	for (size_t i = 0; i < count; i++)
		check(cases[i].facts, MAX_FACTS, strategy, cases[i].expected);
}
#define CHECK_ALL(cases, strategy) check_all(cases, sizeof(cases) / sizeof((cases)[0]), strategy)

static void each_kind_of_change(void **state)
{
	static const struct plan_case cases[] = {
		{{{"f", 'f', '-', "cm", NULL}}, "A f, | put f,"},
		{{{"f", 'f', 'f', "ouacm", NULL}}, "M f, | put f*,"},
		{{{"f", '-', 'f', "oua", NULL}}, "D f, | remove f,"},
		{{{"f", '-', '-', "o", NULL}}, "|"},
		{{{"f", 'l', 'f', "ouacm", NULL}}, "T f, | put f*,"},
		{{{"f", 'f', 'f', "ouasm", NULL}}, "P f, | attrs f,"},
		{{{"f", 'f', 'f', "ouast", NULL}}, "|"},
		/* Copied up, and nothing came of it; the source has gone on. */
		{{{"f", 'f', 'f', "oa", NULL}}, "|"},
		{{{"f", 'f', '-', "o", NULL}}, "|"},
		/* Both have made the same. */
		{{{"f", 'f', 'f', "stcm", NULL}}, "|"},
		{{{"f", 'f', 'f', "oastcz", NULL}}, "|"},
		/* Touched, and nothing else; both have touched it alike. */
		{{{"f", 'f', 'f', "ouastz", NULL}}, "P f, | attrs f,"},
		/* Made anew as it was, of which the log has no sum. */
		{{{"f", 'f', 'f', "ouastcz", NULL}}, "P f, | attrs f,"},
		/* Its mode was changed; its content, by the source, stays that. */
		{{{"f", 'f', 'f', "oam", NULL}}, "P f, | attrs f,"},
		/* Its content was changed; its mode, by the source, stays that, unless it was changed too. */
		{{{"f", 'f', 'f', "ouc", NULL}}, "M f, | put f~*,"},
		{{{"f", 'f', 'f', "oucm", NULL}}, "C! f, |"},
		{{{"f", 'f', 'f', "oucmt", NULL}}, "M f, | put f*,"},
		{{{"f", 'f', 'f', "ocM", NULL}}, "C! f, |"},
		{{{"f", '-', 'f', "ou", NULL}}, "C! f, |"},
		{{{"f", 'l', 'f', "oucm", NULL}}, "C! f, |"},
		{{{"d", 'd', 'd', "st", NULL}, {"d/f", 'f', '-', "cm", NULL}}, "A d/f, | put d/f,"},
		{{{"d", 'd', '-', "cm", NULL}, {"d/f", 'f', '-', "cm", NULL}},
			"A d, A d/f, | mkdir d, put d/f,"},
		/* A directory's times are no change; its mode is, and comes last. */
		{{{"d", 'd', 'd', "ouasm", NULL}, {"d/f", 'f', '-', "cm", NULL}},
			"P d, A d/f, | put d/f, attrs d,"},
		/* The directory has gone from the source: made again for what is new in it only. */
		{{{"d", 'd', '-', "o", NULL}, {"d/f", 'f', '-', "cm", NULL}},
			"A d/f, | mkdir d, put d/f,"},
		{{{"d", 'd', '-', "o", NULL}, {"d/f", '-', '-', "o", NULL}}, "|"},
	};

	(void)state;
	CHECK_ALL(cases, CONFLICT_FAIL);
}

static void directories_go_from_the_inside_out(void **state)
{
	static const struct plan_case cases[] = {
		{{{"d", '-', 'd', "oua", NULL}, {"d/a", '-', 'f', "oua+", NULL},
			 {"d/s", '-', 'd', "oua+", NULL}, {"d/s/b", '-', 'f', "oua+", NULL}},
			"D d, | remove d/s/b, remove d/s, remove d/a, remove d,"},
		{{{"d", 'f', 'd', "ouacm", NULL}, {"d/a", '-', 'f', "oua+", NULL}},
			"T d, | remove d/a, remove d, put d,"},
		{{{"d", 'd', 'f', "ouacm", NULL}, {"d/a", 'f', '-', "cm", NULL}},
			"T d, A d/a, | remove d, mkdir d, put d/a,"},
		/* Something in it that the policy hides, that is held, that cannot be read. */
		{{{"d", '-', 'd', "oua", NULL}, {"d/a", '-', 'f', "ouaw+", NULL}}, "Q! d, |"},
		{{{"d", '-', 'd', "oua", NULL}, {"d/a", '-', 'f', "ouah+", NULL}}, "Q! d, |"},
		{{{"d", '-', 'd', "oua", NULL}, {"d/a", '-', 'f', "ouar+", NULL}}, "Q! d, |"},
		{{{"d", 'f', 'd', "ouacm", NULL}, {"d/a", '-', 'f', "ouaw+", NULL}}, "Q! d, |"},
		/* ... or that was excluded. */
		{{{"d", '-', 'd', "oua", NULL}, {"d/a", '-', 'f', "ouax+", NULL}}, "Q! d, |"},
		/* What is hidden goes one by one; by one that is not merged, nothing. */
		{{{"d", 'd', 'd', "ouastO", NULL}, {"d/a", '-', 'f', "ouaH", NULL}},
			"D d/a, | remove d/a,"},
		{{{"d", 'd', 'd', "ouastOr", NULL}, {"d/a", '-', 'f', "ouaH", NULL},
			 {"d/s", 'd', 'd', "ouast", NULL}, {"d/s/b", '-', 'f', "ouaH", NULL}},
			"Q! d, Q! d/a, Q! d/s/b, |"},
	};
	static const struct plan_case kept[] = {
		{{{"d", '-', 'd', "oua", NULL}, {"d/new", '-', 'f', "+", NULL}}, "C! d, |"},
		{{{"d", '-', 'd', "oua", NULL}, {"d/a", '-', 'f', "oa+", NULL}}, "C! d, |"},
	};
	static const struct plan_case dropped[] = {
		{{{"d", '-', 'd', "oua", NULL}, {"d/new", '-', 'f', "+", NULL}}, "C d, |"},
		{{{"d", '-', 'd', "oua", NULL}, {"d/a", '-', 'f', "oa+", NULL}}, "C d, |"},
	};

	(void)state;
	CHECK_ALL(cases, CONFLICT_FAIL);
	CHECK_ALL(kept, CONFLICT_KEEP);
	CHECK_ALL(dropped, CONFLICT_BOTH);
}

static void conflicts_are_resolved_as_asked(void **state)
{
	static const struct {
		struct short_fact fact;
		const char *lww, *keep, *both, *merge;
	} cases[] = {
		{{"f", 'f', 'f', "ocmL", NULL}, "C f, | put f*,", "C! f, |",
			"C f, | put f.conflict-ID,", "C f, | put f.conflict-ID,"},
		{{"f", 'f', 'f', "ocm", NULL}, "C f, |", "C! f, |", "C f, | put f.conflict-ID,",
			"C f, | put f.conflict-ID,"},
		{{"f", 'f', 'f', "ocmM", NULL}, "C f, |", "C! f, |", "C f, | put f.conflict-ID,",
			"C f, | put f=merged*,"},
		{{"f", 'f', 'f', "cmL", NULL}, "C f, | put f*,", "C! f, |",
			"C f, | put f.conflict-ID,", "C f, | put f.conflict-ID,"},
		{{"f", '-', 'f', "oL", NULL}, "C f, | remove f,", "C! f, |", "C f, |", "C f, |"},
		{{"f", '-', 'f', "o", NULL}, "C f, |", "C! f, |", "C f, |", "C f, |"},
		/* Deleted in the source, changed here. */
		{{"f", 'f', '-', "ocm", NULL}, "C f, | put f,", "C! f, |", "C f, | put f,",
			"C f, | put f,"},
		/* Attributes have nothing to put beside. */
		{{"f", 'f', 'f', "ousmM", NULL}, "C f, |", "C! f, |", "C! f, |", "C! f, |"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check(&cases[i].fact, 1, CONFLICT_LWW, cases[i].lww);
		check(&cases[i].fact, 1, CONFLICT_KEEP, cases[i].keep);
		check(&cases[i].fact, 1, CONFLICT_FAIL, cases[i].keep);
		check(&cases[i].fact, 1, CONFLICT_BOTH, cases[i].both);
		check(&cases[i].fact, 1, CONFLICT_MERGE, cases[i].merge);
	}
}

static void nothing_is_done_where_a_conflict_fails_all(void **state)
{
	static const struct plan_case cases[] = {
		{{{"a", 'f', '-', "cm", NULL}, {"f", 'f', 'f', "ocmL", NULL}}, "A! a, C! f, |"},
	};

	(void)state;
	CHECK_ALL(cases, CONFLICT_FAIL);
}

static void what_may_not_be_merged_stays(void **state)
{
	static const struct plan_case cases[] = {
		{{{"f", 'f', '-', "cmw", NULL}}, "Q! f, |"},
		{{{"f", 'f', '-', "cmh", NULL}}, "Q! f, |"},
		{{{"f", 'f', '-', "cmr", NULL}}, "Q! f, |"},
		{{{"f", 'f', '-', "cmx", NULL}}, "|"},
		{{{"f", '-', 'f', "ouaw", NULL}}, "Q! f, |"},
		/* What is in a directory that is not made. */
		{{{"d", 'd', '-', "cmh", NULL}, {"d/f", 'f', '-', "cm", NULL}}, "Q! d, Q! d/f, |"},
		/* The directory was not named, but what is in it was. */
		{{{"d", 'd', '-', "cmx", NULL}, {"d/f", 'f', '-', "cm", NULL}},
			"A d/f, | mkdir d, put d/f,"},
		/* ... but may not be made, or would take the place of what was not named either. */
		{{{"d", 'd', '-', "cmxw", NULL}, {"d/f", 'f', '-', "cm", NULL}}, "Q! d/f, |"},
		{{{"d", 'd', '-', "cmxr", NULL}, {"d/s", 'd', '-', "cmx", NULL},
			 {"d/s/f", 'f', '-', "cm", NULL}},
			"Q! d/s/f, |"},
		{{{"d", 'd', 'f', "ouacmx", NULL}, {"d/f", 'f', '-', "cm", NULL}}, "Q! d/f, |"},
		/* Nor is one made again that the source no longer has. */
		{{{"d", 'd', '-', "ow", NULL}, {"d/f", 'f', '-', "cm", NULL}}, "Q! d/f, |"},
		{{{"d", 'd', '-', "ow", NULL}, {"d/s", 'd', '-', "o", NULL},
			 {"d/s/f", 'f', '-', "cm", NULL}},
			"Q! d/s/f, |"},
		/* Even where it would be a conflict, nothing is done beside it. */
		{{{"f", 'f', 'f', "ocmwL", NULL}}, "Q! f, |"},
	};

	(void)state;
	CHECK_ALL(cases, CONFLICT_BOTH);
	CHECK_ALL(cases, CONFLICT_LWW);
}

static void renames_are_recognised(void **state)
{
	static const struct plan_case cases[] = {
		{{{"new", 'f', '-', "", "old"}, {"old", '-', 'f', "oua", NULL}},
			"R old>new, | put new, remove old,"},
		{{{"new", 'f', '-', "cm", "old"}, {"old", '-', 'f', "oua", NULL}},
			"R old>new, | put new, remove old,"},
		/* A directory is one line; what was changed in it has its own. */
		{{{"new", 'd', '-', "", "old"}, {"new/a", 'f', '-', "", "old/a"},
			 {"new/b", 'f', '-', "cm", "old/b"}, {"new/s", 'd', '-', "", "old/s"},
			 {"new/s/c", 'f', '-', "", "old/s/c"}, {"old", '-', 'd', "oua", NULL},
			 {"old/a", '-', 'f', "oua+", NULL}},
			"R old>new, M new/b, | mkdir new, put new/a, put new/b, mkdir new/s, "
			"put new/s/c, remove old/a, remove old,"},
		/* What was deleted in it, and what moved on. */
		{{{"g", 'f', '-', "", "old/b"}, {"new", 'd', '-', "", "old"},
			 {"old", '-', 'd', "oua", NULL}, {"old/a", '-', 'f', "oua+", NULL},
			 {"old/b", '-', 'f', "oua+", NULL}, {"old/a", '-', 'f', "ouae", NULL},
			 {"old/b", '-', 'f', "ouae", NULL}},
			"R old/b>g, R old>new, D old/a, | put g, mkdir new, remove old/b, "
			"remove old/a, remove old,"},
		/* ... goes with the directory only. */
		{{{"g", 'f', '-', "", "old/b"}, {"new", 'd', '-', "", "old"},
			 {"old", '-', 'd', "ouah", NULL}, {"old/a", '-', 'f', "oua+", NULL},
			 {"old/b", '-', 'f', "oua+", NULL}, {"old/a", '-', 'f', "ouae", NULL},
			 {"old/b", '-', 'f', "ouae", NULL}},
			"A g, A new, Q! old, | put g, mkdir new,"},
		/* What does not arrive does not leave. */
		{{{"new", 'f', 'f', "ocm", "old"}, {"old", '-', 'f', "oua", NULL}},
			"C! new, C! old, |"},
		{{{"new", 'f', '-', "h", "old"}, {"old", '-', 'f', "oua", NULL}},
			"Q! new, Q! old, |"},
		{{{"new", 'f', '-', "x", "old"}, {"old", '-', 'f', "oua", NULL}}, "|"},
		{{{"new", 'd', '-', "", "old"}, {"new/a", 'f', '-', "h", "old/a"},
			 {"old", '-', 'd', "oua", NULL}, {"old/a", '-', 'f', "oua+", NULL}},
			"A new, Q! new/a, Q! old, | mkdir new,"},
		/* The old one is there still, or may not go. */
		{{{"new", 'f', '-', "", "old"}}, "A new, | put new,"},
		{{{"new", 'f', '-', "", "old"}, {"old", '-', 'f', "ouah", NULL}},
			"A new, Q! old, | put new,"},
		/* Of two that say so, one. */
		{{{"n1", 'f', '-', "", "old"}, {"n2", 'f', '-', "", "old"},
			 {"old", '-', 'f', "oua", NULL}},
			"R old>n1, A n2, | put n1, put n2, remove old,"},
	};

	static const struct plan_case later[] = {
		/* Where the source's new one wins, its old one is what is left of what moved. */
		{{{"new", 'f', 'f', "ocm", "old"}, {"old", '-', 'f', "oua", NULL}},
			"C new, C old, |"},
		{{{"d", 'd', 'f', "o", NULL}, {"d/f", 'f', '-', "cm", NULL}}, "C d, C d/f, |"},
	};

	(void)state;
	CHECK_ALL(cases, CONFLICT_KEEP);
	CHECK_ALL(later, CONFLICT_LWW);
}

static void names_are_one_file_or_several(void **state)
{
	static const struct plan_case cases[] = {
		/* As they were: all have got the mode. */
		{{{"a", 'f', 'f', "ouasm/A2S2", NULL}, {"b", 'f', 'f', "ouasm/A2S2", NULL}},
			"P a, P b, | attrs a, attrs b,"},
		/* Written to, as one. */
		{{{"a", 'f', 'f', "ouacz/A2S2", NULL}, {"b", 'f', 'f', "ouacz/A2S2", NULL}},
			"M a, M b, | put a*, link b,"},
		/* Each made anew, with what it had. */
		{{{"a", 'f', 'f', "ouasz/A1S3", NULL}, {"b", 'f', 'f', "ouasz/B1S3", NULL},
			 {"c", 'f', 'f', "ouast/C1S3", NULL}},
			"P a, P b, M c, | put b*, put c*, attrs a,"},
		{{{"a", 'f', 'f', "ouast/A1S3", NULL}, {"b", 'f', 'f', "ouast/B2S3", NULL},
			 {"c", 'f', 'f', "ouast/B2S3", NULL}},
			"M b, M c, | put b*, link c,"},
		/* A new name of what was one file, of what was two names, of two of three. */
		{{{"a", 'f', 'f', "ouast/A2S1", NULL}, {"b", 'f', '-', "cm/A2-0", NULL}},
			"A b, | put a*, link b,"},
		{{{"a", 'l', 'l', "ouast/A2S1", NULL}, {"b", 'l', '-', "cm/A2-0", NULL}},
			"A b, | put a*, link b,"},
		{{{"a", 'f', 'f', "ouast/A3S2", NULL}, {"b", 'f', 'f', "ouast/A3S2", NULL},
			 {"c", 'f', '-', "cm/A3-0", NULL}},
			"A c, | put a*, link b, link c,"},
		{{{"a", 'f', 'f', "ouast/A2S3", NULL}, {"b", 'f', 'f', "ouacm/B1S3", NULL},
			 {"c", '-', 'f', "oua/-0S3", NULL}, {"d", 'f', '-', "cm/A2-0", NULL}},
			"M b, D c, A d, | put a*, put b*, link d, remove c,"},
		/* Two that became one. */
		{{{"a", 'f', 'f', "ouast/A2S1", NULL}, {"b", 'f', 'f', "ouast/A2T1", NULL}},
			"M a, M b, | put a*, link b,"},
		/* Another name of the source's file is not the sandbox's: it must not get the mode. */
		{{{"a", 'f', 'f', "ouasm/A1S2", NULL}}, "P a, | put a*,"},
		{{{"a", 'f', 'f', "ouasm/A2S2", NULL}, {"b", 'f', 'f', "ouasmw/A2S2", NULL}},
			"P a, Q! b, | put a*,"},
		/* ... and stays the same file as long as nothing asks for two. */
		{{{"a", 'f', 'f', "ouast/A2S2", NULL}, {"b", 'f', '-', "cm/A2-0", NULL}},
			"A b, | put b,"},
		/* What the source has changed is not looked at. */
		{{{"a", 'f', 'f', "oa/A2S1", NULL}, {"b", 'f', '-', "cm/A2-0", NULL}},
			"A b, | put b,"},
	};

	(void)state;
	CHECK_ALL(cases, CONFLICT_FAIL);
}

static void names_beside_fit(void **state)
{
	struct facts facts = {0}, below = {0};
	struct short_fact brief = {.upper = 'f', .source = 'f', .flags = "ocm"};
	char name[256];
	struct plan plan;

	(void)state;
	memset(name, 'n', 255);
	memcpy(name, "d/", 2);
	name[255] = '\0';
	/* The 245th byte of the name, where it is cut, is within a character of two. */
	memcpy(name + 2 + 241, "\xc3\xa9", 2);
	assert_non_null(facts_add(&facts, name));
	expand(&facts.items[0], &brief);
	assert_int_equal(decide_plan(&plan, &facts, &below, CONFLICT_BOTH, "ID"), 0);
	assert_int_equal(plan.step_count, 1);
	assert_true(strlen(plan.steps[0].path) <= 2 + 255);
	assert_string_equal(strrchr(plan.steps[0].path, '.'), ".conflict-ID");
	assert_int_equal(strncmp(plan.steps[0].path, name, 2 + 241), 0);
	plan_fini(&plan);
	facts_fini(&facts);
}

static void a_directory_comes_before_what_is_in_it(void **state)
{
	(void)state;
	assert_true(facts_compare("a", "a/b") < 0);
	assert_true(facts_compare("a/b", "a-b") < 0);
	assert_true(facts_compare("a/z", "a.b") < 0);
	assert_true(facts_compare("a b", "a/b") > 0);
	assert_true(facts_compare("b", "a/b") > 0);
	assert_int_equal(facts_compare("a/b", "a/b"), 0);
	assert_true(facts_compare("a\xff", "a\x01") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_change),
		cmocka_unit_test(directories_go_from_the_inside_out),
		cmocka_unit_test(conflicts_are_resolved_as_asked),
		cmocka_unit_test(nothing_is_done_where_a_conflict_fails_all),
		cmocka_unit_test(what_may_not_be_merged_stays),
		cmocka_unit_test(renames_are_recognised),
		cmocka_unit_test(names_are_one_file_or_several),
		cmocka_unit_test(names_beside_fit),
		cmocka_unit_test(a_directory_comes_before_what_is_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
