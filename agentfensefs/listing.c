/*
 * What is listed. See listing.h.
 */
#include "listing.h"

#include "cleanup.h"
#include "merge.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

static int add_entry(struct af_listing *listing, uint64_t ino, uint8_t type, const char *name)
{
	struct af_listed entry = {.ino = ino, .type = type};

	if (listing->count == listing->room) {
		size_t room = listing->room ? listing->room * 2 : 32;
		struct af_listed *entries = reallocarray(listing->entries, room, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		listing->entries = entries;
		listing->room = room;
	}
	if (namelist_add(&listing->names, name, &entry.name) != 0)
		return -ENOMEM;
	listing->entries[listing->count++] = entry;
	return 0;
}

/* The inode number of "..", which must not be one outside of the mount. */
static uint64_t parent_ino(struct af_fs *fs, struct af_inode *inode)
{
	struct af_place place;
	uint64_t ino = inode->shown;

	inode_place(&fs->table, inode, &place);
	if (place.parent)
		ino = place.parent->shown;
	inode_put(&fs->table, place.parent);
	return ino;
}

static int add_dots(struct op_ctx *op, struct af_listing *listing)
{
	int err = add_entry(listing, op->inode->shown, DT_DIR, ".");

	return err ? err : add_entry(listing, parent_ino(op->fs, op->inode), DT_DIR, "..");
}

/* What was copied up and can have no xattr has the number of the source's in its node alone. */
static uint64_t listed_ino(
	struct op_ctx *op, const struct af_dirfd *dirfd, const struct merge_entry *entry)
{
	struct af_inode *inode;
	uint64_t ino = entry->ino;
	struct stat st;

	if (!entry->upper || entry->type == DT_REG || entry->type == DT_DIR ||
		fstatat(dirfd->at.upper, entry->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return ino;
	inode = inode_find(&op->fs->table, op->inode, entry->name, &st);
	if (inode)
		ino = inode->shown;
	inode_put(&op->fs->table, inode);
	return ino;
}

/* Adds what the layers say, if it is visible. */
static int add_visible(struct op_ctx *op, struct af_listing *listing, const struct af_dirfd *dirfd,
	const struct merge_entry *entry)
{
	const struct af_verdict *verdict;
	uint8_t type = entry->type;
	struct af_found found;
	struct af_step step;
	int err = gate_step(op->fs, &op->view, op->inode, entry->name, &step);

	if (err || op_hides(&step))
		return err;
	if (type == DT_UNKNOWN) {
		if (op_stat_name(op->fs, dirfd, entry->name, &found) != 0)
			return 0; /* gone meanwhile */
		type = IFTODT(found.st.st_mode);
	}
	verdict = type == DT_DIR ? &step.dir : &step.file;
	if (!gate_visible(verdict))
		return 0;
	return add_entry(listing, listed_ino(op, dirfd, entry), type, entry->name);
}

static int read_layers(struct op_ctx *op, struct af_listing *listing, const struct af_dirfd *dirfd)
{
	struct merge_entry entry;
	struct af_merge merge;
	int got = merge_open(&merge, op->fs, &dirfd->at);

	if (got == -EMFILE || got == -ENFILE) {
		dirfds_flush(&op->fs->dirfds);
		got = merge_open(&merge, op->fs, &dirfd->at);
	}
	if (got)
		return got;
	while ((got = merge_next(&merge, &entry)) > 0) {
		got = add_visible(op, listing, dirfd, &entry);
		if (got)
			break;
	}
	merge_close(&merge);
	return got;
}

static int read_source(struct op_ctx *op, struct af_listing *listing)
{
	struct af_dirfd *dirfd;
	int err = dirfd_get(op->fs, op->inode, &dirfd);

	if (err)
		return err == -EXDEV || err == -ENOENT ? 0 : err; /* covered or removed: empty */
	err = read_layers(op, listing, dirfd);
	dirfd_put(&op->fs->dirfds, dirfd);
	return err;
}

int listing_load(struct op_ctx *op, struct af_listing *listing, off_t offset)
{
	int err;

	if (listing->loaded && offset != 0)
		return 0;
	listing->count = 0;
	listing->names.used = 0;
	err = add_dots(op, listing);
	if (!err)
		err = read_source(op, listing);
	listing->loaded = !err;
	return err;
}

struct af_listing *listing_new(struct af_fs *fs, struct af_inode *inode)
{
	struct af_listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return NULL;
	listing->inode = inode_ref(&fs->table, inode);
	pthread_mutex_init(&listing->lock, NULL);
	pthread_mutex_lock(&fs->table.lock);
	LIST_INSERT_HEAD(&fs->listings, listing, link);
	pthread_mutex_unlock(&fs->table.lock);
	return listing;
}

void listing_free(struct af_fs *fs, struct af_listing *listing)
{
	pthread_mutex_lock(&fs->table.lock);
	LIST_REMOVE(listing, link);
	pthread_mutex_unlock(&fs->table.lock);
	if (listing->fills)
		keep_dir_closed(fs, listing->inode);
	inode_put(&fs->table, listing->inode);
	pthread_mutex_destroy(&listing->lock);
	free(listing->entries);
	free(listing->names.text);
	free(listing);
}

void op_listings_fini(struct af_fs *fs)
{
	while (!LIST_EMPTY(&fs->listings))
		listing_free(fs, LIST_FIRST(&fs->listings));
}
