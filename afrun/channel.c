/*
 * --channel: what was asked for, joining and leaving. See channel.h.
 */
#include "channel.h"

#include "cleanup.h"
#include "clock.h"
#include "control.h"
#include "limits.h"
#include "log.h"
#include "namespace.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* How long a channel that is just ending, or just being made, is waited for; and for its goodbye. */
enum { JOIN_TIMEOUT_MS = 10000, JOIN_PAUSE_MS = 2, LEAVE_TIMEOUT_MS = 2000 };

static const uint64_t usual_size = 64 << 20;

/* ---- what was asked for ------------------------------------------------------------------------- */

static int take_word(struct af_channel_ask *ask, const char *word, const char *text)
{
	if (strcmp(word, "keep") == 0) {
		ask->keep = true;
		return 0;
	}
	if (strncmp(word, "size=", 5) == 0 && limits_size(word + 5, &ask->size) == 0)
		return 0;
	log_error("--channel: %s: %s: not keep, nor size= and a size such as 16M", text, word);
	return -EINVAL;
}

int channel_parse(const char *text, struct af_channel_ask *ask)
{
	af_autofree char *copy = strdup(text);
	char *rest = copy;
	const char *name, *word;

	*ask = (struct af_channel_ask){.size = usual_size};
	if (!copy)
		return -ENOMEM;
	name = strsep(&rest, ",");
	if (!name_is_good(name)) {
		log_error("--channel: %s: a name has 1 to 64 of A-Z a-z 0-9 . _ -, and begins with "
			  "no dot or dash",
			name);
		return -EINVAL;
	}
	snprintf(ask->name, sizeof(ask->name), "%s", name);
	while ((word = strsep(&rest, ",")))
		if (take_word(ask, word, name))
			return -EINVAL;
	return 0;
}

/* ---- joining ------------------------------------------------------------------------------------ */

/* Twice, so that the holder is nobody's child: it may outlive us. */
static int start_holder(const struct af_channel_ask *ask, int dir, int lock, int listener)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		child = fork();
		if (child == 0)
			channel_hold(ask, dir, lock, listener);
		_exit(child < 0);
	}
	if (child < 0)
		return -errno;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : -ENOMEM;
}

/* Makes the channel. 0 or -errno, -EAGAIN where somebody else is just doing so, or ends one. */
static int make_channel(const struct af_channel_ask *ask, int dir, const char *name)
{
	int lock = -1;
	int listener = named_listen(dir, name, &lock);
	int err = listener < 0 ? listener : start_holder(ask, dir, lock, listener);

	if (listener >= 0)
		close(listener);
	if (lock >= 0)
		close(lock);
	return err == -EEXIST || err == -ENOENT ? -EAGAIN : err;
}

