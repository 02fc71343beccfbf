/*
 * afrun(1): runs a command in a sandbox, on a view of a directory.
 *
 * In the order in which things happen:
 *
 *     opts.c       command line -> struct af_opts
 *     facts.c      what the plan depends on: the source, host.c (this machine), identity.c (who)
 *     plan.c       options and facts -> struct af_plan: everything that will be done; pure, with
 *                  env.c (the command's environment) and rootfs.c (the sandbox's tree)
 *     show.c       --dry-run: the plan for people
 *     main.c       the run in its order, and the exit status
 *     fsmount.c    the view: agentfensefs in a mount namespace of its own
 *     filter.c     the system calls that the sandbox does not have
 *     backend.h    what makes a sandbox of a plan: bwrap.c, docker.c (pure: the argument vector), with
 *                  docker_place.c (what dockerd has to see)
 *     limits.c     what a run may use, held by a cgroup (cgroup.c; cgroup_home.c finds where)
 *     sandbox.c    the backend's program, started where the view is and as the right user
 *     control.c    what outside and inside say to each other
 *     inside.c     inside: the first process; starts the command and never outlives us
 *     session.h    one shell that takes text after text, and its callers: in place of supervise.c
 *                  for the one, through it for the others
 *     supervise.c  outside: signals, time, and the end, with terminal.c (the caller's terminal)
 *     launch.c     what the command is told to be
 *     refusals.c   what the mount refused
 *     channel.h    directories that sandboxes share: --channel
 *     writes.c     the delta, and its merge by afsyncd when all that has ended, with temporary.c
 *                  (deltas of single runs)
 *     report.c     --report
 *     list.c       --list
 *     words.c      lists of words, everywhere
 *
 * A run is four processes: this one, agentfensefs, the runtime (bwrap) and inside.c's. Each ends when
 * any other does, and the kernel takes mounts and everything inside away with them.
 */
#include "backend.h"
#include "channel.h"
#include "cleanup.h"
#include "facts.h"
#include "filter.h"
#include "inside.h"
#include "list.h"
#include "log.h"
#include "report.h"
#include "session.h"
#include "show.h"
#include "supervise.h"
#include "writes.h"

#include <bsd/stdlib.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/*
 * Nothing that was open is inherited by what we start. Of 0, 1 and 2 the closed ones are filled, so
 * that no file of ours becomes one; returns which, as bits.
 */
static unsigned int settle_descriptors(void)
{
	unsigned int closed = 0;

	for (int i = 0; i < 3; i++)
		if (fcntl(i, F_GETFD) < 0 && open("/dev/null", O_RDWR) == i)
			closed |= 1U << i;
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	return closed;
}

/* Opens the target of an option; -1 in *fd where it was not given. Returns 0 or -errno, reported. */
static int open_target(const char *option, const char *target, unsigned int closed_std, int *fd)
{
	*fd = -1;
	if (!target)
		return 0;
	*fd = strcmp(target, "-") == 0 && closed_std & 2 ? -EBADF : report_open(target);
	if (*fd >= 0)
		return 0;
	log_error("%s: %s: %s", option, target, strerror(-*fd));
	return *fd;
}

/*
 * What lost its parent on the way (a runtime that was killed, or failed half-way) is ours: to end,
 * since it may be waiting for what never comes, and to wait for.
 */
static void end_orphans(void)
{
	do {
		af_autofclose FILE *list = fopen("/proc/thread-self/children", "re");
		int pid;

		while (list && fscanf(list, "%d", &pid) == 1)
			kill(pid, SIGKILL);
	} while (wait(NULL) > 0);
}

/* Everything between the plan and the outcome. Returns 0, or -errno where nothing was run. */
static int run_plan(struct af_plan *plan, const struct af_backend *backend, int source_fd,
	struct af_refusals *refusals, const struct af_signals *signals, struct af_held *limits,
	const struct af_channels *channels, struct af_docker_place *docker, unsigned int closed_std,
	struct af_door *door, struct af_outcome *outcome)
{
	struct af_fsmount mount = AF_FSMOUNT_NONE;
	struct af_sandbox sandbox = AF_SANDBOX_NONE;
	struct af_run run = {
		plan, &mount, &sandbox, refusals, signals, limits, channels, closed_std};
	af_autoclose int filter = -1;
	int err = fsmount_start(
		&mount, plan, source_fd, refusals->pipe_write, channels, docker->path);

