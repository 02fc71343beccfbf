/*
 * Opening and closing a delta: its directories made or found, its lock taken, its log read for what
 * it says of the whole. See delta.h; what is tried and believed is in delta_check.c.
 */
#include "delta_internal.h"

#include "cleanup.h"
#include "path.h"
#include "remove.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <string.h>

struct opening {
	struct af_delta *delta;
	const char *path;
	enum delta_use use;
	struct delta_fault *fault;
	bool made_dir;    /* by us, now */
	bool without_log; /* nothing was there yet: what we make goes again if this fails */
};

int delta_fail(struct delta_fault *fault, int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(fault->text, sizeof(fault->text), fmt, args);
	va_end(args);
	return rc;
}

/* ---- directories ----------------------------------------------------------------------------- */

static int open_dir(struct opening *o)
{
	struct stat st;
	int fd;

	if (o->use == DELTA_WRITE) {
		o->made_dir = mkdir(o->path, S_IRWXU) == 0;
		if (!o->made_dir && errno != EEXIST)
			return delta_fail(o->fault, -errno, "cannot be made: %s", strerror(errno));
	}
	/* The path is the caller's own word: a symlink in it is as good as the rest. */
	fd = open(o->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return delta_fail(o->fault, -errno, "%s", strerror(errno));
	o->delta->dir_fd = fd;
	if (o->use != DELTA_WRITE)
		return 0;
	if (fstat(fd, &st) < 0)
		return delta_fail(o->fault, -errno, "%s", strerror(errno));
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return delta_fail(o->fault, -EPERM, "belongs to another user, who could change it");
	return 0;
}

/* Opens one of its parts; missing is what -ENOENT means. */
static int open_part(const struct opening *o, const char *name, int *part_fd)
{
	int fd = path_openat2(o->delta->dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);

	if (fd == -ENOENT)
		return delta_fail(o->fault, fd, "not a delta: it has no %s", name);
	if (fd < 0)
		return delta_fail(o->fault, fd, "%s: %s", name, strerror(-fd));
	*part_fd = fd;
	return 0;
}

static int make_part(const struct opening *o, const char *name)
{
	if (mkdirat(o->delta->dir_fd, name, S_IRWXU) < 0 && errno != EEXIST)
		return delta_fail(o->fault, -errno, "%s: %s", name, strerror(errno));
	return 0;
}

/* A delta is made where there is nothing, or what a crash left of making one. */
static int refuse_foreign(const struct opening *o)
{
	static const char *const ours[] = {DELTA_UPPER, DELTA_WORK, DELTA_META, ".", ".."};
	af_autoclose int fd = openat(o->delta->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return delta_fail(o->fault, -errno, "%s", strerror(errno));
	af_steal_fd(&fd);
	while (errno = 0, (entry = readdir(dir))) {
		size_t i = 0, count = sizeof(ours) / sizeof(ours[0]);

		while (i < count && strcmp(entry->d_name, ours[i]) != 0)
			i++;
		if (i == count)
			return delta_fail(o->fault, -ENOTEMPTY,
				"neither a delta nor empty: it holds %s", entry->d_name);
	}
	return errno ? delta_fail(o->fault, -errno, "%s", strerror(errno)) : 0;
}

static bool has_log(const struct af_delta *delta)
{
	return faccessat(delta->dir_fd, DELTA_META "/" DELTA_LOG, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Before the lock, which is in meta. */
static int open_meta(struct opening *o)
{
	int rc = 0;

	if (o->use == DELTA_WRITE && !has_log(o->delta)) {
		rc = refuse_foreign(o);
		if (!rc && !o->made_dir && fchmodat(o->delta->dir_fd, ".", S_IRWXU, 0) < 0)
			rc = delta_fail(o->fault, -errno, "%s", strerror(errno));
		if (!rc)
			rc = make_part(o, DELTA_META);
	}
	return rc ? rc : open_part(o, DELTA_META, &o->delta->meta_fd);
}

/* What a discard that was cut off may have left: meta is the last. */
static int open_rest(const struct opening *o)
{
	int rc = open_part(o, DELTA_UPPER, &o->delta->upper_fd);

	if (!rc || rc == -ENOENT)
		rc = open_part(o, DELTA_WORK, &o->delta->work_fd);
	return rc == -ENOENT ? 0 : rc;
}

/* ... and of that its log, before which all else but the lock went. */
static bool is_rest(const struct af_delta *delta)
{
	af_autoclose int fd = openat(delta->meta_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir || delta->upper_fd >= 0 || delta->work_fd >= 0)
		return false;
	af_steal_fd(&fd);
	while ((errno = 0, entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			strcmp(entry->d_name, DELTA_LOCK) != 0)
			return false;
	return errno == 0;
}

/* Under the lock. */
static int open_parts(struct opening *o)
{
	struct af_delta *delta = o->delta;
	int rc = 0;

	if (o->use == DELTA_DISCARD)
		return open_rest(o);
	o->without_log = o->use == DELTA_WRITE && !has_log(delta);
	if (o->without_log)
		rc = make_part(o, DELTA_UPPER);
	if (!rc && o->use != DELTA_LOOK)
		rc = make_part(o, DELTA_WORK);
	if (!rc)
		rc = open_part(o, DELTA_UPPER, &delta->upper_fd);
	if (!rc)
		rc = open_part(o, DELTA_WORK, &delta->work_fd);
	/* Who only looks can do without work. */
	if (o->use == DELTA_LOOK)
		return rc == -ENOENT && delta->upper_fd >= 0 ? 0 : rc;
	if (rc)
		return rc;
	rc = delta_recover(delta);
	return rc ? delta_fail(o->fault, rc, "meta: %s", strerror(-rc)) : 0;
}

static int empty_work(const struct opening *o)
{
	int rc = o->use == DELTA_WRITE ? remove_entries(o->delta->work_fd) : 0;

	if (rc)
		return delta_fail(o->fault, rc, "work: %s", strerror(-rc));
	return o->use == DELTA_WRITE ? delta_probe(o->delta->work_fd, o->fault) : 0;
}

/* ---- the log --------------------------------------------------------------------------------- */

static int make_log(const struct opening *o)
{
	int rc = delta_is_empty(o->delta->upper_fd);

	if (rc == 0)
		return delta_fail(
			o->fault, -ENOTEMPTY, "upper holds something, but there is no log");
	if (rc > 0)
		rc = delta_log_make(o->delta);
	if (rc)
		return delta_fail(o->fault, rc, "meta/log: %s", strerror(-rc));
	/* Its own name too, as far as we may. */
	if (!o->delta->is_volatile && o->made_dir) {
		af_autoclose int parent = openat(o->delta->dir_fd, "..", O_PATH | O_CLOEXEC);

		if (parent >= 0)
			(void)journal_sync_dir(parent);
	}
	return 0;
}

static int open_log(const struct opening *o)
{
	int rc;

	if (o->without_log)
		return make_log(o);
	rc = journal_open(&o->delta->log, o->delta->meta_fd, DELTA_LOG, DELTA_LOG_KIND,
		DELTA_LOG_VERSION, o->use == DELTA_LOOK ? O_RDONLY : O_RDWR);
	if (rc == -ENOENT && o->use == DELTA_DISCARD && is_rest(o->delta))
		return 0;
	if (rc == -ENOENT)
		return delta_fail(o->fault, rc, "not a delta: it has no meta/log");
	if (rc == -EBADMSG)
		return delta_fail(o->fault, rc, "meta/log is not a delta's log");
	if (rc == -EPROTONOSUPPORT && o->use == DELTA_DISCARD)
		return 0;
	if (rc == -EPROTONOSUPPORT)
		return delta_fail(o->fault, rc, "made by another version of agentfensefs");
	return rc ? delta_fail(o->fault, rc, "meta/log: %s", strerror(-rc)) : 0;
}

/* What the records say of the whole delta. */
struct summary {
	size_t count;
	bool is_volatile;
	char boot_id[DELTA_BOOT_ID_SIZE]; /* of the last mount; "": none */
};

static int take_record(struct summary *sum, const struct journal_record *record)
{
	struct delta_source source;
	struct delta_mount mount;
	int rc = 0;

	if (sum->count++ == 0) {
		rc = delta_read_source(record, &source);
		sum->is_volatile = !rc && source.is_volatile;
	} else if (record->type == DELTA_MOUNT) {
		rc = delta_read_mount(record, &mount);
		if (!rc)
			memcpy(sum->boot_id, mount.boot_id, sizeof(sum->boot_id));
	}
	return rc;
}

static int summarise(const struct af_journal *log, struct summary *sum)
{
	struct journal_reader reader;
	struct journal_record record;
	int rc = journal_read(&reader, log);

	while (!rc && (rc = journal_next(&reader, &record)) > 0)
		rc = take_record(sum, &record);
	journal_read_end(&reader);
	return rc;
}

static int check_boot(const struct opening *o, const struct summary *sum)
{
	char boot_id[DELTA_BOOT_ID_SIZE];
	int rc;

	if (!sum->is_volatile || !sum->boot_id[0] || o->use == DELTA_LOOK)
		return 0;
	rc = delta_boot_id(boot_id);
	if (rc)
		return delta_fail(o->fault, rc, "boot id: %s", strerror(-rc));
	if (memcmp(boot_id, sum->boot_id, sizeof(boot_id)) == 0)
		return 0;
	return delta_fail(o->fault, -ESTALE,
		"volatile, and the machine was started anew since: it may be damaged; look at it "
		"with afsyncd --diff, then afsyncd --discard it");
}

static int read_log(const struct opening *o)
{
	struct af_delta *delta = o->delta;
	struct summary sum = {.count = 0};
	int rc = summarise(&delta->log, &sum);

	if (rc == -EBADMSG)
		return delta_fail(o->fault, rc, "meta/log: a record that cannot be");
	if (rc)
		return delta_fail(o->fault, rc, "meta/log: %s", strerror(-rc));
	delta->is_new = sum.count == 0;
	if (!delta->is_new) {
		delta->is_volatile = sum.is_volatile;
		return check_boot(o, &sum);
	}
	rc = o->use == DELTA_LOOK || delta->upper_fd < 0 ? 1 : delta_is_empty(delta->upper_fd);
	if (rc == 0)
		return delta_fail(o->fault, -EBADMSG,
			"upper holds changes of which the log knows nothing: afsyncd --discard it");
	return rc < 0 ? delta_fail(o->fault, rc, "upper: %s", strerror(-rc)) : 0;
}

static int check_log(const struct opening *o)
{
	int rc;

	if (o->delta->log.fd < 0)
		return 0;
	rc = read_log(o);
	if (o->use == DELTA_DISCARD && (rc == -ESTALE || rc == -EBADMSG))
		rc = 0;
	if (rc)
		return rc;
	o->delta->trusted = delta_is_trusted(o->delta);
	if (o->use == DELTA_WRITE && !o->delta->trusted)
		return delta_fail(o->fault, -EPERM,
			"others own a part of it or may write there: chown it, chmod -R go-rwx its "
			"meta");
	return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* Takes away what was made for a delta that then could not be. Only what is empty goes. */
static void unmake(const struct opening *o)
{
	const struct af_delta *delta = o->delta;

	if (o->without_log && delta->lock_fd >= 0 && delta->log.fd < 0) {
		unlinkat(delta->dir_fd, DELTA_UPPER, AT_REMOVEDIR);
		unlinkat(delta->dir_fd, DELTA_WORK, AT_REMOVEDIR);
		unlinkat(delta->meta_fd, DELTA_LOCK, 0);
		unlinkat(delta->dir_fd, DELTA_META, AT_REMOVEDIR);
	}
	if (o->made_dir)
		rmdir(o->path);
}

int delta_open(
	struct af_delta *delta, const char *path, enum delta_use use, struct delta_fault *fault)
{
	struct opening o = {.delta = delta, .path = path, .use = use, .fault = fault};
	int rc;

	*delta = (struct af_delta){
		.dir_fd = -1,
		.upper_fd = -1,
		.work_fd = -1,
		.meta_fd = -1,
		.lock_fd = -1,
		.log.fd = -1,
		.is_volatile = use == DELTA_WRITE && delta->is_volatile,
	};
	fault->text[0] = '\0';
	rc = open_dir(&o);
	if (!rc)
		rc = open_meta(&o);
	if (!rc)
		rc = delta_lock(delta, use, fault);
	if (!rc)
		rc = open_parts(&o);
	if (!rc)
		rc = empty_work(&o);
	if (!rc)
		rc = open_log(&o);
	if (!rc)
		rc = check_log(&o);
	if (rc) {
		unmake(&o);
		delta_close(delta);
	}
	return rc;
}

static void close_fd(int *fd)
{
	cleanup_close(fd);
	*fd = -1;
}

void delta_close(struct af_delta *delta)
{
	journal_close(&delta->log);
	close_fd(&delta->upper_fd);
	close_fd(&delta->work_fd);
	close_fd(&delta->meta_fd);
	close_fd(&delta->dir_fd);
	/* The last: whoever gets the lock then finds us done. */
	close_fd(&delta->lock_fd);
}
