/*
 * The tree of the sandbox: a list of places, in the order in which they are made.
 */
#ifndef AF_ROOTFS_H
#define AF_ROOTFS_H

#include "host.h"
#include "identity.h"

#include <stdbool.h>
#include <stddef.h>

enum af_place_kind {
	AF_PLACE_RO_BIND,     /* src read-only at dst */
	AF_PLACE_RO_BIND_TRY, /* the same, where src exists */
	AF_PLACE_BIND,        /* src at dst */
	AF_PLACE_VIEW,        /* the mounted view at dst */
	AF_PLACE_CHANNEL,     /* the directory of the channel src at dst */
	AF_PLACE_TMPFS,       /* an empty directory in memory, of that mode */
	AF_PLACE_DIR,         /* a directory of that mode */
	AF_PLACE_SYMLINK,     /* dst -> src */
	AF_PLACE_FILE,        /* a file that holds the text src */
	AF_PLACE_COPY,        /* a file that holds what the host's file src does */
	AF_PLACE_PROC,
	AF_PLACE_DEV,
	AF_PLACE_READ_ONLY, /* what is at dst is now read-only (not below other places) */
};

struct af_place {
	enum af_place_kind kind;
	unsigned int mode;
	char *src; /* owned */
	char *dst; /* owned */
	int fd;    /* FILE and COPY: where a backend reads it from; -1 until opened. Owned */
};

struct af_rootfs {
	struct af_place *places;
	size_t count;
	size_t room;
	int error; /* sticks: 0 or -ENOMEM */
};

/* Whether a backend reads the place's content from its descriptor. */
bool rootfs_has_content(const struct af_place *place);

/* What the tree is made from. All borrowed. */
struct af_rootfs_facts {
	const struct af_host *host;
	const struct af_identity *identity;
	const char *mount_at;
	const char *source; /* real path of what the view shows: never to be seen elsewhere */
	bool net_host;
	bool image;    /* what is not the run's own is an image's, not the host's */
	bool channels; /* rootfs_channel() will be called */
};

/*
 * Everything but what --bind and --channel ask for (pure). Call rootfs_bind() and rootfs_channel() for
 * each of those, then
 * rootfs_finish(), which also hides the source where a bind would have shown it.
 */
void rootfs_build(struct af_rootfs *rootfs, const struct af_rootfs_facts *facts);
void rootfs_bind(struct af_rootfs *rootfs, const char *src, const char *dst, bool writable);
void rootfs_channel(struct af_rootfs *rootfs, const char *name);
/* Returns 0 or -ENOMEM, also for what the calls before could not do. */
int rootfs_finish(struct af_rootfs *rootfs, const struct af_rootfs_facts *facts);
void rootfs_fini(struct af_rootfs *rootfs);

/* Opens what AF_PLACE_FILE and AF_PLACE_COPY hold. Returns 0 or -errno. */
int rootfs_open_files(struct af_rootfs *rootfs);

#endif
