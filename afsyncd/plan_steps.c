/*
 * What is to be done, in its order: facts and what becomes of them -> steps. See decide.h and plan.h. Pure.
 */
#include "decide_internal.h"

#include "cleanup.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static struct plan_seen seen_of(const struct stat *st)
{
	return (struct plan_seen){
		.mode = st->st_mode,
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
		.ctime_ns = (int64_t)st->st_ctim.tv_sec * 1000000000 + st->st_ctim.tv_nsec,
	};
}

static struct plan_step *add_step(struct planner *planner, enum plan_step_kind kind, size_t entry,
	const char *path, const char *from)
{
	struct plan *plan = planner->plan;
	struct plan_step *step;

	if (plan->step_count == planner->step_room) {
		size_t room = planner->step_room ? planner->step_room * 2 : 64;
		struct plan_step *steps = reallocarray(plan->steps, room, sizeof(*steps));

		if (!steps)
			return NULL;
		plan->steps = steps;
		planner->step_room = room;
	}
	step = &plan->steps[plan->step_count];
	*step = (struct plan_step){.kind = kind, .entry = entry, .path = strdup(path)};
	plan->step_count++;
	if (step->path && from)
		step->from = strdup(from);
	return step->path && (step->from || !from) ? step : NULL;
}

static int add_remove(struct planner *planner, size_t entry, const struct fact *fact)
{
	struct plan_step *step = add_step(planner, STEP_REMOVE, entry, fact->path, NULL);

	if (!step)
		return -ENOMEM;
	step->seen = seen_of(&fact->source);
	return 0;
}

/* A directory with all that the source has in it, from the inside out. */
static int remove_all(struct planner *planner, size_t index, size_t entry)
{
	const struct fact *root = &planner->facts->items[index];
	int err = 0;

	/* They were listed from the outside in. */
	for (size_t i = root->below_end; i-- > root->below_first && !err;)
		err = add_remove(planner, entry, &planner->below->items[i]);
	return err ? err : add_remove(planner, entry, root);
}

static int make_dir(struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];

	planner->decided[index].made = true;
	/* One that was not asked for, but is on the way to something that was. */
	planner->plan->entries[index].stays = false;
	return add_step(planner, STEP_MKDIR, index, fact->path, fact->path) ? 0 : -ENOMEM;
}

/* The directories above, as far as the source has not got them. */
static int make_parents(struct planner *planner, size_t index)
{
	size_t chain = decide_parent(planner->facts, index);
	const struct fact *fact;
	int err = 0;

	if (chain == SIZE_MAX)
		return 0;
	fact = &planner->facts->items[chain];
	if (planner->decided[chain].made || S_ISDIR(fact->source.st_mode))
		return 0;
	err = make_parents(planner, chain);
	return err ? err : make_dir(planner, chain);
}

/* NAME.conflict-ID beside the source's own; the name is cut where it would be too long. */
static char *name_beside(const struct planner *planner, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t tail = strlen(".conflict-") + strlen(planner->conflict_id), len = strlen(name);
	char *beside = NULL;

	if (len + tail > NAME_MAX)
		len = tail < NAME_MAX ? NAME_MAX - tail : 0;
	/* Not within a character. */
	while (len > 0 && len < strlen(name) && ((unsigned char)name[len] & 0xc0) == 0x80)
		len--;
	if (asprintf(&beside, "%.*s%.*s.conflict-%s", (int)(name - path), path, (int)len, name,
		    planner->conflict_id) < 0)
		return NULL;
	return beside;
}

/* The place in links of this file of the delta, which has other names; 0 in it: none is put yet. */
static size_t *find_link(const struct planner *planner, size_t index)
{
	const struct stat *st = &planner->facts->items[index].upper;
	size_t i = st->st_ino & planner->links_mask;

	for (; planner->links[i]; i = (i + 1) & planner->links_mask) {
		const struct fact *other = &planner->facts->items[planner->links[i] - 1];

		if (other->upper.st_ino == st->st_ino && other->upper.st_dev == st->st_dev)
			break;
	}
	return &planner->links[i];
}

