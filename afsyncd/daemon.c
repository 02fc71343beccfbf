/*
 * The daemon. See daemon.h. What a merge is it leaves to the program that it starts.
 */
#include "daemon.h"

#include "cleanup.h"
#include "io.h"
#include "log.h"
#include "notify.h"
#include "table.h"
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* A lock that an ended mount still has for a moment: looked at again, each time after RETRY_MS. */
enum { MAX_MERGES = 8, RETRY_MS = 20, MAX_TRIES = 100, MESSAGE_SIZE = 1024 };

struct merge {
	pid_t pid;            /* 0: none */
	int said;             /* memfd: what it writes to stderr; owned */
	char *delta, *source; /* owned */
};

struct server {
	const char *table_path;
	struct table table;
	struct watch watch;
	int signal_fd;
	sigset_t inherited; /* the signal mask that we were started with */
	struct merge merges[MAX_MERGES];
	bool ending;
	bool retry; /* some delta is to be looked at again soon */
};

static struct merge *free_merge(struct server *server)
{
	for (size_t i = 0; i < MAX_MERGES; i++)
		if (server->merges[i].pid == 0)
			return &server->merges[i];
	return NULL;
}

/* In the child: becomes the afsyncd that merges. */
static void exec_merge(const struct server *server, const struct watched *delta, int said)
{
	const struct table_row *row = delta->row;
	const char **argv = calloc(row->option_count + 5, sizeof(*argv));
	size_t count = 0;

	if (!argv || dup2(said, STDERR_FILENO) < 0)
		_exit(2);
	argv[count++] = "afsyncd";
	for (size_t i = 0; i < row->option_count; i++)
		argv[count++] = row->options[i];
	argv[count++] = "--";
	argv[count++] = delta->path;
	argv[count++] = row->source;
	sigprocmask(SIG_SETMASK, &server->inherited, NULL);
	/* Our own group: a terminal's Ctrl-C ends the daemon, which waits for merges. */
	setpgid(0, 0);
	execv("/proc/self/exe", (char *const *)(uintptr_t)argv);
	_exit(2);
}

static void start_merge(struct server *server, struct merge *merge, struct watched *delta)
{
	int said = memfd_create("afsyncd", MFD_CLOEXEC);
	pid_t pid = said < 0 ? -1 : fork();

	if (pid == 0)
		exec_merge(server, delta, said);
	if (pid < 0) {
		log_error("%s: %s", delta->path, strerror(errno));
		if (said >= 0)
			close(said);
		return;
	}
	*merge = (struct merge){.pid = pid,
		.said = said,
		.delta = strdup(delta->path),
		.source = strdup(delta->row->source)};
	delta->child = pid;
}

/* Looks at every delta that something happened to, and merges what can be. */
static void consider(struct server *server)
{
	server->retry = false;
	for (size_t i = 0; i < server->watch.count && !server->ending; i++) {
		struct watched *delta = &server->watch.deltas[i];
		struct merge *merge = free_merge(server);

		if (!delta->dirty || !delta->row || delta->child || !merge)
			continue;
		switch (watch_look(delta)) {
		case WATCH_IDLE:
			delta->dirty = false;
			break;
		case WATCH_BUSY:
			/* Its mount's end will tell, unless it is what has just told. */
			delta->dirty = ++delta->tries < MAX_TRIES;
			server->retry |= delta->dirty;
			continue;
		case WATCH_READY:
			delta->dirty = false;
			start_merge(server, merge, delta);
			break;
		}
		delta->tries = 0;
	}
}

/* A line without the name of the program that wrote it. */
static const char *without_prefix(const char *line)
{
	static const char prefix[] = "afsyncd: ";

	return strncmp(line, prefix, strlen(prefix)) == 0 ? line + strlen(prefix) : line;
}

