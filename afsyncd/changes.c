/*
 * Facts: everything that the delta changes, and what goes with it. See changes.h; what each is compared with
 * is gather.c's, what follows from them plan.c's.
 */
#include "gather.h"

#include "beneath.h"
#include "cleanup.h"
#include "decide.h"
#include "log.h"
#include "scan.h"
#include "show.h"

#include <string.h>

static bool known(const struct origin *origin)
{
	return origin && origin->record.mode != 0;
}

/* ---- directories that are deleted or replaced --------------------------------------------------- */

static int add_below(void *arg, const char *path, const struct stat *st)
{
	struct gather *gather = arg;
	struct fact *fact = facts_add(&gather->below, path);

	(void)st;
	if (!fact)
		return -ENOMEM;
	return gather_fact(gather, fact);
}

/* All that the source has in the directory facts[root] belongs to. */
static int list_below(struct gather *gather, size_t root)
{
	size_t next = gather->below.count;
	int err;

	gather->facts.items[root].below_first = next;
	err = source_list(&gather->source, gather->facts.items[root].path, add_below, gather);
	for (; !err && next < gather->below.count; next++) {
		af_autofree char *path = NULL;

		if (!S_ISDIR(gather->below.items[next].source.st_mode) ||
			gather->below.items[next].refused)
			continue;
		path = strdup(gather->below.items[next].path);
		err = path ? source_list(&gather->source, path, add_below, gather) : -ENOMEM;
	}
	gather->facts.items[root].below_end = gather->below.count;
	if (err == -ENOMEM)
		return err;
	if (err)
		gather->facts.items[root].refused = "what the source has in it cannot be read";
	return 0;
}

/* ---- opaque directories: what is hidden is deleted ---------------------------------------------- */

static int add_hidden(void *arg, const char *path, const struct stat *st)
{
	struct gather *gather = arg;

	(void)st;
	if (facts_find(&gather->facts, path))
		return 0;
	return facts_add(&gather->hidden, path) ? 0 : -ENOMEM;
}

static int by_path(const void *a, const void *b)
{
	const struct fact *x = a, *y = b;

	return facts_compare(x->path, y->path);
}

static bool is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* What was found is a fact, too. lost: ready, and known to be gone. */
static int add_found(struct gather *gather, bool lost)
{
	int err = 0;

	for (size_t i = 0; i < gather->hidden.count && !err; i++) {
		struct fact *fact = facts_add(&gather->facts, gather->hidden.items[i].path);

		if (!fact)
			return -ENOMEM;
		fact->hidden = !lost;
		fact->lost = lost;
		if (lost)
			err = gather_fact(gather, fact);
	}
	if (!err && gather->hidden.count > 0)
		qsort(gather->facts.items, gather->facts.count, sizeof(struct fact), by_path);
	facts_fini(&gather->hidden);
	return err;
}

/* Below an opaque directory nothing of the source is seen, whatever the directories in it say. */
static int expand_opaque(struct gather *gather)
{
	const char *within = NULL;
	int err = 0;

	for (size_t i = 0; i < gather->facts.count && !err; i++) {
		const struct fact *fact = &gather->facts.items[i];
		struct stat st;
		int fd;

		if (!S_ISDIR(fact->upper.st_mode) ||
			!(fact->opaque || (within && is_within(fact->path, within))))
			continue;
		if (!within || !is_within(fact->path, within))
			within = fact->path;
		fd = source_open(&gather->source, fact->path, &st);
		if (fd >= 0)
			close(fd);
		if (S_ISDIR(st.st_mode))
			err = source_list(&gather->source, fact->path, add_hidden, gather);
	}
	return err ? err : add_found(gather, false);
}

/* ---- directories that moved --------------------------------------------------------------------- */

/* Of what moved from gone to dir, that which is not there any more. */
static int find_lost(struct gather *gather, const struct fact *gone, const struct fact *dir)
{
	size_t len = strlen(gone->path);

	for (size_t i = gone->below_first; i < gone->below_end; i++) {
		const char *path = gather->below.items[i].path;
		af_autofree char *now = NULL;

		if (asprintf(&now, "%s%s", dir->path, path + len) < 0) {
			now = NULL;
			return -ENOMEM;
		}
		if (!facts_find(&gather->facts, now) && !facts_add(&gather->hidden, path))
			return -ENOMEM;
	}
	return 0;
}

/* One line says that a directory moved: what was deleted in it, or moved on, needs its own. */
static int expand_moved(struct gather *gather)
{
	int err = 0;

	for (size_t i = 0; i < gather->facts.count && !err; i++) {
		const struct fact *fact = &gather->facts.items[i];
		const struct fact *gone = NULL;

		if (S_ISDIR(fact->upper.st_mode) && fact->old_path)
			gone = facts_find(&gather->facts, fact->old_path);
		if (gone && gone->upper.st_mode == 0)
			err = find_lost(gather, gone, fact);
	}
	return err ? err : add_found(gather, true);
}

