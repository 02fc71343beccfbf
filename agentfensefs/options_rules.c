/*
 * Where the rules come from: the policy=, preset= and rule= options in their order, kept so that they
 * can be read again. See options.h.
 */
#include "options.h"

#include "cleanup.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* value as an absolute path, without resolving anything in it; newly allocated. */
static char *absolute_path(const char *value)
{
	af_autofree char *cwd = NULL;
	char *joined;

	if (*value == '/')
		return strdup(value);
	cwd = getcwd(NULL, 0);
	if (!cwd || asprintf(&joined, "%s/%s", cwd, value) < 0)
		return NULL;
	return joined;
}

int options_add_rules(
	struct fs_options *options, enum fs_source_kind kind, const char *value, const char *origin)
{
	struct fs_rules_source *rules =
		reallocarray(options->rules, options->rules_count + 1, sizeof(*options->rules));
	struct fs_rules_source *added;

	if (!rules)
		return 1;
	options->rules = rules;
	added = &rules[options->rules_count++];
	*added = (struct fs_rules_source){.kind = kind, .origin = origin, .text = strdup(value)};
	if (kind == FS_RULES_FILE)
		added->absolute = absolute_path(value);
	return added->text && (kind != FS_RULES_FILE || added->absolute) ? 0 : 1;
}

static int load_one(struct af_rules *rules, const struct fs_rules_source *source, bool again)
{
	switch (source->kind) {
	case FS_RULES_FILE:
		return rules_add_file(rules, again ? source->absolute : source->text);
	case FS_RULES_PRESET:
		return rules_add_preset(rules, source->text);
	case FS_RULES_TEXT:
		return rules_add_text(rules, source->text, source->origin);
	}
	return -EINVAL;
}

struct af_rules *options_load_rules(const struct fs_options *options, bool again)
{
	struct af_rules *rules = rules_new();
	int err = rules ? 0 : -ENOMEM;

	/* Files and presets first: what is on the command line comes after them. */
	for (int texts = 0; texts <= 1; texts++)
		for (size_t i = 0; i < options->rules_count && !err; i++)
			if ((options->rules[i].kind == FS_RULES_TEXT) == (texts == 1))
				err = load_one(rules, &options->rules[i], again);
	if (!err && options->has_default)
		rules_set_default(rules, options->default_level);
	if (!err)
		return rules;
	if (err == -ENOMEM)
		log_error("policy: out of memory");
	rules_free(rules);
	return NULL;
}

char *options_rules_text(const struct af_rules *rules)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int err = out ? rules_dump(rules, out) : -errno;

	if (out && fclose(out) != 0 && !err)
		err = -errno;
	if (!err)
		return text;
	free(text);
	log_error("policy: %s", strerror(-err));
	return NULL;
}
