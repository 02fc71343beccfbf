/*
 * One file's change: its header, and what its body is made as. See diff.h.
 */
#include "diff.h"

#include <string.h>

/*
 * Whether the name goes in quotes: where git puts it in some (core.quotePath as it is by default), and where
 * it has a space, after which patch(1) does not find the second name in a header without hunks.
 */
static bool needs_quotes(const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path <= ' ' || (unsigned char)*path >= 0x7f || *path == '"' ||
			*path == '\\')
			return true;
	return false;
}

static void put_quoted(FILE *out, const char *path)
{
	static const char special[] = "\a\b\t\n\v\f\r\"\\", letters[] = "abtnvfr\"\\";

	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;
		const char *found = strchr(special, c);

		if (found)
			fprintf(out, "\\%c", letters[found - special]);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\%03o", c);
		else
			putc(c, out);
	}
}

static void put_name(FILE *out, const char *prefix, const char *path)
{
	if (!needs_quotes(path)) {
		fprintf(out, "%s%s", prefix, path);
		return;
	}
	fprintf(out, "\"%s", prefix);
	put_quoted(out, path);
	putc('"', out);
}

/* A line of --- or +++. */
static void put_side(FILE *out, const char *sign, const char *prefix, const char *path,
	const struct diff_side *side)
{
	fputs(sign, out);
	if (side->mode)
		put_name(out, prefix, path);
	else
		fputs("/dev/null", out);
	putc('\n', out);
}

static void put_modes(FILE *out, const struct diff_side *before, const struct diff_side *after)
{
	if (!before->mode)
		fprintf(out, "new file mode %06o\n", after->mode);
	else if (!after->mode)
		fprintf(out, "deleted file mode %06o\n", before->mode);
	else if (before->mode != after->mode)
		fprintf(out, "old mode %06o\nnew mode %06o\n", before->mode, after->mode);
}

static void put_rename(FILE *out, const char *old_path, const char *new_path, bool same)
{
	if (same)
		fputs("similarity index 100%\n", out);
	fputs("rename from ", out);
	put_name(out, "", old_path);
	fputs("\nrename to ", out);
	put_name(out, "", new_path);
	putc('\n', out);
}

static void put_index(FILE *out, const struct diff_side *before, const struct diff_side *after)
{
	static const char none[DIFF_ID] = "0000000000000000000000000000000000000000";

	fprintf(out, "index %s..%s", before->mode ? before->id : none,
		after->mode ? after->id : none);
	if (before->mode == after->mode)
		fprintf(out, " %06o", after->mode);
	putc('\n', out);
}

static bool is_binary(const struct diff_side *side)
{
	return side->size && memchr(side->data, '\0', side->size);
}

int diff_file(FILE *out, const char *old_path, const struct diff_side *before, const char *new_path,
	const struct diff_side *after)
{
	bool same = side_is_same(before, after);

	fputs("diff --git ", out);
	put_name(out, "a/", old_path);
	putc(' ', out);
	put_name(out, "b/", new_path);
	putc('\n', out);
	put_modes(out, before, after);
	if (strcmp(old_path, new_path) != 0)
		put_rename(out, old_path, new_path, same);
	if (same)
		return 0;
	put_index(out, before, after);
	if (before->size == 0 && after->size == 0)
		return 0;
	if (is_binary(before) || is_binary(after)) {
		diff_binary(out, before, after);
		return 0;
	}
	put_side(out, "--- ", "a/", old_path, before);
	put_side(out, "+++ ", "b/", new_path, after);
	return diff_hunks(out, before, after);
}
