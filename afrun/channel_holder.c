/*
 * The process that has a channel's directory. See channel.h.
 *
 * It makes the directory in a mount namespace of its own, and gives a copy of the mount to whoever joins.
 * A user is a connection, which the kernel ends however its process ends; with the last one the name is
 * given back and the process ends, and the kernel takes the directory when the last mount of it goes.
 */
#include "channel.h"

#include "cleanup.h"
#include "control.h"
#include "keeper.h"
#include "namespace.h"

#include <poll.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>

/* There in every namespace, and nothing that the holder looks at. */
static const char place[] = "/sys";

enum { FIRST_USER_TIMEOUT_MS = 10000, BLOCK = 4096, SPARE_INODES = 64 };

struct user {
	int fd; /* owned */
	bool joined;
};

struct holder {
	const struct af_channel_ask *ask;
	int dir, listener; /* owned */
	int error;         /* why there is no directory */
	bool keep, ended;
	time_t started;
	struct user *users; /* owned; the polls of the same number are theirs */
	struct pollfd *polls;
	size_t count, joined, room;
};

/* ---- the directory ------------------------------------------------------------------------------ */

/*
 * What is made in there is open to all that are in there, whatever their umask and their ids outside,
 * which differ where root has started them: a default ACL, as the kernel stores it (acl(5)).
 */
static int open_to_all(void)
{
	static const struct {
		uint32_t version;
		struct {
			uint16_t tag, permissions;
			uint32_t id;
		} entries[3];
	} acl = {2, {{0x01, 07, ~0U}, {0x04, 07, ~0U}, {0x20, 07, ~0U}}};

	if (setxattr(place, "system.posix_acl_default", &acl, sizeof(acl), 0) < 0 &&
		errno != EOPNOTSUPP)
		return -errno;
	return 0;
}

static int make_directory(const struct af_channel_ask *ask)
{
	char options[96];
	int err = namespace_enter_new(geteuid() != 0, geteuid(), getegid());

	if (err)
		return err;
	snprintf(options, sizeof(options), "mode=0777,size=%ju,nr_inodes=%ju", (uintmax_t)ask->size,
		(uintmax_t)ask->size / BLOCK + SPARE_INODES);
	if (mount("afrun-channel", place, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
		return -errno;
	return open_to_all();
}

/* ---- who asks for what --------------------------------------------------------------------------- */

/* The name first: who sees a connection end may rely on it. */
static void end_if_unused(struct holder *h)
{
	char name[AF_CHANNEL_NAME_SIZE + 1];

	if (h->joined > 0 || h->keep)
		return;
	snprintf(name, sizeof(name), NAMED_CHANNEL "%s", h->ask->name);
	named_remove(h->dir, name);
	h->ended = true;
}

static void answer_value(int fd, int value)
{
	struct af_control answer = {.kind = AF_CONTROL_ANSWER, .value = value};

	control_send(fd, &answer, NULL, 0);
}

static void join(struct holder *h, struct user *user, bool keep)
{
	struct af_control answer = {.kind = AF_CONTROL_ANSWER};
	af_autoclose int tree = -1;

	if (!h->error)
		tree = open_tree(AT_FDCWD, place, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0) {
		answer_value(user->fd, h->error ? h->error : -errno);
		return;
	}
	if (control_send(user->fd, &answer, &tree, 1) < 0)
		return;
	h->keep |= keep;
	h->joined += !user->joined;
	user->joined = true;
}

static void tell_state(const struct holder *h, int fd)
{
	struct af_channel_state state = {.size = sizeof(state),
		.pid = getpid(),
		.users = (int32_t)h->joined,
		.kept = h->keep,
		.started_s = (int64_t)h->started,
		.limit = h->ask->size};
	struct statvfs fs;

	if (!h->error && statvfs(place, &fs) == 0)
		state.used = (uint64_t)(fs.f_blocks - fs.f_bfree) * fs.f_frsize;
	control_answer_state(fd, &state, sizeof(state));
}

/* Returns whether the connection stays. */
static bool take_ask(struct holder *h, struct user *user)
{
	struct af_control message;
	int fds[AF_CONTROL_FDS], count = 0;
	int got;

	/* Its name is given back: who joins now makes a new one. */
	if (h->ended)
		return false;
	got = control_recv(user->fd, &message, fds, &count);

	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (got <= 0 || message.kind != AF_CONTROL_ASK)
		return false;
	switch ((enum af_ask)message.value) {
	case AF_ASK_JOIN:
		join(h, user, message.to);
		return true;
	case AF_ASK_STATUS:
		tell_state(h, user->fd);
		return true;
	case AF_ASK_STOP:
		h->keep = false;
		end_if_unused(h);
		answer_value(user->fd, 0);
		return true;
	default:
		return false;
	}
}

static int make_room(struct holder *h)
{
	size_t room = h->room ? 2 * h->room : 16;
	struct user *users = reallocarray(h->users, room, sizeof(*users));
	struct pollfd *polls = users ? reallocarray(h->polls, room + 1, sizeof(*polls)) : NULL;

	if (users)
		h->users = users;
	if (!polls)
		return -ENOMEM;
	h->polls = polls;
	h->room = room;
	return 0;
}

static void accept_user(struct holder *h)
{
	pid_t pid;
	af_autoclose int fd = named_accept(h->listener, &pid);

	if (fd < 0 || (h->count == h->room && make_room(h) < 0))
		return;
	h->users[h->count++] = (struct user){.fd = af_steal_fd(&fd)};
}

/* ---- its life ------------------------------------------------------------------------------------ */

static void forget(struct holder *h, size_t i)
{
	int fd = h->users[i].fd;
	bool joined = h->users[i].joined;

	h->users[i] = h->users[--h->count];
	h->joined -= joined;
	if (joined)
		end_if_unused(h);
	close(fd);
}

static void take_polls(struct holder *h)
{
	/* From the end: what takes the place of one that is forgotten was looked at before. */
	for (size_t i = h->count; i-- > 0;)
		if (h->polls[i + 1].revents && !take_ask(h, &h->users[i]))
			forget(h, i);
	if (h->polls[0].revents)
		accept_user(h);
}

static void serve(struct holder *h)
{
	while (!h->ended) {
		bool idle = h->count == 0 && !h->keep;
		int got;

		h->polls[0] = (struct pollfd){.fd = h->listener, .events = POLLIN};
		for (size_t i = 0; i < h->count; i++)
			h->polls[i + 1] = (struct pollfd){.fd = h->users[i].fd, .events = POLLIN};
		got = poll(h->polls, (nfds_t)h->count + 1, idle ? FIRST_USER_TIMEOUT_MS : -1);
		if (got > 0)
			take_polls(h);
		else if (got == 0 || errno != EINTR)
			end_if_unused(h);
		/* Without a directory there is nothing to wait for, once that was said. */
		if (h->error && h->count == 0)
			end_if_unused(h);
	}
}

static void settle(int dir, int lock, int listener)
{
	struct rlimit files;

	keeper_settle("afrun-channel", (const int[]){dir, lock, listener}, 3);
	umask(0);
	/* A user is a descriptor. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (chdir("/") < 0)
		_exit(1);
}

void channel_hold(const struct af_channel_ask *ask, int dir, int lock, int listener)
{
	struct holder h = {.ask = ask, .dir = dir, .listener = listener, .started = time(NULL)};

	settle(dir, lock, listener);
	h.keep = ask->keep;
	if (make_room(&h) < 0)
		_exit(1);
	h.error = make_directory(ask);
	if (h.error)
		h.keep = false;
	serve(&h);
	_exit(0);
}
