/*
 * Which paths were asked for: --only and --exclude. See hold.h. It knows names, and looks at no tree.
 */
#include "hold.h"

#include "cleanup.h"
#include "io.h"
#include "log.h"
#include "names.h"
#include "policy.h"

#include <fcntl.h>
#include <string.h>

enum { LIST_MAX = 1 << 30 }; /* bytes: of a list of paths */

struct sync_only {
	bool all;     /* no list was given */
	char *data;   /* owned; the list's text, which paths point into */
	char **paths; /* owned; sorted; without a slash at either end; "" is everything */
	size_t count, room;
	struct af_policy *exclude; /* none: excluded; NULL: nothing is */
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A path as people and tools write it, without ./ or / before it or / after it. */
static char *trim(char *path)
{
	size_t len;

	for (;;) {
		if (*path == '/')
			path++;
		else if (path[0] == '.' && path[1] == '/')
			path += 2;
		else
			break;
	}
	len = strlen(path);
	while (len > 0 && path[len - 1] == '/')
		path[--len] = '\0';
	if (strcmp(path, ".") == 0)
		path[0] = '\0';
	return path;
}

static int add_path(struct sync_only *only, char *path)
{
	if (only->count == only->room) {
		size_t room = only->room ? only->room * 2 : 64;
		char **more = reallocarray(only->paths, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		only->paths = more;
		only->room = room;
	}
	only->paths[only->count++] = trim(path);
	return 0;
}

/* Cuts the text into paths. An empty line names nothing. */
static int split_list(struct sync_only *only, size_t size, bool nul)
{
	char *next = only->data, *end = only->data + size;

	while (next < end) {
		char *stop = memchr(next, nul ? '\0' : '\n', (size_t)(end - next));
		char *path = next;

		stop = stop ? stop : end;
		*stop = '\0';
		next = stop + 1;
		if (!nul)
			names_unescape(path);
		if (*path && add_path(only, path))
			return -ENOMEM;
	}
	if (only->count)
		qsort(only->paths, only->count, sizeof(*only->paths), by_text);
	return 0;
}

static int read_list(struct sync_only *only, const char *file, bool nul)
{
	bool standard = strcmp(file, "-") == 0;
	af_autoclose int opened = standard ? -1 : open(file, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	int err = standard || opened >= 0 ? 0 : -errno;

	if (!err)
		err = io_read_all(standard ? STDIN_FILENO : opened, LIST_MAX, &only->data, &size);
	if (only->data && !nul && memchr(only->data, '\0', size)) {
		log_error("--only: %s: has NUL bytes: use -0", file);
		return -EINVAL;
	}
	if (only->data)
		err = split_list(only, size, nul);
	if (err)
		log_error("--only: %s: %s", file, strerror(-err));
	return err;
}

static int compile_exclude(struct sync_only *only, const char *const *patterns, size_t count)
{
	struct af_rules *rules = rules_new();
	int err = rules ? 0 : -ENOMEM;

	if (rules)
		rules_set_default(rules, AF_WRITE);
	for (size_t i = 0; i < count && !err; i++) {
		af_autofree char *rule = NULL;

		if (asprintf(&rule, "none:%s", patterns[i]) < 0) {
			rule = NULL;
			err = -ENOMEM;
		} else {
			err = rules_add_text(rules, rule, "--exclude");
		}
	}
	if (!err)
		err = policy_compile(rules, &only->exclude);
	if (err == -ENOMEM)
		log_error("--exclude: %s", strerror(-err));
	rules_free(rules);
	return err;
}

int only_load(struct sync_only **only, const char *file, bool nul, const char *const *exclude,
	size_t count)
{
	struct sync_only *made = calloc(1, sizeof(*made));
	int err = 0;

	if (!made) {
		log_error("--only: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	made->all = !file;
	if (file)
		err = read_list(made, file, nul);
	if (!err && count)
		err = compile_exclude(made, exclude, count);
	if (err) {
		only_free(made);
		return err;
	}
	*only = made;
	return 0;
}

void only_free(struct sync_only *only)
{
	if (!only)
		return;
	policy_put(only->exclude);
	free(only->paths);
	free(only->data);
	free(only);
}

/* How the first len bytes of path compare to the path that is listed. */
static int compare_prefix(const char *path, size_t len, const char *listed)
{
	int order = strncmp(path, listed, len);

	return order ? order : listed[len] ? -1 : 0;
}

static bool is_listed(const struct sync_only *only, const char *path, size_t len)
{
	size_t low = 0, high = only->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_prefix(path, len, only->paths[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

bool only_excludes(const struct sync_only *only, const char *path, bool is_dir)
{
	struct af_step step;

	if (!only->exclude)
		return false;
	policy_path(only->exclude, path, strlen(path), &step);
	return (is_dir ? step.dir.level : step.file.level) == AF_NONE;
}

bool only_takes(const struct sync_only *only, const char *path, bool is_dir)
{
	bool taken = only->all || is_listed(only, path, 0);
	size_t len = strlen(path);

	for (size_t i = 1; i <= len && !taken; i++)
		if (i == len || path[i] == '/')
			taken = is_listed(only, path, i);
	return taken && !only_excludes(only, path, is_dir);
}
