/*
 * Where sessions and channels are found: for each a socket and a lock, by its name, in a directory that
 * only its owner can enter. A channel's name has a mark before it there, so it is never a session's.
 *
 *     $XDG_RUNTIME_DIR/afrun, else /run/user/UID/afrun, else (root) /run/afrun, else /tmp/afrun-UID
 */
#ifndef AF_NAMED_H
#define AF_NAMED_H

#include "words.h"

#include <stdbool.h>
#include <sys/types.h>

#define NAMED_CHANNEL "@" /* the mark */

/* 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot or a dash. */
bool name_is_good(const char *name);

/*
 * The directory, opened; make: made where it is not there. *path gets its name, newly allocated.
 * Returns a descriptor that the caller owns, or -errno: -EACCES where it is not the caller's own and
 * closed to others; -ENOENT where it is not there, also where it was just removed.
 */
int named_open(bool make, char **path);

/*
 * Takes the name: *lock_fd is held (and its file there) as long as what it names lives; the socket, which
 * is returned, listens. -EEXIST where that name is taken, -ENOENT where the directory was just
 * removed, else -errno.
 */
int named_listen(int dirfd, const char *name, int *lock_fd);
/* Gives the name back; both descriptors remain the caller's. */
void named_remove(int dirfd, const char *name);

/* A connection to what has that name, which the caller owns; -ENOENT: there is none. */
int named_connect(int dirfd, const char *name);
/* Somebody who has connected, and is us or root: a descriptor that the caller owns, or -errno. */
int named_accept(int listener, pid_t *pid);
/* Takes away what one that was killed has left of that name; nothing where it lives. */
void named_sweep(int dirfd, const char *name);
/* The names, without it, of all that live and have that mark ("": sessions), sorted. Others are
 * swept. 0 or -errno. */
int named_list(int dirfd, const char *mark, struct af_words *names);

#endif
