/*
 * Attributes as the mount shows them. See attr.h. It changes numbers; it reads nothing but the
 * kernel's id maps and what access(2) says.
 */
#include "attr.h"

#include "cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

enum { HIDING_DIR_SIZE = 4096 };

/*
 * Whether an id map (user_namespaces(7)) lacks any of the 2^32 - 1 ids. *id is changed to what it is
 * outside.
 */
static bool map_is_partial(const char *path, unsigned int *id)
{
	unsigned int wanted = *id;
	af_autofclose FILE *file = fopen(path, "re");
	uint64_t inside, outside, count, total = 0;

	if (!file)
		return false;
	while (fscanf(file, "%" SCNu64 " %" SCNu64 " %" SCNu64, &inside, &outside, &count) == 3) {
		total += count;
		if (wanted >= inside && wanted - inside < count)
			*id = (unsigned int)(outside + (wanted - inside));
	}
	return total < UINT32_MAX;
}

static unsigned int read_number(const char *path, unsigned int fallback)
{
	af_autofclose FILE *file = fopen(path, "re");
	unsigned int value;

	return file && fscanf(file, "%u", &value) == 1 ? value : fallback;
}

void owners_init(struct af_owners *owners)
{
	unsigned int uid = geteuid(), gid = getegid();
	bool partial_uids = map_is_partial("/proc/self/uid_map", &uid);
	bool partial_gids = map_is_partial("/proc/self/gid_map", &gid);

	owners->partial = partial_uids || partial_gids;
	owners->outside_uid = uid;
	owners->overflow_uid = read_number("/proc/sys/kernel/overflowuid", 65534);
	owners->overflow_gid = read_number("/proc/sys/kernel/overflowgid", 65534);
	owners->self_uid = geteuid();
	owners->self_gid = getegid();
}

uid_t owners_uid_outside(const struct af_owners *owners, uid_t uid)
{
	return uid == owners->self_uid ? owners->outside_uid : uid;
}

uid_t owners_uid_in(const struct af_owners *owners, uid_t uid)
{
	return owners->lend && uid == owners->lend_uid ? 0 : uid;
}

gid_t owners_gid_in(const struct af_owners *owners, gid_t gid)
{
	return owners->lend && gid == owners->lend_gid ? 0 : gid;
}

uid_t owners_uid_out(const struct af_owners *owners, uid_t uid)
{
	return owners->lend && uid == 0 ? owners->lend_uid : uid;
}

gid_t owners_gid_out(const struct af_owners *owners, gid_t gid)
{
	return owners->lend && gid == 0 ? owners->lend_gid : gid;
}

/* What we may do with it (rwx as 0 to 7), whoever it belongs to. */
static mode_t real_rights(int fd, const char *name, mode_t type)
{
	int flags = AT_EACCESS | AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH);
	mode_t rights = 0;

	if (S_ISLNK(type))
		return 07;
	for (int bit = 1; bit <= 4; bit <<= 1)
		if (faccessat(fd, name, bit, flags) == 0)
			rights |= (mode_t)bit;
	return rights;
}

static void show_unmapped(const struct af_owners *owners, int fd, const char *name, struct stat *st)
{
	bool no_uid = st->st_uid == owners->overflow_uid;
	bool no_gid = st->st_gid == owners->overflow_gid;
	mode_t rights;

	if (!no_uid && !no_gid)
		return;
	rights = real_rights(fd, name, st->st_mode);
	if (no_gid) {
		st->st_gid = owners->self_gid;
		if (st->st_uid != owners->self_uid)
			st->st_mode = (st->st_mode & ~(mode_t)0070) | rights << 3;
	}
	if (no_uid && (rights & 02)) {
		st->st_uid = owners->self_uid;
		st->st_mode = (st->st_mode & ~(mode_t)0700) | rights << 6;
	}
}

mode_t attr_mask(const struct af_verdict *verdict, mode_t type)
{
	mode_t mask = 0777;

	if (S_ISLNK(type))
		return mask;
	if (verdict->level < AF_WRITE && !(S_ISDIR(type) && (verdict->flags & AF_V_MAY_CREATE)))
		mask &= ~(mode_t)0222;
	if (verdict->level < AF_READ && !S_ISDIR(type))
		mask &= ~(mode_t)0555;
	return mask;
}

void attr_show(const struct af_owners *owners, const struct af_verdict *verdict, int fd,
	const char *name, struct stat *st)
{
	if (owners->partial)
		show_unmapped(owners, fd, name, st);
	st->st_uid = owners_uid_out(owners, st->st_uid);
	st->st_gid = owners_gid_out(owners, st->st_gid);
	st->st_mode &= ~(mode_t)0777 | attr_mask(verdict, st->st_mode);
	if (S_ISDIR(st->st_mode) && (verdict->flags & AF_V_MAY_HIDE)) {
		st->st_nlink = 1;
		st->st_size = HIDING_DIR_SIZE;
		st->st_blocks = HIDING_DIR_SIZE / 512;
	}
}

void attr_covered(const struct stat *parent, const char *name, struct stat *st)
{
	uint64_t ino = parent->st_ino;

	while (*name)
		ino = (ino ^ (unsigned char)*name++) * 0x100000001b3ULL;
	*st = (struct stat){
		.st_dev = 0,
		.st_ino = ino,
		.st_mode = S_IFDIR | 0555,
		.st_nlink = 2,
		.st_uid = parent->st_uid,
		.st_gid = parent->st_gid,
		.st_size = HIDING_DIR_SIZE,
		.st_blksize = parent->st_blksize,
		.st_blocks = HIDING_DIR_SIZE / 512,
		.st_mtim = parent->st_mtim,
		.st_ctim = parent->st_ctim,
		.st_atim = parent->st_atim,
	};
}

bool attr_is_covered(const struct stat *st)
{
	return st->st_dev == 0;
}

bool attr_is_setid(mode_t mode, bool is_dir)
{
	if (mode & S_ISUID)
		return true;
	return !is_dir && (mode & S_ISGID) && (mode & S_IXGRP);
}
