/*
 * Starting the sandbox. See sandbox.h; what the program is told is the backend's business, what runs
 * inside supervise.c's.
 */
#include "sandbox.h"

#include "cleanup.h"
#include "control.h"
#include "log.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define END_TIMEOUT_MS 5000
/* NGROUPS_MAX of Linux. */
#define GROUPS_MAX 65536

struct sandbox_setup {
	bool outside;
	const struct af_fsmount *mount;
	const struct af_identity *identity;
	const struct af_cgroup *group;
	pid_t parent;
};

/* In the runtime's process, before it is the runtime. */
static int set_up(void *arg)
{
	const struct sandbox_setup *setup = arg;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int err;

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return -errno;
	setsid();
	err = setup->outside ? 0 : cgroup_join(setup->group);
	if (!err && !setup->outside)
		err = fsmount_enter(setup->mount);
	if (!err && !setup->outside)
		err = identity_become(setup->identity);
	/* What works outside is the caller's own program, in their directory. */
	if (!err && !setup->outside && chdir("/") < 0)
		err = -errno;
	/* After the change of user, which clears it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!err && getppid() != setup->parent)
		err = -ESRCH;
	return err;
}

/* The descriptors that the runtime inherits: the texts of files, and ours. Newly allocated. */
static int *list_descriptors(
	const struct af_rootfs *rootfs, const int *ours, size_t ours_count, size_t *count)
{
	int *list = reallocarray(NULL, rootfs->count + ours_count, sizeof(*list));

	*count = 0;
	for (size_t i = 0; list && i < ours_count; i++)
		list[(*count)++] = ours[i];
	for (size_t i = 0; list && i < rootfs->count; i++)
		if (rootfs->places[i].fd >= 0)
			list[(*count)++] = rootfs->places[i].fd;
	return list;
}

static int spawn_runtime(struct af_sandbox *sandbox, const struct af_plan *plan, bool outside,
	const struct af_fsmount *mount, const struct af_cgroup *group, const struct af_words *argv,
	const int *ours, size_t count)
{
	struct sandbox_setup setup = {.outside = outside,
		.mount = mount,
		.identity = plan->identity,
		.group = group,
		.parent = getpid()};
	const char *const *environment = (const char *const[]){"PATH=/usr/bin:/bin", NULL};
	size_t keep_count;
	af_autofree int *keep = list_descriptors(&plan->rootfs, ours, count, &keep_count);
	bool in_setup = false;
	int err;
	struct af_spawn spawn = {
		.argv = argv->items,
		.keep = keep,
		.setup = set_up,
		.arg = &setup,
	};
	struct af_words env = {0};

	if (!keep || !argv->items)
		return -ENOMEM;
	words_add_all(&env, environment);
	spawn.envp = outside ? environ : env.items;
	spawn.keep_count = keep_count;
	err = words_error(&env);
	if (!err)
		err = spawn_start(&spawn, &sandbox->runtime, &in_setup);
	words_fini(&env);
	if (err && in_setup)
		log_error("sandbox: cannot enter its cgroup and the view's namespace: %s",
			strerror(-err));
	else if (err)
		log_error("%s: cannot be run: %s", argv->items[0], strerror(-err));
	return err;
}

/* With a descriptor of ours, and one end of a line that is there from the start. */
static int start_beside(struct af_sandbox *sandbox, const struct af_backend *backend,
	struct af_plan *plan, const struct af_fsmount *mount, const struct af_cgroup *group,
	int filter_fd)
{
	af_autoclose int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	af_autoclose int inner = -1;
	struct af_words argv = {0};
	char self_path[32], inner_text[16];
	struct af_backend_input input = {.view = mount->view,
		.place = mount->place,
		.seccomp_fd = filter_fd,
		.inside = {self_path, "--inside", inner_text, NULL}};
	int ends[2], err;

	err = self < 0 ? -errno : rootfs_open_files(&plan->rootfs);
	if (!err && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err = -errno;
	if (err) {
		log_error("sandbox: %s", strerror(-err));
		return err;
	}
	sandbox->control = ends[0];
	inner = ends[1];
	snprintf(self_path, sizeof(self_path), "/proc/self/fd/%d", self);
	snprintf(inner_text, sizeof(inner_text), "%d", inner);
	err = backend->build(plan, &input, &argv);
	if (!err)
		err = spawn_runtime(sandbox, plan, false, mount, group, &argv,
			(const int[]){self, inner, filter_fd}, 3);
	words_fini(&argv);
	return err;
}

static int start_outside(struct af_sandbox *sandbox, const struct af_backend *backend,
	const struct af_plan *plan, const struct af_fsmount *mount, int filter_fd,
	struct af_docker_place *docker)
{
	struct af_backend_input input = {
		.view = mount->view, .place = mount->place, .name = docker->name};
	struct af_words argv = {0};
	int err;

	sandbox->identity = plan->identity;
	sandbox->docker = docker;
	sandbox->listener = af_steal_fd(&docker->listener);
	sandbox->filter = fcntl(filter_fd, F_DUPFD_CLOEXEC, 3);
	err = sandbox->filter < 0 ? -errno : backend->build(plan, &input, &argv);
	if (err)
		log_error("sandbox: %s", strerror(-err));
	else
		err = spawn_runtime(sandbox, plan, true, mount, NULL, &argv, NULL, 0);
	words_fini(&argv);
	return err;
}

int sandbox_start(struct af_sandbox *sandbox, const struct af_backend *backend,
	struct af_plan *plan, const struct af_fsmount *mount, const struct af_cgroup *group,
	int filter_fd, struct af_docker_place *docker)
{
	*sandbox = AF_SANDBOX_NONE;
	if (backend->outside)
		return start_outside(sandbox, backend, plan, mount, filter_fd, docker);
	return start_beside(sandbox, backend, plan, mount, group, filter_fd);
}

bool sandbox_is_awaited(const struct af_sandbox *sandbox)
{
	return sandbox->control < 0 && sandbox->listener >= 0;
}

int sandbox_line(const struct af_sandbox *sandbox)
{
	return sandbox_is_awaited(sandbox) ? sandbox->listener : sandbox->control;
}

static bool is_own_group(const struct af_identity *identity, gid_t group)
{
	bool own = group == identity->gid;

	for (int i = 0; i < identity->group_count && !own; i++)
		own = group == identity->groups[i];
	return own;
}

/* An image may say what the name of a group is, and a number can be a name. */
static bool has_own_groups(int fd, const struct af_identity *identity)
{
	socklen_t size = sizeof(gid_t) * GROUPS_MAX;
	af_autofree gid_t *groups = malloc(size);

	if (!groups || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(*groups); i++)
		if (!is_own_group(identity, groups[i]))
			return false;
	return true;
}

pid_t sandbox_accept(struct af_sandbox *sandbox)
{
	struct af_control message = {.kind = AF_CONTROL_FILTER, .value = 1};
	af_autoclose int fd = accept4(sandbox->listener, NULL, NULL, SOCK_CLOEXEC);
	struct ucred who;
	socklen_t size = sizeof(who);
	int err;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) < 0)
		return errno == EAGAIN || errno == ECONNABORTED ? 0 : -errno;
	if (who.uid != sandbox->identity->uid)
		return 0;
	if (who.gid != sandbox->identity->gid || !has_own_groups(fd, sandbox->identity)) {
		log_error("sandbox: the image gives its user other groups than were asked for");
		return -EPERM;
	}
	close(af_steal_fd(&sandbox->listener));
	sandbox->control = af_steal_fd(&fd);
	sandbox->came = true;
	docker_place_came(sandbox->docker);
	err = control_send(sandbox->control, &message, &sandbox->filter, 1);
	return err ? err : who.pid;
}

