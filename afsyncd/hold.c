/*
 * What is held back, and why. See hold.h: the list (policies/hold.conf), and what no list of names can
 * say. It judges one change at a time from what it is told of it, and looks at no tree.
 */
#include "hold.h"

#include "cleanup.h"
#include "log.h"
#include "path.h"
#include "policy.h"

#include <string.h>

/* Above whatever the list says. */
#define ASKED_PRIORITY "1000000"

/* What deciding changes. */
struct hold_room {
	struct af_policy *policy; /* owned */
	char why[256];            /* the answer before this one's place */
};

struct sync_hold {
	struct hold_room *room; /* owned */
};

static int add_patterns(struct af_rules *rules, const char *const *patterns, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++) {
		af_autofree char *rule = NULL;

		if (asprintf(&rule, "none@" ASKED_PRIORITY ":%s", patterns[i]) < 0) {
			rule = NULL;
			log_error("--hold: %s", strerror(ENOMEM));
			return -ENOMEM;
		}
		err = rules_add_text(rules, rule, "--hold");
	}
	return err;
}

int hold_load_list(
	struct sync_hold **hold, const char *list, const char *const *patterns, size_t count)
{
	struct sync_hold *made = calloc(1, sizeof(*made));
	struct af_rules *rules = rules_new();
	int err = -ENOMEM;

	if (made)
		made->room = calloc(1, sizeof(*made->room));
	if (rules && made && made->room) {
		err = rules_add_file(rules, list);
		if (!err)
			err = add_patterns(rules, patterns, count);
		if (!err)
			err = policy_compile(rules, &made->room->policy);
	} else {
		log_error("--hold: %s", strerror(ENOMEM));
	}
	rules_free(rules);
	if (err) {
		hold_free(made);
		return err;
	}
	*hold = made;
	return 0;
}

int hold_load(struct sync_hold **hold, const char *const *patterns, size_t count)
{
	af_autofree char *list = path_find_data("policies/hold.conf");
	int err = list ? 0 : -errno;

	if (err) {
		log_error("policies/hold.conf: %s", strerror(-err));
		return err;
	}
	return hold_load_list(hold, list, patterns, count);
}

void hold_free(struct sync_hold *hold)
{
	if (!hold)
		return;
	if (hold->room)
		policy_put(hold->room->policy);
	free(hold->room);
	free(hold);
}

/* A full cache forgets states, and is_way_to_listed() compares them. */
static void renew_if_full(struct hold_room *room)
{
	struct af_policy *fresh = policy_is_full(room->policy) ? policy_renew(room->policy) : NULL;

	if (!fresh)
		return;
	policy_put(room->policy);
	room->policy = fresh;
}

static const char *why_listed(struct hold_room *room, const struct af_verdict *verdict)
{
	const struct af_rule *rule = policy_rule(room->policy, verdict);

	if (verdict->level != AF_NONE)
		return NULL;
	snprintf(room->why, sizeof(room->why), "listed: %s", rule ? rule->pattern : "default");
	return room->why;
}

/*
 * Whether a directory of this name would lead to something listed that one of another name beside it
 * would not lead to: a symlink there gives what is listed a new place (.github -> innocent/).
 */
static bool is_way_to_listed(struct hold_room *room, const char *path, const struct af_step *step)
{
	const char *slash = strrchr(path, '/');
	struct af_step parent, other;

	policy_path(room->policy, path, slash ? (size_t)(slash - path) : 0, &parent);
	if (parent.state.id == 0 || step->state.id == 0)
		return true;
	policy_step(room->policy, parent.state, "\1", 1, &other);
	return other.state.id != step->state.id;
}

/*
 * Whether a symlink at path may lead out of the source. The directories above it are real ones, so `..`
 * at the target's beginning climbs them; after a name, which may be a symlink, it could climb anything.
 */
static bool leaves_source(const char *path, const char *target)
{
	size_t depth = 0;
	bool after_name = false;

	if (*target == '/')
		return true;
	for (; *path; path++)
		depth += *path == '/';
	while (*target) {
		size_t len = strcspn(target, "/");
		bool up = len == 2 && target[0] == '.' && target[1] == '.';

		if (up && (after_name || depth == 0))
			return true;
		if (up)
			depth--;
		else if (len > 1 || (len == 1 && target[0] != '.'))
			after_name = true;
		target += len;
		target += strspn(target, "/");
	}
	return false;
}

static bool is_git(const char *name, size_t len)
{
	return len == 4 && strncasecmp(name, ".git", 4) == 0;
}

static bool is_hooks(const char *name, size_t len)
{
	static const char *const names[] = {
		"hooks", ".hooks", "githooks", ".githooks", "git-hooks"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strlen(names[i]) == len && strncasecmp(name, names[i], len) == 0)
			return true;
	return false;
}

/* Whether a directory above path is one of those. */
static bool is_below(const char *path, bool (*is_one)(const char *name, size_t len))
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (path[len] == '\0')
			return false;
		if (is_one(path, len))
			return true;
		path += len + 1;
	}
}

static bool becomes_executable(const struct stat *upper, mode_t source_mode)
{
	return S_ISREG(upper->st_mode) && (upper->st_mode & 0111) &&
		!(S_ISREG(source_mode) && (source_mode & 0111));
}

static const char *why_unlisted(struct hold_room *room, const char *path, const struct stat *upper,
	const char *target, mode_t source_mode, const struct af_step *step)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (is_git(name, strlen(name)) && !S_ISDIR(upper->st_mode))
		return "a .git that is no directory";
	if (S_ISLNK(upper->st_mode) && (!target || leaves_source(path, target)))
		return "a symlink that leaves the source";
	if (S_ISLNK(upper->st_mode) && is_way_to_listed(room, path, step))
		return "a symlink where a directory of listed files would be";
	if (!becomes_executable(upper, source_mode))
		return NULL;
	if (is_below(path, is_git))
		return "becomes executable under .git";
	return is_below(path, is_hooks) ? "becomes executable as a hook" : NULL;
}

const char *hold_why(const struct sync_hold *hold, const char *path, const struct stat *upper,
	const char *target, mode_t source_mode)
{
	bool is_dir = upper->st_mode ? S_ISDIR(upper->st_mode) : S_ISDIR(source_mode);
	struct hold_room *room = hold->room;
	struct af_step step;
	const char *why;

	renew_if_full(room);
	policy_path(room->policy, path, strlen(path), &step);
	why = why_listed(room, is_dir ? &step.dir : &step.file);
	if (!why && upper->st_mode)
		why = why_unlisted(room, path, upper, target, source_mode, &step);
	return why;
}
