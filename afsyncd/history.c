/*
 * One merge in the history, for people and programs. See undo_check.h.
 */
#include "undo_check.h"

#include "json.h"
#include "merge.h"
#include "names.h"

#include <time.h>

static void format_time(int64_t time_ns, char *text, size_t size)
{
	time_t seconds = (time_t)(time_ns / 1000000000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		*text = '\0';
}

/* How many of its entries have this letter; 0: of all. */
static int64_t count(const struct merge *merge, uint32_t letter)
{
	int64_t count = 0;

	for (size_t i = 0; i < merge->entry_count; i++)
		count +=
			!merge->entries[i].stays && (!letter || merge->entries[i].letter == letter);
	return count;
}

static const char letters[] = {
	PLAN_ADDED, PLAN_MODIFIED, PLAN_DELETED, PLAN_RENAMED, PLAN_TYPE, PLAN_MODE, PLAN_CONFLICT};

static void print_json(FILE *out, const struct merge *merge, const char *when)
{
	struct af_json json;

	json_init(&json, out);
	json_object(&json, NULL);
	json_string(&json, "id", merge->id);
	json_string(&json, "time", when);
	json_string(&json, "delta", merge->delta_path);
	for (size_t i = 0; i < sizeof(letters); i++) {
		char key[] = {letters[i], '\0'};

		json_int(&json, key, count(merge, (uint32_t)letters[i]));
	}
	json_object_end(&json);
}

void history_print(FILE *out, const struct merge *merge, bool json, bool nul)
{
	const char *separator = "\t";
	char when[32];

	format_time(merge->time_ns, when, sizeof(when));
	if (json) {
		print_json(out, merge, when);
		putc('\n', out);
		return;
	}
	fprintf(out, "%s\t%s\t", merge->id, when);
	if (nul)
		fputs(merge->delta_path, out);
	else
		names_print(out, merge->delta_path);
	for (size_t i = 0; i < sizeof(letters); i++) {
		int64_t number = count(merge, (uint32_t)letters[i]);

		if (number == 0)
			continue;
		fprintf(out, "%s%c%lld", separator, letters[i], (long long)number);
		separator = " ";
	}
	putc(nul ? '\0' : '\n', out);
}
