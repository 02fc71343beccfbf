/*
 * A delta on disk: what agentfensefs writes and afsyncd merges. The one contract between the two.
 *
 *     DIR/upper       what changed, as overlayfs (userxattr) would have it: a whiteout is a
 *                     character device 0:0, user.overlay.opaque = "y" hides what the source has
 *                     in a directory
 *     DIR/work        temporary files, same filesystem; emptied when it is opened for writing
 *     DIR/meta/lock   flock(2)ed for as long as it is in use; holds the holder's pid as text
 *     DIR/meta/log    journal.h's format: what this header calls records
 *
 * DIR is 0700. What the mount's user sets as user.overlay.X is stored as user.overlay.overlay.X, as
 * overlayfs escapes it (fs/overlayfs/xattrs.c), so nothing of theirs is taken for bookkeeping. A
 * copied-up file or directory carries the inode number that it is shown with in DELTA_XATTR_INO (8
 * bytes, little-endian).
 *
 * Records, in the order in which things happened:
 *     SOURCE   once, the first: whose delta this is
 *     POLICY   the rules that hold from here on
 *     MOUNT    with the boot id, and UNMOUNT when the mount ended in order
 *     ORIGIN   once for each path, before it is first changed or deleted: what the source held. A
 *              path in upper without one was made in the delta. Paths are the source's.
 *     REMOVE   a path of the source is deleted (its whiteout comes now), and when
 *     RENAME   what was seen at one path is seen at another from now on (for an exchange: two
 *              records)
 */
#ifndef AF_DELTA_H
#define AF_DELTA_H

#include "journal.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define DELTA_XATTR_PREFIX "user.overlay."
#define DELTA_XATTR_ESCAPED "user.overlay.overlay."
#define DELTA_XATTR_OPAQUE "user.overlay.opaque"
#define DELTA_XATTR_INO "user.overlay.agentfense.ino"

enum {
	DELTA_LOG_KIND = 0x4c444641, /* "AFDL" */
	DELTA_LOG_VERSION = 2,
	DELTA_TEXT_MAX = 1 << 20, /* bytes: of a text's content in an ORIGIN */
	DELTA_PATH_MAX = 1 << 20, /* bytes: of any path in a record */
	DELTA_HASH_SIZE = 16,     /* bytes: XXH3-128, canonical (big-endian) form */
	DELTA_BOOT_ID_SIZE = 40,  /* bytes of text: /proc/sys/kernel/random/boot_id, NUL-padded */
};

enum delta_record_type {
	DELTA_SOURCE = 1,
	DELTA_POLICY,
	DELTA_MOUNT,
	DELTA_UNMOUNT,
	DELTA_ORIGIN,
	DELTA_REMOVE,
	DELTA_RENAME,
};

/* Texts are borrowed: when decoded, from the record's data. Paths have no slash at either end. */
struct delta_source {
	uint64_t dev, ino; /* of the source's root */
	const char *path;  /* absolute, resolved */
	uint64_t upper_dev,
		upper_ino; /* of DIR/upper: a copied delta is not the one that was written */
	bool is_volatile;  /* never synced: not to be trusted after a crash of the machine */
};

struct delta_policy {
	const char *text; /* a policy file by rules_dump(), for rules_add_named_text() */
};

struct delta_mount {
	char boot_id[DELTA_BOOT_ID_SIZE]; /* "": none, all of it was written out since */
	int64_t time_ns;                  /* CLOCK_REALTIME */
};

struct delta_origin {
	const char *path; /* "" is the source's root */
	uint32_t mode;    /* with the type */
	uint32_t uid, gid;
	uint64_t size, ino, dev, nlink;
	int64_t mtime_ns, ctime_ns, time_ns; /* time_ns: when it was logged, CLOCK_REALTIME */
	bool has_xattrs;
	uint64_t xattrs; /* copy_sum_xattrs() of it; 0 of a symlink */
	bool has_hash;
	uint8_t hash[DELTA_HASH_SIZE]; /* of a regular file's content, or of a symlink's target */
	const char *text; /* its content, where it is text of at most DELTA_TEXT_MAX; else NULL */
	size_t text_size;
};

struct delta_remove {
	const char *path;
	bool is_dir;
	int64_t time_ns;
};

struct delta_rename {
	const char *from, *to;
	bool is_dir;
	bool is_new; /* what moved was made in the delta: the source never had it at `from` */
};

/*
 * Encoding appends to the log: 0, -EINVAL for what could not be decoded, or as journal_append().
 * Decoding checks everything (a path is one that path_is_component() takes each part of; none of a
 * rename's is above the other; lengths add up; bits are known): 0, or -EBADMSG. No text has a NUL
 * inside, each has one at its end.
 */
