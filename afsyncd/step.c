/*
 * One step done and taken back: renames between STATE/stage and the source, and attributes. See
 * merge.h; which steps, and what their failure means, is apply.c's and undo.c's business.
 *
 * Step N's object is stage/N. Before the step that is what it brings, afterwards what it displaced, if
 * anything: an exchange is one call, so it is the one or the other at every moment.
 */
#include "merge.h"

#include "cleanup.h"
#include "log.h"

#include <fcntl.h>
#include <string.h>

/* A path of the source, as it is when a step looks at it. */
struct target {
	int dirfd; /* borrowed from merge->source */
	const char *name;
	bool exists;
	struct stat st;
};

static int look(int dirfd, const char *name, struct stat *st, bool *exists)
{
	*exists = fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) == 0;
	return *exists || errno == ENOENT ? 0 : -errno;
}

/* -ESTALE: there is no such directory any more. */
static int find_target(struct merge *merge, const char *path, struct target *target)
{
	int err = parents_get(&merge->source, path, &target->dirfd, &target->name);

	if (err == -ENOENT || err == -ENOTDIR || err == -ELOOP)
		return -ESTALE;
	return err ? err : look(target->dirfd, target->name, &target->st, &target->exists);
}

static bool target_is(const struct target *target, const struct plan_seen *seen, bool compare_ctime)
{
	return merge_is_same(seen, target->exists ? &target->st : NULL, compare_ctime);
}

/*
 * Whether what is there is what the step saw, but for what an earlier step has done to the same file
 * under another name of it: a rename changes its ctime, and attributes are all names' own.
 */
static bool is_own_doing(
	const struct merge *merge, const struct merge_step *step, const struct stat *st)
{
	if (!step->seen.mode || S_ISDIR(step->seen.mode))
		return false;
	for (const struct merge_step *other = merge->steps; other < step; other++) {
		if (other->seen.ino != step->seen.ino || other->seen.dev != step->seen.dev ||
			!other->seen.mode || merge->entries[other->entry].stays)
			continue;
		if (merge_is_same(&step->seen, st, false) ||
			(other->kind == STEP_ATTRS && merge_is_same(&other->put, st, false)))
			return true;
	}
	return false;
}

/* ---- moving directories ------------------------------------------------------------------------- */

/* 0: empty; -ESTALE: not; or another -errno. */
static int check_empty(int dirfd, const char *name)
{
	af_autoclose int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	af_steal_fd(&fd);
	do {
		errno = 0;
		entry = readdir(dir);
	} while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
	if (errno)
		return -errno;
	return entry ? -ESTALE : 0;
}

/* All that a rename writes to: the directories of both names, and one that gets another parent. */
static int lend_all(int from, const char *old, int to, const char *new)
{
	const struct {
		int dirfd;
		const char *name;
	} dirs[] = {{from, old}, {to, new}, {from, "."}, {to, "."}};
	int lent = 0;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		int got = dirs_lend_write(dirs[i].dirfd, dirs[i].name);

		if (got < 0)
			return got;
		lent += got;
	}
	return lent;
}

/*
 * renameat2(2), also where directories of the caller's are read-only. Whoever knows their mode gives it
 * back (settle_mode(), dirs_restore_modes()).
 */
static int move(int from, const char *old, int to, const char *new, unsigned int flags)
{
	int err, lent;

	if (renameat2(from, old, to, new, flags) == 0)
		return 0;
	err = -errno;
	lent = err == -EACCES ? lend_all(from, old, to, new) : 0;
	if (lent <= 0)
		return lent ? lent : err;
	return renameat2(from, old, to, new, flags) == 0 ? 0 : -errno;
}

static int settle_mode(int dirfd, const char *name, const struct plan_seen *seen)
{
	return S_ISDIR(seen->mode) ? dirs_set_mode(dirfd, name, seen->mode & 07777) : 0;
}

/* ---- one exchange ------------------------------------------------------------------------------- */

/* Whether stage/N is what it was when it came there; object (mode 0): nothing. 0, -ESTALE or -errno. */
static int check_object(struct merge *merge, const char *name, const struct plan_seen *object)
{
	struct stat st;
	bool exists;
	int err = look(merge->stage_fd, name, &st, &exists);

	if (err)
		return err;
	return merge_is_same(object, exists ? &st : NULL, false) ? 0 : -ESTALE;
}

