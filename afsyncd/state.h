/*
 * The state directory from the inside: what apply, recover and undo share of it.
 *
 *     STATE/lock          flock(2)ed by whoever merges; holds the holder's pid as text
 *     STATE/.gitignore    "*"
 *     STATE/journal       a merge or an undo that is under way
 *     STATE/stage/        its objects: what step N brings, and afterwards what it displaced
 *     STATE/undo/ID/      both of a merge that ended
 *
 * An object goes from stage to the source and back by rename alone, so STATE is on the source's
 * filesystem and mount.
 */
#ifndef AF_STATE_H
#define AF_STATE_H

#include "journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MERGE_ID_SIZE = 64,          /* bytes, with the NUL */
	MERGE_LOG_KIND = 0x474d4641, /* "AFMG" */
	MERGE_LOG_VERSION = 3,
};

#define STATE_JOURNAL "journal"
#define STATE_STAGE "stage"

struct sync_state {
	int dir_fd;                  /* owned; readable */
	int undo_fd;                 /* owned; readable */
	int lock_fd;                 /* owned; -1: not locked, and then only looked at */
	char next_id[MERGE_ID_SIZE]; /* see state_next_id() */
};

/* The name of step N's object. */
struct object_name {
	char text[24];
};
struct object_name object_name(size_t step);

/*
 * What makes a state directory this one, and no copy: a journal that came here with an archive or a
 * repository is none of ours, and whoever made it cannot know when the directory would be made.
 */
struct state_birth {
	uint64_t ino;
	int64_t born_ns; /* 0: the filesystem does not tell */
};
/* 0 or -errno. */
int state_get_birth(const struct sync_state *state, struct state_birth *birth);

/* Makes an empty STATE/stage and opens it (readable, owned by the caller), or opens it. -errno. */
int state_make_stage(const struct sync_state *state);
int state_open_stage(const struct sync_state *state);
/* Removes stage and journal: nothing is under way any more. 0 or -errno. */
int state_drop(const struct sync_state *state);
/* Files stage and journal under undo/ID; also what a killed one has left to do. 0 or -errno. */
int state_file(const struct sync_state *state, const char *id);
/* Removes undo/ID. 0 or -errno. */
int state_forget(const struct sync_state *state, const char *id);

/* Whether objects can be renamed from the one directory to the other: one filesystem and mount. */
bool state_can_rename(int one, int other);
/* Whether text looks like an id: a name that can be opened below undo/. */
bool state_is_id(const char *text);
/* The ids of the merges that can be undone, oldest first: owned, each too. 0 or -errno. */
int state_list(const struct sync_state *state, char ***ids, size_t *count);
void state_list_free(char **ids, size_t count);

#endif
