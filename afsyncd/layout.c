/*
 * What lies in the state directory: stage and journal of the merge under way, the merges that can
 * be undone. See state.h.
 */
#include "cleanup.h"
#include "path.h"
#include "remove.h"
#include "state.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

int state_get_birth(const struct sync_state *state, struct state_birth *birth)
{
	struct statx st;

	*birth = (struct state_birth){0};
	if (statx(state->dir_fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) != 0)
		return -errno;
	birth->ino = st.stx_ino;
	if (st.stx_mask & STATX_BTIME)
		birth->born_ns = (int64_t)st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
	return 0;
}

static int remove_if_there(int dirfd, const char *name)
{
	int err = remove_tree(dirfd, name);

	return err == -ENOENT ? 0 : err;
}

int state_make_stage(const struct sync_state *state)
{
	int err = remove_if_there(state->dir_fd, STATE_STAGE);

	if (err)
		return err;
	if (mkdirat(state->dir_fd, STATE_STAGE, 0700) != 0)
		return -errno;
	return state_open_stage(state);
}

int state_open_stage(const struct sync_state *state)
{
	return path_openat2(state->dir_fd, STATE_STAGE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

int state_drop(const struct sync_state *state)
{
	/* Without a journal a stage means nothing: so it goes first, and may be met again. */
	int err = remove_if_there(state->dir_fd, STATE_STAGE);

	return err ? err : remove_if_there(state->dir_fd, STATE_JOURNAL);
}

int state_file(const struct sync_state *state, const char *id)
{
	af_autoclose int to = -1;

	if (renameat(state->dir_fd, STATE_STAGE, state->undo_fd, id) != 0 && errno != ENOENT)
		return -errno;
	to = path_openat2(state->undo_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	if (to < 0)
		return to;
	if (renameat(state->dir_fd, STATE_JOURNAL, to, STATE_JOURNAL) != 0)
		return -errno;
	return fsync(state->dir_fd) == 0 && fsync(state->undo_fd) == 0 && fsync(to) == 0 ? 0
											 : -errno;
}

int state_forget(const struct sync_state *state, const char *id)
{
	af_autoclose int fd = path_openat2(state->undo_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
		0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);

	if (fd < 0)
		return fd;
	/* Its journal first: half an undo directory is none. */
	if (unlinkat(fd, STATE_JOURNAL, 0) != 0 && errno != ENOENT)
		return -errno;
	return remove_tree(state->undo_fd, id);
}

static int compare_names(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

/* Whether undo/ID is whole, and not a rest of one that was being removed. */
static bool has_journal(int undo_fd, const char *id)
{
	af_autoclose int fd = path_openat2(undo_fd, id, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
	struct stat st;

	return fd >= 0 && fstatat(fd, STATE_JOURNAL, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		S_ISREG(st.st_mode);
}

static int add_name(char ***names, size_t *count, const char *name)
{
	char **more = reallocarray(*names, *count + 1, sizeof(**names));

	if (!more)
		return -ENOMEM;
	*names = more;
	more[*count] = strdup(name);
	if (!more[*count])
		return -ENOMEM;
	(*count)++;
	return 0;
}

int state_list(const struct sync_state *state, char ***ids, size_t *count)
{
	af_autoclose int fd = openat(state->undo_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	af_autoclosedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	*ids = NULL;
	*count = 0;
	if (!dir)
		return -errno;
	af_steal_fd(&fd); /* the DIR's now */
	while ((errno = 0, entry = readdir(dir))) {
		int err;

		if (!state_is_id(entry->d_name) || !has_journal(state->undo_fd, entry->d_name))
			continue;
		err = add_name(ids, count, entry->d_name);
		if (err) {
			state_list_free(*ids, *count);
			return err;
		}
	}
	if (errno) {
		state_list_free(*ids, *count);
		return -errno;
	}
	if (*count)
		qsort(*ids, *count, sizeof(**ids), compare_names);
	return 0;
}

void state_list_free(char **ids, size_t count)
{
	int saved = errno;

	for (size_t i = 0; i < count; i++)
		free(ids[i]);
	free(ids);
	errno = saved;
}
