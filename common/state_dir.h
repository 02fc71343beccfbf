/*
 * The directory in which afsyncd keeps what it needs of a source, and afrun its temporary deltas:
 * SOURCE/.agentfense, which no mount shows; or a directory that the caller names; or, where the source is
 * not the caller's to write, $XDG_STATE_HOME/agentfense/DEV-INO (~/.local/state where that is not set).
 */
#ifndef AF_STATE_DIR_H
#define AF_STATE_DIR_H

#include <stdbool.h>

#define STATE_DIR_NAME ".agentfense"

/*
 * Opens it; with make it is made if it is missing (0700, with a .gitignore of "*"). dir: what the caller
 * names, or NULL. *where: what it is called, newly allocated, NULL where that is not known. It belongs to us or to
 * root, else -EPERM; no symlink is followed in the source. A descriptor that the caller owns, or -errno.
 */
int state_dir_open(int source_fd, const char *source, const char *dir, bool make, char **where);
/* Opens the directory `name` in it, made if it is missing and make says so. As above. */
int state_dir_sub(int dirfd, const char *name, bool make);
/* Removes it if nothing but the .gitignore is in it, unless it is one that the caller named. */
void state_dir_remove(int source_fd, int state_fd);

#endif