/*
 * Moves stage/N and what is at the target into each other's place; `here` (mode 0: nothing) is what
 * must be at the target, `object` what must be in stage. -ESTALE, and nothing changed, where it is
 * something else before or afterwards, or a directory that is not empty.
 */
static int swap(struct merge *merge, size_t index, const struct target *target,
	const struct plan_seen *here, const struct plan_seen *object)
{
	struct object_name name = object_name(index);
	unsigned int flags = here->mode && object->mode ? RENAME_EXCHANGE : RENAME_NOREPLACE;
	bool out = here->mode && !object->mode;
	int from = out ? target->dirfd : merge->stage_fd;
	int to = out ? merge->stage_fd : target->dirfd;
	const char *old = out ? target->name : name.text, *new = out ? name.text : target->name;
	struct stat st;
	bool exists;
	int err = check_object(merge, name.text, object);

	if (!err && S_ISDIR(here->mode))
		err = check_empty(target->dirfd, target->name);
	if (!err)
		err = move(from, old, to, new, flags);
	if (err == -EEXIST || err == -ENOENT || err == -ENOTDIR)
		err = -ESTALE;
	if (err || !here->mode)
		return err;
	err = look(merge->stage_fd, name.text, &st, &exists);
	if (!err && (!exists || !merge_is_same(here, &st, false)))
		err = -ESTALE;
	if (!err && S_ISDIR(here->mode))
		err = check_empty(merge->stage_fd, name.text);
	if (!err)
		return settle_mode(merge->stage_fd, name.text, here);
	return renameat2(to, new, from, old, flags) == 0 ? err : -errno;
}

static bool touches_dirs(const struct merge_step *step)
{
	return S_ISDIR(step->seen.mode) || S_ISDIR(step->put.mode);
}

/* ---- attributes --------------------------------------------------------------------------------- */

/* Opens what an attribute step is about, and reads what it has. -ESTALE: it is another file. */
static int read_now(struct merge *merge, const struct merge_step *step, int *fd, struct attrs *now,
	struct stat *st)
{
	struct target target;
	int err = find_target(merge, step->path, &target);

