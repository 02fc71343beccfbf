/*
 * Worker threads and signals of a mount. See session.h.
 *
 * The loop is our own rather than libfuse's, since each worker needs credentials and a umask of its
 * own (cred.c), and since the main thread is to wait for signals and nothing else.
 */
#include "session.h"

#include "cleanup.h"
#include "conn.h"
#include "cred.h"
#include "log.h"
#include "op.h"
#include "refresh.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

const struct fuse_lowlevel_ops session_ops = {
	.init = conn_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.readlink = op_readlink,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.fsync = op_fsync,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.releasedir = op_releasedir,
	.fsyncdir = op_fsyncdir,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
	.fallocate = op_fallocate,
	.copy_file_range = op_copy_file_range,
	.lseek = op_lseek,
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
	.tmpfile = op_tmpfile,
#endif
};

/* What the main thread wakes up for, besides signals. */
enum event { EVENT_STARTED = 1, EVENT_ENDED = 1 << 16 };

static const int waited_for[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

static sigset_t signal_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(waited_for) / sizeof(waited_for[0]); i++)
		sigaddset(&set, waited_for[i]);
	return set;
}

static void interrupted(int signal)
{
	(void)signal; /* its use is that a read(2) returns */
}

void session_block_signals(void)
{
	sigset_t set = signal_set();
	struct sigaction interrupt = {.sa_handler = interrupted};
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGUSR2, &interrupt, NULL);
	/* A reader that has gone, and limits of whoever started us, are errors of one call only. */
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	/* Somebody waits for a lease of ours, which ends by itself (keep.c). */
	sigaction(SIGIO, &ignore, NULL);
}

static void send_event(const struct af_fs *fs, enum event event)
{
	uint64_t value = event;

	/* Cannot fail: the counter is far from full. */
	if (write(fs->event_fd, &value, sizeof(value)) < 0)
		log_error("event: %s", strerror(errno));
}

void session_started(struct af_fs *fs)
{
	send_event(fs, EVENT_STARTED);
}

static void *work(void *arg)
{
	struct af_worker *worker = arg;
	struct af_fs *fs = worker->fs;
	struct fuse_buf buffer = {0};
	int got = cred_thread_init();

	if (got < 0)
		log_error("worker: unshare: %s", strerror(-got));
	while (got >= 0 && !fuse_session_exited(fs->session)) {
		atomic_store_explicit(&worker->serves, false, memory_order_relaxed);
		hold_point(&fs->hold);
		got = fuse_session_receive_buf(fs->session, &buffer);
		atomic_store_explicit(&worker->serves, true, memory_order_relaxed);
		if (got > 0)
			fuse_session_process_buf(fs->session, &buffer);
		else if (got == -EINTR || got == -EAGAIN)
			got = 0;
		else
			break; /* unmounted */
	}
	free(buffer.mem);
	op_thread_fini();
	send_event(fs, EVENT_ENDED);
	return NULL;
}

static void reload(struct af_fs *fs)
{
	struct af_rules *rules = options_load_rules(fs->options, true);
	struct af_policy *policy;
	int err = rules ? policy_compile(rules, &policy) : -EINVAL;

	rules_free(rules);
	if (err) {
		log_error("reload: the policy is unchanged");
		return;
	}
	gate_replace(fs, policy);
	kcache_expire_all(fs);
	log_notice("reload: done");
}

/* Acts on one signal. Returns whether it ends the mount. */
static bool handle_signal(struct af_fs *fs, const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGHUP:
		if (hold_is_held(&fs->hold))
			fs->hold.reloads = true;
		else
			reload(fs);
		return false;
	case SIGUSR1:
		counters_log(fs);
		return false;
	default:
		return true;
	}
}

/* Something was asked over hold_fd. Returns 0, or -errno: the mount is to end. */
static int take_hold(struct af_fs *fs, struct af_worker *workers, unsigned int count)
{
	switch (hold_asked(fs, workers, count)) {
	case HOLD_NOTHING:
		break;
	case HOLD_GOES_ON:
		refresh_kernel(fs);
		if (fs->hold.reloads)
			reload(fs);
		fs->hold.reloads = false;
		break;
	case HOLD_LOST:
		return -EIO;
	}
	return 0;
}

static int watch(struct af_fs *fs, int signal_fd, void (*ready)(struct af_fs *fs),
	struct af_worker *workers, unsigned int count)
{
	struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
		{.fd = fs->event_fd, .events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}};

	for (;;) {
		struct signalfd_siginfo info;
		uint64_t events;
		int err;

		/* The kernel may wait for an answer of ours before it drops a page. */
		fds[2].fd = hold_is_held(&fs->hold) ? -1 : fs->stale.event_fd;
		fds[3].fd = fs->hold.fd;
		fds[2].revents = 0;
		if (poll(fds, 4, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info) &&
			handle_signal(fs, &info))
			return 0;
		if (fds[1].revents && read(fs->event_fd, &events, sizeof(events)) > 0) {
			if (events & (EVENT_ENDED - 1))
				ready(fs);
			if (events >= EVENT_ENDED)
				return 0;
		}
		if (fds[2].revents)
			stale_drop(fs);
		err = fds[3].revents ? take_hold(fs, workers, count) : 0;
		if (err)
			return err;
	}
}

/* Waits for one worker, which may have been about to read when it was interrupted. */
static void join_one(pthread_t thread)
{
	int err;

	do {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += 5000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		err = pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until);
		if (err == ETIMEDOUT)
			pthread_kill(thread, SIGUSR2);
	} while (err == ETIMEDOUT);
}

/* Ends the workers, each of which may be waiting for a request that never comes. */
static void join(struct af_fs *fs, const struct af_worker *workers, unsigned int count)
{
	fuse_session_exit(fs->session);
	hold_let_go(&fs->hold);
	for (unsigned int i = 0; i < count; i++)
		pthread_kill(workers[i].thread, SIGUSR2);
	for (unsigned int i = 0; i < count; i++)
		join_one(workers[i].thread);
}

/*
 * The kernel grows the table of descriptors when it is full, and where threads share it waits until no
 * processor looks at the old one: ten milliseconds and more, in the midst of a request. So it gets the
 * size that it will have while there is one thread.
 */
static void grow_descriptor_table(const struct af_fs *fs, int any_fd)
{
	int fd = fcntl(any_fd, F_DUPFD_CLOEXEC, 2 * (int)fs->dirfds.limit - 1);

	if (fd >= 0)
		close(fd);
}

int session_run(struct af_fs *fs, void (*ready)(struct af_fs *fs))
{
	sigset_t set = signal_set();
	af_autoclose int signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	af_autofree struct af_worker *workers = calloc(fs->options->threads, sizeof(*workers));
	unsigned int started = 0;
	int err = 0;

	if (signal_fd < 0 || !workers)
		return -errno;
	grow_descriptor_table(fs, signal_fd);
	while (started < fs->options->threads && !err) {
		workers[started].fs = fs;
		err = -pthread_create(&workers[started].thread, NULL, work, &workers[started]);
		if (!err)
			started++;
	}
	/* Fewer threads than asked for serve as well, only slower. */
	err = started > 0 ? watch(fs, signal_fd, ready, workers, started) : err;
	join(fs, workers, started);
	return err;
}
