/*
 * Listings of two layers as one. See merge.h. What may be seen of them is not decided here.
 */
#include "merge.h"

#include "cleanup.h"
#include "fs.h"
#include "namelist.h"
#include "overlay.h"

#include <string.h>
#include <xxhash.h>

/* A set of names: open addressing over offsets into one text. */
struct merge_names {
	uint32_t *slots; /* offset + 1; 0: free */
	size_t mask, count;
	struct af_namelist list;
};

static uint32_t *find_slot(const struct merge_names *names, const char *name, size_t len)
{
	size_t i = (size_t)XXH3_64bits(name, len) & names->mask;

	while (names->slots[i] && strcmp(names->list.text + names->slots[i] - 1, name) != 0)
		i = (i + 1) & names->mask;
	return &names->slots[i];
}

static int grow_slots(struct merge_names *names)
{
	size_t size = names->slots ? (names->mask + 1) * 2 : 64;
	struct merge_names bigger = *names;

	bigger.slots = calloc(size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	bigger.mask = size - 1;
	for (size_t at = 0; at < names->list.used; at += strlen(names->list.text + at) + 1)
		*find_slot(&bigger, names->list.text + at, strlen(names->list.text + at)) =
			(uint32_t)at + 1;
	free(names->slots);
	*names = bigger;
	return 0;
}

static int add_name(struct merge_names *names, const char *name)
{
	uint32_t at;

	if ((!names->slots || names->count * 2 > names->mask) && grow_slots(names) != 0)
		return -ENOMEM;
	if (namelist_add(&names->list, name, &at) != 0)
		return -ENOMEM;
	*find_slot(names, name, strlen(name)) = at + 1;
	names->count++;
	return 0;
}

static bool has_name(const struct merge_names *names, const char *name)
{
	return names && names->slots && *find_slot(names, name, strlen(name)) != 0;
}

static void free_names(struct merge_names *names)
{
	if (!names)
		return;
	free(names->slots);
	free(names->list.text);
	free(names);
}

static int open_part(struct af_merge *merge, int dirfd)
{
	af_autoclose int fd = layer_open_list(dirfd);

	if (fd < 0)
		return fd;
	merge->stream = fdopendir(fd);
	if (!merge->stream)
		return -errno;
	af_steal_fd(&fd);
	return 0;
}

int merge_open(struct af_merge *merge, const struct af_fs *fs, const struct layer_dir *at)
{
	int err;

	*merge = (struct af_merge){.fs = fs, .at = *at, .in_lower = at->upper < 0};
	if (at->upper >= 0 && at->lower >= 0) {
		merge->names = calloc(1, sizeof(*merge->names));
		if (!merge->names)
			return -ENOMEM;
	}
	err = open_part(merge, merge->in_lower ? at->lower : at->upper);
	if (err)
		merge_close(merge);
	return err;
}

void merge_close(struct af_merge *merge)
{
	if (merge->stream)
		closedir(merge->stream);
	merge->stream = NULL;
	free_names(merge->names);
	merge->names = NULL;
}

static bool is_dot(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/*
 * An entry of the upper: a whiteout is none, and what was copied up has the number of the lower. 1, 0
 * for what is not to be listed, or -errno.
 */
static int upper_entry(struct af_merge *merge, const struct dirent *from, struct merge_entry *entry)
{
	struct af_found found;
	int err;

	if (merge->names && add_name(merge->names, from->d_name) != 0)
		return -ENOMEM;
	entry->upper = true;
	if (from->d_type != DT_CHR && from->d_type != DT_REG && from->d_type != DT_DIR &&
		from->d_type != DT_UNKNOWN)
		return 1;
	err = overlay_stat(merge->fs, &merge->at, from->d_name, &found);
	if (err == -ENOENT && merge->count_whites)
		return 1;
	if (err)
		return 0; /* a whiteout, or gone meanwhile */
	entry->ino = overlay_ino(&merge->at, from->d_name, &found);
	entry->type = IFTODT(found.st.st_mode);
	return 1;
}

static int lower_entry(
	const struct af_merge *merge, const struct dirent *from, struct merge_entry *entry)
{
	const struct af_fs *fs = merge->fs;
	struct stat st;

	entry->upper = false;
	if (has_name(merge->names, from->d_name))
		return 0;
	/* The delta may lie in its own source. */
	if (fs->upper && from->d_ino == fs->upper->dir.st_ino)
		return overlay_lower_has(fs, &merge->at, from->d_name, &st);
	return 1;
}

int merge_next(struct af_merge *merge, struct merge_entry *entry)
{
	const struct dirent *next;
	int got;

	for (;;) {
		errno = 0;
		next = readdir(merge->stream);
		if (!next && errno)
			return -errno;
		if (!next && (merge->in_lower || merge->at.lower < 0))
			return 0;
		if (!next) {
			closedir(merge->stream);
			merge->stream = NULL;
			merge->in_lower = true;
			got = open_part(merge, merge->at.lower);
			if (got < 0)
				return got;
			continue;
		}
		if (is_dot(next->d_name))
			continue;
		*entry = (struct merge_entry){
			.name = next->d_name, .ino = next->d_ino, .type = next->d_type};
		got = merge->in_lower ? lower_entry(merge, next, entry)
				      : upper_entry(merge, next, entry);
		if (got != 0)
			return got;
	}
}