/* The path that this file of the delta was put at first; or NULL. */
static const char *first_name(const struct planner *planner, size_t index)
{
	size_t *link;

	if (!decide_has_links(&planner->facts->items[index]))
		return NULL;
	link = find_link(planner, index);
	if (*link)
		return planner->facts->items[*link - 1].path;
	*link = index + 1;
	return NULL;
}

static int put(struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	const struct decided *decided = &planner->decided[index];
	bool beside = decided->fate == FATE_BESIDE;
	const char *first = beside || fact->merged ? NULL : first_name(planner, index);
	af_autofree char *name = beside ? name_beside(planner, fact->path) : strdup(fact->path);
	struct plan_step *step;

	if (!name)
		return -ENOMEM;
	step = first ? add_step(planner, STEP_LINK, index, name, first)
		     : add_step(planner, STEP_PUT, index, name, fact->path);
	if (!step)
		return -ENOMEM;
	step->keep_attrs = step->kind == STEP_PUT && !beside && decide_keeps_attrs(fact);
	/* What was a directory is gone by then. */
	if (!beside && !S_ISDIR(fact->source.st_mode))
		step->seen = seen_of(&fact->source);
	if (fact->merged && decided->fate == FATE_DO && decided->letter == PLAN_CONFLICT) {
		step->content = malloc(fact->merged_size + 1);
		if (!step->content)
			return -ENOMEM;
		memcpy(step->content, fact->merged, fact->merged_size);
		step->content_size = fact->merged_size;
	}
	return 0;
}

static int make_one(struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	const struct decided *decided = &planner->decided[index];
	bool is_dir = S_ISDIR(fact->upper.st_mode);
	int err = 0;

	if (decided->fate != FATE_DO && decided->fate != FATE_BESIDE)
		return 0;
	if (!decide_is_put(decided))
		return 0;
	err = make_parents(planner, index);
	if (!err && decided->kind == DECIDE_TYPE && decided->fate == FATE_DO) {
		if (S_ISDIR(fact->source.st_mode))
			err = remove_all(planner, index, index);
		else if (is_dir)
			err = add_remove(planner, index, fact);
	}
	if (err || planner->decided[index].made)
		return err;
	return is_dir ? make_dir(planner, index) : put(planner, index);
}

static int add_attrs(struct planner *planner, size_t index, bool dirs)
{
	const struct fact *fact = &planner->facts->items[index];
	const struct decided *decided = &planner->decided[index];
	struct plan_step *step;

	if (decided->fate != FATE_DO || decided->kind != DECIDE_ATTRS ||
		S_ISDIR(fact->upper.st_mode) != dirs)
		return 0;
	step = add_step(planner, STEP_ATTRS, index, fact->path, fact->path);
	if (!step)
		return -ENOMEM;
	step->seen = seen_of(&fact->source);
	return 0;
}

static int add_deletion(struct planner *planner, size_t index)
{
	const struct fact *fact = &planner->facts->items[index];
	const struct decided *decided = &planner->decided[index];
	size_t entry = decided->moved ? decided->moved_to : index;

	if (decided->fate != FATE_DO || decided->kind != DECIDE_DELETE || fact->lost)
		return 0;
	if (S_ISDIR(fact->source.st_mode))
		return remove_all(planner, index, entry);
	return add_remove(planner, entry, fact);
}

int decide_steps(struct planner *planner)
{
	size_t count = planner->facts->count, size = 16;
	int err = 0;

	while (size < count * 2)
		size *= 2;
	planner->links = calloc(size, sizeof(*planner->links));
	planner->links_mask = size - 1;
	if (!planner->links)
		return -ENOMEM;
	for (size_t i = 0; i < count && !err; i++)
		err = make_one(planner, i);
	for (size_t i = 0; i < count && !err; i++)
		err = add_attrs(planner, i, false);
	for (size_t i = count; i-- > 0 && !err;)
		err = add_deletion(planner, i);
	for (size_t i = count; i-- > 0 && !err;)
		err = add_attrs(planner, i, true);
	free(planner->links);
	return err;
}
