/*
 * A mount that stands still. See hold.h.
 */
#include "fs.h"

#include "cleanup.h"
#include "log.h"
#include "refresh.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
	PARK_TIMEOUT_MS = 10000,
	PARK_TRY_MS = 5,
	/* Somebody else may merge what we have let go of. */
	RETAKE_TIMEOUT_MS = 60000,
	RETAKE_TRY_MS = 20,
	WORD_SIZE = 16,
};

void hold_init(struct af_hold *hold, int fd)
{
	pthread_condattr_t attr;

	*hold = (struct af_hold){.fd = fd, .delta_fd = -1};
	pthread_mutex_init(&hold->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&hold->changed, &attr);
	pthread_condattr_destroy(&attr);
	/* What we start must not have it, or its end would not be seen. */
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void hold_fini(struct af_hold *hold)
{
	if (hold->delta_fd >= 0)
		close(hold->delta_fd);
	pthread_cond_destroy(&hold->changed);
	pthread_mutex_destroy(&hold->lock);
}

bool hold_is_held(const struct af_hold *hold)
{
	return hold->delta_fd >= 0;
}

/* ---- workers ------------------------------------------------------------------------------------- */

void hold_park(struct af_hold *hold)
{
	pthread_mutex_lock(&hold->lock);
	hold->parked++;
	pthread_cond_broadcast(&hold->changed);
	while (atomic_load(&hold->parks))
		pthread_cond_wait(&hold->changed, &hold->lock);
	hold->parked--;
	pthread_mutex_unlock(&hold->lock);
}

void hold_let_go(struct af_hold *hold)
{
	pthread_mutex_lock(&hold->lock);
	atomic_store(&hold->parks, false);
	pthread_cond_broadcast(&hold->changed);
	pthread_mutex_unlock(&hold->lock);
}

static struct timespec after_ms(int ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += ms * 1000000L;
	at.tv_sec += at.tv_nsec / 1000000000;
	at.tv_nsec %= 1000000000;
	return at;
}

/*
 * Each of them may be about to wait for a request that never comes, so they are woken more than once. Who
 * serves one is not: a call of theirs could be cut short, and the error would be the caller's.
 */
static int park_all(struct af_hold *hold, struct af_worker *workers, size_t count)
{
	int tries = PARK_TIMEOUT_MS / PARK_TRY_MS;
	bool all;

	atomic_store(&hold->parks, true);
	do {
		struct timespec until = after_ms(PARK_TRY_MS);
		int err = 0;

		for (size_t i = 0; i < count; i++)
			if (!atomic_load(&workers[i].serves))
				pthread_kill(workers[i].thread, SIGUSR2);
		pthread_mutex_lock(&hold->lock);
		while (hold->parked < count && !err)
			err = pthread_cond_timedwait(&hold->changed, &hold->lock, &until);
		all = hold->parked == count;
		pthread_mutex_unlock(&hold->lock);
	} while (!all && --tries > 0);
	if (all)
		return 0;
	hold_let_go(hold);
	return -EBUSY;
}

/* ---- the delta ----------------------------------------------------------------------------------- */

static int let_delta_go(struct af_fs *fs)
{
	int fd = refresh_can_be(fs) ? fcntl(fs->upper->delta.dir_fd, F_DUPFD_CLOEXEC, 0) : -1;

	if (fd < 0)
		return -EBUSY;
	dirfds_flush(&fs->dirfds);
	fs->dirfds.root.at.upper = -1;
	upper_close(af_steal(&fs->upper));
	fs->hold.delta_fd = fd;
	return 0;
}

static int retake_delta(struct af_fs *fs)
{
	int tries = RETAKE_TIMEOUT_MS / RETAKE_TRY_MS;
	struct layer_dir root;
	int err;

	while ((err = upper_reopen(fs, fs->hold.delta_fd, tries > 1)) == -EBUSY && --tries > 0)
		poll(NULL, 0, RETAKE_TRY_MS);
	if (err)
		return err;
	fs->upper->audit = fs->audit;
	overlay_root(fs, &root);
	fs->dirfds.root.at = root;
	return refresh_nodes(fs);
}

/* ---- what is asked for --------------------------------------------------------------------------- */

static const char *do_hold(struct af_fs *fs, struct af_worker *workers, size_t count)
{
	if (!fs->upper || park_all(&fs->hold, workers, count))
		return "busy";
	if (!let_delta_go(fs))
		return "held";
	hold_let_go(&fs->hold);
	return "busy";
}

static enum hold_step do_go(struct af_fs *fs)
{
	int err = retake_delta(fs);

	close(af_steal_fd(&fs->hold.delta_fd));
	if (err)
		log_error("delta: %s: lost while it was merged", fs->options->delta);
	else
		hold_let_go(&fs->hold);
	return err ? HOLD_LOST : HOLD_GOES_ON;
}

static void answer(const struct af_hold *hold, const char *word)
{
	/* Who is gone needs none. */
	send(hold->fd, word, strlen(word), MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum hold_step hold_asked(struct af_fs *fs, struct af_worker *workers, size_t count)
{
	struct af_hold *hold = &fs->hold;
	enum hold_step step = HOLD_NOTHING;
	char word[WORD_SIZE] = "";
	ssize_t got = recv(hold->fd, word, sizeof(word) - 1, MSG_DONTWAIT);
	bool ends = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);

	if (got < 0 && !ends)
		return step;
	if (hold_is_held(hold) && (ends || strcmp(word, "go") == 0)) {
		step = do_go(fs);
		answer(hold, step == HOLD_LOST ? "lost" : "going");
	} else if (!hold_is_held(hold) && strcmp(word, "hold") == 0) {
		answer(hold, do_hold(fs, workers, count));
	}
	if (ends)
		hold->fd = -1;
	return step;
}
