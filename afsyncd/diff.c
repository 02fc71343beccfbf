/*
 * --diff: a plan as a patch. See show.h for what it is, and diff.h for its parts.
 *
 * The plan's steps are what will happen, so they are what is shown, not the entries: each path's first
 * and last step give the file before and after. What goes comes first, so that a directory can come
 * where a file was, and the other way round, also for tools that go from top to bottom.
 */
#include "show.h"

#include "cleanup.h"
#include "diff.h"
#include "log.h"

#include <string.h>

/* What happens to one path that is or becomes a file or a symlink. */
struct change {
	const char *path;
	const struct plan_step *first, *last;
	const struct change *moved_from; /* a removal that this is the other end of */
	bool moved;                      /* ... and that removal */
};

struct differ {
	FILE *out;
	const struct plan *plan;
	int upper, source; /* O_PATH, borrowed */
	mode_t mask;       /* of the modes of new files */
	struct change *changes;
	size_t count;
	size_t gits; /* steps in .git directories, which are left out */
	int err;     /* the first */
};

static int by_path(const void *a, const void *b)
{
	const struct change *left = a, *right = b;
	int order = strcmp(left->path, right->path);

	return order ? order : left->first < right->first ? -1 : 1;
}

static int by_name(const void *name, const void *change)
{
	return strcmp(name, ((const struct change *)change)->path);
}

/* Whether the step is about what a diff is about. */
static bool is_of_file(const struct plan_step *step)
{
	switch (step->kind) {
	case STEP_PUT:
	case STEP_LINK:
		return true;
	case STEP_ATTRS:
	case STEP_REMOVE:
		return step->seen.mode && !S_ISDIR(step->seen.mode);
	case STEP_MKDIR:
		break;
	}
	return false;
}

/* Whether git refuses the path in a patch: a component is .git, in any case of letters. */
static bool is_in_git(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 4 && strncasecmp(path, ".git", 4) == 0)
			return true;
		path += len + (path[len] == '/');
	}
	return false;
}

/* The steps by path, each path's from the first to the last. 0 or -ENOMEM. */
static int gather(struct differ *differ)
{
	const struct plan *plan = differ->plan;
	struct change *changes = calloc(plan->step_count + 1, sizeof(*changes));
	size_t steps = 0, count = 0;

	if (!changes)
		return -ENOMEM;
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct plan_step *step = &plan->steps[i];

		if (is_in_git(step->path))
			differ->gits++;
		else if (is_of_file(step))
			changes[steps++] =
				(struct change){.path = step->path, .first = step, .last = step};
	}
	qsort(changes, steps, sizeof(*changes), by_path);
	for (size_t i = 0; i < steps; i++) {
		if (count && strcmp(changes[i].path, changes[count - 1].path) == 0)
			changes[count - 1].last = changes[i].last;
		else
			changes[count++] = changes[i];
	}
	differ->changes = changes;
	differ->count = count;
	return 0;
}

static struct change *find_change(const struct differ *differ, const char *path)
{
	return bsearch(path, differ->changes, differ->count, sizeof(*differ->changes), by_name);
}

static bool stays_there(const struct change *change)
{
	return change->last->kind != STEP_REMOVE;
}

/* Whether something of a path below dir is changed; after: and is there then. */
static bool has_below(const struct differ *differ, const char *dir, bool after)
{
	size_t low = 0, high = differ->count, len = strlen(dir);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *path = differ->changes[middle].path;
		int order = strncmp(path, dir, len);

		if (order < 0 || (order == 0 && (unsigned char)path[len] < '/'))
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < differ->count; low++) {
		const char *path = differ->changes[low].path;

		if (strncmp(path, dir, len) != 0 || path[len] != '/')
			break;
		if (!after || stays_there(&differ->changes[low]))
			return true;
	}
	return false;
}

/* ---- renames ------------------------------------------------------------------------------------ */

static int by_entry(const void *path, const void *entry)
{
	return strcmp(path, ((const struct plan_entry *)entry)->path);
}

