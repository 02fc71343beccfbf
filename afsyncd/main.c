/*
 * afsyncd(8): merges what a sandbox wrote, its delta, into the source.
 *
 * In the order in which things happen:
 *
 *     opts.c       command line -> struct sync_opts; usage.c is --help
 *     where.c      which source
 *     hold.c       what is held back, and only.c: what was asked for
 *     changes.h    the delta and the source -> a plan
 *     main.c       ... which is then
 *     show.c       printed, its names by names.c; or
 *     diff.h       printed as a patch, with diff(1) by tool.c; or
 *     apply.h      carried out, and undone; and
 *     tell.c       what became of it, on standard error
 *     merge3.c     three-way merges of texts, with diff3(1)
 *     fsck.c       a delta checked, and discard.c: thrown away
 *     daemon.c     merges as mounts end: table.c (of what), watch.h (when), errand.c (each by another
 *                  afsyncd), and notify.c (how it is, for a service manager)
 *
 * What is written here was read from a delta, and a delta is written by somebody who is not trusted:
 * no path of it is ever resolved, each name is opened in the directory that holds it.
 */
#include "apply.h"
#include "cleanup.h"
#include "daemon.h"
#include "discard.h"
#include "fsck.h"
#include "hold.h"
#include "log.h"
#include "opts.h"
#include "show.h"
#include "tell.h"
#include "where.h"

#include <fcntl.h>
#include <string.h>

enum { EXIT_MERGED = 0, EXIT_STAYS = 1, EXIT_FAILED = 2 };

/* What a plan is made from. */
struct run {
	const struct sync_opts *opts;
	struct af_delta delta;
	bool has_delta;   /* delta is open */
	char *delta_path; /* owned; absolute */
	struct where where;
	struct sync_state *state;
	struct sync_hold *hold;
	struct sync_only *only;
	struct af_policy *policy;
	struct plan plan;
};

static int close_out(void)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	log_error("standard output: %s", strerror(errno ? errno : EIO));
	return -EIO;
}

/* ---- what is needed for a plan ------------------------------------------------------------------ */

static int add_rules(struct af_rules *rules, const struct sync_rules *given)
{
	switch (given->kind) {
	case SYNC_RULES_PRESET:
		return rules_add_preset(rules, given->text);
	case SYNC_RULES_FILE:
		return rules_add_file(rules, given->text);
	case SYNC_RULES_TEXT:
		return rules_add_text(rules, given->text, "command line");
	}
	return -EINVAL;
}

/* The caller's own policy, if there is one: files and presets, and then single rules. */
static int load_policy(struct run *run)
{
	const struct sync_opts *opts = run->opts;
	struct af_rules *rules;
	int err = 0;

	if (opts->rules_count == 0)
		return 0;
	rules = rules_new();
	if (!rules)
		err = -ENOMEM;
	for (int texts = 0; texts <= 1; texts++)
		for (size_t i = 0; i < opts->rules_count && !err; i++)
			if ((opts->rules[i].kind == SYNC_RULES_TEXT) == (texts == 1))
				err = add_rules(rules, &opts->rules[i]);
	if (!err)
		err = policy_compile(rules, &run->policy);
	if (err == -ENOMEM)
		log_error("policy: %s", strerror(ENOMEM));
	rules_free(rules);
	return err;
}

static int load_lists(struct run *run)
{
	const struct sync_opts *opts = run->opts;
	int err = 0;

	if (!opts->no_hold)
		err = hold_load(&run->hold, opts->hold, opts->hold_count);
	if (!err && (opts->only || opts->exclude_count))
		err = only_load(
			&run->only, opts->only, opts->nul, opts->exclude, opts->exclude_count);
	return err ? err : load_policy(run);
}

static int open_delta(struct run *run, enum delta_use use)
{
	struct delta_fault fault;
	/* By the word that was given: a descriptor's name goes on naming that directory. */
	int err = delta_open(&run->delta, run->opts->delta, use, &fault);

	if (err)
		log_error("%s: %s", run->opts->delta, fault.text);
	run->has_delta = !err;
	return err;
}

static void close_delta(struct run *run)
{
	if (run->has_delta)
		delta_close(&run->delta);
	run->has_delta = false;
}

/* Finds the source, for which the delta is looked at; it stays open. */
static int find_source(struct run *run)
{
	struct where_record record;
	int err;

	run->delta_path = realpath(run->opts->delta, NULL);
	if (!run->delta_path) {
		err = -errno;
		log_error("%s: %s", run->opts->delta, strerror(-err));
		return err;
	}
	err = open_delta(run, DELTA_LOOK);
	if (err)
		return err;
	/* A new one has no record, nor anything to merge. */
	if (run->delta.is_new && !run->opts->source)
		return 0;
	err = where_read_record(&run->delta, &record);
	if (err)
		log_error("%s: meta/log: %s", run->opts->delta, strerror(-err));
	else
		err = where_open(&run->where, run->opts->source, &record);
	where_record_fini(&record);
	return err;
}

static enum state_use use_of_state(const struct sync_opts *opts, bool changes)
{
	if (!changes)
		return STATE_LOOK;
	return opts->quiet ? STATE_CHANGE_QUIETLY : STATE_CHANGE;
}

/* The state's lock comes before the delta's, since what a killed merge left concerns both. */
static int open_all(struct run *run)
{
	bool merges = run->opts->action == SYNC_MERGE;
	int err = find_source(run);

	if (err || run->where.fd < 0)
		return err;
	err = load_lists(run);
	if (!err && merges)
		close_delta(run);
	if (!err)
		err = state_open(&run->state, run->where.fd, run->where.path, run->opts->state,
			use_of_state(run->opts, merges));
	if (!err && merges)
		err = open_delta(run, DELTA_MERGE);
	return err;
}

