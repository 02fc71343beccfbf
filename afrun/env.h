/*
 * The environment of the command: empty but for a few names, and what was asked for.
 */
#ifndef AF_ENV_H
#define AF_ENV_H

#include "opts.h"
#include "words.h"

/* What the sandbox itself says, before -e and --env-file. */
struct af_env_base {
	const char *path;
	const char *home;
	const char *user;
	const char *lang; /* NULL: C.UTF-8 */
	const char *term; /* NULL: not set */
};

/*
 * Fills env with NAME=VALUE words: base, then -e and --env-file in the order in which they were
 * written, the last one winning. caller is the environment that a NAME without a value is taken
 * from (one that is not set there stays unset). Returns 0 or -errno, reported.
 */
int env_build(struct af_words *env, const struct af_env_base *base, const struct af_opts *opts,
	char *const *caller);

/* One -e text. Returns 0, or -EINVAL where it names no variable; not reported. */
int env_add(struct af_words *env, const char *text, char *const *caller);

/* The value of name in env, or NULL. */
const char *env_get(char *const *env, const char *name);

#endif
