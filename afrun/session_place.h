/*
 * Where sessions are found: for each a socket and a lock, by its name, in a directory that only its
 * owner can enter.
 *
 *     $XDG_RUNTIME_DIR/afrun, else /run/user/UID/afrun, else (root) /run/afrun, else /tmp/afrun-UID
 */
#ifndef AF_SESSION_PLACE_H
#define AF_SESSION_PLACE_H

#include "words.h"

#include <stdbool.h>

/* 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot or a dash. */
bool session_name_is_good(const char *name);

/*
 * The directory, opened; make: made where it is not there. *path gets its name, newly allocated.
 * Returns a descriptor that the caller owns, or -errno: -EACCES where it is not the caller's own and
 * closed to others; -ENOENT where it is not there, also where it was just removed.
 */
int session_place_open(bool make, char **path);

/*
 * Takes the name: *lock_fd is held (and its file there) as long as the session lives; the socket, which
 * is returned, listens. -EEXIST where a session has that name, -ENOENT where the directory was just
 * removed, else -errno.
 */
int session_place_listen(int dirfd, const char *name, int *lock_fd);
/* Gives the name back; both descriptors remain the caller's. */
void session_place_remove(int dirfd, const char *name);

/* A connection to the session of that name, which the caller owns; -ENOENT: there is none. */
int session_place_connect(int dirfd, const char *name);
/* The names of all that live, sorted. 0 or -errno. */
int session_place_list(int dirfd, struct af_words *names);

#endif
