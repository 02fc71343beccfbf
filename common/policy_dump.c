/*
 * Rules -> the text of one policy file that gives the same rules again: all that the files, presets
 * and command lines said, in their order, and nothing that would have to be looked up elsewhere.
 *
 * Only where they were written is lost: to messages, the rules are those of the text.
 */
#include "policy_internal.h"

#include <errno.h>
#include <string.h>

/* In double quotes, so that any byte can be written; see policy_scan.c for what they do. */
static void put_string(FILE *out, const char *text)
{
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else if (c == '"' || c == '\\' || c == '$')
			fprintf(out, "\\%c", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static bool is_plain(const struct pattern *p)
{
	return p->rule.priority == 0 && !p->nocase;
}

static void end_group(FILE *out, const struct pattern *last)
{
	if (last && !is_plain(last))
		fputs("}\n", out);
}

/* All groups have one title: libConfuse looks for the same one among those before. */
static void begin_group(FILE *out, const struct pattern *first)
{
	if (!is_plain(first))
		fprintf(out, "rules \"\" {\npriority = %d\nnocase = %s\n", first->rule.priority,
			first->nocase ? "true" : "false");
}

int rules_dump(const struct af_rules *rules, FILE *out)
{
	const struct pattern *last = NULL;

	fprintf(out, "default = %s\n", level_name(rules->level));
	for (size_t i = 0; i < rules->count; i++) {
		const struct pattern *p = &rules->patterns[i];
		bool same_call = last && last->group == p->group;

		if (!same_call &&
			(!last || last->rule.priority != p->rule.priority ||
				last->nocase != p->nocase)) {
			end_group(out, last);
			begin_group(out, p);
		}
		fprintf(out, "%s", same_call ? ", " : level_name(p->rule.level));
		if (!same_call)
			putc('(', out);
		put_string(out, p->rule.pattern);
		last = p;
		if (i + 1 == rules->count || rules->patterns[i + 1].group != p->group)
			fputs(")\n", out);
	}
	end_group(out, last);
	errno = 0;
	return fflush(out) == 0 && !ferror(out) ? 0 : errno ? -errno : -EIO;
}
