/*
 * What goes together: a directory and what is in it, both sides of a rename. See decide.h. Pure; what each is
 * by itself has been decided.
 */
#include "decide_internal.h"

#include "scan.h"

#include <errno.h>
#include <string.h>

static bool is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

size_t decide_parent(const struct facts *facts, size_t index)
{
	const char *path = facts->items[index].path, *slash = strrchr(path, '/');
	const struct fact *parent =
		slash ? facts_find_prefix(facts, path, (size_t)(slash - path)) : NULL;

	return parent ? (size_t)(parent - facts->items) : SIZE_MAX;
}

/* Why nothing can be put into a directory that the source has not got; NULL: it can be made. */
static const char *why_unusable(const struct planner *planner, size_t index, const char *above)
{
	const struct fact *fact = &planner->facts->items[index];
	const struct decided *decided = &planner->decided[index];

	if (!S_ISDIR(fact->upper.st_mode) || S_ISDIR(fact->source.st_mode))
		return NULL;
	if (above)
		return above;
	if (fact->taken)
		return decided->fate == FATE_STAY || decided->fate == FATE_DROP ? decided->why
										: NULL;
	/* One that was only not asked for is made on the way, but replaces nothing. */
	if (fact->source.st_mode != 0)
		return "the directory that it is in was not asked for";
	return decide_barrier(fact);
}

static int follow_parent(const struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	static const struct decided nothing;
	struct decided *decided = &planner->decided[index];
	size_t up = decide_parent(planner->facts, index);
	const struct decided *parent = up == SIZE_MAX ? &nothing : &planner->decided[up];
	int err = 0;

	if (parent->unusable && fact->upper.st_mode && decided->fate != FATE_STAY &&
		decided->fate != FATE_NOTHING) {
		bool drop = parent->fate == FATE_DROP;

		decided->listed = decided->fate != FATE_IMPLIED;
		err = decide_fate(decided, drop ? FATE_DROP : FATE_STAY,
			planner->facts->items[up].taken ? parent->letter : PLAN_HELD,
			parent->unusable);
	}
	if (parent->frozen && fact->hidden && decided->fate != FATE_STAY)
		err = decide_fate(decided, FATE_STAY, PLAN_HELD, "the directory is held back");
	decided->unusable = why_unusable(planner, index, parent->unusable);
	decided->frozen = S_ISDIR(fact->upper.st_mode) &&
		(parent->frozen ||
			(fact->opaque && decided->fate == FATE_STAY &&
				decided->letter == PLAN_HELD));
	return err;
}

/* ---- renames ------------------------------------------------------------------------------------ */

/* Whether the fact moved along with the directory that it is in. */
static bool moved_along(const struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	size_t up = decide_parent(planner->facts, index);
	const struct fact *parent = up == SIZE_MAX ? NULL : &planner->facts->items[up];

	return parent &&
		(planner->decided[up].letter == PLAN_RENAMED || planner->decided[up].along) &&
		parent->old_path && fact->old_path && is_within(fact->old_path, parent->old_path) &&
		strcmp(fact->old_path + strlen(parent->old_path),
			fact->path + strlen(parent->path)) == 0;
}

/* The deletion that a path goes with: its own, or that of a directory above it; or NULL. */
static struct decided *find_deletion(const struct planner *planner, const char *path)
{
	const struct facts *facts = planner->facts;
	size_t len = strlen(path);
	const struct fact *fact = facts_find(facts, path);

	while (!fact || fact->lost) {
		while (len > 0 && path[len - 1] != '/')
			len--;
		if (len == 0)
			return NULL;
		fact = facts_find_prefix(facts, path, --len);
	}
	return fact->upper.st_mode == 0 ? &planner->decided[fact - facts->items] : NULL;
}

/* Where what moved does not arrive, it does not leave either. */
static int stay_behind(const struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	const struct decided *decided = &planner->decided[index];
	struct decided *gone;

	if (!fact->old_path || (decided->fate != FATE_STAY && decided->fate != FATE_DROP))
		return 0;
	gone = find_deletion(planner, fact->old_path);
	if (!gone || gone->fate != FATE_DO)
		return 0;
	gone->listed = decided->listed;
	return decide_fate(gone, decided->fate, fact->taken ? decided->letter : PLAN_DELETED,
		"what it became is not merged");
}

/* What was in a directory that moved goes with that, or not at all. */
static void go_along(const struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	const struct decided *root;

	if (!fact->lost)
		return;
	root = find_deletion(planner, fact->path);
	if (root && root->fate == FATE_DO && root->moved)
		return;
	planner->decided[index].fate = FATE_NOTHING;
	planner->decided[index].listed = false;
}

static void find_rename(const struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	struct decided *decided = &planner->decided[index], *from;
	const struct decided *root;
	const struct fact *gone;

	if (!fact->old_path || decided->fate != FATE_DO || decided->letter == PLAN_CONFLICT)
		return;
	if (moved_along(planner, index)) {
		decided->along = true;
		decided->letter = fact->content_changed ? PLAN_MODIFIED : PLAN_MODE;
		decided->listed =
			fact->content_changed || fact->attrs_changed || fact->mtime_changed;
		return;
	}
	gone = facts_find(planner->facts, fact->old_path);
	if (!gone || gone->upper.st_mode != 0)
		return;
	from = &planner->decided[gone - planner->facts->items];
	root = gone->lost ? find_deletion(planner, gone->path) : from;
	if (from->fate != FATE_DO || from->letter != PLAN_DELETED || from->moved || !root ||
		root->fate != FATE_DO)
		return;
	decided->letter = PLAN_RENAMED;
	from->moved = true;
	from->moved_to = index;
	from->listed = false;
}

int decide_moves(const struct planner *planner)
{
	size_t count = planner->facts->count;
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = follow_parent(planner, i);
	for (size_t i = 0; i < count && !err; i++)
		err = stay_behind(planner, i);
	for (size_t i = 0; i < count && !err; i++)
		find_rename(planner, i);
	for (size_t i = 0; i < count && !err; i++)
		go_along(planner, i);
	return err;
}