/* The renamed entry that the path is of: itself, or the nearest directory above it. */
static const struct plan_entry *find_renamed(const struct plan *plan, const char *path)
{
	af_autofree char *above = strdup(path);
	char *end = above ? above + strlen(above) : NULL;

	while (end) {
		const struct plan_entry *entry;

		*end = '\0';
		entry = bsearch(above, plan->entries, plan->entry_count, sizeof(*entry), by_entry);
		if (entry && entry->old_path)
			return entry;
		end = strrchr(above, '/');
	}
	return NULL;
}

/* Where what is now at path was, newly allocated; NULL: it was not renamed, or no memory. */
static char *old_path_of(const struct plan *plan, const char *path)
{
	const struct plan_entry *entry = find_renamed(plan, path);
	char *old;

	if (!entry || asprintf(&old, "%s%s", entry->old_path, path + strlen(entry->path)) < 0)
		return NULL;
	return old;
}

/* Only where a plain removal and a plain new file are the two ends: anything else is told as it is. */
static void pair_renames(struct differ *differ)
{
	for (size_t i = 0; i < differ->count; i++) {
		struct change *change = &differ->changes[i];
		af_autofree char *old = NULL;
		struct change *from;

		if (change->last->kind != STEP_PUT || change->first->seen.mode)
			continue;
		old = old_path_of(differ->plan, change->path);
		from = old ? find_change(differ, old) : NULL;
		if (!from || from->moved || stays_there(from) || !from->first->seen.mode)
			continue;
		change->moved_from = from;
		from->moved = true;
	}
}

/* ---- what a diff cannot say --------------------------------------------------------------------- */

static void tell(const char *path, const char *what)
{
	log_warn("--diff: %s: not in it: %s", path, what);
}

static void tell_attributes(const struct differ *differ, const struct change *change,
	const struct diff_side *before, const struct diff_side *after)
{
	mode_t usual = (after->mode & 0100 ? 0777 : 0666) & ~differ->mask;
	mode_t mode = after->st.st_mode & 07777;

	if (change->last->kind == STEP_LINK)
		tell(change->path, "that it is a hard link");
	if (after->has_xattrs)
		tell(change->path, "its extended attributes");
	if (S_ISREG(after->st.st_mode) && mode != usual &&
		!(before->mode == after->mode && mode == (before->st.st_mode & 07777)))
		tell(change->path, "all bits of its mode");
	if (before->mode ? before->st.st_uid != after->st.st_uid ||
				before->st.st_gid != after->st.st_gid
			 : after->st.st_uid != geteuid())
		tell(change->path, "its owner");
}

static void tell_directories(const struct differ *differ)
{
	for (size_t i = 0; i < differ->plan->step_count; i++) {
		const struct plan_step *step = &differ->plan->steps[i];
		const struct plan_entry *entry = &differ->plan->entries[step->entry];

		if (is_in_git(step->path))
			continue;
		if (step->kind == STEP_MKDIR && !has_below(differ, step->path, true))
			tell(step->path, "an empty directory");
		else if (step->kind == STEP_REMOVE && S_ISDIR(step->seen.mode) &&
			!has_below(differ, step->path, false))
			tell(step->path, "that an empty directory goes");
		else if (step->kind == STEP_ATTRS && S_ISDIR(step->seen.mode) &&
			entry->letter == PLAN_MODE && strcmp(entry->path, step->path) == 0)
			tell(step->path, "attributes of a directory");
	}
}

/* ---- one change --------------------------------------------------------------------------------- */

static int read_before(
	const struct differ *differ, const struct change *change, struct diff_side *before)
{
	int err = side_read(before, differ->source, change->path);

	if (!err && (before->st.st_mode & S_IFMT) != (change->first->seen.mode & S_IFMT))
		return -ESTALE;
	return err;
}

/* A hard link has what an earlier step put at its first name. */
static const struct plan_step *step_of_content(
	const struct differ *differ, const struct change *change)
{
	const struct change *first =
		change->last->kind == STEP_LINK ? find_change(differ, change->last->from) : change;

	return first && first->last->kind == STEP_PUT ? first->last : NULL;
}