/* The first and the last line that a merge has said, within text; the same one where it is alone. */
static void said_lines(int fd, char *text, size_t size, const char **first, const char **last)
{
	struct stat st = {.st_size = 0};
	off_t tail;
	ssize_t got;
	size_t half = size / 2;

	fstat(fd, &st);
	got = pread(fd, text, half - 1, 0);
	text[got > 0 ? got : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	tail = st.st_size > (off_t)half ? st.st_size - (off_t)half + 1 : 0;
	got = pread(fd, text + half, half - 1, tail);
	while (got > 0 && text[half + (size_t)got - 1] == '\n')
		got--;
	text[half + (size_t)(got > 0 ? got : 0)] = '\0';
	*first = without_prefix(text);
	*last = strrchr(text + half, '\n');
	*last = without_prefix(*last ? *last + 1 : text + half);
}

static void report(const struct merge *merge, int status)
{
	const char *delta = merge->delta ? merge->delta : "a delta";
	const char *source = merge->source ? merge->source : "its source";
	char text[2 * MESSAGE_SIZE];
	const char *first, *last;

	said_lines(merge->said, text, sizeof(text), &first, &last);
	if (WIFSIGNALED(status))
		log_error("%s: into %s: killed by signal %d", delta, source, WTERMSIG(status));
	else if (WEXITSTATUS(status) > 1)
		log_error("%s: into %s: nothing is merged: %s", delta, source, first);
	else if (WEXITSTATUS(status) == 1)
		log_warn("%s: %s; %s", delta, last, first);
	else if (*last)
		log_notice("%s: %s", delta, last);
	else
		log_info("%s: into %s: nothing to merge", delta, source);
}

static void end_merge(struct server *server, pid_t pid, int status)
{
	for (size_t i = 0; i < MAX_MERGES; i++) {
		struct merge *merge = &server->merges[i];

		if (merge->pid != pid)
			continue;
		report(merge, status);
		close(merge->said);
		free(merge->delta);
		free(merge->source);
		*merge = (struct merge){0};
	}
	for (size_t i = 0; i < server->watch.count; i++) {
		if (server->watch.deltas[i].child != pid)
			continue;
		server->watch.deltas[i].child = 0;
		server->watch.deltas[i].dirty = true; /* mounted again meanwhile? */
	}
}

static void reap(struct server *server)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		end_merge(server, pid, status);
}

static bool is_merging(const struct server *server)
{
	for (size_t i = 0; i < MAX_MERGES; i++)
		if (server->merges[i].pid)
			return true;
	return false;
}

static int scan(struct server *server)
{
	int err = watch_scan(&server->watch, &server->table);

	if (err)
		log_error("watch: %s", strerror(-err));
	return err;
}

/* The old table stays where the new one cannot be read. */
static void reload(struct server *server)
{
	struct table old = server->table;

	notify_reloading();
	if (table_load(&server->table, server->table_path) != 0) {
		table_fini(&server->table);
		server->table = old;
	} else {
		/* Rows that a delta is known by are the old table's. */
		scan(server);
		for (size_t i = 0; i < server->watch.count; i++)
			if (!server->watch.deltas[i].seen)
				server->watch.deltas[i].row = NULL;
		table_fini(&old);
		log_notice("%s: read again: %zu rows", server->table_path, server->table.count);
	}
	notify_state("READY=1");
}

static void handle_signals(struct server *server)
{
	struct signalfd_siginfo info;

	while (read(server->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(server);
		else if (info.ssi_signo == SIGCHLD)
			reap(server);
		else
			server->ending = true;
	}
}

static void serve(struct server *server)
{
	while (!server->ending || is_merging(server)) {
		struct pollfd fds[] = {{.fd = server->signal_fd, .events = POLLIN},
			{.fd = server->watch.fd, .events = POLLIN}};

		consider(server);
		if (poll(fds, 2, server->retry ? RETRY_MS : -1) < 0 && errno != EINTR)
			break;
		handle_signals(server);
		if (watch_read(&server->watch))
			scan(server);
	}
}

static int open_signals(struct server *server)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &server->inherited);
	server->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return server->signal_fd < 0 ? -errno : 0;
}

int daemon_serve(const char *table_path)
{
	struct server server = {.table_path = table_path, .signal_fd = -1, .watch = {.fd = -1}};
	int err = open_signals(&server);

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
		notify_state("STOPPING=1");
	}
	watch_fini(&server.watch);
	table_fini(&server.table);
	if (server.signal_fd >= 0)
		close(server.signal_fd);
	return err;
}