/* 0, -EAGAIN where the holder was about to end, or -errno. */
static int ask_tree(struct af_channel *channel)
{
	struct af_control message = {
		.kind = AF_CONTROL_ASK, .value = AF_ASK_JOIN, .to = channel->ask.keep};
	struct af_control answer = {0};
	int fds[AF_CONTROL_FDS], count = 0;
	struct timeval limit = {.tv_sec = JOIN_TIMEOUT_MS / 1000};
	int err = control_send(channel->line, &message, NULL, 0);
	int got;

	setsockopt(channel->line, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	got = err ? err : control_recv(channel->line, &answer, fds, &count);

	if (got > 0 && count == 1 && answer.kind == AF_CONTROL_ANSWER) {
		channel->tree = fds[0];
		return 0;
	}
	for (int i = 0; i < count; i++)
		close(fds[i]);
	if (got > 0)
		return answer.value ? answer.value : -EPROTO;
	return got == 0 || got == -ECONNRESET || got == -EPIPE ? -EAGAIN : got;
}

static int try_join(struct af_channel *channel)
{
	af_autofree char *path = NULL;
	af_autoclose int dir = named_open(true, &path);
	char name[AF_CHANNEL_NAME_SIZE + 1];
	int err;

	if (dir < 0)
		return dir == -ENOENT ? -EAGAIN : dir;
	snprintf(name, sizeof(name), NAMED_CHANNEL "%s", channel->ask.name);
	channel->line = named_connect(dir, name);
	if (channel->line == -ENOENT) {
		err = make_channel(&channel->ask, dir, name);
		if (err)
			return err;
		channel->line = named_connect(dir, name);
	}
	if (channel->line < 0)
		return channel->line == -ENOENT ? -EAGAIN : channel->line;
	return ask_tree(channel);
}

static int join(struct af_channel *channel)
{
	int64_t until = now_ms() + JOIN_TIMEOUT_MS;
	int err;

	for (;;) {
		err = try_join(channel);
		if (!err)
			return 0;
		if (channel->line >= 0)
			close(channel->line);
		channel->line = -1;
		if (err != -EAGAIN || now_ms() >= until)
			break;
		poll(NULL, 0, JOIN_PAUSE_MS);
	}
	log_error("--channel: %s: %s", channel->ask.name,
		err == -EAGAIN ? "somebody holds its name and does not answer" : strerror(-err));
	return err;
}

static bool is_joined(const struct af_channels *channels, const char *name)
{
	for (size_t i = 0; i < channels->count; i++)
		if (strcmp(channels->items[i].ask.name, name) == 0)
			return true;
	return false;
}

/* The holder says nothing more, so what can be read from its line is its end. */
static int watch(struct af_channels *channels, int line)
{
	struct epoll_event event = {.events = EPOLLIN};

	if (channels->watch < 0)
		channels->watch = epoll_create1(EPOLL_CLOEXEC);
	if (channels->watch < 0 || epoll_ctl(channels->watch, EPOLL_CTL_ADD, line, &event) < 0)
		return -errno;
	return 0;
}

/*
 * An id that is lent to a run is one that it has alone; on a channel's filesystem all of those are one, so
 * that each may do with everything there what its owner may. Where the kernel cannot do that (before 6.3), what
 * the default ACL allows remains.
 */
static void share_ids(const struct af_channel *channel, const struct af_identity *identity)
{
	af_autoclose int users = namespace_map_users(AF_LENT_ID_BASE, identity->uid, identity->gid);
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)(users < 0 ? 0 : users)};

	if (users < 0 || mount_setattr(channel->tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		log_info("--channel: %s: no ids are mapped: %s", channel->ask.name,
			strerror(users < 0 ? -users : errno));
}

static int add_channel(
	struct af_channels *channels, const char *text, const struct af_identity *identity)
{
	struct af_channel *channel = &channels->items[channels->count];
	int err;

	*channel = (struct af_channel){.tree = -1, .line = -1};
	err = channel_parse(text, &channel->ask);
	/* Once more is once. */
	if (err || is_joined(channels, channel->ask.name))
		return err;
	err = join(channel);
	if (err)
		return err;
	channels->count++;
	if (identity->lend)
		share_ids(channel, identity);
	err = watch(channels, channel->line);
	if (err)
		log_error("--channel: %s: %s", channel->ask.name, strerror(-err));
	return err;
}

int channels_join(struct af_channels *channels, const struct af_opts *opts,
	const struct af_identity *identity)
{
	int err = 0;

	*channels = AF_CHANNELS_NONE;
	channels->items = calloc(opts->item_count + 1, sizeof(*channels->items));
	if (!channels->items) {
		log_error("--channel: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	for (size_t i = 0; i < opts->item_count && !err; i++)
		if (opts->items[i].kind == AF_ITEM_CHANNEL)
			err = add_channel(channels, opts->items[i].text, identity);
	return err;
}

/* Of a holder that was killed nothing stays either. */
static void sweep(const struct af_channel *channel)
{
	af_autofree char *path = NULL;
	af_autoclose int dir = named_open(false, &path);
	char name[AF_CHANNEL_NAME_SIZE + 1];

	snprintf(name, sizeof(name), NAMED_CHANNEL "%s", channel->ask.name);
	if (dir >= 0)
		named_sweep(dir, name);
}

/* Until the holder has taken notice: of its last user's channel the name is gone by then. */
static void leave(const struct af_channel *channel)
{
	struct pollfd end = {.fd = channel->line, .events = POLLIN};

	bool died = poll(&end, 1, 0) > 0;

	if (channel->tree >= 0)
		close(channel->tree);
	shutdown(channel->line, SHUT_WR);
	while (!died && poll(&end, 1, LEAVE_TIMEOUT_MS) < 0 && errno == EINTR)
		;
	close(channel->line);
	if (died)
		sweep(channel);
}

void channels_leave(struct af_channels *channels)
{
	for (size_t i = 0; i < channels->count; i++)
		leave(&channels->items[i]);
	if (channels->watch >= 0)
		close(channels->watch);
	free(channels->items);
	*channels = AF_CHANNELS_NONE;
}
