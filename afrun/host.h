/*
 * The facts about this machine that a plan depends on, read once.
 */
#ifndef AF_HOST_H
#define AF_HOST_H

#include "words.h"

/* One of the host's top-level directories of programs (/bin, /lib64 ...). */
struct af_host_dir {
	const char *path; /* static */
	char *link; /* what it points to where it is a symlink (merged /usr), else NULL; owned */
};

struct af_host {
	struct af_host_dir dirs[8];
	size_t dir_count;
	struct af_words etc_files; /* what a sandbox shows of /etc: those that exist, ... */
	struct af_words etc_dirs;  /* ... as paths */
	char *localtime;           /* what /etc/localtime points to, or NULL; owned */
	char *resolv;              /* the file behind /etc/resolv.conf, or NULL; owned */
};

/* Returns 0 or -ENOMEM. */
int host_read(struct af_host *host);
void host_fini(struct af_host *host);

#endif
