/*
 * The docker backend: a plan -> the argument vector of docker(1), or of what takes the same. Pure; see
 * docker-run(1) for each option.
 *
 * The container's only program is our own first process (inside_static.c), which finds us by a socket and
 * gets from there what it does in bwrap: the command, its environment and the caller's own descriptors.
 * So nothing of a run goes through docker but its being there.
 */
#include "backend.h"

#include "channel.h"
#include "cleanup.h"

#include <string.h>

/* One value of --mount, whose list is of comma-separated values as RFC 4180 has them. */
static void add_mount(struct af_words *argv, const char *src, const char *dst, bool writable)
{
	const char *const parts[] = {"type=bind", "src=", src, "dst=", dst};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out) {
		argv->error = -ENOMEM;
		return;
	}
	fputs(parts[0], out);
	for (int i = 1; i < 5; i += 2) {
		fprintf(out, ",\"%s", parts[i]);
		for (const char *c = parts[i + 1]; *c; c++) {
			if (*c == '"')
				putc('"', out);
			putc(*c, out);
		}
		putc('"', out);
	}
	fputs(writable ? "" : ",readonly", out);
	if (fclose(out) != 0)
		argv->error = -ENOMEM;
	words_add(argv, "--mount");
	words_add(argv, text ? text : "");
	free(text);
}

/* What is called prefix and name in the place. */
static void add_part(struct af_words *argv, const char *place, const char *prefix, const char *name,
	const char *dst, bool writable)
{
	char *src;

	if (asprintf(&src, "%s/%s%s", place, prefix, name) < 0) {
		argv->error = -ENOMEM;
		return;
	}
	add_mount(argv, src, dst, writable);
	free(src);
}

static bool is_podman(const char *client)
{
	const char *base = strrchr(client, '/');

	return strstr(base ? base + 1 : client, "podman") != NULL;
}

/*
 * Home is the user's own; of all others only the mode counts. Podman has no uid= and gid=, and fills an
 * empty tmpfs with what is in its place unless told not to.
 */
static void add_tmpfs(
	struct af_words *argv, const struct af_place *place, const struct af_plan *plan)
{
	bool podman = is_podman(plan->opts->docker), own = place->mode == 0700;

	words_add(argv, "--tmpfs");
	if (podman)
		words_addf(argv, "%s:exec,notmpcopyup%s,mode=%04o", place->dst, own ? ",U" : "",
			place->mode);
	else if (own)
		words_addf(argv, "%s:exec,mode=%04o,uid=%u,gid=%u", place->dst, place->mode,
			plan->identity->uid, plan->identity->gid);
	else
		words_addf(argv, "%s:exec,mode=%04o", place->dst, place->mode);
}

/*
 * Docker mounts what is higher up first, in whatever order it was said. So what would be covered by what
 * comes later, as bwrap has it, is left out.
 */
static bool is_covered(const struct af_rootfs *rootfs, size_t i)
{
	const char *dst = rootfs->places[i].dst;

	for (size_t k = i + 1; k < rootfs->count; k++) {
		const struct af_place *later = &rootfs->places[k];
		size_t len = strlen(later->dst);

		if ((later->kind == AF_PLACE_VIEW || later->kind == AF_PLACE_BIND ||
			    later->kind == AF_PLACE_RO_BIND) &&
			strncmp(dst, later->dst, len) == 0 && (dst[len] == '/' || !dst[len]))
			return true;
	}
	return false;
}

static void add_place(struct af_words *argv, const struct af_place *place,
	const struct af_plan *plan, const struct af_backend_input *input)
{
	switch (place->kind) {
	case AF_PLACE_RO_BIND:
		add_mount(argv, place->src, place->dst, false);
		break;
	case AF_PLACE_BIND:
		add_mount(argv, place->src, place->dst, true);
		break;
	case AF_PLACE_VIEW:
		add_mount(argv, input->view, place->dst, true);
		break;
	case AF_PLACE_CHANNEL:
		add_part(argv, input->place, AF_CHANNEL_PLACE, place->src, place->dst, true);
		break;
	case AF_PLACE_TMPFS:
		add_tmpfs(argv, place, plan);
		break;
	default:
		/* The image's own. */
		break;
	}
}

static void add_isolation(struct af_words *argv, const struct af_plan *plan)
{
	const struct af_identity *id = plan->identity;

	words_add_all(argv,
		(const char *const[]){"--network", plan->opts->net_host ? "host" : "none",
			"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
			"--ipc", "private", "--log-driver", "none", "--no-healthcheck",
			"--init=false", "--userns", "host", NULL});
	if (!plan->opts->net_host)
		words_add_all(argv, (const char *const[]){"--hostname", "sandbox", NULL});
	words_add(argv, "--user");
	words_addf(argv, "%u:%u", id->uid, id->gid);
	for (int i = 0; i < id->group_count; i++) {
		words_add(argv, "--group-add");
		words_addf(argv, "%u", id->groups[i]);
	}
}

/* Our first process is one of the processes. */
static void add_limits(struct af_words *argv, const struct af_limits *limits)
{
	if (limits->memory) {
		words_add(argv, "--memory");
		words_addf(argv, "%ju", (uintmax_t)limits->memory);
		words_add(argv, "--memory-swap");
		words_addf(argv, "%ju", (uintmax_t)limits->memory);
	}
	if (limits->pids) {
		words_add(argv, "--pids-limit");
		words_addf(argv, "%ju", (uintmax_t)limits->pids + 1);
	}
	if (limits->cpus_milli) {
		words_add(argv, "--cpus");
		words_addf(argv, "%ju.%03ju", (uintmax_t)limits->cpus_milli / 1000,
			(uintmax_t)limits->cpus_milli % 1000);
	}
	if (limits->cpu_shares) {
		words_add(argv, "--cpu-shares");
		words_addf(argv, "%ju", (uintmax_t)limits->cpu_shares);
	}
}

static int docker_build(
	const struct af_plan *plan, const struct af_backend_input *input, struct af_words *argv)
{
	words_add(argv, plan->opts->docker);
	words_add_all(argv,
		(const char *const[]){
			"run", "--rm", "--name", input->name, "--label", "afrun", "--label", NULL});
	words_addf(argv, "afrun.source=%s", plan->source);
	add_isolation(argv, plan);
	add_limits(argv, &plan->opts->limits);
	/* Not the whole place: the view is in it as well. */
	add_part(argv, input->place, "", "inside", AF_DOCKER_INSIDE "/inside", false);
	add_part(argv, input->place, "", "control", AF_DOCKER_INSIDE "/control", false);
	for (size_t i = 0; i < plan->rootfs.count; i++)
		if (!is_covered(&plan->rootfs, i))
			add_place(argv, &plan->rootfs.places[i], plan, input);
	words_add_all(argv,
		(const char *const[]){"--workdir", "/", "--entrypoint", AF_DOCKER_INSIDE "/inside",
			plan->opts->image, AF_DOCKER_INSIDE "/control", NULL});
	return words_error(argv);
}

const struct af_backend backend_docker = {.name = "docker", .build = docker_build, .outside = true};