	if (refusals->pipe_write >= 0)
		close(af_steal_fd(&refusals->pipe_write));
	/* While the daemon starts. */
	if (!err) {
		filter = filter_open();
		err = filter < 0 ? filter : 0;
		if (err)
			log_error("filter: %s", strerror(-err));
	}
	if (!err)
		err = fsmount_wait(&mount);
	if (!err)
		err = sandbox_start(
			&sandbox, backend, plan, &mount, &limits->group, filter, docker);
	if (!err && door)
		session_serve(&run, door, outcome);
	else if (!err)
		supervise_run(&run, outcome);
	else
		sandbox_end(&sandbox, &outcome->usage);
	if (sandbox.gone)
		docker_place_container_gone(docker);
	fsmount_end(&mount);
	end_orphans();
	refusals_read(refusals);
	return err;
}

static void tell_refusals(const struct af_opts *opts, const struct af_refusals *refusals)
{
	size_t paths = refusals_paths(refusals);

	if (refusals->copy_error)
		log_error("--audit: %s: %s", opts->audit, strerror(-refusals->copy_error));
	if (paths == 0 || opts->quiet || opts->audit || !isatty(2))
		return;
	log_warn("%zu path%s refused; `afrun ... --audit FILE` shows %s", paths,
		paths == 1 ? " was" : "s were", paths == 1 ? "it" : "them");
}

/* Which limit was met, and that it was; then the group goes. */
static void take_limits(const struct af_opts *opts, struct af_held *limits,
	const struct af_refusals *refusals, struct af_outcome *outcome)
{
	if (limits->limits || limits->noted) {
		outcome->limit = limits_met(limits);
		outcome->peak_memory = limits_peak(limits);
	}
	if (refusals->met_quota && (!outcome->limit || strcmp(outcome->limit, "cpus") == 0))
		outcome->limit = "delta-size";
	limits_end(limits);
	if (!outcome->limit || opts->quiet)
		return;
	if (strcmp(outcome->limit, "memory") == 0)
		log_warn("--memory: that was not enough: the kernel has killed a process inside");
	else if (strcmp(outcome->limit, "pids") == 0)
		log_warn("--pids: that was not enough: processes could not be started");
	else if (strcmp(outcome->limit, "delta-size") == 0)
		log_warn("--delta-size: that was not enough: something could not be written");
}

static int write_report(int *fd, const struct af_plan *plan, const struct af_backend *backend,
	const struct af_outcome *outcome, const struct af_refusals *refusals,
	const struct af_writes *writes)
{
	FILE *out;
	int err;

	if (*fd < 0)
		return 0;
	out = fdopen(*fd, "w");
	if (!out)
		return -errno;
	*fd = -1;
	err = report_write(out, plan, backend->name, outcome, refusals, writes);
	if (fclose(out) != 0 && !err)
		err = -errno;
	return err;
}

static const struct af_backend *backend_of(const struct af_opts *opts)
{
	return opts->in_docker ? &backend_docker : &backend_bwrap;
}

/* Runs what was planned (a session where there is a door), tells, and returns the exit status. */
static int run_and_tell(struct af_plan *plan, const struct af_gathered *gathered,
	unsigned int closed_std, struct af_door *door)
{
	const struct af_opts *opts = plan->opts;
	const struct af_backend *backend = backend_of(opts);
	struct af_docker_place docker = AF_DOCKER_PLACE_NONE;
	struct af_outcome outcome = {.exit = AF_EXIT_FAILED};
	struct af_refusals refusals = AF_REFUSALS_NONE;
	struct af_writes writes = AF_WRITES_NONE;
	struct af_signals signals = {.fd = -1};
	struct af_held limits = AF_HELD_NONE;
	struct af_channels channels = AF_CHANNELS_NONE;
	af_autoclose int report = -1;
	int audit = -1;
	int err = open_target("--report", opts->report, closed_std, &report);

	if (!err)
		err = open_target("--audit", opts->audit, closed_std, &audit);
	if (err)
		return AF_EXIT_FAILED;
	if (report >= 0 || audit >= 0 || (isatty(2) && !opts->quiet))
		err = refusals_open(&refusals, audit);
	if (!err)
		err = signals_open(&signals);
	if (err)
		log_error("start: %s", strerror(-err));
	else
		err = channels_join(&channels, opts, plan->identity);
	if (!err && backend->outside)
		err = docker_place_make(&docker, opts->docker);
	if (!err && backend->outside)
		limits = (struct af_held){
			.limits = &opts->limits, .group = AF_CGROUP_NONE, .by_runtime = true};
	else if (!err)
		err = limits_begin(&limits, &opts->limits, opts->quiet);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!err)
		err = writes_begin(&writes, plan, gathered->source_fd);
	if (!err)
		run_plan(plan, backend, gathered->source_fd, &refusals, &signals, &limits,
			&channels, &docker, closed_std, door, &outcome);
	docker_place_end(&docker);
	channels_leave(&channels);
	take_limits(opts, &limits, &refusals, &outcome);
	tell_refusals(opts, &refusals);
	writes_end(&writes, plan, gathered->source_fd, outcome.exit, report >= 0);
	err = write_report(&report, plan, backend, &outcome, &refusals, &writes);
	if (err)
		log_error("--report: %s: %s", opts->report, strerror(-err));
	refusals_close(&refusals);
	writes_fini(&writes);
	close(signals.fd);
	return outcome.exit;
}

