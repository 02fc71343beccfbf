/*
 * The mounted view. See fsmount.h.
 *
 *     root           a mount namespace; the mount is allow_other, and the sandbox's user reaches it
 *     anybody else   a user namespace in which the caller is 0, and a mount namespace of it: the
 *                    kernel lets its root mount FUSE, no setuid helper needed. The caller's ids
 *                    outside stay what the kernel checks
 *     for docker     root, in the namespace of all: a daemon elsewhere has to see it (docker_place.h)
 *     where neither  fusermount3 and a directory that only the caller can enter
 *
 * In the namespace a small tmpfs covers the directory where the kernel lists FUSE connections: it
 * exists wherever FUSE does, and nobody in there needs what it hides.
 */
#include "fsmount.h"

#include "cleanup.h"
#include "log.h"
#include "namespace.h"
#include "path.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define READY_TIMEOUT_MS 20000
#define END_TIMEOUT_MS 5000

struct mount_setup {
	const char *place; /* NULL: not private */
	bool userns;
	uid_t uid;
	gid_t gid;
	pid_t parent;
	const struct af_channels *channels;
};

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

const char *fsmount_place(const struct af_plan *plan)
{
	static const char *const places[] = {"/sys/fs/fuse/connections", "/mnt", "/media", "/srv"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		bool used = is_below(plan->source, places[i]) || access(places[i], F_OK) < 0;

		for (size_t k = 0; k < plan->rootfs.count && !used; k++) {
			const struct af_place *place = &plan->rootfs.places[k];

			used = place->src && is_below(place->src, places[i]);
		}
		if (!used)
			return places[i];
	}
	return NULL;
}

