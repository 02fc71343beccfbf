/*
 * --dry-run. See show.h. Values of variables are not shown: they are passed in a descriptor so that
 * they show nowhere, and a dry run ends up in logs as well.
 */
#include "show.h"

#include "channel.h"
#include "cleanup.h"
#include "path.h"

#include <string.h>

/* Where descriptors would be: the first free ones, in order. */
enum { SHOWN_READY = 3, SHOWN_FILTER = 4, SHOWN_CONTROL = 5, SHOWN_FILES = 6 };

static int show_mount(FILE *out, const struct af_plan *plan, const char *view)
{
	af_autofree char *program = path_find_program("agentfensefs");
	struct af_words argv = {0};
	int err;

	if (!program)
		return -ENOMEM;
	if (plan->opts->in_docker)
		fprintf(out, "# the view, where docker sees it; it says on %d when it answers\n",
			SHOWN_READY);
	else
		fprintf(out,
			"# the view, in a mount namespace%s of its own; it says on %d when it "
			"answers\n",
			plan->identity->as_root ? "" : " (and user namespace)", SHOWN_READY);
	plan_fs_argv(plan, &argv, program, plan->source, view, SHOWN_READY, -1, -1);
	err = words_error(&argv);
	if (!err)
		words_print(out, argv.items);
	words_fini(&argv);
	return err;
}

static int show_runtime(FILE *out, const struct af_plan *plan, const struct af_backend *backend,
	const char *place, const char *view)
{
	struct af_backend_input input = {.view = view,
		.place = place,
		.name = "afrun-XXXXXX",
		.seccomp_fd = SHOWN_FILTER,
		.inside = {"/proc/self/exe", "--inside", "5"}};
	struct af_words argv = {0};
	int err = backend->build(plan, &input, &argv);

	if (backend->outside)
		fputs("# the sandbox; its first process gets the system call filter over its socket\n",
			out);
	else
		fprintf(out, "# the sandbox, there too, as %u:%u; %d is the system call filter\n",
			plan->identity->uid, plan->identity->gid, SHOWN_FILTER);
	for (size_t i = 0; i < plan->rootfs.count; i++)
		if (plan->rootfs.places[i].kind == AF_PLACE_CHANNEL)
			fprintf(out,
				"# %s/" AF_CHANNEL_PLACE "%s is a tmpfs that its users share\n",
				place, plan->rootfs.places[i].src);
	for (size_t i = 0; i < plan->rootfs.count; i++)
		if (rootfs_has_content(&plan->rootfs.places[i]))
			fprintf(out, "# %d holds %s\n", plan->rootfs.places[i].fd,
				plan->rootfs.places[i].dst);
	if (!err)
		words_print(out, argv.items);
	words_fini(&argv);
	return err;
}

static void show_limits(FILE *out, const struct af_limits *limits)
{
	if (limits->memory || limits->pids || limits->cpus_milli || limits->cpu_shares)
		fputs("# all of it in a cgroup of its own (or else by setrlimit), held to:", out);
	else
		return;
	if (limits->memory)
		fprintf(out, " %ju bytes of memory;", (uintmax_t)limits->memory);
	if (limits->pids)
		fprintf(out, " %ju processes;", (uintmax_t)limits->pids);
	if (limits->cpus_milli)
		fprintf(out, " %ju.%03ju processors;", (uintmax_t)limits->cpus_milli / 1000,
			(uintmax_t)limits->cpus_milli % 1000);
	if (limits->cpu_shares)
		fprintf(out, " %ju shares of them;", (uintmax_t)limits->cpu_shares);
	putc('\n', out);
}

static int show_merge(FILE *out, const struct af_plan *plan)
{
	af_autofree char *program = path_find_program("afsyncd");
	struct af_words argv = {0};
	int err;

	if (!plan->delta || plan->opts->sync == AF_SYNC_NEVER)
		return 0;
	if (!program)
		return -ENOMEM;
	fprintf(out, "# the merge, when all has ended%s\n",
		plan->opts->sync == AF_SYNC_SUCCESS ? " and the command with 0" : "");
	plan_sync_argv(plan, &argv, program, plan->delta, PLAN_SYNC_MERGE);
	err = words_error(&argv);
	if (!err)
		words_print(out, argv.items);
	words_fini(&argv);
	return err;
}

static void show_command(FILE *out, const struct af_plan *plan)
{
	fprintf(out, "# inside, in ");
	words_quote(out, plan->cwd);
	fprintf(out, ", which it gets on %d, with only these variables:", SHOWN_CONTROL);
	for (size_t i = 0; i < plan->env.count; i++) {
		const char *word = plan->env.items[i];

		fprintf(out, " %.*s", (int)strcspn(word, "="), word);
	}
	putc('\n', out);
	words_print(out, plan->argv.items);
}

/* The plan is the caller's to throw away, so its files may get numbers that are not descriptors. */
int show_plan(
	FILE *out, const struct af_plan *plan, const struct af_backend *backend, const char *place)
{
	af_autofree char *view = NULL;
	int next = SHOWN_FILES, err;

	if (asprintf(&view, "%s/view", place) < 0) {
		view = NULL;
		return -ENOMEM;
	}

	for (size_t i = 0; i < plan->rootfs.count; i++)
		if (rootfs_has_content(&plan->rootfs.places[i]))
			plan->rootfs.places[i].fd = next++;
	err = show_mount(out, plan, view);
	if (!err)
		err = show_runtime(out, plan, backend, place, view);
	if (!err) {
		show_limits(out, &plan->opts->limits);
		show_command(out, plan);
		err = show_merge(out, plan);
	}
	for (size_t i = 0; i < plan->rootfs.count; i++)
		plan->rootfs.places[i].fd = -1;
	return err ? err : fflush(out) ? -EIO : 0;
}
