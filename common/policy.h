/*
 * Policies: text -> checked rules -> one compiled automaton -> decisions.
 *
 *     policy_parse.c   files, presets and command-line rules -> struct af_rules
 *     policy_dump.c    ... and back to one file's text
 *     glob.c           one pattern -> tokens, or why not
 *     policy_compile.c rules -> an NFA whose nodes are shared by common prefixes (policy_trie.c)
 *     policy_state.c   sets of its nodes: over a character, at the end of a name
 *     policy_cache.c   each such set once, as a state of a deterministic automaton that grows lazily
 *     policy_decide.c  ... and the decisions
 *
 * A directory carries the state in which its path left the rules; a child costs one step from it
 * over its own name's bytes, whatever the number of rules.
 */
#ifndef AF_POLICY_H
#define AF_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum af_level { AF_NONE, AF_VIEW, AF_READ, AF_WRITE };

/* "none", "view", "read" or "write". */
const char *level_name(enum af_level level);
/* Returns 0, or -EINVAL where text is not a level's name. */
int level_parse(const char *text, enum af_level *level);

/* ---- rules: what was written ---------------------------------------------------------------- */

struct af_rules;

/* One positive pattern of one call, as written. Owned by the rules or the policy it came from. */
struct af_rule {
	enum af_level level;
	int priority;
	const char *file;    /* as messages name it: a path, or "command line" / "-o" */
	unsigned int line;   /* from 1; for command-line rules the number of the rule there */
	const char *pattern; /* as written */
};

/* Returns NULL with errno ENOMEM. */
struct af_rules *rules_new(void);
void rules_free(struct af_rules *rules);

/*
 * Each adds rules after those already there. Errors are reported with log_error (program, file,
 * line, what and why) and give -EINVAL (or the -errno of reading a file); the rules must then not
 * be used any more.
 */
int rules_add_file(struct af_rules *rules, const char *path);
int rules_add_preset(struct af_rules *rules, const char *name);
/* LEVEL[@PRIORITY]:PATTERN; origin is how messages name the place ("-o", "command line"). */
int rules_add_text(struct af_rules *rules, const char *text, const char *origin);
/* A policy file's text from memory; name is how messages name it. It must not include others. */
int rules_add_named_text(struct af_rules *rules, const char *name, const char *text);
/* Overrides what files say; default none. */
void rules_set_default(struct af_rules *rules, enum af_level level);

/*
 * Writes all of the rules and the default as the text of one policy file, includes, presets and
 * command lines in it: for rules_add_named_text(). Returns 0 or -errno.
 */
int rules_dump(const struct af_rules *rules, FILE *out);

/* Prints `NAME TAB FILE` a line. Returns 0 or -errno. */
int rules_print_presets(FILE *out);

/*
 * Names (log_warn, with file and line) the rules that can never decide. Returns how many, or -errno.
 */
int rules_warn_unreachable(const struct af_rules *rules);

/* ---- compiled policies ---------------------------------------------------------------------- */

struct af_policy; /* immutable but for its cache of states; safe from any thread */

/*
 * Compiles; the rules are only read and may be freed afterwards.
 * Returns 0 with one reference, or -errno (-E2BIG: too large to compile within bounds; reported).
 */
int policy_compile(const struct af_rules *rules, struct af_policy **policy);
struct af_policy *policy_get(struct af_policy *policy);
void policy_put(struct af_policy *policy);

/*
 * The cache of states is bounded. When it is full, decisions are still right but no longer cached,
 * and this is true: the holder should then replace the policy by policy_renew()'s, as it replaces one
 * on reload. Cheap.
 */
bool policy_is_full(const struct af_policy *policy);
/* The same policy with an empty cache (the automaton is shared). Returns NULL with errno. */
struct af_policy *policy_renew(struct af_policy *policy);

/* Never 0, different for each policy object of this process: stamps states. */
uint32_t policy_serial(const struct af_policy *policy);

/*
 * A directory's state. It is only meaningful for the policy it came from: holders store the
 * policy's serial beside it. id 0 means unknown (the cache was full): derive it from the path.
 */
struct af_state {
	uint32_t id;
};

enum af_verdict_flag {
	AF_V_TRAVERSABLE = 1, /* a directory, level none, below which some rule could still grant */
	AF_V_UNIFORM = 2,     /* a directory: everything below has its level */
	AF_V_MAY_HIDE = 4,    /* a directory: something below it could be none */
	AF_V_MAY_CREATE = 8,  /* a directory: something directly in it could be write */
	AF_V_HAS_RULE = 16,   /* rule is valid; else the default decided */
};

struct af_verdict {
	uint8_t level; /* enum af_level */
	uint8_t flags; /* enum af_verdict_flag */
	uint32_t rule; /* for policy_rule() */
};

struct af_step {
	struct af_verdict file; /* the child as anything but a directory */
	struct af_verdict dir;  /* the child as a directory */
	struct af_state state;  /* ... and its state then */
};

/* The rule that decided, or NULL where the default did. Borrowed from the policy. */
const struct af_rule *policy_rule(const struct af_policy *policy, const struct af_verdict *v);

/*
 * One step: from a directory's state (id not 0, of this policy) over the len bytes of a child's
 * name. Never fails; out->state.id may be 0 (see above).
 */
void policy_step(struct af_policy *policy, struct af_state dir, const char *name, size_t len,
	struct af_step *out);

/*
 * A whole path, from the root, without a leading or trailing slash; "" is the root (use out->dir).
 * Never fails, also when the cache is full.
 */
void policy_path(struct af_policy *policy, const char *path, size_t len, struct af_step *out);

#endif
