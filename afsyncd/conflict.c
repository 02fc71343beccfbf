/*
 * A change against the source as it is now: what it is, whether it is a conflict, who is later. See
 * decide.h.
 */
#include "decide.h"

static bool known(const struct origin *origin)
{
	return origin && origin->record.mode != 0;
}

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static bool has_base(const struct fact *fact)
{
	return known(fact->old ? fact->old : fact->origin);
}

/* Attributes only, and not already the source's. */
static enum decide_kind attrs_or_nothing(const struct fact *fact)
{
	bool attrs = fact->attrs_changed && !fact->same_attrs;
	/* Where both have made the same content, when is no matter. (The log may not know what it was.) */
	bool touched = fact->mtime_changed && (!fact->content_changed || fact->source_unchanged) &&
		ns_of(&fact->upper.st_mtim) != ns_of(&fact->source.st_mtim);

	return has_base(fact) && (attrs || touched) ? DECIDE_ATTRS : DECIDE_NOTHING;
}

static enum decide_kind kind_of_dir(const struct fact *fact)
{
	if (fact->source.st_mode == 0)
		return known(fact->origin) && !fact->old ? DECIDE_IMPLIED : DECIDE_ADD;
	if (!S_ISDIR(fact->source.st_mode))
		return DECIDE_TYPE;
	/* That both have made it is nothing; that both have and one has changed it, is. */
	return known(fact->origin) ? attrs_or_nothing(fact) : DECIDE_NOTHING;
}

static enum decide_kind kind_of_file(const struct fact *fact)
{
	bool touched = fact->content_changed || fact->attrs_changed || fact->mtime_changed;

	if (fact->source.st_mode == 0)
		return known(fact->origin) && !fact->old && !touched ? DECIDE_NOTHING : DECIDE_ADD;
	if ((fact->source.st_mode & S_IFMT) != (fact->upper.st_mode & S_IFMT))
		return DECIDE_TYPE;
	if (fact->same_content)
		return attrs_or_nothing(fact);
	/* Its content is as it was: what the source has made of its own stays. */
	if (known(fact->origin) && !fact->old && !fact->content_changed)
		return attrs_or_nothing(fact);
	return DECIDE_MODIFY;
}

enum decide_kind decide_kind(const struct fact *fact)
{
	if (fact->upper.st_mode == 0)
		return fact->source.st_mode == 0 ? DECIDE_NOTHING : DECIDE_DELETE;
	return S_ISDIR(fact->upper.st_mode) ? kind_of_dir(fact) : kind_of_file(fact);
}

/* The source has given a file that is there other attributes than it had. */
static bool has_new_attrs(const struct fact *fact)
{
	return known(fact->origin) && fact->source.st_mode != 0 && !fact->source_attrs_same;
}

bool decide_keeps_attrs(const struct fact *fact)
{
	return decide_kind(fact) == DECIDE_MODIFY && S_ISREG(fact->upper.st_mode) && !fact->old &&
		has_new_attrs(fact) && !fact->attrs_changed;
}

bool decide_is_conflict(const struct fact *fact)
{
	switch (decide_kind(fact)) {
	case DECIDE_NOTHING:
	case DECIDE_IMPLIED:
		return false;
	case DECIDE_ADD:
		/* Gone from the source, and changed here. */
		return known(fact->origin) && !fact->old;
	case DECIDE_MODIFY:
		if (has_new_attrs(fact) && !fact->same_attrs && !decide_keeps_attrs(fact))
			return true;
		return !known(fact->origin) || !fact->source_unchanged;
	case DECIDE_DELETE:
	case DECIDE_TYPE:
		return !known(fact->origin) || !fact->source_unchanged || has_new_attrs(fact);
	case DECIDE_ATTRS:
		return has_new_attrs(fact);
	}
	return true;
}

bool decide_is_later(const struct fact *fact)
{
	int64_t ours = fact->upper.st_mode ? ns_of(&fact->upper.st_ctim)
		: fact->origin             ? fact->origin->removed_ns
					   : 0;

	return fact->source.st_mode == 0 || ours >= ns_of(&fact->source.st_ctim);
}
