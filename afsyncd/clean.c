/*
 * What was merged, taken out of the delta: its files, whiteouts and directories, and what the log says of
 * them. Nothing is removed that is not what was merged, so to do it again, after a kill, does no harm.
 */
#include "merge.h"

#include "clean.h"
#include "cleanup.h"
#include "log.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* A path of the delta that may leave it. */
struct path {
	const char *text; /* as long as len says */
	size_t len;
	const struct plan_seen *seen; /* what it had; NULL: a whiteout, or a directory in between */
	bool is_merged;               /* a change of its own, and not only on the way to one */
};

struct paths {
	struct path *items; /* owned */
	size_t count, room;
};

static int add(struct paths *paths, struct path path)
{
	if (paths->count == paths->room) {
		size_t room = paths->room * 2 + 64;
		struct path *items = reallocarray(paths->items, room, sizeof(*items));

		if (!items)
			return -ENOMEM;
		paths->items = items;
		paths->room = room;
	}
	paths->items[paths->count++] = path;
	return 0;
}

/* What lies below comes first; of equals, what is merged, and known. */
static int compare(const void *a, const void *b)
{
	const struct path *one = a, *other = b;
	size_t len = one->len < other->len ? one->len : other->len;
	int order = memcmp(other->text, one->text, len);

	if (order)
		return order;
	if (one->len != other->len)
		return one->len < other->len ? 1 : -1;
	if (one->is_merged != other->is_merged)
		return one->is_merged ? -1 : 1;
	return (one->seen == NULL) - (other->seen == NULL);
}

/* The path and the directories on the way to it that the last one has not brought already. */
static int add_way(struct paths *paths, const char *text, const struct plan_seen *seen)
{
	const char *last = paths->count ? paths->items[paths->count - 1].text : "";
	size_t len = strlen(text);
	int err = add(paths,
		(struct path){.text = text,
			.len = len,
			.seen = seen && seen->mode ? seen : NULL,
			.is_merged = true});

	while (!err && len > 0) {
		while (len > 0 && text[len - 1] != '/')
			len--;
		if (len == 0 || (strncmp(last, text, len) == 0))
			break;
		len--;
		err = add(paths, (struct path){.text = text, .len = len});
	}
	return err;
}

static int add_all(struct paths *paths, const struct merge *merge)
{
	int err = 0;

	for (size_t i = 0; i < merge->entry_count && !err; i++) {
		const struct merge_entry *entry = &merge->entries[i];

		if (entry->stays)
			continue;
		err = add_way(paths, entry->path, &entry->upper);
		if (!err && entry->old_path)
			err = add_way(paths, entry->old_path, NULL);
	}
	for (size_t i = 0; i < merge->step_count && !err; i++) {
		const struct merge_step *step = &merge->steps[i];
		const char *from =
			step->kind == STEP_REMOVE || step->kind == STEP_LINK || !step->from
			? step->path
			: step->from;

		if (!merge->entries[step->entry].stays)
			err = add_way(paths, from, &step->upper);
	}
	return err;
}

/* ---- what stays --------------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_staying(struct staying *staying, const struct merge *merge)
{
	staying->count = 0;
	staying->paths = reallocarray(NULL, merge->entry_count + 1, sizeof(*staying->paths));
	if (!staying->paths)
		return -ENOMEM;
	for (size_t i = 0; i < merge->entry_count; i++) {
		if (merge->entries[i].stays)
			staying->paths[staying->count++] = merge->entries[i].path;
	}
	if (staying->count)
		qsort(staying->paths, staying->count, sizeof(*staying->paths), compare_texts);
	return 0;
}

static bool stays(const struct staying *staying, const char *path)
{
	return staying->count &&
		bsearch(&path, staying->paths, staying->count, sizeof(path), compare_texts);
}

/*
 * A deletion that stays may be one only because a directory above is opaque, which it will not be any
 * longer: then it gets a whiteout of its own.
 */
static int keep_deletion(struct merge *merge, const struct merge_entry *entry)
{
	const char *name;
	struct stat st;
	int fd, err;

	if (!entry->stays || entry->letter == PLAN_RENAMED || entry->upper.mode ||
		parents_stat(&merge->source, entry->path, &st) != 0)
		return 0;
	err = parents_get(&merge->upper, entry->path, &fd, &name);
	if (!err && fstatat(fd, "", &st, AT_EMPTY_PATH) != 0)
		err = -errno;
	if (err)
		return err == -ENOENT || err == -ENOTDIR || err == -ELOOP ? 0 : err;
	if (mknodat(fd, name, S_IFCHR, makedev(0, 0)) != 0)
		return errno == EEXIST ? 0 : -errno;
	return dirs_keep_time(fd, &st);
}

/* ---- files and directories ---------------------------------------------------------------------- */

/* Whether the source has the directory as the delta has it. */
static bool is_container(struct merge *merge, const char *path, const struct stat *upper)
{
	struct stat st;

	return parents_stat(&merge->source, path, &st) == 0 && S_ISDIR(st.st_mode) &&
		st.st_mode == upper->st_mode && st.st_uid == upper->st_uid &&
		st.st_gid == upper->st_gid;
}