static int read_after(const struct differ *differ, const struct change *change,
	const struct diff_side *before, struct diff_side *after)
{
	const struct plan_step *step = step_of_content(differ, change);
	int err;

	if (change->last->kind == STEP_REMOVE)
		return 0;
	if (change->last->kind == STEP_ATTRS) {
		err = side_read(after, differ->upper, change->last->from);
		return err ? err : side_set_content(after, before->data, before->size);
	}
	if (!step)
		return -ESTALE;
	err = side_read(after, differ->upper, step->from);
	if (!err && step->content)
		err = side_set_content(after, step->content, step->content_size);
	return err;
}

/* A file that becomes a symlink, or the other way round, goes and comes again. */
static bool changes_type(const struct diff_side *before, const struct diff_side *after)
{
	return before->mode && after->mode && (before->mode ^ after->mode) & S_IFMT;
}

static int show_pair(struct differ *differ, const struct change *change, bool removals,
	struct diff_side *before, struct diff_side *after)
{
	const char *old_path = change->moved_from ? change->moved_from->path : change->path;
	static const struct diff_side none;

	if (removals)
		return diff_file(differ->out, old_path, before, old_path, &none);
	if (changes_type(before, after)) {
		tell_attributes(differ, change, &none, after);
		return diff_file(differ->out, change->path, &none, change->path, after);
	}
	if (before->mode == after->mode && strcmp(old_path, change->path) == 0 &&
		side_is_same(before, after)) {
		tell(change->path, "attributes");
		return 0;
	}
	tell_attributes(differ, change, before, after);
	return diff_file(differ->out, old_path, before, change->path, after);
}

static void show_change(struct differ *differ, const struct change *change, bool removals)
{
	const struct change *origin = change->moved_from ? change->moved_from : change;
	struct diff_side before = {0}, after = {0};
	int err = origin->first->seen.mode && !S_ISDIR(origin->first->seen.mode)
		? read_before(differ, origin, &before)
		: 0;

	if (!err)
		err = read_after(differ, change, &before, &after);
	if (!err)
		err = show_pair(differ, change, removals, &before, &after);
	side_fini(&before);
	side_fini(&after);
	if (!err)
		return;
	if (err == -ESTALE)
		log_error("--diff: %s: changed meanwhile", change->path);
	else
		log_error("--diff: %s: %s", change->path, strerror(-err));
	if (!differ->err)
		differ->err = err;
}

/* Whether it goes, or goes and comes again as something else. */
static bool is_removal(const struct differ *differ, const struct change *change)
{
	const struct plan_step *step = step_of_content(differ, change);
	mode_t seen = change->first->seen.mode & S_IFMT;

	if (!stays_there(change))
		return !change->moved;
	return step && seen && seen != S_IFDIR && side_type(differ->upper, step->from) != seen;
}

static void show_changes(struct differ *differ)
{
	for (size_t i = 0; i < differ->count; i++)
		if (is_removal(differ, &differ->changes[i]))
			show_change(differ, &differ->changes[i], true);
	for (size_t i = 0; i < differ->count; i++)
		if (stays_there(&differ->changes[i]))
			show_change(differ, &differ->changes[i], false);
}

int diff_plan(FILE *out, const struct plan *plan, const struct af_delta *delta, int source_fd)
{
	struct differ differ = {
		.out = out, .plan = plan, .upper = delta->upper_fd, .source = source_fd};
	int err;

	differ.mask = umask(0);
	umask(differ.mask);
	err = gather(&differ);
	if (err) {
		log_error("--diff: %s", strerror(-err));
	} else {
		pair_renames(&differ);
		show_changes(&differ);
		tell_directories(&differ);
		if (differ.gits)
			log_warn("--diff: .git: not in it: %zu changes, for git applies none there",
				differ.gits);
		err = differ.err;
	}
	free(differ.changes);
	errno = 0;
	if (!err && (fflush(out) != 0 || ferror(out)))
		err = errno ? -errno : -EIO;
	return err;
}