static int make_plan(struct run *run)
{
	struct plan_options options = {
		.conflict = run->opts->conflict,
		.conflict_id = run->state ? state_next_id(run->state) : "ID",
		.hold = run->hold,
		.only = run->only,
		.policy = run->policy,
		.progress = isatty(STDERR_FILENO) && !run->opts->quiet,
	};

	return changes_plan(&run->plan, &run->delta, run->where.fd, &options);
}

/* ---- what is done with it ----------------------------------------------------------------------- */

static int print_plan(const struct run *run)
{
	const struct sync_opts *opts = run->opts;
	enum show_form form = opts->json ? SHOW_JSON : opts->nul ? SHOW_NUL : SHOW_LINES;
	int err = show_plan(stdout, &run->plan, form);

	if (err)
		log_error("standard output: %s", strerror(-err));
	return err;
}

static int merge(struct run *run)
{
	const struct sync_opts *opts = run->opts;
	struct apply_options options = {
		.undo_keep = opts->undo_keep,
		.progress = isatty(STDERR_FILENO) && !opts->quiet,
		.delta_path = run->delta_path,
	};
	struct apply_result result = {.merged = 0};
	int err = 0;

	if (!run->plan.failed)
		err = apply_plan(
			run->state, run->where.fd, &run->delta, &run->plan, &options, &result);
	if (err)
		return EXIT_FAILED;
	if (!opts->quiet)
		tell_merge(&run->plan, run->plan.failed ? NULL : &result, opts->delta,
			run->where.path);
	if ((opts->json || opts->verbose) && print_plan(run))
		return EXIT_FAILED;
	return run->plan.failed || tell_count_stays(&run->plan) ? EXIT_STAYS : EXIT_MERGED;
}

static int use_plan(struct run *run)
{
	int err;

	if (run->opts->action == SYNC_MERGE)
		return merge(run);
	if (run->opts->action == SYNC_DIFF)
		err = diff_plan(stdout, &run->plan, &run->delta, run->where.fd);
	else
		err = print_plan(run);
	if (err)
		return EXIT_FAILED;
	return run->plan.failed ? EXIT_STAYS : EXIT_MERGED;
}

static int run_plan(const struct sync_opts *opts)
{
	struct run run = {.opts = opts, .where = WHERE_NONE};
	int status = EXIT_FAILED;
	int err = open_all(&run);

	if (!err && run.where.fd < 0) {
		log_info("%s: nothing to merge", opts->delta);
		status = EXIT_MERGED;
	} else if (!err && make_plan(&run) == 0) {
		status = use_plan(&run);
	}
	plan_fini(&run.plan);
	close_delta(&run);
	state_close(run.state);
	where_fini(&run.where);
	policy_put(run.policy);
	only_free(run.only);
	hold_free(run.hold);
	free(run.delta_path);
	return status;
}

/* ---- the history -------------------------------------------------------------------------------- */

static int run_history(const struct sync_opts *opts)
{
	struct sync_state *state = NULL;
	bool undo = opts->action == SYNC_UNDO;
	struct where where;
	int err = where_open(&where, opts->source, NULL);

	if (!err)
		err = state_open(
			&state, where.fd, where.path, opts->state, use_of_state(opts, undo));
	if (!err && undo)
		err = undo_merge(state, where.fd, opts->id);
	else if (!err && state)
		err = undo_print_history(state, opts->json, opts->nul);
	state_close(state);
	where_fini(&where);
	if (!err)
		return EXIT_MERGED;
	return err == -ESTALE ? EXIT_STAYS : EXIT_FAILED;
}

static int run_fsck(const struct sync_opts *opts)
{
	int problems = fsck_delta(opts->delta);

	if (problems < 0)
		return EXIT_FAILED;
	return problems ? EXIT_STAYS : EXIT_MERGED;
}

static int run_opts(const struct sync_opts *opts)
{
	log_set_verbose(opts->verbose);
	switch (opts->action) {
	case SYNC_MERGE:
	case SYNC_SHOW:
	case SYNC_DIFF:
		return run_plan(opts);
	case SYNC_UNDO:
	case SYNC_HISTORY:
		return run_history(opts);
	case SYNC_DISCARD:
		return discard_delta(opts->delta) ? EXIT_FAILED : EXIT_MERGED;
	case SYNC_FSCK:
		return run_fsck(opts);
	case SYNC_DAEMON:
		return daemon_serve(opts->table ? opts->table : DAEMON_TABLE) ? EXIT_FAILED
									      : EXIT_MERGED;
	}
	return EXIT_FAILED;
}

/* Of 0, 1 and 2 the closed ones are filled, so that no file of ours becomes one. */
static void settle_descriptors(void)
{
	for (int i = 0; i < 3; i++)
		if (fcntl(i, F_GETFD) < 0)
			(void)open("/dev/null", O_RDWR);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

int main(int argc, char **argv)
{
	struct sync_opts opts;
	int status = EXIT_FAILED;

	settle_descriptors();
	log_init("afsyncd");
	switch (opts_parse(&opts, argc, argv)) {
	case SYNC_OPTS_RUN:
		status = run_opts(&opts);
		break;
	case SYNC_OPTS_DONE:
		status = EXIT_MERGED;
		break;
	case SYNC_OPTS_ERROR:
		break;
	}
	opts_fini(&opts);
	if (close_out())
		status = EXIT_FAILED;
	return status;
}
