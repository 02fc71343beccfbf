/*
 * A session's life. See session.h.
 */
#include "session.h"

#include "cleanup.h"
#include "control.h"
#include "io.h"
#include "log.h"
#include "named.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum { TRIES = 100 };

/* -ENOENT where the last session that was there removed the directory meanwhile. */
static int try_open(struct af_door *door, char **path)
{
	door->dir = named_open(true, path);
	if (door->dir < 0)
		return door->dir;
	door->listener = named_listen(door->dir, door->name, &door->lock);
	return door->listener;
}

int session_open(struct af_door *door, const char *name)
{
	af_autofree char *path = NULL;
	int err = -ENOENT;

	for (int try = 0; try < TRIES && err == -ENOENT; try++) {
		if (try > 0)
			session_close(door, 0);
		free(path);
		*door = AF_DOOR_NONE;
		door->name = name;
		err = try_open(door, &path);
	}
	if (err >= 0)
		return 0;
	if (err == -EEXIST)
		log_error("session: %s: it lives already; `afrun -S %s --status` shows it", name,
			name);
	else
		log_error("session: %s: %s", path ? path : name,
			err == -EACCES ? "it must be yours, and closed to others (0700)"
				       : strerror(-err));
	return err;
}

/* Waits until it says that it is up, or is gone. */
static int wait_for_it(int ready, pid_t child)
{
	char byte;
	ssize_t got = io_read_full(ready, &byte, 1);
	int status;

	if (got == 1)
		return 0;
	/* Why was said by it. */
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return AF_EXIT_FAILED;
}

/*
 * What we start keeps its stderr as long as it lives, so that is no descriptor of the caller's, who may
 * wait for its end: it is a pipe, and what comes out of it is passed on while somebody listens.
 */
static int listen_to_stderr(struct af_door *door)
{
	af_autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	af_autoclose int write_end = -1;
	int ends[2];

	if (null < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	door->said = ends[0];
	write_end = ends[1];
	door->out = fcntl(2, F_DUPFD_CLOEXEC, 3);
	if (door->out < 0 || fcntl(door->said, F_SETFL, O_NONBLOCK) < 0 || dup2(null, 0) < 0 ||
		dup2(null, 1) < 0 || dup2(write_end, 2) < 0)
		return -errno;
	return 0;
}

/* The new process, as one in the background. Returns -1 as session_detach() does, or an exit status. */
static int settle(struct af_door *door)
{
	int err = listen_to_stderr(door);

	setsid();
	/* Who has started us, or stops us, may be gone when we say something. */
	signal(SIGPIPE, SIG_IGN);
	if (!err)
		return -1;
	log_error("session: %s", strerror(-err));
	return AF_EXIT_FAILED;
}

int session_detach(struct af_door *door)
{
	af_autoclose int read_end = -1;
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		log_error("session: %s", strerror(errno));
		return AF_EXIT_FAILED;
	}
	read_end = ends[0];
	door->ready = ends[1];
	child = fork();
	if (child == 0)
		return settle(door);
	close(af_steal_fd(&door->ready));
	if (child > 0)
		return wait_for_it(read_end, child);
	log_error("session: %s", strerror(errno));
	return AF_EXIT_FAILED;
}

int session_is_up(struct af_door *door)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int err;

	session_pass_on(door);
	if (null >= 0) {
		close(door->out);
		door->out = null;
	}
	err = io_write_all(door->ready, "", 1);
	close(af_steal_fd(&door->ready));
	return err;
}

void session_pass_on(const struct af_door *door)
{
	char text[4096];
	ssize_t got;

	while (door->said >= 0 && (got = read(door->said, text, sizeof(text))) > 0)
		io_write_all(door->out, text, (size_t)got);
}

void session_speak(struct af_door *door)
{
	session_pass_on(door);
	if (door->out >= 0)
		dup2(door->out, 2);
}

void session_close(struct af_door *door, int status)
{
	struct af_control answer = {.kind = AF_CONTROL_ANSWER, .value = status};
	const int fds[] = {
		door->listener, door->lock, door->dir, door->ready, door->said, door->out};

	session_pass_on(door);
	if (door->listener >= 0)
		named_remove(door->dir, door->name);
	for (size_t i = 0; i < door->stopper_count; i++) {
		control_send(door->stoppers[i], &answer, NULL, 0);
		close(door->stoppers[i]);
	}
	free(door->stoppers);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*door = AF_DOOR_NONE;
}
