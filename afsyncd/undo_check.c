/*
 * The source against a merge that is to be taken back. See undo_check.h; it only looks.
 */
#include "undo_check.h"

#include "cleanup.h"
#include "log.h"
#include "merge.h"

#include <fcntl.h>
#include <string.h>

/* The paths of all steps, each once, with the last step of each. */
struct last {
	const char *path;
	size_t step;
};

static int compare(const void *a, const void *b)
{
	const struct last *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	/* The latest first. */
	return order ? order : x->step > y->step ? -1 : 1;
}

static int compare_path(const void *key, const void *item)
{
	return strcmp(key, ((const struct last *)item)->path);
}

static int stale(const char *path, const char *why)
{
	log_error("%s: %s since the merge: nothing is undone", path, why);
	return -ESTALE;
}

/* A directory that the merge made may hold nothing but what the merge put there. */
static int check_entries(
	struct merge *merge, const struct last *lasts, size_t count, const char *path)
{
	af_autoclosedir DIR *stream = NULL;
	const struct dirent *entry;
	int dir, fd, err = parents_get_dir(&merge->source, path, &dir);

	if (err)
		return err;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	stream = fd < 0 ? NULL : fdopendir(fd);
	if (!stream)
		return -errno;
	while ((errno = 0, entry = readdir(stream))) {
		af_autofree char *child = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&child, "%s/%s", path, entry->d_name) < 0) {
			child = NULL;
			return -ENOMEM;
		}
		if (!bsearch(child, lasts, count, sizeof(*lasts), compare_path))
			return stale(child, "made");
	}
	return -errno;
}

static int check_attrs(struct merge *merge, const struct merge_step *step)
{
	enum step_place place;
	struct stat st;
	int err = parents_stat(&merge->source, step->path, &st);

	if (err)
		return err == -ENOENT ? stale(step->path, "removed") : err;
	if (st.st_ino != step->put.ino || st.st_dev != step->put.dev)
		return stale(step->path, "replaced");
	/* Of a directory the times are no matter. */
	if (S_ISDIR(st.st_mode))
		return ((st.st_mode ^ step->after.mode) & 07777) == 0
			? 0
			: stale(step->path, "changed");
	err = step_place(merge, (size_t)(step - merge->steps), &place);
	if (err)
		return err;
	return place == STEP_DONE ? 0 : stale(step->path, "changed");
}

static int check_last(struct merge *merge, const struct merge_step *step)
{
	struct stat st;
	int err;

	if (step->kind == STEP_ATTRS)
		return check_attrs(merge, step);
	err = parents_stat(&merge->source, step->path, &st);
	if (err && err != -ENOENT)
		return err;
	if (merge_is_same(&step->put, err ? NULL : &st, false))
		return 0;
	return stale(step->path, step->put.mode ? "changed" : "made");
}

static int list(const struct merge *merge, struct last **lasts, size_t *count)
{
	size_t kept = 0;

	*count = 0;
	*lasts = reallocarray(NULL, merge->step_count + 1, sizeof(**lasts));
	if (!*lasts)
		return -ENOMEM;
	for (size_t i = 0; i < merge->step_count; i++)
		if (!merge->entries[merge->steps[i].entry].stays)
			(*lasts)[(*count)++] =
				(struct last){.path = merge->steps[i].path, .step = i};
	qsort(*lasts, *count, sizeof(**lasts), compare);
	for (size_t i = 0; i < *count; i++)
		if (kept == 0 || strcmp((*lasts)[kept - 1].path, (*lasts)[i].path) != 0)
			(*lasts)[kept++] = (*lasts)[i];
	*count = kept;
	return 0;
}

int undo_check(struct merge *merge)
{
	af_autofree struct last *lasts = NULL;
	size_t count;
	int err = list(merge, &lasts, &count);

	for (size_t i = 0; i < count && !err; i++)
		err = check_last(merge, &merge->steps[lasts[i].step]);
	for (size_t i = 0; i < merge->step_count && !err; i++) {
		const struct merge_step *step = &merge->steps[i];

		if (step->kind == STEP_MKDIR && !merge->entries[step->entry].stays)
			err = check_entries(merge, lasts, count, step->path);
	}
	return err;
}
