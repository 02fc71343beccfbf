/*
 * The walk before a directory's rename. See tree.h. It only looks.
 */
#include "fs.h"

#include "cleanup.h"
#include "merge.h"
#include "tree.h"

#include <string.h>

/* One directory on the way down: its stream and its states at both paths. */
struct level {
	struct layer_dir at; /* owned */
	struct af_merge merge;
	struct af_state from, to;
	size_t from_len, to_len; /* of the paths, to return to */
};

struct walk {
	struct af_fs *fs;
	struct af_policy *policy;
	struct level *levels;
	size_t depth, room;
	char *from, *to; /* the directory's paths, for where states are not cached */
};

static int append(char **path, size_t len, const char *name)
{
	size_t name_len = strlen(name);
	char *longer = realloc(*path, len + name_len + 2);

	if (!longer)
		return -ENOMEM;
	longer[len] = '/';
	memcpy(longer + len + 1, name, name_len + 1);
	*path = longer;
	return 0;
}

/* The verdicts of a child; by its whole path where the directory's state is not known. */
static int step(struct walk *walk, struct af_state state, char **path, size_t len, const char *name,
	struct af_step *out)
{
	int err;

	if (state.id) {
		policy_step(walk->policy, state, name, strlen(name), out);
		return 0;
	}
	err = append(path, len, name);
	if (!err)
		policy_path(walk->policy, *path, strlen(*path), out);
	(*path)[len] = '\0';
	return err;
}

static bool settled(const struct af_step *from, const struct af_step *to)
{
	return (from->dir.flags & AF_V_UNIFORM) && (to->dir.flags & AF_V_UNIFORM);
}

static int open_level(struct walk *walk, const struct layer_dir *at, const char *name,
	struct layer_dir *dir, struct af_merge *merge)
{
	struct af_found found;
	int err = overlay_open_dir(walk->fs, at, name, dir, &found);

	if (!err) {
		err = merge_open(merge, walk->fs, dir);
		if (err)
			layer_dir_close(dir);
	}
	/* What cannot be looked into does not move as a whole: mv(1) then copies what it can. */
	return err == -EACCES || err == -EMFILE || err == -ENFILE ? -EXDEV : err;
}

static int push(struct walk *walk, const struct layer_dir *at, const char *name,
	const struct af_step *from, const struct af_step *to)
{
	struct level *level;
	int err;

	if (walk->depth == walk->room) {
		size_t room = walk->room ? walk->room * 2 : 16;
		struct level *levels = reallocarray(walk->levels, room, sizeof(*levels));

		if (!levels)
			return -ENOMEM;
		walk->levels = levels;
		walk->room = room;
	}
	level = &walk->levels[walk->depth];
	*level = (struct level){.from = from->state,
		.to = to->state,
		.from_len = strlen(walk->from),
		.to_len = strlen(walk->to)};
	err = open_level(walk, at, name, &level->at, &level->merge);
	if (!err)
		walk->depth++;
	return err;
}

static void pop(struct walk *walk)
{
	walk->depth--;
	merge_close(&walk->levels[walk->depth].merge);
	layer_dir_close(&walk->levels[walk->depth].at);
	if (walk->depth > 0) {
		const struct level *above = &walk->levels[walk->depth - 1];

		walk->from[above->from_len] = '\0';
		walk->to[above->to_len] = '\0';
	}
}

static int is_directory(
	struct walk *walk, const struct layer_dir *at, const struct merge_entry *entry)
{
	struct af_found found;
	int err;

	if (entry->type != DT_UNKNOWN)
		return entry->type == DT_DIR;
	err = overlay_stat(walk->fs, at, entry->name, &found);
	return err ? err : S_ISDIR(found.st.st_mode);
}

static int check_entry(struct walk *walk, const struct merge_entry *entry)
{
	const struct level *level = &walk->levels[walk->depth - 1];
	struct layer_dir at = level->at; /* levels may move in memory */
	int is_dir = is_directory(walk, &at, entry);
	struct af_step from, to;
	int err;

	if (is_dir < 0)
		return is_dir;
	err = step(walk, level->from, &walk->from, level->from_len, entry->name, &from);
	if (!err)
		err = step(walk, level->to, &walk->to, level->to_len, entry->name, &to);
	if (err)
		return err;
	if ((is_dir ? from.dir : from.file).level < AF_WRITE ||
		(is_dir ? to.dir : to.file).level < AF_WRITE)
		return -EXDEV;
	if (!is_dir || settled(&from, &to))
		return 0;
	err = append(&walk->from, level->from_len, entry->name);
	if (!err)
		err = append(&walk->to, level->to_len, entry->name);
	return err ? err : push(walk, &at, entry->name, &from, &to);
}

static int run(struct walk *walk)
{
	int err = 0;

	while (!err && walk->depth > 0) {
		struct merge_entry entry;

		err = merge_next(&walk->levels[walk->depth - 1].merge, &entry);
		if (err == 0)
			pop(walk);
		else if (err > 0)
			err = check_entry(walk, &entry);
	}
	return err;
}

int tree_may_move(struct af_fs *fs, const struct gate_view *view, const struct af_dirfd *dirfd,
	const char *name, const char *old_path, const char *new_path)
{
	struct walk walk = {.fs = fs, .policy = view->policy};
	struct af_step from, to;
	int err = -ENOMEM;

	policy_path(view->policy, old_path, strlen(old_path), &from);
	policy_path(view->policy, new_path, strlen(new_path), &to);
	if (from.dir.level < AF_WRITE || to.dir.level < AF_WRITE)
		return -EACCES;
	if (settled(&from, &to))
		return 0;
	walk.from = strdup(old_path);
	walk.to = strdup(new_path);
	if (walk.from && walk.to)
		err = push(&walk, &dirfd->at, name, &from, &to);
	if (!err)
		err = run(&walk);
	while (walk.depth > 0)
		pop(&walk);
	free(walk.levels);
	free(walk.from);
	free(walk.to);
	return err;
}
