/*
 * Whether a policy and the reference agree on a path, and whether what a directory's flags promise
 * of what is below it holds. Shared by the property test and the fuzzer.
 */
#ifndef AF_POLICY_CHECK_H
#define AF_POLICY_CHECK_H

#include "policy_internal.h"
#include "slow_match.h"

#include <stdio.h>
#include <strings.h>

#define CHECK_MAX_PATTERNS 64

struct check {
	struct slow_pattern patterns[CHECK_MAX_PATTERNS];
	size_t count;
	enum af_level level; /* the default */
	struct af_policy *policy;
};

/* Prints bytes so that they can be pasted into a C string. */
static inline void check_print(const char *label, const char *text, size_t len)
{
	fprintf(stderr, "%s \"", label);
	for (size_t i = 0; i < len; i++)
		fprintf(stderr,
			(unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~' ? "\\%03o"
										     : "%c",
			(unsigned char)text[i]);
	fprintf(stderr, "\"\n");
}

static inline void check_print_policy(const struct check *check)
{
	for (size_t i = 0; i < check->count; i++) {
		const struct slow_pattern *p = &check->patterns[i];

		fprintf(stderr, "call %u %s@%d%s", p->call, level_name((enum af_level)p->level),
			p->priority, p->nocase ? " nocase" : "");
		check_print("", p->text, strlen(p->text));
	}
	fprintf(stderr, "default %s\n", level_name(check->level));
}

static inline bool check_is_built_in(const char *path, size_t len)
{
	return len >= 11 && strncasecmp(path, ".agentfense", 11) == 0 &&
		(len == 11 || path[11] == '/');
}

static inline int check_slow_level(
	const struct check *check, const char *path, size_t len, bool dir, const char **rule)
{
	int index = slow_decide(check->patterns, check->count, path, len, dir);

	*rule = index < 0 ? NULL : check->patterns[index].text;
	return index < 0 ? (int)check->level : check->patterns[index].level;
}

/* One verdict. Returns whether it is what the reference says. */
static inline bool check_verdict(const struct check *check, const struct af_verdict *v,
	const char *path, size_t len, bool dir)
{
	const struct af_rule *rule = policy_rule(check->policy, v);
	const char *slow_rule;
	int level = check_slow_level(check, path, len, dir, &slow_rule);

	if (check_is_built_in(path, len))
		return v->level == AF_NONE && rule && strcmp(rule->file, "built-in") == 0;
	if (v->level == level && !rule == !slow_rule &&
		(!rule || strcmp(rule->pattern, slow_rule) == 0))
		return true;
	check_print_policy(check);
	check_print(dir ? "directory" : "file", path, len);
	fprintf(stderr, "policy: %s by %s, reference: %s by %s\n",
		level_name((enum af_level)v->level), rule ? rule->pattern : "default",
		level_name((enum af_level)level), slow_rule ? slow_rule : "default");
	return false;
}

/* What a directory on the way to a path promised of this path. */
static inline bool check_promise(const struct check *check, const struct af_verdict *dir,
	const char *path, size_t dir_len, size_t len, const struct af_verdict *below)
{
	bool child = !memchr(path + dir_len + (dir_len > 0), '/', len - dir_len - (dir_len > 0));
	bool ok = true;

	if (dir->flags & AF_V_UNIFORM)
		ok &= below->level == dir->level;
	if (!(dir->flags & AF_V_MAY_HIDE))
		ok &= below->level != AF_NONE;
	if (dir->level == AF_NONE && !(dir->flags & AF_V_TRAVERSABLE))
		ok &= below->level == AF_NONE;
	if (child && !(dir->flags & AF_V_MAY_CREATE))
		ok &= below->level != AF_WRITE;
	ok &= !(dir->flags & AF_V_TRAVERSABLE) || dir->level == AF_NONE;
	if (ok)
		return true;
	check_print_policy(check);
	check_print("directory", path, dir_len);
	check_print("below", path, len);
	fprintf(stderr, "level %s, flags %x, below: %s\n", level_name((enum af_level)dir->level),
		dir->flags, level_name((enum af_level)below->level));
	return false;
}

/*
 * Decides a path in one go and step by step, and compares all that came out: with the reference,
 * and with what each directory on the way promised.
 */
static inline bool check_path(const struct check *check, const char *path, size_t len)
{
	struct af_verdict above[SLOW_MAX_PARTS];
	size_t above_len[SLOW_MAX_PARTS], depth = 0, at = 0;
	struct af_step whole, step;

	policy_path(check->policy, path, len, &whole);
	policy_path(check->policy, "", 0, &step);
	while (at < len) {
		const char *slash = memchr(path + at, '/', len - at);
		size_t end = slash ? (size_t)(slash - path) : len;

		above[depth] = step.dir;
		above_len[depth++] = at ? at - 1 : 0;
		if (step.state.id)
			policy_step(check->policy, step.state, path + at, end - at, &step);
		else
			policy_path(check->policy, path, end, &step);
		for (size_t i = 0; i < depth; i++)
			if (!check_promise(check, &above[i], path, above_len[i], end, &step.file) ||
				!check_promise(
					check, &above[i], path, above_len[i], end, &step.dir))
				return false;
		at = end + 1;
	}
	if (memcmp(&whole.dir, &step.dir, sizeof(step.dir)) != 0 ||
		(len > 0 && memcmp(&whole.file, &step.file, sizeof(step.file)) != 0)) {
		check_print_policy(check);
		check_print("steps differ from the whole", path, len);
		return false;
	}
	return (len == 0 || check_verdict(check, &whole.file, path, len, false)) &&
		check_verdict(check, &whole.dir, path, len, true);
}

#endif
