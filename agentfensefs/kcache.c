/*
 * The kernel's caches. See kcache.h. Notifications are sent under no lock.
 */
#include "fs.h"

#include "cleanup.h"
#include "log.h"

#include <string.h>
#include <sys/uio.h>
#include <time.h>

/* include/uapi/linux/fuse.h since Linux 6.16; libfuse has a call for it since 3.18. */
enum { NOTIFY_INC_EPOCH = 8 };

struct notify_header {
	uint32_t len;
	int32_t error;
	uint64_t unique;
};

uint32_t kcache_now_ms(void)
{
	struct timespec now;
	uint32_t ms;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	ms = (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
	return ms ? ms : 1;
}

void kcache_init(struct af_fs *fs)
{
	static const double timeouts[] = {
		[FS_CACHE_AUTO] = 0.8,
		[FS_CACHE_NEVER] = 0,
		[FS_CACHE_ALWAYS] = 1e9,
	};

	fs->kcache = (struct af_kcache){.timeout_s = timeouts[fs->options->cache]};
}

uint32_t kcache_until_ms(double timeout_s)
{
	/* Beyond an hour does not matter; the clock's grain and the kernel's are taken off. */
	double ms = timeout_s < 3600 ? timeout_s * 1000 - 20 : 3600e3;
	uint32_t until = ms > 0 ? kcache_now_ms() + (uint32_t)ms : 0;

	return ms > 0 && until == 0 ? 1 : until;
}

bool kcache_is_before(uint32_t until_ms)
{
	return until_ms != 0 && (int32_t)(until_ms - kcache_now_ms()) > 0;
}

void kcache_granted(struct af_fs *fs, struct af_inode *inode, double timeout_s)
{
	/* What the kernel does with an open file by itself makes it ask again, and we do not see it. */
	bool passed = __atomic_load_n(&inode->backing_id, __ATOMIC_RELAXED) != 0;
	uint32_t until = passed ? 0 : kcache_until_ms(timeout_s);

	if (fs->audit)
		__atomic_store_n(&inode->fresh_until_ms, until, __ATOMIC_RELAXED);
}

void kcache_touched(struct af_inode *inode)
{
	__atomic_store_n(&inode->fresh_until_ms, 0, __ATOMIC_RELAXED);
}

bool kcache_is_fresh(const struct af_inode *inode)
{
	return kcache_is_before(__atomic_load_n(&inode->fresh_until_ms, __ATOMIC_RELAXED));
}

static int increment_epoch(struct af_fs *fs)
{
	struct notify_header out = {.len = sizeof(out), .error = NOTIFY_INC_EPOCH};

	if (write(fuse_session_fd(fs->session), &out, sizeof(out)) != (ssize_t)sizeof(out))
		return -errno;
	return 0;
}

void kcache_probe(struct af_fs *fs)
{
	/* Workers serve already: until then they let nothing be remembered that is not there. */
	__atomic_store_n(&fs->kcache.epochs, increment_epoch(fs) == 0, __ATOMIC_RELAXED);
}

double kcache_negative_timeout(const struct af_fs *fs)
{
	return __atomic_load_n(&fs->kcache.epochs, __ATOMIC_RELAXED) ? fs->kcache.timeout_s : 0;
}

/* Without epochs: a name is dropped, but a directory's is only expired, or a cwd would be lost. */
static void expire_name(struct af_fs *fs, struct af_inode *inode)
{
	struct af_place place;
	size_t len;

	inode_place(&fs->table, inode, &place);
	if (!place.parent)
		return;
	len = strlen(place.name);
	if (!S_ISDIR(inode->type))
		fuse_lowlevel_notify_inval_entry(fs->session, place.parent->id, place.name, len);
	else
#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 15)
		fuse_lowlevel_notify_expire_entry(fs->session, place.parent->id, place.name, len);
#else
		fuse_lowlevel_notify_expire_entry(
			fs->session, place.parent->id, place.name, len, FUSE_LL_EXPIRE_ONLY);
#endif
	inode_put(&fs->table, place.parent);
}

static int expire_node(void *arg, struct af_inode *inode)
{
	struct af_fs *fs = arg;

	if (!fs->kcache.epochs)
		expire_name(fs, inode);
	/* A negative offset: attributes only; open files keep their pages, but no directory its listing. */
	fuse_lowlevel_notify_inval_inode(fs->session, inode->id, S_ISDIR(inode->type) ? 0 : -1, 0);
	return 0;
}

static int expire_listing(void *arg, struct af_inode *inode)
{
	const struct af_fs *fs = arg;

	if (S_ISDIR(inode->type))
		fuse_lowlevel_notify_inval_inode(fs->session, inode->id, 0, 0);
	return 0;
}

void kcache_expire_listings(struct af_fs *fs)
{
	table_each(&fs->table, expire_listing, fs);
}

void kcache_expire_all(struct af_fs *fs)
{
	if (fs->kcache.epochs)
		increment_epoch(fs);
	if (table_each(&fs->table, expire_node, fs) != 0)
		log_warn("reload: not all of the kernel's cache could be expired: out of memory");
}