/* In the new namespace, before there is a view. */
static int place_channel(const char *place, const struct af_channel *channel)
{
	af_autofree char *path = NULL;

	if (asprintf(&path, "%s/" AF_CHANNEL_PLACE "%s", place, channel->ask.name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (mkdir(path, 0755) < 0 ||
		move_mount(channel->tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return -errno;
	return 0;
}

static int make_place(const char *place, const struct af_channels *channels)
{
	char view[64], options[64];
	int err = 0;

	snprintf(options, sizeof(options), "mode=0755,size=64k,nr_inodes=%zu", 8 + channels->count);
	if (mount("tmpfs", place, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		return -errno;
	for (size_t i = 0; i < channels->count && !err; i++)
		err = place_channel(place, &channels->items[i]);
	snprintf(view, sizeof(view), "%s/view", place);
	if (!err && mkdir(view, 0755) < 0)
		err = -errno;
	return err;
}

static int quiet_descriptors(void)
{
	af_autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ? -errno : 0;
}

/* In the daemon's process, before it is the daemon. */
static int set_up(void *arg)
{
	const struct mount_setup *setup = arg;
	int err = 0;

	if (setup->place) {
		err = namespace_enter_new(setup->userns, setup->uid, setup->gid);
		if (!err)
			err = make_place(setup->place, setup->channels);
	}
	umask(022);
	if (!err)
		err = quiet_descriptors();
	/* A session of its own: what is typed at the caller's terminal is not for the daemon. */
	setsid();
	/* After unshare(2), which clears it. TERM, so that it unmounts where that is up to it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (!err && getppid() != setup->parent)
		err = -ESRCH;
	return err;
}

/* The daemon's end of the socket, or -1. */
static int make_hold(struct af_fsmount *mount)
{
	int ends[2];

	/* From an attempt before. */
	if (mount->hold >= 0)
		close(af_steal_fd(&mount->hold));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	mount->hold = ends[0];
	return ends[1];
}

/* Runs the daemon, in a namespace where setup says so. Returns 0, -errno. */
static int start_daemon(struct af_fsmount *mount, const struct af_plan *plan, int source_fd,
	int audit_fd, struct mount_setup *setup, bool *in_setup)
{
	af_autofree char *program = path_find_program("agentfensefs");
	struct af_words argv = {0};
	af_autoclose int hold = -1;
	char source[32];
	int ends[2], err;

	*in_setup = false;
	if (!program || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* Who starts a session may want to merge while it lives. */
	if (plan->opts->session && plan->delta)
		hold = make_hold(mount);
	snprintf(source, sizeof(source), "/proc/self/fd/%d", source_fd);
	plan_fs_argv(plan, &argv, program, source, mount->view, ends[1], audit_fd, hold);
	if (mount->dir)
		words_add_all(&argv, (const char *const[]){"-o", "auto_unmount", NULL});
	err = words_error(&argv);
	if (!err) {
		struct af_spawn spawn = {
			.argv = argv.items,
			.envp = environ,
			.keep = (const int[]){source_fd, audit_fd, ends[1], hold},
			.keep_count = 4,
			.setup = set_up,
			.arg = setup,
		};

		err = spawn_start(&spawn, &mount->daemon, in_setup);
	}
	close(ends[1]);
	mount->ready = ends[0];
	words_fini(&argv);
	return err;
}

static int start_private(struct af_fsmount *mount, const struct af_plan *plan, int source_fd,
	int audit_fd, const struct af_channels *channels)
{
	struct mount_setup setup = {
		.place = fsmount_place(plan),
		.userns = geteuid() != 0,
		.uid = geteuid(),
		.gid = getegid(),
		.parent = getpid(),
		.channels = channels,
	};
	bool in_setup;
	int err;

	if (!setup.place)
		return -ENOENT;
	if (asprintf(&mount->view, "%s/view", setup.place) < 0) {
		mount->view = NULL;
		return -ENOMEM;
	}
	mount->place = setup.place;
	mount->private = true;
	mount->userns = setup.userns;
	err = start_daemon(mount, plan, source_fd, audit_fd, &setup, &in_setup);
	if (err && !in_setup) {
		log_error("agentfensefs: cannot be run: %s", strerror(-err));
		return -ECANCELED;
	}
	return err;
}

/* Of the directory's maker it is to take all away again, also where we are killed. */
static int start_outside(struct af_fsmount *mount, const struct af_plan *plan, int source_fd,
	int audit_fd, const struct af_channels *channels, const char *place)
{
	struct mount_setup setup = {.parent = getpid()};
	bool in_setup;
	int err = 0;

	for (size_t i = 0; i < channels->count && !err; i++)
		err = place_channel(place, &channels->items[i]);
	mount->place = place;
	if (asprintf(&mount->view, "%s/view", place) < 0) {
		mount->view = NULL;
		return -ENOMEM;
	}
	return err ? err : start_daemon(mount, plan, source_fd, audit_fd, &setup, &in_setup);
}

static int start_shared(
	struct af_fsmount *mount, const struct af_plan *plan, int source_fd, int audit_fd)
{
	struct mount_setup setup = {.parent = getpid()};
	const char *base = getenv("XDG_RUNTIME_DIR");
	bool in_setup;

	*mount = AF_FSMOUNT_NONE;
	if (asprintf(&mount->dir, "%s/afrun.XXXXXX", base ? base : "/tmp") < 0) {
		mount->dir = NULL;
		return -ENOMEM;
	}
	if (!mkdtemp(mount->dir)) {
		free(af_steal(&mount->dir));
		return -errno;
	}
	mount->view = strdup(mount->dir);
	if (!mount->view)
		return -ENOMEM;
	return start_daemon(mount, plan, source_fd, audit_fd, &setup, &in_setup);
}

int fsmount_start(struct af_fsmount *mount, const struct af_plan *plan, int source_fd, int audit_fd,
	const struct af_channels *channels, const char *outside)
{
	int err;

	*mount = AF_FSMOUNT_NONE;
	err = outside ? start_outside(mount, plan, source_fd, audit_fd, channels, outside)
		      : start_private(mount, plan, source_fd, audit_fd, channels);
	if (err && err != -ECANCELED && mount->userns && channels->count == 0) {
		log_info("mount: no private namespace (%s): fusermount3 is used", strerror(-err));
		fsmount_end(mount);
		err = start_shared(mount, plan, source_fd, audit_fd);
	}
	if (err && err != -ECANCELED)
		log_error("mount: %s: %s", plan->source, strerror(-err));
	return err;
}

int fsmount_wait(struct af_fsmount *mount)
{
	struct pollfd polls[] = {{.fd = mount->ready, .events = POLLIN},
		{.fd = mount->daemon.pidfd, .events = POLLIN}};
	int got;

	do
		got = poll(polls, 2, READY_TIMEOUT_MS);
	while (got < 0 && errno == EINTR);
	if (got > 0 && polls[0].revents & POLLIN)
		return 0;
	if (got == 0) {
		log_error(
			"mount: no answer from agentfensefs within %d s", READY_TIMEOUT_MS / 1000);
		return -ETIMEDOUT;
	}
	/* The daemon has said why. */
	log_error("mount: agentfensefs failed to start; nothing was run");
	return -EIO;
}

/* The answer to a word: 0 where it is `wanted`. */
static int say(const struct af_fsmount *mount, const char *word, const char *wanted)
{
	char got[16] = "";
	ssize_t len = -1;

	if (mount->hold < 0)
		return -EBUSY;
	if (send(mount->hold, word, strlen(word), MSG_NOSIGNAL) >= 0) {
		do
			len = recv(mount->hold, got, sizeof(got) - 1, 0);
		while (len < 0 && errno == EINTR);
	}
	if (len > 0 && strcmp(got, wanted) == 0)
		return 0;
	return len > 0 && strcmp(got, "busy") == 0 ? -EBUSY : -EIO;
}

int fsmount_hold(const struct af_fsmount *mount)
{
	return say(mount, "hold", "held");
}

int fsmount_go_on(const struct af_fsmount *mount)
{
	return say(mount, "go", "going");
}

int fsmount_enter(const struct af_fsmount *mount)
{
	if (!mount->private)
		return 0;
	if (setns(mount->daemon.pidfd, CLONE_NEWNS | (mount->userns ? CLONE_NEWUSER : 0)) < 0)
		return -errno;
	return 0;
}

static void end_daemon(struct af_child *daemon)
{
	if (daemon->pid < 0)
		return;
	kill(daemon->pid, SIGTERM);
	if (spawn_wait(daemon, END_TIMEOUT_MS) != 1) {
		log_warn("mount: agentfensefs did not end within %d s: killed",
			END_TIMEOUT_MS / 1000);
		kill(daemon->pid, SIGKILL);
	}
	while (waitpid(daemon->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(daemon->pidfd);
}

void fsmount_end(struct af_fsmount *mount)
{
	end_daemon(&mount->daemon);
	if (mount->ready >= 0)
		close(mount->ready);
	if (mount->hold >= 0)
		close(mount->hold);
	if (mount->dir && rmdir(mount->dir) < 0)
		log_warn("mount: %s: %s", mount->dir, strerror(errno));
	free(mount->dir);
	free(mount->view);
	*mount = AF_FSMOUNT_NONE;
}
