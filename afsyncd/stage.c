/*
 * One object made ready in STATE/stage, under its step's number: copied there before the merge is
 * committed, or moved there afterwards. See merge.h; it never touches the source.
 */
#include "merge.h"

#include "cleanup.h"
#include "copy.h"
#include "io.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

/* A FIFO that was put there meanwhile is opened without waiting, and then found to be one. */
enum { OPEN_FILE = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC };

static int unescape(void *arg, const char *name, char *out)
{
	(void)arg;
	return delta_xattr_unescape(out, XATTR_NAME_MAX + 1, name);
}

/* How copies get their attributes; set-id bits only for directories, which pass on their group. */
static struct copy_attrs how_to_copy(mode_t mode)
{
	return (struct copy_attrs){
		.owner = geteuid() == 0,
		.owner_if_possible = true,
		.mode_mask = S_ISDIR(mode) ? 03777 : 01777,
		.times = true,
		.xattr_name = unescape,
	};
}

/* What can be had of an owner: anything for root, else a group of the caller's. */
static void settle_owner(struct attrs *attrs, const struct attrs *now)
{
	if (geteuid() == 0)
		return;
	attrs->uid = now->uid;
	if (!group_member(attrs->gid))
		attrs->gid = now->gid;
}

int stage_open_upper(
	struct merge *merge, const struct merge_step *step, int flags, int *fd, struct stat *st)
{
	const char *name;
	int dirfd, err = parents_get(&merge->upper, step->from, &dirfd, &name);