	*st = (struct stat){0};
	if (err)
		return err;
	if (!target.exists)
		return -ESTALE;
	*fd = openat(target.dirfd, target.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (*fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (fstatat(*fd, "", st, AT_EMPTY_PATH) != 0)
		return -errno;
	if (st->st_ino != step->put.ino || st->st_dev != step->put.dev)
		return -ESTALE;
	return attrs_read(now, *fd, st, false);
}

static bool has_seen_attrs(const struct merge *merge, const struct merge_step *step,
	const struct attrs *now, const struct stat *st)
{
	if (!step->seen.mode || merge_is_same(&step->seen, st, true))
		return true;
	return (merge->recovering || is_own_doing(merge, step, st)) &&
		attrs_between(now, &step->before, &step->after);
}

static int do_attrs(struct merge *merge, const struct merge_step *step)
{
	af_autoclose int fd = -1;
	struct attrs now = {0};
	struct stat st;
	int err = read_now(merge, step, &fd, &now, &st);

	if (err)
		return err;
	err = has_seen_attrs(merge, step, &now, &st) ? attrs_write(&step->after, fd, &now)
						     : -ESTALE;
	attrs_fini(&now);
	return err;
}

static int revert_attrs(struct merge *merge, const struct merge_step *step)
{
	af_autoclose int fd = -1;
	struct attrs now = {0};
	struct stat st;
	int err;

	/* Who takes back what made the file needs no attributes. */
	if (!step->seen.mode)
		return 0;
	err = read_now(merge, step, &fd, &now, &st);
	if (err)
		return err;
	/* A directory's mtime is not compared, for names in it change it; but it is ours to take back. */
	if (attrs_equal(&now, &step->before) && now.mtime_ns != step->after.mtime_ns)
		err = 0;
	else if (attrs_between(&now, &step->before, &step->after))
		err = attrs_write(&step->before, fd, &now);
	else
		err = -ESTALE;
	attrs_fini(&now);
	return err;
}

static int attrs_place(struct merge *merge, const struct merge_step *step, enum step_place *place)
{
	af_autoclose int fd = -1;
	struct attrs now = {0};
	struct stat st;
	int err = read_now(merge, step, &fd, &now, &st);

	*place = STEP_TO_DO;
	if (err)
		return err == -ESTALE ? 0 : err;
	/* The times of a new directory that is filled come last: to do it again does no harm. */
	if (attrs_equal(&now, &step->after) && !S_ISDIR(st.st_mode))
		*place = STEP_DONE;
	attrs_fini(&now);
	return 0;
}

/* ---- steps -------------------------------------------------------------------------------------- */

/* Where an object that displaced nothing is: not in stage any more, so in the source, or the delta still. */
static int place_of_new(struct merge *merge, const struct merge_step *step, enum step_place *place)
{
	struct stat st;
	int err = parents_stat(&merge->source, step->path, &st);

	*place = STEP_DONE;
	if (err && err != -ENOENT)
		return err;
	if (!step->take || (!err && st.st_ino == step->put.ino && st.st_dev == step->put.dev))
		return 0;
	if (merge->upper.root_fd < 0) {
		*place = STEP_TO_DO;
		return 0;
	}
	err = parents_stat(&merge->upper, step->from, &st);
	/* Gone from there too: somebody removed it since, or it never came. */
	if (!err && st.st_ino == step->put.ino)
		*place = STEP_TO_DO;
	return err == -ENOENT ? 0 : err;
}

int step_place(struct merge *merge, size_t index, enum step_place *place)
{
	const struct merge_step *step = &merge->steps[index];
	struct stat st;
	bool exists;
	int err;

	if (step->kind == STEP_ATTRS)
		return attrs_place(merge, step, place);
	err = look(merge->stage_fd, object_name(index).text, &st, &exists);
	if (err)
		return err;
	if (!exists && step->kind != STEP_REMOVE && !step->seen.mode)
		return place_of_new(merge, step, place);
	*place = exists && step->seen.mode && st.st_ino == step->seen.ino ? STEP_DONE : STEP_TO_DO;
	return 0;
}

int step_settle(struct merge *merge, size_t index)
{
	const struct merge_step *step = &merge->steps[index];

	if (step->kind == STEP_ATTRS || !step->seen.mode)
		return 0;
	return settle_mode(merge->stage_fd, object_name(index).text, &step->seen);
}

int step_do(struct merge *merge, size_t index)
{
	struct merge_step *step = &merge->steps[index];
	struct plan_seen here = step->seen;
	struct target target;
	int err;

	if (step->kind == STEP_ATTRS)
		return do_attrs(merge, step);
	err = find_target(merge, step->path, &target);
	/* What was taken back before we were killed has been renamed. */
	if (!err && !target_is(&target, &here, !merge->recovering)) {
		if (target.exists && is_own_doing(merge, step, &target.st))
			here = merge_seen(&target.st);
		else
			err = -ESTALE;
	}
	if (!err && step->take)
		err = take_object(merge, index);
	if (!err)
		err = swap(merge, index, &target, &here, &step->put);
	if (touches_dirs(step))
		parents_forget(&merge->source, step->path);
	return err;
}

/* What the step displaced, as it is in stage now; a changed one is as it was seen, and so refused. */
static int look_displaced(struct merge *merge, size_t index, struct plan_seen *object)
{
	const struct merge_step *step = &merge->steps[index];
	struct stat st;
	bool exists;
	int err = look(merge->stage_fd, object_name(index).text, &st, &exists);

	*object = step->seen;
	if (!err && exists && is_own_doing(merge, step, &st))
		*object = merge_seen(&st);
	return err;
}

static int revert_done(struct merge *merge, size_t index)
{
	const struct merge_step *step = &merge->steps[index];
	struct plan_seen object;
	struct target target;
	int err = find_target(merge, step->path, &target);

	if (!err && !target_is(&target, &step->put, false))
		err = -ESTALE;
	if (!err)
		err = look_displaced(merge, index, &object);
	if (!err)
		err = swap(merge, index, &target, &step->put, &object);
	if (!err && step->seen.mode)
		err = settle_mode(target.dirfd, target.name, &step->seen);
	if (touches_dirs(step))
		parents_forget(&merge->source, step->path);
	return err;
}

int step_revert(struct merge *merge, size_t index)
{
	enum step_place place;
	int err;

	if (merge->steps[index].kind == STEP_ATTRS)
		return revert_attrs(merge, &merge->steps[index]);
	err = step_place(merge, index, &place);
	if (!err && place == STEP_DONE)
		err = revert_done(merge, index);
	return err || merge->undoing ? err : take_give_back(merge, index);
}
