/*
 * The delta of a run. See writes.h.
 */
#include "writes.h"

#include "cleanup.h"
#include "delta.h"
#include "io.h"
#include "log.h"
#include "path.h"
#include "spawn.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than this is not read of what afsyncd lists. */
enum { MAX_LIST = 256 << 20 /* bytes */, SYNC_MERGED = 0, SYNC_STAYS = 1, KILLED = 128 };

static int fail(const char *what, int err)
{
	log_error("delta: %s: %s", what, strerror(-err));
	return err;
}

/* ---- before the run ----------------------------------------------------------------------------- */

/* As a shell takes it, for a command that is shown; newly allocated. NULL without memory. */
static char *quote(const char *path)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	words_quote(out, path);
	return fclose(out) == 0 ? text : NULL;
}

/* What earlier runs have left is named to people; scripts look into the directory. */
static void tell_left(const struct af_writes *writes, const struct af_opts *opts)
{
	char newest[256];
	size_t count = temporary_sweep(&writes->temporary, newest);
	int dir = (int)(strrchr(writes->path, '/') - writes->path);
	af_autofree char *path = NULL, *quoted = NULL;

	if (count == 0 || opts->quiet)
		return;
	if (asprintf(&path, "%.*s/%s", dir, writes->path, newest) < 0)
		path = NULL;
	quoted = path ? quote(path) : NULL;
	if (!quoted)
		return;
	(isatty(STDERR_FILENO) ? log_warn : log_info)(
		"%zu delta%s of earlier runs kept in %.*s; `afsyncd -n %s` shows the newest", count,
		count == 1 ? "" : "s", dir, writes->path, quoted);
}

static int make_temporary(struct af_writes *writes, const struct af_plan *plan, int source_fd)
{
	const struct af_opts *opts = plan->opts;
	int err;

	writes->is_temporary = true;
	if (opts->dry_run)
		return temporary_name(source_fd, plan->source, opts->state, &writes->path);
	err = temporary_make(
		&writes->temporary, source_fd, plan->source, opts->state, &writes->path);
	if (!err)
		tell_left(writes, opts);
	return err;
}

/* The caller's own: its directory is made by the mount, but what is above it must be there. */
static int name_own(struct af_writes *writes, const char *path)
{
	af_autofree char *real = realpath(path, NULL);
	af_autofree char *copy = strdup(path);
	char *slash;

	if (real) {
		writes->path = af_steal(&real);
		return 0;
	}
	if (!copy)
		return fail(path, -ENOMEM);
	while (strlen(copy) > 1 && copy[strlen(copy) - 1] == '/')
		copy[strlen(copy) - 1] = '\0';
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	real = realpath(!slash ? "." : *copy ? copy : "/", NULL);
	if (!real || asprintf(&writes->path, "%s/%s", real, slash ? slash + 1 : copy) < 0) {
		writes->path = NULL;
		return fail(path, -errno);
	}
	return 0;
}

int writes_begin(struct af_writes *writes, struct af_plan *plan, int source_fd)
{
	const struct af_opts *opts = plan->opts;
	int err = 0;

	*writes = AF_WRITES_NONE;
	if (opts->direct)
		return 0;
	err = opts->delta ? name_own(writes, opts->delta) : make_temporary(writes, plan, source_fd);
	plan->delta = writes->path;
	plan->delta_temporary = writes->is_temporary;
	return err;
}

/* ---- afsyncd ------------------------------------------------------------------------------------ */

/* In the child: what it prints is for us, or (there is nothing then) not for the caller's stdout. */
static int redirect(void *arg)
{
	const int *out = arg;

	return dup2(*out >= 0 ? *out : STDERR_FILENO, STDOUT_FILENO) < 0 ? -errno : 0;
}

static int start_afsyncd(struct af_words *argv, int out, struct af_child *child)
{
	struct af_spawn spawn = {
		.argv = argv->items, .envp = environ, .setup = redirect, .arg = &out};
	int err = words_error(argv);

	return err ? err : spawn_start(&spawn, child, NULL);
}

