/*
 * Names that move. See change.h.
 *
 * With a delta, what moves is the upper's (copied up before, a directory with all that is in it), and
 * where the source has something at the old name, a whiteout is left there in the same step.
 */
#include "change.h"

#include "change_internal.h"
#include "cleanup.h"
#include "copyup.h"
#include "fs.h"
#include "whiteout.h"

#include <fcntl.h>
#include <linux/fs.h>

/* A name with what both layers have there. */
struct end {
	const struct change_side *side;
	struct af_dirfd *dirfd; /* with the upper's */
	char *path;             /* owned */
	struct stat low;
	bool in_lower; /* the source has something there */
	bool white;    /* ... or had: the upper has a whiteout */
};

static int end_open(struct af_fs *fs, struct end *end, const struct change_side *side)
{
	size_t len;
	int err;

	*end = (struct end){
		.side = side, .path = inode_path(&fs->table, side->dir, side->name, &len)};
	if (!end->path)
		return errno == ENOENT ? -ENOENT : -ENOMEM;
	err = copyup_dirfd(fs, side->dir, &end->dirfd);
	if (err)
		return err;
	end->in_lower = overlay_lower_has(fs, &end->dirfd->at, side->name, &end->low);
	end->white = overlay_is_white(&end->dirfd->at, side->name);
	return 0;
}

static void end_close(struct af_fs *fs, struct end *end)
{
	if (end->dirfd)
		dirfd_put(&fs->dirfds, end->dirfd);
	free(end->path);
}

/* What is there becomes the upper's, ready to move. */
static int lift(struct af_fs *fs, const struct end *end)
{
	if (S_ISDIR(end->side->type))
		return copyup_tree(fs, end->path);
	return copyup_name(fs, &end->dirfd->at, end->side->name, end->path);
}

/* A directory that comes to lie where the source has one hides that. */
static int hide_lower(const struct end *from, const struct end *to)
{
	if (!S_ISDIR(from->side->type) || !to->in_lower || !S_ISDIR(to->low.st_mode))
		return 0;
	return change_set_opaque(from->dirfd->at.upper, from->side->name);
}

/* The name that is about to be taken: what is there may be lost, and is told. */
static int make_way(struct af_fs *fs, const struct end *from, const struct end *to)
{
	const struct layer_dir *at = &to->dirfd->at;
	int got;

	if (to->in_lower && !to->white) {
		got = change_log_gone(fs, at, to->side->name, to->path, &to->low);
		if (got)
			return got;
	}
	if (!S_ISDIR(to->side->type) || !S_ISDIR(from->side->type))
		return 0;
	got = change_is_empty(fs, at, to->side->name);
	if (got <= 0)
		return got ? got : -ENOTEMPTY;
	/* Whiteouts in it would be in rename(2)'s way, and are needed until it is hidden as a whole. */
	return copyup_tree(fs, to->path);
}

static int move(const struct end *from, const struct end *to)
{
	int from_fd = from->dirfd->at.upper, to_fd = to->dirfd->at.upper;
	const char *name = from->side->name;
	unsigned int flags = from->in_lower ? RENAME_WHITEOUT : 0;

	if (!(to->white && S_ISDIR(from->side->type)))
		return renameat2(from_fd, name, to_fd, to->side->name, flags) != 0 ? -errno : 0;
	/* A directory cannot replace a whiteout, but change places with it. */
	if (renameat2(from_fd, name, to_fd, to->side->name, RENAME_EXCHANGE) != 0)
		return -errno;
	if (!from->in_lower)
		unlinkat(from_fd, name, 0);
	return 0;
}

static int exchange(struct af_fs *fs, const struct end *from, const struct end *to)
{
	int err = lift(fs, to);

	if (!err)
		err = hide_lower(from, to);
	if (!err)
		err = hide_lower(to, from);
	if (!err)
		err = upper_log_rename(
			fs, from->path, to->path, S_ISDIR(from->side->type), !from->in_lower);
	if (!err)
		err = upper_log_rename(
			fs, to->path, from->path, S_ISDIR(to->side->type), !to->in_lower);
	if (!err &&
		renameat2(from->dirfd->at.upper, from->side->name, to->dirfd->at.upper,
			to->side->name, RENAME_EXCHANGE) != 0)
		err = -errno;
	return err;
}

static int replace(struct af_fs *fs, const struct end *from, const struct end *to)
{
	int err = make_way(fs, from, to);

	if (!err)
		err = hide_lower(from, to);
	if (!err)
		err = upper_log_rename(
			fs, from->path, to->path, S_ISDIR(from->side->type), !from->in_lower);
	return err ? err : move(from, to);
}

/* rename(2)'s own rules for what replaces what. */
static int check_types(mode_t from, mode_t to)
{
	if (!to)
		return 0;
	if (S_ISDIR(from) && !S_ISDIR(to))
		return -ENOTDIR;
	return !S_ISDIR(from) && S_ISDIR(to) ? -EISDIR : 0;
}

int change_prepare(struct af_fs *fs, const struct change_side *side)
{
	struct end end;
	int err;

	if (!fs->upper)
		return 0;
	err = end_open(fs, &end, side);
	if (!err)
		err = lift(fs, &end);
	end_close(fs, &end);
	return err;
}

static int rename_upper(struct af_fs *fs, const struct change_side *from_side,
	const struct change_side *to_side, unsigned int flags)
{
	struct end from = {0}, to = {0};
	int err = 0;

	if (to_side->type && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (!(flags & RENAME_EXCHANGE))
		err = check_types(from_side->type, to_side->type);
	if (!err)
		err = end_open(fs, &from, from_side);
	if (!err)
		err = end_open(fs, &to, to_side);
	if (!err)
		err = lift(fs, &from);
	if (!err)
		err = flags & RENAME_EXCHANGE ? exchange(fs, &from, &to) : replace(fs, &from, &to);
	end_close(fs, &from);
	end_close(fs, &to);
	return err;
}

int change_rename(struct af_fs *fs, const struct change_side *from, const struct change_side *to,
	unsigned int flags)
{
	if (fs->upper)
		return rename_upper(fs, from, to, flags);
	if (renameat2(from->dirfd->at.lower, from->name, to->dirfd->at.lower, to->name, flags) != 0)
		return -errno;
	return 0;
}
