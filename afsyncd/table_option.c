/*
 * Options of the daemon's table. See table_option.h; what they mean is the merge's business.
 */
#include "table_option.h"

#include "cleanup.h"
#include "log.h"
#include "policy.h"

#include <bsd/stdlib.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { UNDO_KEEP_MAX = 1000000 }; /* as on the command line */

enum value { NO_VALUE, STRATEGY, NUMBER, PATTERN, RULE, PRESET, PATH };

static const struct known {
	const char *name;
	enum value value;
	bool once;
} known[] = {
	{"conflict", STRATEGY, true},
	{"exclude", PATTERN, false},
	{"hold", PATTERN, false},
	{"no-hold", NO_VALUE, true},
	{"policy", PATH, false},
	{"preset", PRESET, false},
	{"rule", RULE, false},
	{"state", PATH, true},
	{"undo-keep", NUMBER, true},
};

static const char *const strategies[] = {"lww", "keep", "both", "fail", "merge"};

static bool is_strategy(const char *value)
{
	for (size_t i = 0; i < sizeof(strategies) / sizeof(strategies[0]); i++)
		if (strcmp(value, strategies[i]) == 0)
			return true;
	return false;
}

static int add_rule(struct af_rules *rules, enum value kind, const char *value, const char *origin)
{
	af_autofree char *rule = NULL;

	if (kind == PRESET)
		return rules_add_preset(rules, value);
	if (kind == RULE)
		return rules_add_text(rules, value, origin);
	if (asprintf(&rule, "none:%s", value) < 0) {
		rule = NULL;
		return -ENOMEM;
	}
	return rules_add_text(rules, rule, origin);
}

/* The rules themselves say what is wrong with one, and we say where it stands. */
static int check_rule(
	const struct table_place *place, enum value kind, const char *option, const char *value)
{
	struct af_rules *rules = rules_new();
	int err = rules ? add_rule(rules, kind, value, option) : -ENOMEM;

	rules_free(rules);
	if (!err || err == -ENOMEM)
		return err;
	return table_wrong(place, option, "no merge could be made with this");
}

static int check_value(
	const struct table_place *place, enum value kind, const char *option, const char *value)
{
	const char *problem = NULL;

	switch (kind) {
	case NO_VALUE:
		break;
	case STRATEGY:
		if (!is_strategy(value))
			return table_wrong(place, value, "not lww, keep, both, fail or merge");
		break;
	case NUMBER:
		strtonum(value, 0, UNDO_KEEP_MAX, &problem);
		if (problem)
			return table_wrong(place, value, "not a number of merges");
		break;
	case PATTERN:
	case RULE:
	case PRESET:
		return check_rule(place, kind, option, value);
	case PATH:
		/* There is no directory from which another would be looked for. */
		if (*value != '/')
			return table_wrong(place, option, "the path must begin with /");
		break;
	}
	return 0;
}

/* Whether the row has an option of this name. */
static bool has(const struct table_row *row, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < row->option_count; i++) {
		const char *given = row->options[i] + strlen("--");

		if (strncmp(given, name, len) == 0 && (given[len] == '=' || given[len] == '\0'))
			return true;
	}
	return false;
}

static int check_together(const struct table_row *row, const struct table_place *place,
	const struct known *one, const char *option)
{
	if (one->once && has(row, one->name))
		return table_wrong(place, option, "given twice");
	if ((strcmp(one->name, "hold") == 0 && has(row, "no-hold")) ||
		(strcmp(one->name, "no-hold") == 0 && has(row, "hold")))
		return table_wrong(place, option, "hold and no-hold exclude each other");
	return 0;
}

static const struct known *find(const char *option, size_t len)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].name) == len && strncmp(known[i].name, option, len) == 0)
			return &known[i];
	return NULL;
}

static int check_option(
	const struct table_row *row, const struct table_place *place, const char *option)
{
	size_t len = strcspn(option, "=");
	const char *value = option[len] ? option + len + 1 : NULL;
	const struct known *one = find(option, len);

	if (!one)
		return table_wrong(place, option, "not an option here");
	if (one->value == NO_VALUE && value)
		return table_wrong(place, option, "takes no value");
	if (one->value != NO_VALUE && (!value || !*value))
		return table_wrong(place, option, "needs a value (NAME=VALUE)");
	if (check_together(row, place, one, option) != 0)
		return -EINVAL;
	return check_value(place, one->value, option, value);
}

static int add_option(struct table_row *row, const struct table_place *place, const char *option)
{
	char **options;
	int err;

	if (*option == '\0' || strcmp(option, "defaults") == 0)
		return 0;
	err = check_option(row, place, option);
	if (err)
		return err;
	options = reallocarray(row->options, row->option_count + 1, sizeof(*options));
	if (!options)
		return -ENOMEM;
	row->options = options;
	if (asprintf(&options[row->option_count], "--%s", option) < 0)
		return -ENOMEM;
	row->option_count++;
	return 0;
}

int table_add_options(struct table_row *row, const struct table_place *place, const char *text)
{
	af_autofree char *one = malloc(strlen(text) + 1);
	size_t used = 0;
	int err = one ? 0 : -ENOMEM;

	for (const char *c = text; !err; c++) {
		if (*c == ',' || *c == '\0') {
			one[used] = '\0';
			used = 0;
			err = add_option(row, place, one);
			if (*c == '\0')
				break;
		} else {
			if (c[0] == '\\' && c[1] == ',')
				c++;
			one[used++] = *c;
		}
	}
	return err;
}