/*
 * Runs afsyncd and waits for it; its status, or -errno. list (may be NULL) gets what it prints on
 * standard output, newly allocated, *size bytes and a NUL.
 */
static int run_afsyncd(struct af_words *argv, char **list, size_t *size)
{
	struct af_child child;
	af_autoclose int out = -1;
	int ends[2] = {-1, -1}, status, err;

	if (list && pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	out = ends[0];
	err = start_afsyncd(argv, ends[1], &child);
	if (ends[1] >= 0)
		close(ends[1]);
	if (err)
		return err;
	if (list)
		err = io_read_all(out, MAX_LIST, list, size);
	/* Whatever it still had to say, nobody waits for the other. */
	if (out >= 0)
		close(af_steal_fd(&out));
	while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR)
		;
	close(child.pidfd);
	if (err)
		return err;
	return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
}

/* A record of -0: LETTER TAB PATH, or R TAB OLD TAB PATH. */
static const char *path_of(const char *record)
{
	const char *tab = *record == 'R' ? strrchr(record, '\t') : strchr(record, '\t');

	return tab ? tab + 1 : "";
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct af_words *words)
{
	if (words->count > 0)
		qsort(words->items, words->count, sizeof(*words->items), compare_words);
}

/* words are sorted. */
static bool is_in(const struct af_words *words, const char *text)
{
	return words->count > 0 &&
		bsearch(&text, words->items, words->count, sizeof(*words->items), compare_words);
}

static void add_kept(struct af_writes *writes, const char *list, size_t size)
{
	for (size_t at = 0; at < size; at += strlen(list + at) + 1)
		words_add(list[at] == 'Q' ? &writes->held : &writes->kept, path_of(list + at));
	sort(&writes->kept);
	sort(&writes->held);
}

static void add_merged(struct af_writes *writes, const char *list, size_t size)
{
	for (size_t at = 0; at < size; at += strlen(list + at) + 1) {
		const char *path = path_of(list + at);

		if (list[at] == 'C')
			words_add(&writes->conflicts, path);
		if (!is_in(&writes->kept, path) && !is_in(&writes->held, path))
			words_add(&writes->merged, path);
	}
}

static void sync_argv(
	const struct af_plan *plan, struct af_words *argv, const char *delta, enum plan_sync what)
{
	af_autofree char *program = path_find_program("afsyncd");

	if (program)
		plan_sync_argv(plan, argv, program, delta, what);
	else
		argv->error = -ENOMEM;
}

/* What is in the delta, for the report. */
static void list_kept(struct af_writes *writes, const struct af_plan *plan)
{
	struct af_words argv = {0};
	af_autofree char *list = NULL;
	size_t size = 0;

	sync_argv(plan, &argv, writes->path, PLAN_SYNC_LIST);
	if (run_afsyncd(&argv, &list, &size) <= SYNC_STAYS && list)
		add_kept(writes, list, size);
	words_fini(&argv);
}

/* Merges. 0 all is merged, 1 something stays, else it failed. */
static int merge(struct af_writes *writes, const struct af_plan *plan, bool lists)
{
	struct af_words argv = {0};
	af_autofree char *list = NULL;
	size_t size = 0;
	int status;

	sync_argv(plan, &argv, writes->path, lists ? PLAN_SYNC_MERGE_LIST : PLAN_SYNC_MERGE);
	status = run_afsyncd(&argv, lists ? &list : NULL, &size);
	words_fini(&argv);
	if (status < 0)
		log_error("afsyncd: %s", strerror(-status));
	if (status == SYNC_STAYS && lists)
		list_kept(writes, plan);
	if (status >= 0 && status <= SYNC_STAYS && list)
		add_merged(writes, list, size);
	return status;
}

/* ---- after the run ------------------------------------------------------------------------------ */

