/*
 * One path's facts: the delta's entry compared with the log, the source, the policy and the lists. See
 * gather.h.
 */
#include "gather.h"

#include "beneath.h"
#include "cleanup.h"
#include "hold.h"

#include <string.h>

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

/* An object and what its xattrs sum up to. */
struct side {
	int fd; /* O_PATH; -ENOENT: nothing is there */
	bool known;
	uint64_t xattrs;
};

static int sum_side(struct side *side, const struct stat *st, bool in_delta)
{
	side->known = true;
	side->xattrs = 0;
	return S_ISLNK(st->st_mode)
		? 0
		: source_sum_xattrs(side->fd, in_delta, &side->xattrs, &side->known);
}

/* Xattrs of which nothing is known are taken for what they were. */
static bool attrs_are(const struct gather *gather, const struct side *side, const struct stat *st,
	const struct delta_origin *origin)
{
	if (((st->st_mode ^ origin->mode) & 07777) != 0)
		return false;
	if (side->known && origin->has_xattrs && side->xattrs != origin->xattrs)
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
static int compare_source(struct gather *gather, struct fact *fact, struct side *source)
{
	const struct delta_origin *origin = known(fact->origin) ? &fact->origin->record : NULL;
	int got;

	if (source->fd < 0)
		return 0;
	got = sum_side(source, &fact->source, false);
	if (got < 0 || !origin)
		return got;
	got = is_unchanged(source->fd, &fact->source, origin);
	fact->source_unchanged = got > 0;
	fact->source_attrs_same = attrs_are(gather, source, &fact->source, origin);
	return got < 0 ? got : 0;
}

/* The delta's side of a fact that both have: are they alike? */
static int compare_both(struct gather *gather, struct fact *fact, const struct side *upper,
	const struct side *source)
{
	const struct stat *u = &fact->upper, *s = &fact->source;
	int same = 0;

	if (!same_type(u->st_mode, s->st_mode))
		return 0;
	if (S_ISDIR(u->st_mode) || u->st_size == s->st_size)
		same = source_same_content(upper->fd, source->fd, u);
	if (same < 0)
		return same;
	fact->same_content = same > 0;
	same = upper->known && source->known && upper->xattrs == source->xattrs;
	/* None are none; with some, the sums may be equal by chance. */
	if (same && upper->xattrs != 0)
		same = source_same_xattrs(upper->fd, source->fd);
	fact->same_attrs = same > 0 && ((u->st_mode ^ s->st_mode) & 07777) == 0 &&
		(!gather->as_root || (u->st_uid == s->st_uid && u->st_gid == s->st_gid));
	return same < 0 ? same : 0;
}

/* What moved, unchanged, to where the source has another: for that one it is a change. */
static void compare_replaced(struct fact *fact)
{
	fact->attrs_changed |= !fact->same_attrs;
	fact->mtime_changed |= !S_ISDIR(fact->upper.st_mode) &&
		ns_of(&fact->upper.st_mtim) != ns_of(&fact->source.st_mtim);
}

/* The delta's side against what it began as. */
static int compare_origin(struct gather *gather, struct fact *fact, const struct side *upper)
{
	const struct origin *base = fact->old ? fact->old : fact->origin;
	const struct delta_origin *origin = known(base) ? &base->record : NULL;
	const struct stat *st = &fact->upper;
	int same = 0;

	fact->content_changed = fact->attrs_changed = true;
	fact->mtime_changed = !S_ISDIR(st->st_mode);
	if (!origin || !same_type(st->st_mode, origin->mode))
		return 0;
	if (S_ISDIR(st->st_mode))
		same = 1;
	else if ((uint64_t)st->st_size == origin->size)
		same = source_is_hash(upper->fd, st, origin);
	if (same < 0)
		return same;
	fact->content_changed = !same;
	fact->attrs_changed = !attrs_are(gather, upper, st, origin);
	fact->mtime_changed = !S_ISDIR(st->st_mode) && ns_of(&st->st_mtim) != origin->mtime_ns;
	if (fact->old && fact->source.st_mode != 0)
		compare_replaced(fact);
	return 0;
}

static int compare(struct gather *gather, struct fact *fact, int source_fd)
{
	af_autoclose int upper_fd = -1;
	struct side source = {.fd = source_fd}, upper;
	int err = compare_source(gather, fact, &source);

	if (err || fact->upper.st_mode == 0 || fact->refused)
		return err;
	/* What is new where nothing is needs no look. */
	if (source_fd < 0 && !known(fact->origin) && !fact->old) {
		fact->content_changed = fact->attrs_changed = true;
		fact->mtime_changed = !S_ISDIR(fact->upper.st_mode);
		return 0;
	}
	upper_fd = beneath_open(gather->delta->upper_fd, fact->path);
	if (upper_fd < 0)
		return upper_fd;
	upper = (struct side){.fd = upper_fd};
	err = sum_side(&upper, &fact->upper, true);
	if (!err && source_fd >= 0)
		err = compare_both(gather, fact, &upper, &source);
	return err ? err : compare_origin(gather, fact, &upper);
}

static bool is_dir(const struct fact *fact)
{
	return S_ISDIR(fact->upper.st_mode ? fact->upper.st_mode : fact->source.st_mode);
}

/* The rule by which the level is too low, in words. */
static int forbid(const struct gather *gather, struct fact *fact, const struct af_verdict *verdict)
{
	const struct af_rule *rule = policy_rule(gather->policy, verdict);
	const char *level = level_name(verdict->level);
	int len = rule ? asprintf(&fact->forbidden, "policy: %s by %s:%u: %s", level, rule->file,
				 rule->line, rule->pattern)
		       : asprintf(&fact->forbidden, "policy: %s by default", level);

	if (len >= 0)
		return 0;
	fact->forbidden = NULL;
	return -ENOMEM;
}

static int judge(const struct gather *gather, struct fact *fact)
{
	const struct af_verdict *verdict;
	bool dir = is_dir(fact);
	struct af_step step;

	policy_path(gather->policy, fact->path, strlen(fact->path), &step);
	verdict = dir ? &step.dir : &step.file;
	/* What it replaces counts as well. */
	if (verdict->level == AF_WRITE && fact->source.st_mode &&
		S_ISDIR(fact->source.st_mode) != dir)
		verdict = dir ? &step.file : &step.dir;
	return verdict->level == AF_WRITE ? 0 : forbid(gather, fact, verdict);
}

/* Either side of a rename takes both, and so does either leave both out. */
static void ask_only(const struct gather *gather, struct fact *fact)
{
	const struct sync_only *only = gather->options->only;
	bool dir = is_dir(fact);

	if (!only)
		return;
	fact->taken = only_takes(only, fact->path, dir);
	if (!fact->old_path)
		return;
	fact->taken = (fact->taken || only_takes(only, fact->old_path, dir)) &&
		!only_excludes(only, fact->path, dir) && !only_excludes(only, fact->old_path, dir);
}

static int ask_hold(const struct gather *gather, struct fact *fact)
{
	const char *why = NULL;

	if (gather->options->hold)
		why = hold_why(gather->options->hold, fact->path, &fact->upper, fact->target,
			fact->source.st_mode);
	if (gather->options->hold && !why && S_ISLNK(fact->upper.st_mode)) {
		int out = source_leads_out(&gather->source, fact->path, fact->target);

		if (out < 0)
			return out;
		if (out)
			why = "a symlink that leaves the source by another";
	}
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

static int look_at_it(struct gather *gather, struct fact *fact)
{
	/* Where it was is to be known also of what cannot be read: for what is there stays then. */
	int err = look_up_old(gather, fact);
	af_autoclose int source = source_open(&gather->source, fact->path, &fact->source);

	if (err)
		return err;
	if (source < 0 && source != -ENOENT && source != -EXDEV)
		return source;
	if (source == -EXDEV && !fact->refused)
		fact->refused = "another filesystem in the source";
	return compare(gather, fact, source);
}

int gather_fact(struct gather *gather, struct fact *fact)
{
	int err;

	fact->origin = origins_find(&gather->origins, fact->path);
	err = look_at_it(gather, fact);
	if (err && err != -ENOMEM) {
		/* One file that cannot be read is no reason to merge nothing. */
		fact->refused = "it cannot be read";
		err = 0;
	}
	if (!err)
		err = ask_hold(gather, fact);
	if (!err)
		err = judge(gather, fact);
	ask_only(gather, fact);
	return err;
}
