/*
 * The environment of the command. See env.h. Values never reach an argument vector: plan.c carries
 * them, and control.c passes them on in a descriptor.
 */
#include "env.h"

#include "cleanup.h"
#include "io.h"
#include "log.h"

#include <fcntl.h>
#include <string.h>

/* Far above what execve(2) takes. */
#define ENV_FILE_MAX (8U << 20)

const char *env_get(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

int env_add(struct af_words *env, const char *text, char *const *caller)
{
	const char *equals = strchr(text, '=');
	const char *value;
	af_autofree char *name = equals ? strndup(text, (size_t)(equals - text)) : strdup(text);

	if (!name)
		return -ENOMEM;
	if (!*name)
		return -EINVAL;
	value = equals ? equals + 1 : env_get(caller, name);
	if (value)
		words_set_env(env, name, value);
	return words_error(env);
}

/* The lines of a file: NAME=VALUE or NAME; blank ones and those that begin with # are skipped. */
static int add_lines(struct af_words *env, const char *file, char *text, char *const *caller)
{
	unsigned int number = 0;

	for (char *line = text; line; number++) {
		char *end = strchr(line, '\n');
		int err = 0;

		if (end)
			*end = '\0';
		if (*line && *line != '#')
			err = env_add(env, line, caller);
		if (err == -EINVAL)
			log_error("%s:%u: a line must be NAME=VALUE or NAME", file, number + 1);
		if (err)
			return err;
		line = end ? end + 1 : NULL;
	}
	return 0;
}

static int add_file(struct af_words *env, const char *file, char *const *caller)
{
	af_autoclose int fd = open(file, O_RDONLY | O_CLOEXEC);
	af_autofree char *text = NULL;
	size_t size = 0;
	int err = fd < 0 ? -errno : io_read_all(fd, ENV_FILE_MAX, &text, &size);

	if (!err && text && memchr(text, '\0', size))
		err = -EINVAL;
	if (err) {
		log_error("--env-file: %s: %s", file, strerror(-err));
		return err;
	}
	return add_lines(env, file, text, caller);
}

static int add_item(struct af_words *env, const struct af_item *item, char *const *caller)
{
	int err;

	if (item->kind == AF_ITEM_ENV_FILE)
		return add_file(env, item->text, caller);
	if (item->kind != AF_ITEM_ENV)
		return 0;
	err = env_add(env, item->text, caller);
	if (err == -EINVAL)
		log_error("-e: must be NAME=VALUE or NAME");
	return err;
}

int env_build(struct af_words *env, const struct af_env_base *base, const struct af_opts *opts,
	char *const *caller)
{
	words_set_env(env, "PATH", base->path);
	words_set_env(env, "HOME", base->home);
	words_set_env(env, "USER", base->user);
	words_set_env(env, "LANG", base->lang ? base->lang : "C.UTF-8");
	if (base->term)
		words_set_env(env, "TERM", base->term);
	for (size_t i = 0; i < opts->item_count; i++) {
		int err = add_item(env, &opts->items[i], caller);

		if (err)
			return err;
	}
	return words_error(env);
}