/* --only names one side of a rename, and means both. */
static void take_both(struct gather *gather)
{
	for (size_t i = 0; i < gather->facts.count && gather->options->only; i++) {
		const struct fact *fact = &gather->facts.items[i];
		struct fact *gone = NULL;

		if (fact->old_path && fact->taken)
			gone = facts_find(&gather->facts, fact->old_path);
		if (gone && gone->upper.st_mode == 0)
			gone->taken = true;
	}
}

/* ---- three-way merges --------------------------------------------------------------------------- */

static int merge_texts(struct gather *gather, struct fact *fact)
{
	const struct delta_origin *origin = &fact->origin->record;
	struct stat st;
	af_autoclose int upper = beneath_open(gather->delta->upper_fd, fact->path);
	af_autoclose int source = source_open(&gather->source, fact->path, &st);
	struct merge_text mine = {0}, base = {origin->text, origin->text_size}, theirs = {0};
	af_autofree char *mine_text = NULL, *their_text = NULL;
	int got;

	if (upper < 0 || source < 0)
		return 0;
	mine_text = source_text(upper, &mine.size);
	their_text = source_text(source, &theirs.size);
	if (!mine_text || !their_text)
		return 0;
	mine.data = mine_text;
	theirs.data = their_text;
	got = merge3(&mine, &base, &theirs, &fact->merged, &fact->merged_size);
	return got < 0 ? got : 0;
}

/* Texts that both sides have changed. */
static int merge_all(struct gather *gather)
{
	int err = 0;

	if (gather->options->conflict != CONFLICT_MERGE)
		return 0;
	for (size_t i = 0; i < gather->facts.count && !err; i++) {
		struct fact *fact = &gather->facts.items[i];

		if (known(fact->origin) && fact->origin->record.text &&
			S_ISREG(fact->upper.st_mode) && S_ISREG(fact->source.st_mode) &&
			decide_is_conflict(fact))
			err = merge_texts(gather, fact);
	}
	return err;
}

/* ---- all of it ---------------------------------------------------------------------------------- */

static int gather_facts(struct gather *gather)
{
	int err = scan_upper(&gather->facts, gather->delta->upper_fd);

	if (!err)
		err = expand_opaque(gather);
	for (size_t i = 0; i < gather->facts.count && !err; i++)
		err = gather_fact(gather, &gather->facts.items[i]);
	for (size_t i = 0; i < gather->facts.count && !err; i++) {
		const struct fact *fact = &gather->facts.items[i];

		if (S_ISDIR(fact->source.st_mode) && !S_ISDIR(fact->upper.st_mode) &&
			!fact->refused)
			err = list_below(gather, i);
	}
	if (!err)
		err = expand_moved(gather);
	take_both(gather);
	return err ? err : merge_all(gather);
}

/* The caller's policy, or the one in a log that nobody but us or root could have written. */
static int choose_policy(struct gather *gather)
{
	struct af_rules *rules;
	int err;

	if (gather->options->policy) {
		gather->policy = policy_get(gather->options->policy);
		return 0;
	}
	if (!gather->delta->trusted || !gather->origins.policy_text) {
		log_error("the delta's policy is not to be believed: name one (--policy, --preset, "
			  "--rule)");
		return -EPERM;
	}
	rules = rules_new();
	if (!rules) {
		log_error("the delta's policy: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	err = rules_add_named_text(rules, "the delta's policy", gather->origins.policy_text);
	if (!err)
		err = policy_compile(rules, &gather->policy);
	rules_free(rules);
	return err;
}

static int plan_all(struct plan *plan, struct gather *gather)
{
	bool texts = gather->options->conflict == CONFLICT_MERGE;
	int err = origins_load(&gather->origins, gather->delta, texts);

	if (!err && choose_policy(gather) != 0)
		return -EINVAL;
	if (!err)
		err = gather_facts(gather);
	if (!err)
		err = decide_plan(plan, &gather->facts, &gather->below, gather->options->conflict,
			gather->options->conflict_id);
	if (err)
		log_error("the delta cannot be planned: %s", strerror(-err));
	return err;
}

int changes_plan(struct plan *plan, struct af_delta *delta, int source_fd,
	const struct plan_options *options)
{
	struct gather gather = {.options = options, .delta = delta, .as_root = geteuid() == 0};
	int err;

	*plan = (struct plan){0};
	/* Nothing was ever written. */
	if (delta->is_new)
		return 0;
	source_init(&gather.source, source_fd);
	err = plan_all(plan, &gather);
	facts_fini(&gather.facts);
	facts_fini(&gather.below);
	facts_fini(&gather.hidden);
	origins_fini(&gather.origins);
	source_fini(&gather.source);
	policy_put(gather.policy);
	return err;
}
