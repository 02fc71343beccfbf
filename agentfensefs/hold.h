/*
 * A mount that stands still, so that afsyncd(1) can merge its delta into the source while it lives.
 *
 * Whoever started us asks for it over a SOCK_SEQPACKET socket (hold_fd), a word a message, and waits for
 * the answer:
 *
 *     hold   no request is served from now on, and the delta is let go of
 *            held: it is; busy: it cannot be, and nothing has changed
 *     go     what the delta and the source have become is shown, and requests are served again
 *            going: so it is; lost: the delta is gone, and the mount ends
 *
 * The other side's end is a `go` too. What is open stays open: see refresh.h.
 */
#ifndef AF_HOLD_H
#define AF_HOLD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct af_fs;

/* A thread that answers requests. */
struct af_worker {
	struct af_fs *fs;
	pthread_t thread;
	atomic_bool serves; /* a request; else it waits for one */
};

struct af_hold {
	int fd; /* where we are asked; -1: nobody can. Borrowed: it came with the command line */
	atomic_bool parks; /* workers are to stop before their next request */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t parked; /* workers that have; under the lock */
	bool reloads;  /* the policy is to be read again when the mount goes on */
	int delta_fd;  /* O_PATH of the delta's directory while it is let go of; owned; else -1 */
};

/* What became of a word from the other side. */
enum hold_step { HOLD_NOTHING, HOLD_GOES_ON, HOLD_LOST };

void hold_init(struct af_hold *hold, int fd);
void hold_fini(struct af_hold *hold);

/* A worker, between two requests: waits here for as long as the mount is held. */
void hold_park(struct af_hold *hold);
static inline void hold_point(struct af_hold *hold)
{
	if (atomic_load_explicit(&hold->parks, memory_order_relaxed))
		hold_park(hold);
}

/*
 * In the main thread, which serves nothing else meanwhile: something has come on hold->fd. HOLD_GOES_ON:
 * the kernel's caches are to be expired, now that workers answer again.
 */
enum hold_step hold_asked(struct af_fs *fs, struct af_worker *workers, size_t count);
/* Whether the mount is held: then nothing may be said to the kernel, which could wait for an answer. */
bool hold_is_held(const struct af_hold *hold);
/* Workers go on, if only to end. */
void hold_let_go(struct af_hold *hold);

#endif
