/*
 * Whether a whole directory may move: write on every entry below it, at its old and its new path.
 */
#ifndef AF_TREE_H
#define AF_TREE_H

#include "gate.h"

struct af_dirfd;

/*
 * Walks the directory `name` in dirfd as the source has it, hidden entries included, and decides
 * each entry at both paths (without a leading slash). The rules alone suffice where they say the
 * same of everything below.
 * Returns 0, -EXDEV where something may not move, or -errno.
 */
int tree_may_move(struct af_fs *fs, const struct gate_view *view, const struct af_dirfd *dirfd,
	const char *name, const char *old_path, const char *new_path);

#endif
