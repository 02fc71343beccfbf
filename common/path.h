/*
 * Names and paths: what is one component, what stays beneath a directory, where our own files are.
 */
#ifndef AF_PATH_H
#define AF_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether name is exactly one component: not empty, no slash, not "." or "..", at most 255 bytes. */
bool path_is_component(const char *name);

/*
 * openat2(2) with struct open_how {flags, mode, resolve}; O_CLOEXEC is always added.
 * Returns a descriptor that the caller owns, or -errno (-EXDEV: the path leaves dirfd or, with
 * RESOLVE_NO_XDEV, its mount).
 */
int path_openat2(int dirfd, const char *path, int flags, unsigned int mode, uint64_t resolve);

/*
 * Finds a file that belongs to this installation: an absolute, newly allocated path, or NULL with
 * errno. Looked for in DIR/../share/agentfense/NAME, DIR/../NAME and DIR/../../NAME, where DIR holds
 * the running program (an installed tree, or a build directory one or two levels below the sources),
 * then in AF_DATADIR/NAME.
 */
char *path_find_data(const char *name);

/*
 * Finds another program of ours: beside the running one, else as a bare name for execvp(3) to look
 * up. Newly allocated, or NULL with errno.
 */
char *path_find_program(const char *name);

#endif
