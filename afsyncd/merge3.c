/*
 * Three-way merges of texts, by diff3(1). See show.h.
 */
#include "show.h"

#include "cleanup.h"
#include "io.h"
#include "tool.h"

/* What diff3 says of its conflicts, which nobody will see. */
enum { MERGE_SLACK = 4096 };

static int open_texts(const struct merge_text *const texts[3], int fds[3])
{
	for (int i = 0; i < 3; i++) {
		fds[i] = tool_text(texts[i]->data, texts[i]->size);
		if (fds[i] < 0)
			return fds[i];
	}
	return 0;
}

/*
 * -E, not the -A that -m alone means: where both sides made the same change it is no conflict
 * (diff3(1) of GNU diffutils).
 */
static int run_diff3(const int fds[3], size_t max, char **merged, size_t *size)
{
	static char diff3[] = "diff3", merge[] = "-m", overlaps[] = "-E", text[] = "-a";
	char names[3][TOOL_NAME];
	char *argv[] = {diff3, merge, overlaps, text, names[0], names[1], names[2], NULL};
	struct af_child child;
	FILE *out;
	int err, status;

	for (int i = 0; i < 3; i++)
		tool_name(names[i], fds[i]);
	err = tool_start(argv, fds, 3, &child, &out);
	if (err)
		return err;
	err = io_read_all(fileno(out), max, merged, size);
	fclose(out);
	status = tool_end(&child);
	if (err)
		return err;
	if (status == 0 || status == 1)
		return status;
	return status < 0 ? status : -EIO;
}

int merge3(const struct merge_text *mine, const struct merge_text *base,
	const struct merge_text *theirs, char **merged, size_t *size)
{
	const struct merge_text *const texts[3] = {mine, base, theirs};
	int fds[3] = {-1, -1, -1};
	af_autofree char *text = NULL;
	int result = open_texts(texts, fds);

	if (result == 0)
		result = run_diff3(fds, 2 * (mine->size + base->size + theirs->size) + MERGE_SLACK,
			&text, size);
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (result == 0)
		*merged = af_steal(&text);
	return result;
}
