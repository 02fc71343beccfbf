/*
 * Writing the audit log. See audit.h; what is to be logged is decided elsewhere.
 */
#include "fs.h"

#include "cleanup.h"
#include "io.h"
#include "json.h"
#include "log.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <time.h>

/* A second's worth of lines may come at once; more than this many a second are dropped. */
enum { LINES_PER_SECOND = 2000 };

struct af_audit {
	pthread_mutex_t lock;
	int fd;
	bool all;
	/* protected by lock */
	uint32_t budget;
	uint32_t refilled_ms;
	uint64_t dropped;
};

static int open_target(const char *target)
{
	const char *problem = NULL;
	int fd;

	if (strncmp(target, "fd:", 3) != 0) {
		fd = open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
		return fd < 0 ? -errno : fd;
	}
	fd = (int)strtonum(target + 3, 0, INT_MAX, &problem);
	if (problem)
		return -EBADF;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

int audit_open(const char *target, bool all, struct af_audit **audit)
{
	struct af_audit *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	made->fd = open_target(target);
	if (made->fd < 0) {
		int err = made->fd;

		log_error("audit: %s: %s", target, strerror(-err));
		free(made);
		return err;
	}
	made->all = all;
	made->budget = LINES_PER_SECOND;
	made->refilled_ms = kcache_now_ms();
	pthread_mutex_init(&made->lock, NULL);
	*audit = made;
	return 0;
}

void audit_close(struct af_audit *audit)
{
	if (!audit)
		return;
	close(audit->fd);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

bool audit_wants_grants(const struct af_audit *audit)
{
	return audit && audit->all;
}

static void put_time(struct af_json *json)
{
	struct timespec now;
	struct tm parts;
	char text[64];
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + len, sizeof(text) - len, ".%06ldZ", now.tv_nsec / 1000);
	json_string(json, "time", text);
}

/* The caller's name; empty where the process is gone or not ours to see. */
static void put_comm(struct af_json *json, pid_t pid)
{
	char path[64], comm[64];
	af_autoclose int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : io_read_full(fd, comm, sizeof(comm));
	if (len > 0 && comm[len - 1] == '\n')
		len--;
	json_bytes(json, "comm", comm, len > 0 ? (size_t)len : 0);
}

static void put_rule(struct af_json *json, const struct af_rule *rule)
{
	af_autofree char *text = NULL;

	if (rule && asprintf(&text, "%s:%u: %s", rule->file, rule->line, rule->pattern) < 0)
		text = NULL;
	json_string(json, "rule", text);
}

static void put_path(
	struct af_json *json, struct af_fs *fs, struct af_inode *inode, const char *name)
{
	size_t len;
	af_autofree char *path = inode_path(&fs->table, inode, name, &len);
	af_autofree char *rooted = NULL;

	if (path && asprintf(&rooted, "/%s", path) < 0)
		rooted = NULL;
	json_string(json, "path", rooted);
}

/* Takes one line from the budget. *dropped gets what is to be reported as dropped before it. */
static bool take(struct af_audit *audit, uint64_t *dropped)
{
	uint32_t now = kcache_now_ms();
	uint64_t refill;
	bool ok;

	pthread_mutex_lock(&audit->lock);
	refill = (uint64_t)(now - audit->refilled_ms) * LINES_PER_SECOND / 1000;
	if (refill > 0) {
		audit->budget = (uint32_t)(refill + audit->budget > LINES_PER_SECOND
				? LINES_PER_SECOND
				: refill + audit->budget);
		audit->refilled_ms = now;
	}
	ok = audit->budget > 0;
	*dropped = ok ? audit->dropped : 0;
	if (ok) {
		audit->budget--;
		audit->dropped = 0;
	} else {
		audit->dropped++;
	}
	pthread_mutex_unlock(&audit->lock);
	return ok;
}

/* A line with nothing but the time and one fact. */
static void write_fact(struct af_audit *audit, const char *key, int64_t value)
{
	char line[96];
	struct af_json json;
	FILE *out = fmemopen(line, sizeof(line), "w");

	if (!out)
		return;
	json_init(&json, out);
	json_object(&json, NULL);
	put_time(&json);
	json_int(&json, key, value);
	json_object_end(&json);
	putc('\n', out);
	if (fclose(out) == 0)
		io_write_all(audit->fd, line, strlen(line));
}

void audit_quota(struct af_audit *audit, uint64_t used_bytes)
{
	if (audit)
		write_fact(audit, "quota", (int64_t)used_bytes);
}

void audit_write(struct af_fs *fs, fuse_req_t req, const struct audit_event *event,
	struct af_inode *inode, const char *name)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	af_autofree char *text = NULL;
	struct af_json json;
	uint64_t dropped;
	size_t size;
	FILE *out;

	if (!take(fs->audit, &dropped))
		return;
	if (dropped)
		write_fact(fs->audit, "dropped", (int64_t)dropped);
	out = open_memstream(&text, &size);
	if (!out)
		return;
	json_init(&json, out);
	json_object(&json, NULL);
	put_time(&json);
	json_string(&json, "op", event->op);
	put_path(&json, fs, inode, name);
	json_string(&json, "level", level_name(event->level));
	json_string(&json, "needed", level_name(event->needed));
	put_rule(&json, event->rule);
	json_string(&json, "errno", event->err ? strerrorname_np(event->err) : NULL);
	json_int(&json, "pid", ctx->pid);
	json_int(&json, "uid", owners_uid_outside(&fs->owners, ctx->uid));
	put_comm(&json, ctx->pid);
	json_object_end(&json);
	putc('\n', out);
	if (fclose(out) == 0)
		io_write_all(fs->audit->fd, text, size);
}