void sandbox_let_go(struct af_sandbox *sandbox, struct af_held *limits)
{
	if (limits->by_runtime && !limits->noted)
		limits_note(limits);
	if (sandbox->control >= 0)
		close(af_steal_fd(&sandbox->control));
	if (sandbox->listener >= 0)
		close(af_steal_fd(&sandbox->listener));
}

void sandbox_end(struct af_sandbox *sandbox, struct rusage *usage)
{
	bool waited, came = sandbox->came, interrupted = false;
	int status = 0;

	/* Our first process inside ends when this is closed, and with it everything there. */
	if (sandbox->control >= 0)
		close(af_steal_fd(&sandbox->control));
	if (sandbox->listener >= 0)
		close(af_steal_fd(&sandbox->listener));
	if (sandbox->filter >= 0) {
		close(af_steal_fd(&sandbox->filter));
		/* It may be busy with something else, as with an image. */
		interrupted =
			!came && sandbox->runtime.pid > 0 && spawn_wait(&sandbox->runtime, 0) != 1;
		if (interrupted)
			kill(sandbox->runtime.pid, SIGTERM);
	}
	sandbox->gone = sandbox->runtime.pid < 0;
	if (sandbox->gone)
		return;
	waited = spawn_wait(&sandbox->runtime, END_TIMEOUT_MS) == 1;
	if (!waited)
		kill(sandbox->runtime.pid, SIGKILL);
	while (wait4(sandbox->runtime.pid, &status, 0, usage) < 0 && errno == EINTR)
		;
	close(sandbox->runtime.pidfd);
	*sandbox = AF_SANDBOX_NONE;
	/* One that is told to end may leave what it had made and not begun. */
	sandbox->gone = waited && !interrupted && WIFEXITED(status);
}
