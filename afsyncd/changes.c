/*
 * Facts: the delta's entries compared with the log, the source, the policy and the lists. See changes.h;
 * what follows from them is plan.c's.
 */
#include "changes.h"

#include "beneath.h"
#include "cleanup.h"
#include "decide.h"
#include "hold.h"
#include "log.h"
#include "origin.h"
#include "scan.h"
#include "show.h"
#include "source.h"

#include <string.h>

/* What is gathered, and from what. */
struct gather {
	const struct plan_options *options;
	struct af_delta *delta;
	struct source source;
	struct origins origins;
	struct af_policy *policy; /* a reference */
	struct facts facts;
	struct facts below;  /* what goes with directories that are deleted or replaced */
	struct facts hidden; /* while opaque directories are expanded */
	bool as_root;        /* owners count */
};

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static bool same_type(mode_t a, mode_t b)
{
	return (a & S_IFMT) == (b & S_IFMT);
}

static bool known(const struct origin *origin)
{
	return origin && origin->record.mode != 0;
}

/* ---- one path ----------------------------------------------------------------------------------- */

static bool attrs_are(
	const struct gather *gather, const struct stat *st, const struct delta_origin *origin)
{
	if (((st->st_mode ^ origin->mode) & 07777) != 0)
		return false;
	return !gather->as_root || (st->st_uid == origin->uid && st->st_gid == origin->gid);
}

