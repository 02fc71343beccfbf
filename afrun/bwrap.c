/*
 * The bubblewrap backend: a plan -> bwrap's argument vector. Pure; see bwrap(1) for each option.
 */
#include "backend.h"

#include "channel.h"
#include "cleanup.h"

static void add_one(struct af_words *argv, const char *option, const char *dst)
{
	words_add(argv, option);
	words_add(argv, dst);
}

static void add_two(struct af_words *argv, const char *option, const char *src, const char *dst)
{
	words_add(argv, option);
	words_add(argv, src);
	words_add(argv, dst);
}

static void add_mode(struct af_words *argv, unsigned int mode)
{
	words_add(argv, "--perms");
	words_addf(argv, "%04o", mode);
}

static void add_place(
	struct af_words *argv, const struct af_place *place, const struct af_backend_input *input)
{
	switch (place->kind) {
	case AF_PLACE_RO_BIND:
		add_two(argv, "--ro-bind", place->src, place->dst);
		break;
	case AF_PLACE_RO_BIND_TRY:
		add_two(argv, "--ro-bind-try", place->src, place->dst);
		break;
	case AF_PLACE_BIND:
		add_two(argv, "--bind", place->src, place->dst);
		break;
	case AF_PLACE_VIEW:
		add_two(argv, "--bind", input->view, place->dst);
		break;
	case AF_PLACE_CHANNEL:
		words_add(argv, "--bind");
		words_addf(argv, "%s/" AF_CHANNEL_PLACE "%s", input->place, place->src);
		words_add(argv, place->dst);
		break;
	case AF_PLACE_TMPFS:
		add_mode(argv, place->mode);
		add_one(argv, "--tmpfs", place->dst);
		break;
	case AF_PLACE_DIR:
		add_mode(argv, place->mode);
		add_one(argv, "--dir", place->dst);
		break;
	case AF_PLACE_SYMLINK:
		add_two(argv, "--symlink", place->src, place->dst);
		break;
	case AF_PLACE_FILE:
	case AF_PLACE_COPY:
		add_mode(argv, place->mode);
		words_add(argv, "--file");
		words_addf(argv, "%d", place->fd);
		words_add(argv, place->dst);
		break;
	case AF_PLACE_PROC:
		add_one(argv, "--proc", place->dst);
		break;
	case AF_PLACE_DEV:
		add_one(argv, "--dev", place->dst);
		break;
	case AF_PLACE_READ_ONLY:
		add_one(argv, "--remount-ro", place->dst);
		break;
	}
}

/* --as-pid-1: our own first process reaps, passes signals on and tells what happened. */
static void add_isolation(struct af_words *argv, const struct af_plan *plan)
{
	words_add_all(argv,
		(const char *const[]){"--unshare-all", "--unshare-user", "--disable-userns",
			"--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL",
			"--hostname", "sandbox", NULL});
	if (plan->opts->net_host)
		words_add(argv, "--share-net");
	words_add(argv, "--uid");
	words_addf(argv, "%u", plan->identity->shown_uid);
	words_add(argv, "--gid");
	words_addf(argv, "%u", plan->identity->shown_gid);
}

static int bwrap_build(
	const struct af_plan *plan, const struct af_backend_input *input, struct af_words *argv)
{
	words_add(argv, "bwrap");
	add_isolation(argv, plan);
	for (size_t i = 0; i < plan->rootfs.count; i++)
		add_place(argv, &plan->rootfs.places[i], input);
	words_add(argv, "--seccomp");
	words_addf(argv, "%d", input->seccomp_fd);
	words_add_all(argv, (const char *const[]){"--chdir", "/", "--", NULL});
	words_add_all(argv, input->inside);
	return words_error(argv);
}

const struct af_backend backend_bwrap = {.name = "bwrap", .build = bwrap_build};
