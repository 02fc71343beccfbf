/*
 * A control group of one run's own. See cgroup.h; where we are is cgroup_home.c's.
 *
 * Version 1 takes a group below our own. In version 2 a group that has processes gives no controllers to
 * groups below it, so the next one above that does, and that we may write to, gets ours.
 */
#include "cgroup.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
	TEXT_MAX = 1 << 20,   /* bytes: of mountinfo; a line a mount */
	FILE_MAX_SIZE = 4096, /* of a group's file */
	REMOVE_TIMEOUT_MS = 10000,
	REMOVE_LAST_WAIT_MS = 50,
};

static const char *const names[CGROUP_COUNT] = {
	[CGROUP_MEMORY] = "memory", [CGROUP_PIDS] = "pids", [CGROUP_CPU] = "cpu"};

/* What is being made: a group in each of some directories. */
struct making {
	struct af_cgroup *group;
	char name[40];
	int parents[CGROUP_COUNT]; /* where one was made; owned */
	size_t count;
};

/* ---- files -------------------------------------------------------------------------------------- */

/* The whole of a short file, as text. 0 or -errno. */
static int read_text(int dirfd, const char *file, char text[FILE_MAX_SIZE])
{
	af_autoclose int fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -errno : io_read_full(fd, text, FILE_MAX_SIZE - 1);

	text[got > 0 ? got : 0] = '\0';
	return got < 0 ? (int)got : 0;
}

static int write_text(int dirfd, const char *file, const char *text)
{
	af_autoclose int fd = openat(dirfd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int cgroup_write(const struct af_cgroup *group, enum cgroup_controller controller, const char *file,
	const char *text)
{
	return write_text(group->dirs[controller], file, text);
}

int cgroup_write_number(const struct af_cgroup *group, enum cgroup_controller controller,
	const char *file, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ju", (uintmax_t)value);
	return cgroup_write(group, controller, file, text);
}

uint64_t cgroup_read_number(const struct af_cgroup *group, enum cgroup_controller controller,
	const char *file, const char *key)
{
	char text[FILE_MAX_SIZE], *rest = text, *line;
	size_t len = key ? strlen(key) : 0;

	if (read_text(group->dirs[controller], file, text) != 0)
		return 0;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, key ? key : "", len) == 0 && (!key || line[len] == ' '))
			return strtoull(line + len, NULL, 10);
	return 0;
}

/* Whether a list with blanks has the word. */
static bool lists(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ' ') && (!at[len] || strchr(" \n", at[len])))
			return true;
	return false;
}

/* ---- making ------------------------------------------------------------------------------------- */

static int *dir_of(struct making *making, int controller)
{
	return &making->group->dirs[controller];
}

