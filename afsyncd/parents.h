/*
 * The directories in which paths of a tree lie, by descriptor: the way from the root is walked
 * with openat2(2), beneath it, through no symlink and onto no other filesystem, so that whoever
 * swaps a directory meanwhile leads nobody out. The last few are kept for a moment, since paths come in
 * order; what a caller itself moves away is to be forgotten at once.
 */
#ifndef AF_PARENTS_H
#define AF_PARENTS_H

#include <stdint.h>
#include <sys/stat.h>

enum { PARENTS_KEPT = 16, PARENTS_KEPT_MS = 100 };

struct parents {
	int root_fd; /* borrowed */
	unsigned int next;
	struct parents_slot {
		char *path; /* owned; NULL: free */
		int fd;     /* owned; O_PATH */
		int64_t until_ns;
	} slots[PARENTS_KEPT];
};

void parents_init(struct parents *parents, int root_fd);
void parents_fini(struct parents *parents);

/*
 * The directory of `path` (borrowed until the next call for this tree) and its last component
 * (within path). The path "" is the root itself: its parent is the root, its name ".". 0, or -errno:
 * -ENOENT, -ENOTDIR, -ELOOP, -EXDEV where there is no such directory (any more).
 */
int parents_get(struct parents *parents, const char *path, int *fd, const char **name);
/* The directory at path itself. */
int parents_get_dir(struct parents *parents, const char *path, int *fd);
/* Forgets path and everything below it. */
void parents_forget(struct parents *parents, const char *path);
/* lstat(2) of a path; -ENOENT also where a part of it is no directory. */
int parents_stat(struct parents *parents, const char *path, struct stat *st);

#endif