int delta_log_source(struct af_journal *log, const struct delta_source *source);
int delta_log_policy(struct af_journal *log, const struct delta_policy *policy);
int delta_log_mount(struct af_journal *log, const struct delta_mount *mount);
int delta_log_unmount(struct af_journal *log, int64_t time_ns);
int delta_log_origin(struct af_journal *log, const struct delta_origin *origin);
int delta_log_remove(struct af_journal *log, const struct delta_remove *removed);
int delta_log_rename(struct af_journal *log, const struct delta_rename *renamed);
int delta_read_source(const struct journal_record *record, struct delta_source *source);
int delta_read_policy(const struct journal_record *record, struct delta_policy *policy);
int delta_read_mount(const struct journal_record *record, struct delta_mount *mount);
int delta_read_unmount(const struct journal_record *record, int64_t *time_ns);
int delta_read_origin(const struct journal_record *record, struct delta_origin *origin);
int delta_read_remove(const struct journal_record *record, struct delta_remove *removed);
int delta_read_rename(const struct journal_record *record, struct delta_rename *renamed);

/* CLOCK_REALTIME in ns, and the boot id as records hold it. */
int64_t delta_now_ns(void);
int delta_boot_id(char boot_id[DELTA_BOOT_ID_SIZE]);

/* ---- the directories ------------------------------------------------------------------------- */

enum delta_use {
	DELTA_WRITE,   /* agentfensefs: made if missing or empty; tried for what an upper needs */
	DELTA_MERGE,   /* afsyncd: must be there, and in use by nobody */
	DELTA_DISCARD, /* afsyncd --discard: as DELTA_MERGE, but stale, damaged, of another version
	                  or half gone will do: log.fd, upper_fd and work_fd may be -1 */
	DELTA_LOOK,    /* afsyncd -n, --diff: as it is; in use or not; nothing is written or held */
};

struct af_delta {
	int dir_fd, upper_fd, work_fd, meta_fd; /* O_PATH | O_DIRECTORY, owned */
	int lock_fd;                            /* owned; -1: not held */
	struct af_journal log;
	bool is_new;  /* the log has no record (and upper nothing) yet */
	bool trusted; /* DIR, meta and what it holds belong to us or to root, and nobody else may
	                 write there (nor in upper and work, where others can get to them) */
	bool in_use;  /* DELTA_LOOK of one that is mounted or merged */
	bool is_volatile; /* as its SOURCE record says, if it has one */
};

/* Why it could not be opened: one line that says what to do, without the path. */
struct delta_fault {
	char text[256];
};

/*
 * Opens the delta at path, or says why not: -errno and fault->text; everything is closed then. For
 * DELTA_WRITE delta->is_volatile is set before, as the option says: whether one that is made now is
 * synced. It is made 0700 (its parent must exist), work is emptied, and what upper must be able to
 * do is tried in work: user xattrs, a whiteout, RENAME_WHITEOUT, RENAME_EXCHANGE (-EOPNOTSUPP).
 *
 * -ENOENT: there is none. -EBUSY: another process has it (the fault names its pid). -ENOTEMPTY: a
 * directory that holds something else. -EPERM: not ours, for DELTA_WRITE. -EBADMSG: damaged.
 * -EPROTONOSUPPORT: the log is of another version. -ESTALE: volatile, and the machine was started
 * anew since.
 */
int delta_open(
	struct af_delta *delta, const char *path, enum delta_use use, struct delta_fault *fault);
void delta_close(struct af_delta *delta);
/* Names this process as the holder of the lock, which fork(2) passes on: for a daemon's child. */
void delta_lock_claim(const struct af_delta *delta);
/* Tells those who want the lock that it will be free as soon as what is left is written: they wait. */
void delta_lock_ends(const struct af_delta *delta);

/*
 * Empties it after a merge or for --discard, under its lock: upper is exchanged for an empty one
 * (and upper_fd with it), the log for one without records, so that the delta is as one just made
 * (is_new). A crash leaves the old delta or an empty one. Then what the old upper held is removed:
 * an error of that (-errno too) leaves no more than rubbish in work.
 */
int delta_reset(struct af_delta *delta);
/*
 * Under its lock: writes a volatile delta out to disk, and says so in its log, so that it outlives the
 * machine's restart; until it is mounted again. 0 or -errno.
 */
int delta_settle(struct af_delta *delta);
/*
 * Replaces the log, under the lock, by one that fill() writes; other than 0 from it is passed on,
 * and the old log stays. Durable, and all of it or nothing, when it returns 0.
 */
int delta_log_replace(
	struct af_delta *delta, int (*fill)(void *arg, struct af_journal *log), void *arg);

/* Whether this is a whiteout: a character device 0:0. */
static inline bool delta_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}
/* Whether an open directory (a descriptor of any kind) is opaque. */
bool delta_is_opaque(int fd);

/*
 * The name under which the mount's user's xattr `name` is stored in upper, and back: writes at most
 * size bytes with the NUL; returns 0, -ERANGE, or (unescape) -ENODATA where it is bookkeeping and
 * none of theirs.
 */
int delta_xattr_escape(char *out, size_t size, const char *name);
int delta_xattr_unescape(char *out, size_t size, const char *name);

#endif
