/*
 * The life of a mount: its worker threads, its signals, its end.
 */
#ifndef AF_SESSION_H
#define AF_SESSION_H

struct af_fs;

/* The operations, for fuse_session_new(). */
extern const struct fuse_lowlevel_ops session_ops;

/*
 * Blocks the signals that session_run() waits for; before any thread is made.
 */
void session_block_signals(void);

/*
 * Serves the mounted session until it is unmounted or ended by SIGTERM or SIGINT. ready is called
 * once, in this thread, when the mount answers. SIGHUP reads the policy again, SIGUSR1 logs the
 * counters. Returns 0 or -errno.
 */
int session_run(struct af_fs *fs, void (*ready)(struct af_fs *fs));

/* Called by the worker that answers INIT. */
void session_started(struct af_fs *fs);

#endif