static bool is_untouched(const struct af_writes *writes)
{
	af_autoclose int fd = open(writes->path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? errno == ENOENT : temporary_is_untouched(fd);
}

/* A temporary delta was never synced. It may be wanted tomorrow, when the machine was restarted. */
static void settle(const struct af_writes *writes)
{
	struct delta_fault fault;
	struct af_delta delta;
	int err;

	if (!writes->is_temporary)
		return;
	err = delta_open(&delta, writes->path, DELTA_MERGE, &fault);
	if (err) {
		log_warn("%s: %s", writes->path, fault.text);
		return;
	}
	err = delta_settle(&delta);
	if (err)
		log_warn("%s: sync: %s", writes->path, strerror(-err));
	delta_close(&delta);
}

static void tell_kept(const struct af_writes *writes, const char *why)
{
	af_autofree char *quoted = quote(writes->path);

	log_warn("%s: kept in %s; `afsyncd -n %s` shows it", why, writes->path,
		quoted ? quoted : "DELTA");
}

/* What the caller could know is not said with -q: what they asked for, and what the status tells. */
static void tell_not_merged(const struct af_writes *writes, const struct af_opts *opts)
{
	if (!opts->quiet)
		tell_kept(writes,
			opts->sync == AF_SYNC_NEVER ? "what was written"
						    : "the command failed; what it wrote");
}

static bool is_to_merge(const struct af_opts *opts, int exit_status)
{
	return opts->sync == AF_SYNC_ALWAYS || (opts->sync == AF_SYNC_SUCCESS && exit_status == 0);
}

/* Something was written. */
static void end_written(
	struct af_writes *writes, const struct af_plan *plan, int exit_status, bool lists)
{
	int status;

	if (!is_to_merge(plan->opts, exit_status)) {
		writes->stays = true;
		if (lists)
			list_kept(writes, plan);
		tell_not_merged(writes, plan->opts);
		return;
	}
	status = merge(writes, plan, lists);
	writes->stays = status != SYNC_MERGED;
	if (writes->stays)
		tell_kept(writes,
			status == SYNC_STAYS       ? "not all could be merged; the rest"
				: status >= KILLED ? "the merge was cut short; the next one into "
						     "the source goes on with it; the rest"
						   : "nothing was merged; what was written");
}

void writes_end(struct af_writes *writes, const struct af_plan *plan, int source_fd,
	int exit_status, bool lists)
{
	if (!writes->path)
		return;
	if (!is_untouched(writes))
		end_written(writes, plan, exit_status, lists);
	if (writes->stays)
		settle(writes);
	if (!writes->stays && writes->is_temporary)
		temporary_remove(&writes->temporary, source_fd);
}

static int take_streams(void *arg)
{
	const int *fds = arg;

	return dup2(fds[0], STDOUT_FILENO) < 0 || dup2(fds[1], STDERR_FILENO) < 0 ? -errno : 0;
}

int writes_start_merge(
	const struct af_plan *plan, bool tells, const int fds[2], struct af_child *child)
{
	/* Whether somebody watches is not as it was at the start. */
	struct af_plan now = *plan;
	struct af_words argv = {0};
	int streams[] = {fds[0], fds[1]}, err;

	now.tells = tells;
	sync_argv(&now, &argv, plan->delta, PLAN_SYNC_MERGE);
	err = words_error(&argv);
	if (!err) {
		struct af_spawn spawn = {
			.argv = argv.items, .envp = environ, .setup = take_streams, .arg = streams};

		err = spawn_start(&spawn, child, NULL);
	}
	words_fini(&argv);
	return err;
}

void writes_fini(struct af_writes *writes)
{
	words_fini(&writes->merged);
	words_fini(&writes->kept);
	words_fini(&writes->conflicts);
	words_fini(&writes->held);
	free(writes->path);
	temporary_fini(&writes->temporary);
	*writes = AF_WRITES_NONE;
}