/* A directory that the sandbox has made read-only, writable for as long as it takes. */
struct lent {
	int dirfd; /* borrowed; -1: nothing was lent */
	mode_t mode;
};

/* 0 or -errno: -EACCES where that was not why. */
static int lend(struct lent *lent, int dirfd)
{
	struct stat st;
	int got = dirs_lend_write(dirfd, ".");

	*lent = (struct lent){.dirfd = -1};
	if (got <= 0)
		return got ? got : -EACCES;
	if (fstatat(dirfd, "", &st, AT_EMPTY_PATH) != 0)
		return -errno;
	*lent = (struct lent){.dirfd = dirfd, .mode = st.st_mode & 07777 & ~(mode_t)S_IWUSR};
	return 0;
}

static int give_back(const struct lent *lent, int err)
{
	int rc = dirs_set_mode(lent->dirfd, ".", lent->mode);

	return err ? err : rc;
}

static int unlink_name(int dirfd, const char *name, int flags)
{
	struct lent lent;
	int err;

	if (unlinkat(dirfd, name, flags) == 0)
		return 0;
	if (errno != EACCES)
		return -errno;
	err = lend(&lent, dirfd);
	if (err)
		return err;
	err = unlinkat(dirfd, name, flags) == 0 ? 0 : -errno;
	return give_back(&lent, err);
}

static int remove_name(int dirfd, const char *name, int flags)
{
	struct stat st;
	int err = fstatat(dirfd, "", &st, AT_EMPTY_PATH) == 0 ? unlink_name(dirfd, name, flags)
							      : -errno;

	return err ? err : dirs_keep_time(dirfd, &st);
}

static int remove_opaque(int fd)
{
	char link[32];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return removexattr(link, DELTA_XATTR_OPAQUE) == 0 || errno == ENODATA ? 0 : -errno;
}

/* Takes away that it hides what the source has: merged, that would hide what it brought itself. */
static int make_transparent(int dirfd, const char *name)
{
	af_autoclose int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct lent lent;
	int err;

	if (fd < 0)
		return -errno;
	if (!delta_is_opaque(fd))
		return 0;
	err = remove_opaque(fd);
	if (err != -EACCES)
		return err;
	err = lend(&lent, fd);
	return err ? err : give_back(&lent, remove_opaque(fd));
}

static int clean_dir(struct merge *merge, const struct path *path, const char *text, int dirfd,
	const char *name, const struct stat *st)
{
	int err = 0;

	if (path->is_merged || is_container(merge, text, st)) {
		err = remove_name(dirfd, name, AT_REMOVEDIR);
		if (!err)
			parents_forget(&merge->upper, text);
	}
	if (err == -ENOTEMPTY || err == -EEXIST)
		err = make_transparent(dirfd, name);
	return err;
}

static int clean_path(struct merge *merge, const struct path *path, const struct staying *staying)
{
	af_autofree char *text = strndup(path->text, path->len);
	const char *name;
	struct stat st;
	int dirfd, err;

	if (!text)
		return -ENOMEM;
	err = parents_get(&merge->upper, text, &dirfd, &name);
	if (!err && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		err = -errno;
	if (err)
		return err == -ENOENT || err == -ENOTDIR || err == -ELOOP ? 0 : err;
	/* A directory whose own change stays must not hide what was merged into it. */
	if (stays(staying, text))
		return S_ISDIR(st.st_mode) ? make_transparent(dirfd, name) : 0;
	if (S_ISDIR(st.st_mode))
		return clean_dir(merge, path, text, dirfd, name, &st);
	/* What came there since, after a kill, has not been merged. */
	if (delta_is_whiteout(&st)
			? path->seen != NULL
			: !path->seen || !merge_is_same(path->seen, &st, merge->recovering))
		return 0;
	return remove_name(dirfd, name, 0);
}

static bool same_text(const struct path *a, const struct path *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

static int clean_upper(
	struct merge *merge, const struct paths *paths, const struct staying *staying)
{
	int err = 0;

	for (size_t i = 0; i < merge->entry_count && !err; i++)
		err = keep_deletion(merge, &merge->entries[i]);
	for (size_t i = 0; i < paths->count && !err; i++) {
		if (i == 0 || !same_text(&paths->items[i], &paths->items[i - 1]))
			err = clean_path(merge, &paths->items[i], staying);
	}
	dirs_keep_upper_times(merge);
	return err;
}

int clean_delta(struct merge *merge, struct af_delta *delta)
{
	struct staying staying;
	struct paths paths = {0};
	int err = list_staying(&staying, merge);

	/* Nothing stays, and nobody could have written to it since. */
	if (!err && staying.count == 0 && !merge->recovering) {
		free(staying.paths);
		return delta_reset(delta);
	}
	if (!err)
		err = add_all(&paths, merge);
	if (!err && paths.count)
		qsort(paths.items, paths.count, sizeof(*paths.items), compare);
	if (!err)
		err = clean_upper(merge, &paths, &staying);
	free(paths.items);
	if (!err)
		err = clean_log(merge, delta, &staying);
	free(staying.paths);
	return err;
}
