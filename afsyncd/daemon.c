/*
 * The daemon: what is told and what is due, until it is to end. See daemon.h. What a merge is it leaves to
 * the program that it starts (errand.h), what there is to merge to watch.h.
 */
#include "daemon.h"

#include "cleanup.h"
#include "errand.h"
#include "log.h"
#include "notify.h"
#include "table.h"
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum {
	MAX_ERRANDS = 8,
	FIRST_REST_MS = 25,
	LAST_REST_MS = 60000,
	/* Scans get one part in so many of our time, however often something comes and goes. */
	SCAN_SHARE = 5,
};

struct server {
	const char *table_path;
	struct table table;
	struct watch watch;
	int signal_fd;
	sigset_t inherited; /* the signal mask that we were started with */
	struct errand errands[MAX_ERRANDS];
	size_t turn;           /* the delta with which looking begins: nobody is always the first */
	bool ending, starving; /* no merge could be started, which was told */
	bool scan;             /* the directories are to be looked at, at scan_at_ms */
	int64_t scan_at_ms;
};

static int scan(struct server *server)
{
	int64_t begin = watch_now_ms(), end;
	int err = watch_scan(&server->watch, &server->table);

	if (err)
		log_error("watch: %s", strerror(-err));
	end = watch_now_ms();
	/* Of what cannot be watched nobody tells. */
	server->scan = err || server->watch.is_full;
	server->scan_at_ms =
		end + (server->scan ? WATCH_AGAIN_MS : (SCAN_SHARE - 1) * (end - begin));
	return err;
}

/* ---- merges ------------------------------------------------------------------------------------- */

static bool is_merging(const struct server *server)
{
	for (size_t i = 0; i < MAX_ERRANDS; i++)
		if (server->errands[i].pid)
			return true;
	return false;
}

/* NULL: there are enough, or one into this source, for which a second would but wait. */
static struct errand *free_errand(struct server *server, const char *source)
{
	struct errand *none = NULL;

	for (size_t i = 0; i < MAX_ERRANDS; i++) {
		struct errand *errand = &server->errands[i];

		if (!errand->pid)
			none = errand;
		else if (strcmp(errand->source, source) == 0)
			return NULL;
	}
	return none;
}

/* One that always has something to merge anew lets the others go first. */
static void rest(struct watched *delta)
{
	int64_t pause = FIRST_REST_MS;

	for (unsigned int i = 1; i < delta->streak && pause < LAST_REST_MS; i++)
		pause *= 2;
	if (delta->streak++)
		delta->rest_until_ms =
			watch_now_ms() + (pause < LAST_REST_MS ? pause : LAST_REST_MS);
}

static void start(struct server *server, struct errand *errand, struct watched *delta, int dir_fd)
{
	int err = errand_start(errand, delta->path, dir_fd, delta->row, &server->inherited);

	if (!err) {
		delta->dirty = false;
		delta->child = errand->pid;
		server->starving = false;
		rest(delta);
		return;
	}
	if (!server->starving)
		log_error("%s: no merge can be started: %s; tried again every %d s", delta->path,
			strerror(-err), WATCH_AGAIN_MS / 1000);
	server->starving = true;
	watch_renew(delta);
	delta->look_at_ms = watch_now_ms() + WATCH_AGAIN_MS;
}

static void look_at(struct server *server, struct watched *delta)
{
	struct errand *errand = free_errand(server, delta->row->source);
	af_autoclose int dir_fd = -1;

	/* Another one's end leads here again. */
	if (!errand)
		return;
	switch (watch_look(delta, &dir_fd)) {
	case WATCH_IDLE:
		delta->dirty = false;
		delta->streak = 0;
		break;
	case WATCH_BUSY:
		watch_postpone(delta);
		break;
	case WATCH_WAITS:
		delta->look_at_ms = watch_now_ms() + WATCH_AGAIN_MS;
		break;
	case WATCH_READY:
		start(server, errand, delta, dir_fd);
		break;
	}
}

/* When it is to be looked at, -1: nobody knows. */
static int64_t due(const struct watched *delta)
{
	if (!delta->dirty || !delta->row || delta->child)
		return -1;
	return delta->look_at_ms > delta->rest_until_ms ? delta->look_at_ms : delta->rest_until_ms;
}

/* Merges what can be. Returns when to come back, -1: when something happens. */
static int64_t consider(struct server *server)
{
	int64_t now = watch_now_ms(), next = -1;
	size_t count = server->watch.count, first = count ? server->turn % count : 0;

	for (size_t i = 0; i < count; i++) {
		struct watched *delta = server->watch.deltas[(first + i) % count];
		int64_t at = due(delta);

		if (at >= 0 && at <= now) {
			look_at(server, delta);
			if (delta->child)
				server->turn = first + i + 1;
			at = due(delta);
		}
		if (at > now && (next < 0 || at < next))
			next = at;
	}
	return next;
}