static int dry_run(struct af_plan *plan, int source_fd)
{
	const char *place =
		plan->opts->in_docker ? "/run/afrun/docker.XXXXXX" : fsmount_place(plan);
	struct af_writes writes;
	int err = writes_begin(&writes, plan, source_fd);

	if (err) {
		writes_fini(&writes);
		return AF_EXIT_FAILED;
	}
	err = place ? show_plan(stdout, plan, backend_of(plan->opts), place) : -ENOENT;
	if (err)
		log_error("--dry-run: %s", strerror(-err));
	plan->delta = NULL;
	writes_fini(&writes);
	return err ? AF_EXIT_FAILED : 0;
}

static int run_opts(const struct af_opts *opts, unsigned int closed_std, struct af_door *door)
{
	struct af_gathered gathered;
	struct af_plan plan = {0};
	int status = AF_EXIT_FAILED;

	if (facts_gather(&gathered, opts) == 0 && plan_make(&plan, opts, &gathered.facts) == 0)
		status = opts->dry_run ? dry_run(&plan, gathered.source_fd)
				       : run_and_tell(&plan, &gathered, closed_std, door);
	plan_fini(&plan);
	facts_fini(&gathered);
	return status;
}

/* --start: what follows is done in the background; here, whether it came up. */
static int start_session(const struct af_opts *opts, unsigned int closed_std)
{
	struct af_door door;
	int status = AF_EXIT_FAILED;

	if (session_open(&door, opts->session) == 0)
		status = session_detach(&door);
	if (status >= 0) {
		/* It is the other process's. */
		door.listener = -1;
		session_close(&door, status);
		return status;
	}
	status = run_opts(opts, closed_std, &door);
	session_close(&door, status);
	return status;
}

static int do_opts(const struct af_opts *opts, unsigned int closed_std)
{
	bool asks = opts->session_do == AF_SESSION_STATUS || opts->session_do == AF_SESSION_STOP;

	log_set_verbose(opts->verbose);
	if (asks && !opts->session)
		return channel_call(opts);
	if (opts->session_do == AF_SESSION_START && !opts->dry_run)
		return start_session(opts, closed_std);
	if (opts->session_do == AF_SESSION_LIST)
		return list_all(opts);
	if (opts->session && opts->session_do != AF_SESSION_START)
		return session_call(opts, closed_std);
	return run_opts(opts, closed_std, NULL);
}

/* `--inside FD`: this same program as the first process of the sandbox. */
static int run_inside(const char *text)
{
	const char *bad = NULL;
	int control = (int)strtonum(text, 3, INT_MAX, &bad);

	return bad || getpid() != 1 ? AF_EXIT_FAILED : inside_main(control);
}

int main(int argc, char **argv)
{
	struct af_opts opts;
	unsigned int closed_std;
	enum af_opts_result result;
	int status;

	log_init("afrun");
	if (argc == 3 && strcmp(argv[1], "--inside") == 0)
		return run_inside(argv[2]);
	closed_std = settle_descriptors();
	result = opts_parse(&opts, argc, argv);
	if (result == AF_OPTS_RUN)
		status = do_opts(&opts, closed_std);
	else
		status = result == AF_OPTS_DONE && fflush(stdout) == 0 ? 0 : AF_EXIT_FAILED;
	opts_fini(&opts);
	return status;
}
