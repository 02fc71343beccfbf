/*
 * The state directory: where it is, its lock, its layout, the ids of merges. See state.h; what a
 * journal says is not its business (record.c).
 */
#include "state.h"

#include "apply.h"
#include "cleanup.h"
#include "io.h"
#include "log.h"
#include "merge.h"
#include "path.h"
#include "state_dir.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

struct object_name object_name(size_t step)
{
	struct object_name name;

	snprintf(name.text, sizeof(name.text), "%zu", step);
	return name;
}

bool state_can_rename(int one, int other)
{
	struct statx a, b;

	if (statx(one, "", AT_EMPTY_PATH, STATX_MNT_ID, &a) != 0 ||
		statx(other, "", AT_EMPTY_PATH, STATX_MNT_ID, &b) != 0)
		return false;
	if (a.stx_dev_major != b.stx_dev_major || a.stx_dev_minor != b.stx_dev_minor)
		return false;
	return !(a.stx_mask & b.stx_mask & STATX_MNT_ID) || a.stx_mnt_id == b.stx_mnt_id;
}

/* ---- the lock ----------------------------------------------------------------------------------- */

static void tell_wait(int fd, const char *source)
{
	char pid[32];
	ssize_t size = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[size > 0 ? size : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	log_warn("%s: waiting for another merge into it: process %s", source, *pid ? pid : "?");
}

static int take_lock(struct sync_state *state, const char *source, enum state_use use)
{
	af_autoclose int fd = openat(state->dir_fd, "lock",
		O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;
	char pid[32];
	int len;

	if (fd < 0 || fstat(fd, &st) != 0)
		return -errno;
	/* What has another name is not ours to write to. */
	if (!S_ISREG(st.st_mode) || st.st_nlink > 1)
		return -EMLINK;
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (use == STATE_CHANGE)
			tell_wait(fd, source);
		while (flock(fd, LOCK_EX) != 0) {
			if (errno != EINTR)
				return -errno;
		}
	}
	len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	/* For people alone: a full disk is no reason not to go on. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)len, 0) < 0)
		log_info("lock: %s", strerror(errno));
	state->lock_fd = af_steal_fd(&fd);
	return 0;
}

/* ---- ids ---------------------------------------------------------------------------------------- */

bool state_is_id(const char *text)
{
	if (strlen(text) >= MERGE_ID_SIZE || !isdigit((unsigned char)*text))
		return false;
	return text[strspn(text, "0123456789T-")] == '\0';
}

/* UTC to the microsecond, so that they sort by name. */
static int print_id(char id[MERGE_ID_SIZE], int64_t time_us)
{
	time_t seconds = (time_t)(time_us / 1000000);
	char when[32];
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || strftime(when, sizeof(when), "%Y%m%dT%H%M%S", &tm) == 0)
		return -EOVERFLOW;
	snprintf(id, MERGE_ID_SIZE, "%s-%06u", when, (unsigned int)(time_us % 1000000));
	return 0;
}

static int64_t id_time_us(const char *id)
{
	struct tm tm = {0};
	const char *rest = strptime(id, "%Y%m%dT%H%M%S-", &tm);

	return rest ? (int64_t)timegm(&tm) * 1000000 + strtol(rest, NULL, 10) : 0;
}

/* Later than all that there are, even if the clock went back. */
static int make_id(struct sync_state *state)
{
	int64_t time_us = delta_now_ns() / 1000;
	char **ids;
	size_t count;
	int err = state_list(state, &ids, &count);

	if (err)
		return err;
	if (count > 0 && id_time_us(ids[count - 1]) >= time_us)
		time_us = id_time_us(ids[count - 1]) + 1;
	state_list_free(ids, count);
	return print_id(state->next_id, time_us);
}

const char *state_next_id(const struct sync_state *state)
{
	return state->next_id;
}

/* ---- opening ------------------------------------------------------------------------------------ */

static int fill_state(
	struct sync_state *state, int source_fd, const char *source, enum state_use use)
{
	int err;

	if (use != STATE_LOOK && !state_can_rename(state->dir_fd, source_fd))
		return -EXDEV;
	if (use != STATE_LOOK) {
		err = take_lock(state, source, use);
		if (err)
			return err;
	}
	state->undo_fd = state_dir_sub(state->dir_fd, "undo", use != STATE_LOOK);
	if (state->undo_fd < 0)
		return state->undo_fd;
	return make_id(state);
}

static const char *why_not(int err)
{
	if (err == -EXDEV)
		return "the state must be on the source's filesystem and mount: name another "
		       "directory with --state";
	if (err == -EPERM)
		return "it belongs to somebody else: name another directory with --state";
	if (err == -ENOTDIR || err == -ELOOP)
		return "it is no directory of ours: name another one with --state";
	if (err == -EMLINK)
		return "its lock is no plain file of ours: remove it";
	return strerror(-err);
}

int state_open(struct sync_state **state, int source_fd, const char *source, const char *dir,
	enum state_use use)
{
	bool wait = use != STATE_LOOK;
	af_autofree char *where = NULL;
	struct sync_state *new = calloc(1, sizeof(*new));
	int err;

	*state = NULL;
	if (!new)
		return -ENOMEM;
	new->lock_fd = new->undo_fd = -1;
	new->dir_fd = state_dir_open(source_fd, source, dir, wait, &where);
	err = new->dir_fd < 0 ? new->dir_fd : fill_state(new, source_fd, source, use);
	if (err) {
		state_close(new);
		if (err == -ENOENT && !wait)
			return 0;
		log_error("%s: %s", where ? where : source, why_not(err));
		return err;
	}
	err = wait ? recover_merge(new, source_fd) : 0;
	if (err) {
		state_close(new);
		return err;
	}
	*state = new;
	return 0;
}

void state_close(struct sync_state *state)
{
	if (!state)
		return;
	if (state->lock_fd >= 0)
		close(state->lock_fd);
	if (state->undo_fd >= 0)
		close(state->undo_fd);
	if (state->dir_fd >= 0)
		close(state->dir_fd);
	free(state);
}
