/*
 * A text's change as unified hunks. See diff.h.
 */
#include "diff.h"

#include "cleanup.h"
#include "tool.h"

#include <string.h>

static const char no_newline[] = "\\ No newline at end of file\n";

static size_t count_lines(const struct diff_side *side)
{
	size_t lines = 0;
	const char *next = side->data, *end = side->data + side->size;

	while (next < end) {
		const char *stop = memchr(next, '\n', (size_t)(end - next));

		lines++;
		next = stop ? stop + 1 : end;
	}
	return lines;
}

/* Where all lines are on one side, there is nothing to compare. */
static void whole(FILE *out, const struct diff_side *side, char sign)
{
	const char *next = side->data, *end = side->data + side->size;
	size_t lines = count_lines(side);

	fprintf(out, sign == '+' ? "@@ -0,0 +1,%zu @@\n" : "@@ -1,%zu +0,0 @@\n", lines);
	while (next < end) {
		const char *stop = memchr(next, '\n', (size_t)(end - next));
		size_t len = (size_t)((stop ? stop + 1 : end) - next);

		putc(sign, out);
		fwrite(next, 1, len, out);
		next += len;
	}
	if (end[-1] != '\n')
		fprintf(out, "\n%s", no_newline);
}

/* All that diff says after its two lines of names. */
static int copy_hunks(FILE *from, FILE *to)
{
	char buffer[65536];
	size_t got;
	int lines = 0;

	while (lines < 2) {
		int c = getc(from);

		if (c == EOF)
			return -EIO;
		lines += c == '\n';
	}
	while ((got = fread(buffer, 1, sizeof(buffer), from)) > 0)
		fwrite(buffer, 1, got, to);
	return ferror(from) ? -EIO : 0;
}

static int compare(FILE *out, const int fds[2])
{
	static char diff[] = "diff", text[] = "-a", unified[] = "-u", label[] = "--label=x";
	char names[2][TOOL_NAME];
	char *argv[] = {diff, text, unified, label, label, names[0], names[1], NULL};
	struct af_child child;
	af_autofclose FILE *from = NULL;
	int err, status;

	tool_name(names[0], fds[0]);
	tool_name(names[1], fds[1]);
	err = tool_start(argv, fds, 2, &child, &from);
	if (err)
		return err;
	err = copy_hunks(from, out);
	status = tool_end(&child);
	if (err)
		return err;
	return status == 1 ? 0 : status < 0 ? status : -EIO;
}

int diff_hunks(FILE *out, const struct diff_side *before, const struct diff_side *after)
{
	af_autoclose int old_fd = -1, new_fd = -1;

	if (before->size == 0 || after->size == 0) {
		whole(out, before->size ? before : after, before->size ? '-' : '+');
		return 0;
	}
	old_fd = tool_text(before->data, before->size);
	if (old_fd < 0)
		return old_fd;
	new_fd = tool_text(after->data, after->size);
	if (new_fd < 0)
		return new_fd;
	return compare(out, (int[]){old_fd, new_fd});
}
