/*
 * The upper layer of a mount: an open delta (common/delta.h), its log, and its temporary files.
 */
#ifndef AF_UPPER_H
#define AF_UPPER_H

#include "delta.h"
#include "layer.h"

#include <pthread.h>
#include <stdatomic.h>

struct af_fs;
struct af_links;
struct fs_options;

enum { UPPER_STRIPES = 64, UPPER_NAME_SIZE = 24 };

struct af_upper {
	struct af_delta delta;
	struct af_layer layer; /* DIR/upper; its descriptor is the delta's */
	struct stat dir;       /* DIR itself, which the source may hold */
	bool sync;             /* not volatile: copy-up syncs before it renames */

	/* One node is copied up by one thread: the lock is the stripe of its id. */
	pthread_mutex_t stripes[UPPER_STRIPES];
	/*
	 * Held for writing while a copied-up file takes the lower's place and its node the new identity,
	 * for reading from looking at a name to finding its node.
	 */
	pthread_rwlock_t swap_lock;
	pthread_mutex_t dir_lock; /* directories are copied up one at a time */
	pthread_mutex_t log_lock; /* protects delta.log and log_synced */
	uint64_t log_synced;      /* so much of the log is durable */
	atomic_uint serial;       /* of temporary names */

	pthread_mutex_t white_lock;
	unsigned int white_links;         /* of the whiteout that new ones are links to */
	char white_name[UPPER_NAME_SIZE]; /* in work; "": none yet */

	pthread_mutex_t links_lock;
	void *gone;             /* of links.c: names taken away; a tree */
	struct af_links *links; /* names of hard-linked files; NULL: not looked for yet */

	/* quota: bytes and files of the upper; limits of 0 are none */
	uint64_t limit_bytes, limit_files;
	_Atomic int64_t used_bytes, used_files;
	_Atomic bool was_full;  /* something was refused for the quota */
	struct af_audit *audit; /* borrowed; NULL: nobody is told that */
};

/*
 * Opens the delta that the options name, made for this source where it is new; reported. fs->upper is
 * NULL where none is asked for.
 */
int upper_open(struct af_fs *fs);
/*
 * The same for one that was closed to be merged; dir_fd is of its directory (borrowed). quiet: -EBUSY,
 * somebody has it, is not reported.
 */
int upper_reopen(struct af_fs *fs, int dir_fd, bool quiet);
/* Notes an end in order, and closes. */
void upper_close(struct af_upper *upper);

/* A name for a temporary file in work. */
void upper_temp_name(struct af_upper *upper, char name[UPPER_NAME_SIZE]);

/*
 * Log records; each is written before what it tells of is done. at: the directory, name in it, path
 * its whole path; st is the lower's. origin_of reads the content (at most DELTA_TEXT_MAX bytes) for
 * its hash; result instead gives the hash of a copy just made. 0 or -errno.
 */
struct copy_result;
int upper_log_origin(struct af_fs *fs, int lower_dirfd, const char *name, const char *path,
	const struct stat *st, const struct copy_result *result);
int upper_log_remove(struct af_fs *fs, const char *path, bool is_dir);
int upper_log_rename(struct af_fs *fs, const char *from, const char *to, bool is_dir, bool is_new);

/* Begins to write the log's records out, for upper_log_sync() to have less to wait for. */
void upper_log_start_sync(struct af_fs *fs);
/* Makes the log's records durable, where there is a log and it is to be. */
int upper_log_sync(struct af_fs *fs);

/*
 * Quota, of upper_quota.c; without limits it costs nothing. upper_charge() takes bytes and files (less than 0:
 * gives back) from what is left, or -ENOSPC with nothing taken.
 */
int upper_charge(struct af_upper *upper, int64_t bytes, int64_t files);
/* Before a write that ends at `end`: -ENOSPC, or 0 with what the file is now. */
int upper_may_grow(struct af_upper *upper, int fd, off_t end, struct stat *before);
/* After it: takes what the file has become more than before. */
void upper_charge_growth(struct af_upper *upper, const struct stat *before, int fd);
/* The last handle of a file closes: what it has no name for any more is given back. */
void upper_give_back(struct af_upper *upper, int fd);
/* Counts what a delta that is opened again holds. 0 or -errno. */
int upper_count_used(struct af_upper *upper);
static inline bool upper_has_quota(const struct af_upper *upper)
{
	return upper && (upper->limit_bytes || upper->limit_files);
}

/* statfs(2) of the filesystem that is written to, within the quota; sets errno. */
struct statvfs;
int upper_statfs(struct af_fs *fs, struct statvfs *st);

#endif
