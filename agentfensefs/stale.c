/*
 * Nodes whose pages are to be dropped. See stale.h.
 */
#include "fs.h"

#include "cleanup.h"
#include "log.h"

#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

enum { WAIT_MS = 50 };

int stale_init(struct af_stale *stale)
{
	pthread_condattr_t attr;

	*stale = (struct af_stale){.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	stale->main = pthread_self();
	pthread_mutex_init(&stale->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&stale->dropped, &attr);
	pthread_condattr_destroy(&attr);
	return stale->event_fd < 0 ? -errno : 0;
}

void stale_fini(struct af_stale *stale)
{
	if (stale->event_fd >= 0)
		close(stale->event_fd);
	free(stale->ids);
	pthread_mutex_destroy(&stale->lock);
	pthread_cond_destroy(&stale->dropped);
}

/* Adds an id; returns its number in the order of all, or 0 when out of memory. Locked. */
static uint64_t add(struct af_stale *stale, uint64_t id)
{
	if (stale->count == stale->room) {
		size_t room = stale->room ? stale->room * 2 : 16;
		uint64_t *ids = reallocarray(stale->ids, room, sizeof(*ids));

		if (!ids)
			return 0;
		stale->ids = ids;
		stale->room = room;
	}
	stale->ids[stale->count++] = id;
	return ++stale->added;
}

static void wait_dropped(struct af_stale *stale, uint64_t number)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_MS * 1000000L;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (stale->taken < number && !err)
		err = pthread_cond_timedwait(&stale->dropped, &stale->lock, &until);
}

static void drop(struct af_stale *stale, uint64_t id)
{
	uint64_t one = 1, number;

	pthread_mutex_lock(&stale->lock);
	number = add(stale, id);
	if (number && write(stale->event_fd, &one, sizeof(one)) == sizeof(one) &&
		!pthread_equal(pthread_self(), stale->main))
		wait_dropped(stale, number);
	pthread_mutex_unlock(&stale->lock);
}

void stale_written(struct af_fs *fs, struct af_inode *inode)
{
	uint64_t id = inode_sibling(&fs->table, inode);

	if (id != 0)
		drop(&fs->stale, id);
}

void stale_changed(struct af_fs *fs, struct af_inode *inode)
{
	drop(&fs->stale, inode->id);
}

void stale_listings(struct af_fs *fs)
{
	uint64_t one = 1;

	pthread_mutex_lock(&fs->stale.lock);
	fs->stale.listings = true;
	pthread_mutex_unlock(&fs->stale.lock);
	if (write(fs->stale.event_fd, &one, sizeof(one)) < 0)
		log_error("event: %s", strerror(errno));
}

void stale_drop(struct af_fs *fs)
{
	struct af_stale *stale = &fs->stale;
	af_autofree uint64_t *ids = NULL;
	uint64_t events;
	bool listings;
	size_t count;

	if (read(stale->event_fd, &events, sizeof(events)) < 0)
		return;
	pthread_mutex_lock(&stale->lock);
	ids = stale->ids;
	count = stale->count;
	stale->ids = NULL;
	stale->count = stale->room = 0;
	listings = stale->listings;
	stale->listings = false;
	pthread_mutex_unlock(&stale->lock);
	for (size_t i = 0; i < count; i++)
		fuse_lowlevel_notify_inval_inode(fs->session, ids[i], 0, 0);
	pthread_mutex_lock(&stale->lock);
	stale->taken += count;
	pthread_cond_broadcast(&stale->dropped);
	pthread_mutex_unlock(&stale->lock);
	/* For this, which may be long, nobody waits. */
	if (listings)
		kcache_expire_listings(fs);
}
