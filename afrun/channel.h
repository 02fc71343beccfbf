/*
 * Channels: a directory in memory that those sandboxes share that name it, and nobody else sees.
 *
 * channel.c         --channel: what was asked for, joining and leaving
 * channel_holder.c  the process that has the directory, and hands it out, as long as anybody uses it
 * channel_call.c    --status and --stop of a channel, and its line in --list
 *
 * The directory is a tmpfs in a mount namespace of the holder's own. Who joins gets a copy of its mount
 * as a descriptor (open_tree(2)), and puts it beside the view in the namespace that the sandbox is made
 * in (move_mount(2)). So no mount is anywhere that could be left behind, and no path leads to it.
 */
#ifndef AF_CHANNEL_H
#define AF_CHANNEL_H

#include "identity.h"
#include "named.h"
#include "opts.h"

#include <stdbool.h>
#include <stdint.h>

enum { AF_CHANNEL_NAME_SIZE = 65 };

/* Before its name, beside the view. */
#define AF_CHANNEL_PLACE "channel."

/* One --channel: NAME[,size=SIZE][,keep]. */
struct af_channel_ask {
	char name[AF_CHANNEL_NAME_SIZE];
	uint64_t size; /* bytes; of who makes it */
	bool keep;     /* it stays when its last user has left */
};

/* Pure. Returns 0 or -EINVAL, reported. */
int channel_parse(const char *text, struct af_channel_ask *ask);

/* One that is joined. */
struct af_channel {
	struct af_channel_ask ask;
	int tree; /* its directory, a mount that is nowhere yet; owned */
	int line; /* to its holder, for as long as it is used; owned */
};

struct af_channels {
	struct af_channel *items; /* owned */
	size_t count;
	int watch; /* becomes readable when a holder is gone (epoll); -1: there is no channel. Owned */
};

#define AF_CHANNELS_NONE ((struct af_channels){.watch = -1})

/*
 * Joins all that the options name, in their order; a channel that is not there is made. Harmless where
 * there is none. Returns 0 or -errno, reported; channels_leave() in both cases.
 */
int channels_join(struct af_channels *channels, const struct af_opts *opts,
	const struct af_identity *identity);
/* Of one that nobody else uses nothing is left then. */
void channels_leave(struct af_channels *channels);

/* What --status says. */
struct af_channel_state {
	uint32_t size;        /* of this; another version has another */
	int32_t pid;          /* of the holder */
	int32_t users;        /* sandboxes */
	int32_t kept;         /* bool */
	int64_t started_s;    /* since 1970 */
	uint64_t limit, used; /* bytes */
};

/*
 * In a process of its own: makes the directory and serves until nobody uses it. dir, lock and listener
 * are as named_listen() gives them, and become its own; nothing else stays open.
 */
__attribute__((noreturn)) void channel_hold(
	const struct af_channel_ask *ask, int dir, int lock, int listener);

struct af_json;

/* --status or --stop of opts' one channel. Returns the exit status. */
int channel_call(const struct af_opts *opts);
/* All that live, as lines, or as elements of an array where json is not NULL. Returns 0 or -errno. */
int channel_list(int dir, struct af_json *json);

#endif