/* A group for the controllers (bits) below the directory. 0 or -errno. */
static int make_in(struct making *making, int parent_fd, unsigned int controllers, bool unified)
{
	af_autoclose int kept = fcntl(parent_fd, F_DUPFD_CLOEXEC, 3), fd = -1;

	if (kept < 0 || mkdirat(parent_fd, making->name, 0755) != 0)
		return -errno;
	fd = openat(parent_fd, making->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < CGROUP_COUNT; i++) {
		if (!(controllers & 1U << i))
			continue;
		*dir_of(making, i) = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		making->group->unified[i] = unified;
	}
	making->parents[making->count++] = af_steal_fd(&kept);
	return fd < 0 ? -errno : 0;
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Controllers of version 1 that are mounted together have one directory, and get one group. */
static void make_legacy(struct making *making, const struct cgroup_home *home, unsigned int wanted,
	int err[CGROUP_COUNT])
{
	for (int i = 0; i < CGROUP_COUNT; i++) {
		af_autoclose int parent = -1;
		unsigned int together = 0;

		if (!(wanted & 1U << i) || !home->legacy[i] || *dir_of(making, i) >= 0)
			continue;
		for (int j = i; j < CGROUP_COUNT; j++)
			if (wanted & 1U << j && home->legacy[j] &&
				strcmp(home->legacy[j], home->legacy[i]) == 0)
				together |= 1U << j;
		parent = open_dir(home->legacy[i]);
		err[i] = parent < 0 ? parent : make_in(making, parent, together, false);
	}
}

/* Whether the directory gives all of these controllers to what is below it. */
static bool gives(int fd, unsigned int controllers, bool is_root)
{
	char text[FILE_MAX_SIZE];

	for (int i = 0; i < CGROUP_COUNT; i++) {
		char enable[16];

		if (!(controllers & 1U << i))
			continue;
		snprintf(enable, sizeof(enable), "+%s", names[i]);
		/* Only the root may have processes and give controllers. */
		if (is_root)
			write_text(fd, "cgroup.subtree_control", enable);
		if (read_text(fd, "cgroup.subtree_control", text) != 0 || !lists(text, names[i]))
			return false;
	}
	return true;
}

/* -ENOENT: no directory from ours up gives them. */
static int make_unified(
	struct making *making, const struct cgroup_home *home, unsigned int controllers)
{
	af_autofree char *path = strdup(home->unified);
	int err = -ENOENT;

	if (!path)
		return -ENOMEM;
	for (;;) {
		af_autoclose int fd = open_dir(path);
		char *slash = strrchr(path, '/');
		bool is_root = strlen(path) <= home->unified_root;

		if (fd >= 0 && gives(fd, controllers, is_root)) {
			err = make_in(making, fd, controllers, true);
			if (!err)
				return 0;
		}
		if (is_root || !slash)
			return err;
		*slash = '\0';
	}
}

static int read_own(const char *file, char **text)
{
	af_autoclose int fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t size;

	return fd < 0 ? -errno : io_read_all(fd, TEXT_MAX, text, &size);
}

static int find_home(struct cgroup_home *home, const char *cgroup_file)
{
	af_autofree char *mountinfo = NULL, *self = NULL;
	int err = read_own("/proc/self/mountinfo", &mountinfo);

	*home = (struct cgroup_home){.unified = NULL};
	if (!err)
		err = read_own(cgroup_file, &self);
	return err ? err : cgroup_find_home(home, mountinfo, self);
}

static unsigned int not_legacy(const struct cgroup_home *home, unsigned int wanted)
{
	for (int i = 0; i < CGROUP_COUNT; i++)
		if (home->legacy[i])
			wanted &= ~(1U << i);
	return wanted;
}

static void make_groups(struct making *making, const struct cgroup_home *home, unsigned int wanted,
	int err[CGROUP_COUNT])
{
	unsigned int rest = not_legacy(home, wanted);
	int unified = -ENOENT;

	make_legacy(making, home, wanted, err);
	if (rest && home->unified)
		unified = make_unified(making, home, rest);
	for (int i = 0; i < CGROUP_COUNT; i++)
		if (rest & 1U << i)
			err[i] = unified;
}

/* ---- removing ----------------------------------------------------------------------------------- */

/* What was made, while it still has processes: as soon as it has none. */
static void remove_groups(void *arg)
{
	struct making *making = arg;
	int wait_ms = 1, waited_ms = 0;

	for (size_t i = 0; i < making->count && waited_ms < REMOVE_TIMEOUT_MS;) {
		struct timespec pause = {.tv_nsec = wait_ms * 1000000L};

		if (unlinkat(making->parents[i], making->name, AT_REMOVEDIR) == 0 ||
			errno != EBUSY) {
			i++;
			continue;
		}
		nanosleep(&pause, NULL);
		waited_ms += wait_ms;
		if (wait_ms < REMOVE_LAST_WAIT_MS)
			wait_ms *= 2;
	}
}

int cgroup_make(struct af_cgroup *group, unsigned int wanted, int err[CGROUP_COUNT])
{
	struct making making = {.group = group};
	struct cgroup_home home;
	struct timespec now;
	int result = find_home(&home, "/proc/self/cgroup");

	*group = AF_CGROUP_NONE;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(making.name, sizeof(making.name), "afrun-%d-%llx", getpid(),
		(unsigned long long)now.tv_sec * 1000000000ULL + (unsigned long long)now.tv_nsec);
	for (int i = 0; i < CGROUP_COUNT; i++)
		err[i] = result;
	if (!result)
		make_groups(&making, &home, wanted, err);
	cgroup_home_fini(&home);
	if (!result && making.count > 0)
		result = keeper_start(
			&group->keeper, making.parents, making.count, remove_groups, &making);
	if (result) {
		remove_groups(&making);
		cgroup_end(group);
	}
	for (size_t i = 0; i < making.count; i++)
		close(making.parents[i]);
	return result;
}

int cgroup_join(const struct af_cgroup *group)
{
	int err = 0;

	for (int i = 0; i < CGROUP_COUNT && !err; i++)
		if (group->dirs[i] >= 0)
			err = write_text(group->dirs[i], "cgroup.procs", "0");
	return err;
}

void cgroup_end(struct af_cgroup *group)
{
	for (int i = 0; i < CGROUP_COUNT; i++)
		if (group->dirs[i] >= 0)
			close(af_steal_fd(&group->dirs[i]));
	keeper_end(&group->keeper);
}

int cgroup_open(struct af_cgroup *group, pid_t pid)
{
	struct cgroup_home home;
	char file[64];
	int err;

	*group = AF_CGROUP_NONE;
	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	err = find_home(&home, file);
	for (int i = 0; i < CGROUP_COUNT && !err; i++) {
		const char *path = home.legacy[i] ? home.legacy[i] : home.unified;

		group->unified[i] = !home.legacy[i];
		if (path)
			group->dirs[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	cgroup_home_fini(&home);
	return err;
}