static void end_errand(struct server *server, struct errand *errand, int status)
{
	pid_t pid = errand->pid;
	bool failed = errand_end(errand, status);

	for (size_t i = 0; i < server->watch.count; i++) {
		struct watched *delta = server->watch.deltas[i];

		if (delta->child != pid)
			continue;
		delta->child = 0;
		delta->dirty = true; /* mounted again meanwhile? */
		delta->look_at_ms = 0;
		delta->wait_ms = 0;
		if (failed)
			watch_failed(delta);
	}
}

static void reap(struct server *server)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < MAX_ERRANDS; i++)
			if (server->errands[i].pid == pid)
				end_errand(server, &server->errands[i], status);
}

/* ---- what it is told ---------------------------------------------------------------------------- */

/* The old table stays where the new one cannot be read. What was tried in vain is tried again. */
static void reload(struct server *server)
{
	struct table old = server->table, new;

	if (table_load(&new, server->table_path) == 0) {
		server->table = new;
		log_notice("%s: read again: %zu rows", server->table_path, new.count);
	} else {
		table_fini(&new);
		old = (struct table){0};
	}
	/* Until then deltas are known by rows of the old one. */
	scan(server);
	table_fini(&old);
	watch_renew_all(&server->watch);
}

/* The first time we wait for merges, the second time these are to end as well. */
static void end(struct server *server)
{
	if (!server->ending)
		notify_state("STOPPING=1");
	for (size_t i = 0; i < MAX_ERRANDS && server->ending; i++)
		errand_stop(&server->errands[i]);
	server->ending = true;
}

static void handle_signals(struct server *server)
{
	struct signalfd_siginfo info;

	while (read(server->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD) {
			reap(server);
		} else if (info.ssi_signo != SIGHUP) {
			end(server);
		} else if (!server->ending) {
			notify_reloading();
			reload(server);
			notify_state("READY=1");
		}
	}
}

/* ---- the loop ----------------------------------------------------------------------------------- */

/* Does what is due; for how long then to wait: ms, -1: until something happens. */
static int work(struct server *server)
{
	int64_t next, now = watch_now_ms();

	if (server->ending)
		return -1;
	if (server->scan && server->scan_at_ms <= now)
		scan(server);
	next = consider(server);
	if (server->scan && (next < 0 || server->scan_at_ms < next))
		next = server->scan_at_ms;
	if (next < 0)
		return -1;
	now = watch_now_ms();
	return next > now ? (int)(next - now) : 0;
}

static void serve(struct server *server)
{
	enum { SIGNALS, WATCH, ERRANDS };

	while (!server->ending || is_merging(server)) {
		struct pollfd fds[ERRANDS + MAX_ERRANDS] = {
			[SIGNALS] = {.fd = server->signal_fd, .events = POLLIN},
			[WATCH] = {.fd = server->watch.fd, .events = POLLIN},
		};
		int timeout_ms = work(server);

		for (size_t i = 0; i < MAX_ERRANDS; i++)
			fds[ERRANDS + i] =
				(struct pollfd){.fd = server->errands[i].said_fd, .events = POLLIN};
		if (poll(fds, ERRANDS + MAX_ERRANDS, timeout_ms) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < MAX_ERRANDS; i++)
			if (fds[ERRANDS + i].revents)
				errand_read(&server->errands[i]);
		server->scan |= watch_read(&server->watch);
		handle_signals(server);
	}
}

static int open_signals(struct server *server)
{
	sigset_t set, blocked;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	blocked = set;
	/* Where nobody reads the log any more, we go on without one. */
	sigaddset(&blocked, SIGPIPE);
	sigprocmask(SIG_BLOCK, &blocked, &server->inherited);
	server->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return server->signal_fd < 0 ? -errno : 0;
}

int daemon_serve(const char *table_path)
{
	struct server server = {.table_path = table_path, .signal_fd = -1, .watch = {.fd = -1}};
	int err = open_signals(&server);

	for (size_t i = 0; i < MAX_ERRANDS; i++)
		server.errands[i] = ERRAND_NONE;
	if (!err)
		err = watch_init(&server.watch);
	if (err)
		log_error("daemon: %s", strerror(-err));
	else
		err = table_load(&server.table, table_path);
	if (!err)
		err = scan(&server);
	if (!err) {
		log_notice("%s: %zu rows", table_path, server.table.count);
		notify_state("READY=1");
		serve(&server);
	}
	watch_fini(&server.watch);
	table_fini(&server.table);
	if (server.signal_fd >= 0)
		close(server.signal_fd);
	return err;
}