	*st = (struct stat){0};
	if (err)
		return err == -ENOENT || err == -ENOTDIR || err == -ELOOP ? -ESTALE : err;
	*fd = openat(dirfd, name, flags);
	if (*fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO ? -ESTALE : -errno;
	if (fstatat(*fd, "", st, AT_EMPTY_PATH) != 0)
		return -errno;
	return step->upper.mode && !merge_is_same(&step->upper, st, true) ? -ESTALE : 0;
}

/* ---- copies ------------------------------------------------------------------------------------- */

static int note_put(struct merge_step *step, int fd)
{
	struct stat st;

	if (fstatat(fd, "", &st, AT_EMPTY_PATH) != 0)
		return -errno;
	step->put = merge_seen(&st);
	return 0;
}

/*
 * Gives the copy (its descriptor) the mode, owner and xattrs that the source's file has, which it is to
 * replace: only its content has been changed in the delta. Set-id bits were given to another content.
 */
static int keep_attrs(struct merge *merge, const struct merge_step *step, int copy)
{
	af_autoattrs struct attrs attrs = {0}, now = {0};
	af_autoclose int fd = -1;
	const char *name;
	struct stat st;
	int dirfd, err = parents_get(&merge->source, step->path, &dirfd, &name);

	if (err)
		return err == -ENOENT || err == -ENOTDIR || err == -ELOOP ? -ESTALE : err;
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (fstatat(fd, "", &st, AT_EMPTY_PATH) != 0)
		return -errno;
	if (!merge_is_same(&step->seen, &st, true))
		return -ESTALE;
	err = attrs_read(&attrs, fd, &st, false);
	if (!err && fstat(copy, &st) != 0)
		err = -errno;
	if (!err)
		err = attrs_read(&now, copy, &st, false);
	if (err)
		return err;
	attrs.mode &= ~(mode_t)(S_ISUID | S_ISGID);
	attrs.atime_ns = now.atime_ns;
	attrs.mtime_ns = now.mtime_ns;
	settle_owner(&attrs, &now);
	return attrs_write(&attrs, copy, &now);
}

static int copy_file(struct merge *merge, size_t index)
{
	const struct copy_options options = {.keep_holes = true};
	struct merge_step *step = &merge->steps[index];
	struct copy_attrs attrs = how_to_copy(S_IFREG);
	af_autoclose int from = -1, to = -1;
	struct copy_result result;
	struct stat st, after;
	int err = stage_open_upper(merge, step, OPEN_FILE, &from, &st);

	if (err)
		return err;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	to = openat(merge->stage_fd, object_name(index).text,
		O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	err = copy_data(from, to, &options, &result);
	if (!err)
		err = copy_attrs(from, &st, to, &attrs);
	if (!err && step->keep_attrs)
		err = keep_attrs(merge, step, to);
	if (!err && fstat(from, &after) != 0)
		err = -errno;
	/* Nobody should have it open; who does would make a mixture of it. */
	if (!err &&
		(attrs_ns(after.st_mtim) != attrs_ns(st.st_mtim) || after.st_size != st.st_size))
		err = -ESTALE;
	return err ? err : note_put(step, to);
}

static int copy_link(struct merge *merge, size_t index)
{
	struct merge_step *step = &merge->steps[index];
	struct copy_attrs attrs = how_to_copy(S_IFLNK);
	struct object_name name = object_name(index);
	af_autoclose int from = -1, to = -1;
	char target[PATH_MAX];
	struct stat st;
	ssize_t len;
	int err = stage_open_upper(merge, step, O_PATH | O_NOFOLLOW | O_CLOEXEC, &from, &st);

	if (err)
		return err;
	if (!S_ISLNK(st.st_mode))
		return -ESTALE;
	len = readlinkat(from, "", target, sizeof(target));
	if (len < 0)
		return -errno;
	if (len == (ssize_t)sizeof(target))
		return -ENAMETOOLONG;
	target[len] = '\0';
	if (symlinkat(target, merge->stage_fd, name.text) != 0)
		return -errno;
	to = openat(merge->stage_fd, name.text, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	err = copy_attrs(from, &st, to, &attrs);
	return err ? err : note_put(step, to);
}

int stage_copy(struct merge *merge, size_t index)
{
	return S_ISLNK(merge->steps[index].upper.mode) ? copy_link(merge, index)
						       : copy_file(merge, index);
}

/* A merged text with the attributes that the delta's file has. */
static int put_text(struct merge *merge, size_t index, const char *content, size_t size)
{
	struct merge_step *step = &merge->steps[index];
	struct copy_attrs attrs = how_to_copy(S_IFREG);
	af_autoclose int from = -1, to = -1;
	struct stat st;
	int err = stage_open_upper(merge, step, OPEN_FILE, &from, &st);

	if (err)
		return err;
	attrs.times = false;
	to = openat(merge->stage_fd, object_name(index).text,
		O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return -errno;
	err = io_write_all(to, content, size);
	if (!err)
		err = copy_attrs(from, &st, to, &attrs);
	if (!err && step->keep_attrs)
		err = keep_attrs(merge, step, to);
	return err ? err : note_put(step, to);
}

/* ---- steps -------------------------------------------------------------------------------------- */

static int stage_put(struct merge *merge, size_t index, const char *content, size_t size)
{
	struct merge_step *step = &merge->steps[index];
	const struct merge_entry *entry = &merge->entries[step->entry];
	struct stat st;
	int err = parents_stat(&merge->upper, step->from, &st);

	if (err)
		return err == -ENOENT ? -ESTALE : err;
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return -EPERM;
	if (entry->upper.mode && strcmp(entry->path, step->from) == 0 &&
		!merge_is_same(&entry->upper, &st, true))
		return -ESTALE;
	step->upper = merge_seen(&st);
	if (content)
		return S_ISREG(st.st_mode) ? put_text(merge, index, content, size) : -ESTALE;
	if (step->keep_attrs || !take_is_possible(merge, &st))
		return stage_copy(merge, index);
	step->take = true;
	step->put = step->upper;
	return S_ISREG(st.st_mode) ? take_look(merge, index) : 0;
}

/* What a directory is made with: all of it but that we must be able to fill it. */
static int stage_mkdir(struct merge *merge, size_t index)
{
	struct merge_step *step = &merge->steps[index];
	struct object_name name = object_name(index);
	struct copy_attrs attrs = how_to_copy(S_IFDIR);
	af_autoclose int from = -1, to = -1;
	struct stat st;
	int err = stage_open_upper(
		merge, step, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, &from, &st);

	if (err)
		return err == -ENOTDIR ? -ESTALE : err;
	step->upper = merge_seen(&st);
	if (mkdirat(merge->stage_fd, name.text, 0700) != 0)
		return -errno;
	to = openat(merge->stage_fd, name.text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return -errno;
	st.st_mode |= S_IRWXU;
	err = copy_attrs(from, &st, to, &attrs);
	return err ? err : note_put(step, to);
}

/* Another name of what is staged already, or of what the source has under that name. */
static int stage_link(struct merge *merge, size_t index, const struct merge_step *made)
{
	struct merge_step *step = &merge->steps[index];
	struct object_name name = object_name(index);
	const char *old;
	struct stat st;
	int fd, err;

	if (made && merge->entries[made->entry].stays)
		return -ESTALE;
	if (made) {
		struct object_name made_name = object_name((size_t)(made - merge->steps));

		err = linkat(merge->stage_fd, made_name.text, merge->stage_fd, name.text, 0) == 0
			? 0
			: -errno;
	} else {
		err = parents_get(&merge->source, step->from, &fd, &old);
		if (!err && linkat(fd, old, merge->stage_fd, name.text, 0) != 0)
			err = -errno;
	}
	if (!err && fstatat(merge->stage_fd, name.text, &st, AT_SYMLINK_NOFOLLOW) != 0)
		err = -errno;
	if (err)
		return err == -ENOENT || err == -ENOTDIR || err == -ELOOP ? -ESTALE : err;
	step->put = merge_seen(&st);
	if (parents_stat(&merge->upper, step->path, &st) == 0)
		step->upper = merge_seen(&st);
	return 0;
}

/* What the source has at path now, unless this merge makes it. */
static int read_before(struct merge *merge, struct merge_step *step, const struct merge_step *made)
{
	af_autoclose int fd = -1;
	const char *name;
	struct stat st;
	int dirfd, err;

	if (made) {
		step->seen = (struct plan_seen){0};
		step->put = made->put;
		return 0;
	}
	err = parents_get(&merge->source, step->path, &dirfd, &name);
	if (err)
		return err == -ENOENT || err == -ENOTDIR || err == -ELOOP ? -ESTALE : err;
	fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	if (fstatat(fd, "", &st, AT_EMPTY_PATH) != 0)
		return -errno;
	if (!merge_is_same(&step->seen, &st, true))
		return -ESTALE;
	step->put = step->seen;
	return attrs_read(&step->before, fd, &st, false);
}

static int stage_attrs(struct merge *merge, size_t index, const struct merge_step *made)
{
	struct merge_step *step = &merge->steps[index];
	af_autoclose int fd = -1;
	struct stat st;
	int err = stage_open_upper(merge, step, O_PATH | O_NOFOLLOW | O_CLOEXEC, &fd, &st);

	if (!err)
		err = attrs_read(&step->after, fd, &st, true);
	if (!err)
		err = read_before(merge, step, made);
	if (err)
		return err;
	if ((st.st_mode ^ step->put.mode) & S_IFMT)
		return -ESTALE;
	step->upper = merge_seen(&st);
	step->after.mode &= S_ISDIR(st.st_mode) ? ~(mode_t)S_ISUID : ~(mode_t)(S_ISUID | S_ISGID);
	if (!made)
		settle_owner(&step->after, &step->before);
	step->put.mode = step->after.mode;
	step->put.mtime_ns = step->after.mtime_ns;
	return 0;
}

int stage_step(struct merge *merge, size_t index, const struct merge_step *made,
	const char *content, size_t content_size)
{
	switch (merge->steps[index].kind) {
	case STEP_MKDIR:
		return stage_mkdir(merge, index);
	case STEP_PUT:
		return stage_put(merge, index, content, content_size);
	case STEP_LINK:
		return stage_link(merge, index, made);
	case STEP_ATTRS:
		return stage_attrs(merge, index, made);
	case STEP_REMOVE:
		return 0;
	}
	return -EINVAL;
}