/* Whether the source's content is still what the log says. 1, 0 or -errno. */
static int is_unchanged(int object, const struct stat *st, const struct delta_origin *origin)
{
	if (!same_type(st->st_mode, origin->mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		return 1;
	if ((uint64_t)st->st_size != origin->size)
		return 0;
	if (st->st_ino == origin->ino && ns_of(&st->st_mtim) == origin->mtime_ns &&
		(ns_of(&st->st_ctim) == origin->ctime_ns || !origin->has_hash))
		return 1;
	return source_is_hash(object, st, origin);
}

/* The source's side of a fact. */
static int compare_source(struct gather *gather, struct fact *fact, int object)
{
	const struct delta_origin *origin = known(fact->origin) ? &fact->origin->record : NULL;
	int got;

	if (object < 0 || !origin)
		return 0;
	got = is_unchanged(object, &fact->source, origin);
	fact->source_unchanged = got > 0;
	fact->source_attrs_same = attrs_are(gather, &fact->source, origin);
	return got < 0 ? got : 0;
}

/* The delta's side of a fact that both have: are they alike? */
static int compare_both(struct gather *gather, struct fact *fact, int upper, int source)
{
	const struct stat *u = &fact->upper, *s = &fact->source;
	int same = 0;

	if (!same_type(u->st_mode, s->st_mode))
		return 0;
	if (S_ISDIR(u->st_mode) || u->st_size == s->st_size)
		same = source_same_content(upper, source, u);
	if (same < 0)
		return same;
	fact->same_content = same > 0;
	same = S_ISLNK(u->st_mode) ? 1 : source_same_xattrs(upper, source);
	fact->same_attrs = same > 0 && ((u->st_mode ^ s->st_mode) & 07777) == 0 &&
		(!gather->as_root || (u->st_uid == s->st_uid && u->st_gid == s->st_gid));
	return same < 0 ? same : 0;
}

/* Whether xattrs were changed is known only where the source has not changed since. */
static bool xattrs_changed(const struct fact *fact)
{
	return known(fact->origin) && !fact->old && fact->source.st_mode != 0 &&
		ns_of(&fact->source.st_ctim) == fact->origin->record.ctime_ns && !fact->same_attrs;
}

/* The delta's side against what it began as. */
static int compare_origin(struct gather *gather, struct fact *fact, int upper)
{
	const struct origin *base = fact->old ? fact->old : fact->origin;
	const struct delta_origin *origin = known(base) ? &base->record : NULL;
	const struct stat *st = &fact->upper;
	int same = 0;

	fact->content_changed = fact->attrs_changed = true;
	if (!origin || !same_type(st->st_mode, origin->mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		same = 1;
	else if ((uint64_t)st->st_size == origin->size)
		same = source_is_hash(upper, st, origin);
	if (same < 0)
		return same;
	fact->content_changed = !same;
	fact->attrs_changed = !attrs_are(gather, st, origin) || xattrs_changed(fact) ||
		(!S_ISDIR(st->st_mode) && ns_of(&st->st_mtim) != origin->mtime_ns);
	return 0;
}

static int compare(struct gather *gather, struct fact *fact, int source)
{
	af_autoclose int upper = -1;
	int err = compare_source(gather, fact, source);

	if (err || fact->upper.st_mode == 0 || fact->refused)
		return err;
	/* What is new where nothing is needs no look. */
	if (source < 0 && !known(fact->origin) && !fact->old) {
		fact->content_changed = fact->attrs_changed = true;
		return 0;
	}
	upper = beneath_open(gather->delta->upper_fd, fact->path);
	if (upper < 0)
		return upper;
	if (source >= 0)
		err = compare_both(gather, fact, upper, source);
	return err ? err : compare_origin(gather, fact, upper);
}

static void judge(const struct gather *gather, struct fact *fact)
{
	struct af_step step;
	bool is_dir = S_ISDIR(fact->upper.st_mode) ||
		(fact->upper.st_mode == 0 && S_ISDIR(fact->source.st_mode));

	policy_path(gather->policy, fact->path, strlen(fact->path), &step);
	fact->may_write = (is_dir ? step.dir : step.file).level == AF_WRITE;
	/* What it replaces counts as well. */
	if (fact->source.st_mode != 0 && S_ISDIR(fact->source.st_mode) != is_dir)
		fact->may_write =
			fact->may_write && (is_dir ? step.file : step.dir).level == AF_WRITE;
	if (gather->options->only)
		fact->taken = only_takes(gather->options->only, fact->path, is_dir) ||
			(fact->old_path &&
				only_takes(gather->options->only, fact->old_path, is_dir));
}

static int ask_hold(const struct gather *gather, struct fact *fact)
{
	const char *why = NULL;

	if (gather->options->hold)
		why = hold_why(gather->options->hold, fact->path, &fact->upper, fact->target,
			fact->source.st_mode);
	if (!why)
		return 0;
	fact->held = strdup(why);
	return fact->held ? 0 : -ENOMEM;
}

static int look_up_old(struct gather *gather, struct fact *fact)
{
	if (fact->upper.st_mode == 0 || gather->origins.rename_count == 0)
		return 0;
	fact->old_path = origins_old_path(&gather->origins, fact->path);
	if (!fact->old_path)
		return errno ? -errno : 0;
	fact->old = origins_find(&gather->origins, fact->old_path);
	if (known(fact->old) && same_type(fact->old->record.mode, fact->upper.st_mode))
		return 0;
	free(fact->old_path);
	fact->old_path = NULL;
	fact->old = NULL;
	return 0;
}

static int gather_fact(struct gather *gather, struct fact *fact)
{
	af_autoclose int source = source_open(&gather->source, fact->path, &fact->source);
	int err = source == -ENOENT || source == -EXDEV || source >= 0 ? 0 : source;

	if (source == -EXDEV && !fact->refused)
		fact->refused = "another filesystem in the source";
	fact->origin = origins_find(&gather->origins, fact->path);
	if (!err)
		err = look_up_old(gather, fact);
	if (!err)
		err = compare(gather, fact, source);
	if (!err)
		err = ask_hold(gather, fact);
	judge(gather, fact);
	if (err && err != -ENOMEM) {
		/* One file that cannot be read is no reason to merge nothing. */
		fact->refused = "it cannot be read";
		err = 0;
	}
	return err;
}

/* ---- directories that are deleted or replaced --------------------------------------------------- */

static int add_below(void *arg, const char *path, const struct stat *st)
{
	struct gather *gather = arg;
	struct fact *fact = facts_add(&gather->below, path);

	(void)st;
	if (!fact)
		return -ENOMEM;
	fact->below = true;
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
	if (strncmp(path, ".agentfense", 12) == 0 || facts_find(&gather->facts, path))
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
	for (size_t i = 0; i < gather->hidden.count && !err; i++)
		err = facts_add(&gather->facts, gather->hidden.items[i].path) ? 0 : -ENOMEM;
	if (!err && gather->hidden.count > 0)
		qsort(gather->facts.items, gather->facts.count, sizeof(struct fact), by_path);
	return err;
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
	err = rules ? rules_add_named_text(rules, "the delta's policy", gather->origins.policy_text)
		    : -ENOMEM;
	if (!err)
		err = policy_compile(rules, &gather->policy);
	rules_free(rules);
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
	err = origins_load(&gather.origins, delta, options->conflict == CONFLICT_MERGE);
	if (!err)
		err = choose_policy(&gather);
	if (!err)
		err = gather_facts(&gather);
	if (!err)
		err = decide_plan(plan, &gather.facts, &gather.below, options->conflict,
			options->conflict_id);
	if (err && err != -EPERM)
		log_error("the delta cannot be planned: %s", strerror(-err));
	facts_fini(&gather.facts);
	facts_fini(&gather.below);
	facts_fini(&gather.hidden);
	origins_fini(&gather.origins);
	source_fini(&gather.source);
	policy_put(gather.policy);
	return err;
}
