/*
 * A plan as lines, NUL-terminated records or JSON lines. See show.h.
 */
#include "show.h"

#include "json.h"
#include "names.h"

#include <errno.h>

static void show_line(FILE *out, const struct plan_entry *entry)
{
	fprintf(out, "%c\t", entry->letter);
	if (entry->old_path) {
		names_print(out, entry->old_path);
		putc('\t', out);
	}
	names_print(out, entry->path);
	putc('\n', out);
}

static void show_record(FILE *out, const struct plan_entry *entry)
{
	fprintf(out, "%c\t", entry->letter);
	if (entry->old_path)
		fprintf(out, "%s\t", entry->old_path);
	fputs(entry->path, out);
	putc('\0', out);
}

static void show_json(FILE *out, const struct plan_entry *entry)
{
	char letter[] = {(char)entry->letter, '\0'};
	struct af_json json;

	json_init(&json, out);
	json_object(&json, NULL);
	json_string(&json, "letter", letter);
	json_string(&json, "path", entry->path);
	json_string(&json, "old", entry->old_path);
	json_bool(&json, "dir", entry->is_dir);
	json_bool(&json, "stays", entry->stays);
	json_string(&json, "why", entry->why);
	json_object_end(&json);
	putc('\n', out);
}

int show_plan(FILE *out, const struct plan *plan, enum show_form form)
{
	for (size_t i = 0; i < plan->entry_count; i++) {
		if (plan->entries[i].unlisted)
			continue;
		switch (form) {
		case SHOW_LINES:
			show_line(out, &plan->entries[i]);
			break;
		case SHOW_NUL:
			show_record(out, &plan->entries[i]);
			break;
		case SHOW_JSON:
			show_json(out, &plan->entries[i]);
			break;
		}
	}
	errno = 0;
	if (fflush(out) != 0 || ferror(out))
		return errno ? -errno : -EIO;
	return 0;
}
