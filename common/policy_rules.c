/*
 * The list of rules as written, from wherever they come. See policy.h.
 */
#include "policy_internal.h"

#include "log.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* More rules than this are a mistake, or an attack; it also keeps ranks far from overflow. */
#define MAX_PATTERNS 4000000U

#define POOL_CHUNK 65536U

struct string_chunk {
	struct string_chunk *next;
	char bytes[];
};

static const char *const level_names[] = {
	[AF_NONE] = "none",
	[AF_VIEW] = "view",
	[AF_READ] = "read",
	[AF_WRITE] = "write",
};

const char *level_name(enum af_level level)
{
	return level_names[level];
}

int level_parse(const char *text, enum af_level *level)
{
	for (unsigned int i = 0; i < POLICY_LEVELS; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = (enum af_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *pool_add(struct string_pool *pool, const char *text, size_t len)
{
	char *copy;

	if (pool->room - pool->used < len + 1) {
		size_t room = len + 1 > POOL_CHUNK ? len + 1 : POOL_CHUNK;
		struct string_chunk *chunk = malloc(sizeof(*chunk) + room);

		if (!chunk)
			return NULL;
		chunk->next = pool->chunks;
		pool->chunks = chunk;
		pool->used = 0;
		pool->room = room;
	}
	copy = pool->chunks->bytes + pool->used;
	memcpy(copy, text, len);
	copy[len] = '\0';
	pool->used += len + 1;
	return copy;
}

void pool_fini(struct string_pool *pool)
{
	while (pool->chunks) {
		struct string_chunk *next = pool->chunks->next;

		free(pool->chunks);
		pool->chunks = next;
	}
	pool->used = pool->room = 0;
}

struct af_rules *rules_new(void)
{
	return calloc(1, sizeof(struct af_rules));
}

void rules_free(struct af_rules *rules)
{
	if (!rules)
		return;
	free(rules->patterns);
	pool_fini(&rules->pool);
	glob_fini(&rules->glob);
	free(rules);
}

void rules_set_default(struct af_rules *rules, enum af_level level)
{
	rules->level = level;
	rules->level_forced = true;
}

int rules_refuse(const char *file, unsigned int line, const char *object, const char *why)
{
	if (object)
		log_error("%s:%u: %s: %s", file, line, object, why);
	else
		log_error("%s:%u: %s", file, line, why);
	return -EINVAL;
}

static int report_no_memory(void)
{
	log_error("policy: %s", strerror(ENOMEM));
	return -ENOMEM;
}

int rules_add_pattern(struct af_rules *rules, const struct af_rule *rule)
{
	const char *why = NULL;
	int rc = glob_parse(&rules->glob, rule->pattern, false, &why);
	struct pattern pattern = {.rule = *rule, .group = rules->groups - 1};

	if (rc == -EINVAL)
		return rules_refuse(rule->file, rule->line, rule->pattern, why);
	if (rules->count >= MAX_PATTERNS)
		return rules_refuse(rule->file, rule->line, rule->pattern, "too many patterns");
	pattern.negative = rules->glob.negative;
	pattern.rule.pattern = pool_add(&rules->pool, rule->pattern, strlen(rule->pattern));
	if (rc || !pattern.rule.pattern ||
		!glob_grow((void **)&rules->patterns, &rules->room, rules->count,
			sizeof(*rules->patterns)))
		return report_no_memory();
	rules->patterns[rules->count++] = pattern;
	return 0;
}

/* The number of a rule's @PRIORITY: digits with a sign, in range. */
static int parse_priority(const char *text, const char *end, int *priority)
{
	bool negative = *text == '-';
	long value = 0;

	text += *text == '-' || *text == '+';
	if (text == end)
		return -EINVAL;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9' || value > INT_MAX / 10)
			return -EINVAL;
		value = value * 10 + (*text - '0');
	}
	if (value > POLICY_MAX_PRIORITY)
		return -EINVAL;
	*priority = (int)(negative ? -value : value);
	return 0;
}

int policy_parse_priority(const char *text, int *priority)
{
	return parse_priority(text, text + strlen(text), priority);
}

/* LEVEL[@PRIORITY] up to colon. Returns NULL, or why not. */
static const char *parse_head(const char *text, const char *colon, struct af_rule *rule)
{
	const char *at = memchr(text, '@', (size_t)(colon - text));
	size_t len = (size_t)((at ? at : colon) - text);
	char level[8];

	if (len >= sizeof(level))
		return "not a level: none, view, read or write";
	memcpy(level, text, len);
	level[len] = '\0';
	if (level_parse(level, &rule->level) < 0)
		return "not a level: none, view, read or write";
	if (at && parse_priority(at + 1, colon, &rule->priority) < 0)
		return "not a priority: a whole number from -1000000 to 1000000";
	return NULL;
}

int rules_add_text(struct af_rules *rules, const char *text, const char *origin)
{
	const char *colon = strchr(text, ':');
	const char *why = "not a rule: LEVEL[@PRIORITY]:PATTERN";
	struct af_rule rule = {.line = ++rules->texts};

	rule.file = pool_add(&rules->pool, origin, strlen(origin));
	if (!rule.file)
		return report_no_memory();
	if (colon)
		why = parse_head(text, colon, &rule);
	if (why)
		return rules_refuse(origin, rule.line, text, why);
	rule.pattern = colon + 1;
	if (rule.pattern[0] == '!')
		return rules_refuse(origin, rule.line, text,
			"a pattern with ! takes out of the others of its call, and here is none "
			"(\\! is a plain one)");
	rules->groups++;
	return rules_add_pattern(rules, &rule);
}
