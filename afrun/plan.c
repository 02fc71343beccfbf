/*
 * What will be mounted, shown and run. See plan.h; it never touches the system (the one exception is
 * --env-file, which env.c reads).
 */
#include "plan.h"

#include "channel.h"
#include "cleanup.h"
#include "env.h"
#include "log.h"
#include "session_text.h"

#include <string.h>

const char *plan_split_bind(const char *text, size_t *src_len)
{
	for (const char *at = text; *at; at++) {
		if (*at == '\\' && at[1] == ':')
			at++;
		else if (*at == ':') {
			*src_len = (size_t)(at - text);
			return at + 1;
		}
	}
	*src_len = strlen(text);
	return NULL;
}

char *plan_unescape(const char *text, size_t len)
{
	char *copy = strndup(text, len);
	char *to = copy;

	for (const char *from = copy; from && *from; from++) {
		if (*from == '\\' && from[1] == ':')
			from++;
		*to++ = *from;
	}
	if (to)
		*to = '\0';
	return copy;
}

/* A path inside must say exactly where it is. */
static bool is_clean_absolute(const char *path)
{
	return path[0] == '/' && path[1] && !strstr(path, "//") && !strstr(path, "/./") &&
		!strstr(path, "/../") && path[strlen(path) - 1] != '/' &&
		strcmp(path + strlen(path) - 2, "/.") != 0 &&
		(strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
}

static bool is_at_or_above(const char *above, const char *path)
{
	size_t len = strlen(above);

	return strncmp(above, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int check_mount_at(const char *path)
{
	static const char *const taken[] = {"/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32",
		"/libx32", "/etc", "/proc", "/dev", NULL};

	for (const char *const *top = taken; *top; top++)
		if (is_at_or_above(*top, path)) {
			log_error("--mount-at: %s: is in use by the sandbox itself", path);
			return -EINVAL;
		}
	if (is_clean_absolute(path))
		return 0;
	log_error("--mount-at: %s: must be an absolute path below /", path);
	return -EINVAL;
}

static void make_policy(struct af_plan *plan, const struct af_opts *opts)
{
	bool named = false;

	for (size_t i = 0; i < opts->item_count; i++)
		named |= opts->items[i].kind == AF_ITEM_PRESET ||
			opts->items[i].kind == AF_ITEM_POLICY;
	if (!named)
		words_add(&plan->policy, "preset=agent-safe");
	for (size_t i = 0; i < opts->item_count; i++) {
		const struct af_item *item = &opts->items[i];

		if (item->kind == AF_ITEM_PRESET)
			words_addf(&plan->policy, "preset=%s", item->text);
		else if (item->kind == AF_ITEM_POLICY)
			words_addf(&plan->policy, "policy=%s", item->text);
		else if (item->kind == AF_ITEM_RULE)
			words_addf(&plan->policy, "rule=%s", item->text);
	}
}

static int add_bind(struct af_plan *plan, const struct af_item *item, const char *real)
{
	const char *option = item->kind == AF_ITEM_BIND ? "--bind" : "--ro-bind";
	size_t src_len;
	const char *dst_text = plan_split_bind(item->text, &src_len);
	af_autofree char *dst = dst_text ? plan_unescape(dst_text, strlen(dst_text)) : strdup(real);

	if (!dst)
		return -ENOMEM;
	if (!is_clean_absolute(dst)) {
		log_error("%s: %s: must be an absolute path below /", option, dst);
		return -EINVAL;
	}
	if (is_at_or_above(dst, plan->opts->mount_at) || is_at_or_above("/proc", dst) ||
		is_at_or_above("/dev", dst)) {
		log_error("%s: %s: would cover what the sandbox itself puts there", option, dst);
		return -EINVAL;
	}
	rootfs_bind(&plan->rootfs, real, dst, item->kind == AF_ITEM_BIND);
	return 0;
}

static bool has_channels(const struct af_opts *opts)
{
	for (size_t i = 0; i < opts->item_count; i++)
		if (opts->items[i].kind == AF_ITEM_CHANNEL)
			return true;
	return false;
}

/* Once each, however often it is named. */
static void add_channels(struct af_plan *plan)
{
	for (size_t i = 0; i < plan->opts->item_count; i++) {
		const struct af_item *item = &plan->opts->items[i];
		struct af_channel_ask ask;
		bool there = false;

		if (item->kind != AF_ITEM_CHANNEL || channel_parse(item->text, &ask) != 0)
			continue;
		for (size_t k = 0; k < plan->rootfs.count; k++) {
			const struct af_place *place = &plan->rootfs.places[k];

			there |= place->kind == AF_PLACE_CHANNEL &&
				strcmp(place->src, ask.name) == 0;
		}
		if (!there)
			rootfs_channel(&plan->rootfs, ask.name);
	}
}

static int make_rootfs(struct af_plan *plan, const struct af_facts *facts)
{
	const struct af_opts *opts = plan->opts;
	struct af_rootfs_facts made = {
		.host = facts->host,
		.identity = facts->identity,
		.mount_at = opts->mount_at,
		.source = facts->source,
		.net_host = opts->net_host,
		.image = opts->in_docker,
		.channels = has_channels(opts),
	};
	char *const *real = facts->bind_real;

	rootfs_build(&plan->rootfs, &made);
	add_channels(plan);
	for (size_t i = 0; i < opts->item_count; i++) {
		const struct af_item *item = &opts->items[i];
		int err;

		if (item->kind != AF_ITEM_BIND && item->kind != AF_ITEM_RO_BIND)
			continue;
		err = add_bind(plan, item, *real++);
		if (err)
			return err;
	}
	return rootfs_finish(&plan->rootfs, &made);
}

/* A shell that loads session_shell.c's library, and is that from then on. */
static const char *const session_shell[] = {"/bin/bash", "--norc", "--noprofile", "-c",
	("enable -f /proc/self/fd/" AF_SESSION_LIBRARY_TEXT " afrun_session && afrun_session"),
	"bash", NULL};

static void make_argv(struct af_plan *plan, const struct af_opts *opts)
{
	if (opts->session) {
		words_add_all(&plan->argv, session_shell);
		return;
	}
	if (opts->script) {
		words_add_all(
			&plan->argv, (const char *const[]){"/bin/sh", "-c", opts->script, NULL});
		return;
	}
	if (!opts->command[0])
		words_add(&plan->argv, "/bin/sh");
	for (char **word = opts->command; *word; word++)
		words_add(&plan->argv, *word);
}

static int make_env(struct af_plan *plan, const struct af_facts *facts)
{
	const struct af_identity *id = facts->identity;
	struct af_env_base base = {
		.path = id->shown_uid == 0
			? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
			: "/usr/local/bin:/usr/bin:/bin",
		.home = id->home,
		.user = id->name,
		.lang = env_get(facts->caller_env, "LANG"),
		.term = env_get(facts->caller_env, "TERM"),
	};

	int err = env_build(&plan->env, &base, plan->opts, facts->caller_env);

	/* The library takes it out again before anything sees it. */
	if (!err && plan->opts->session)
		words_set_env(&plan->env, "LD_PRELOAD", "/proc/self/fd/" AF_SESSION_LIBRARY_TEXT);
	return err ? err : words_error(&plan->env);
}

static int make_cwd(struct af_plan *plan)
{
	const char *dir = plan->opts->workdir ? plan->opts->workdir : "";
	int made;

	if (*dir == '/')
		made = asprintf(&plan->cwd, "%s", dir);
	else
		made = asprintf(&plan->cwd, "%s%s%s", plan->opts->mount_at, *dir ? "/" : "", dir);
	if (made < 0)
		plan->cwd = NULL;
	return plan->cwd ? 0 : -ENOMEM;
}

static int make_parts(struct af_plan *plan, const struct af_facts *facts)
{
	int err = check_mount_at(plan->opts->mount_at);

	if (!err)
		err = make_rootfs(plan, facts);
	if (!err)
		err = make_env(plan, facts);
	if (!err)
		err = make_cwd(plan);
	if (err)
		return err;
	make_policy(plan, plan->opts);
	make_argv(plan, plan->opts);
	plan->source = strdup(facts->source);
	if (!plan->source || words_error(&plan->policy) || words_error(&plan->argv))
		return -ENOMEM;
	return 0;
}

int plan_make(struct af_plan *plan, const struct af_opts *opts, const struct af_facts *facts)
{
	int err;

	*plan = (struct af_plan){
		.opts = opts,
		.identity = facts->identity,
		.pty = facts->stdin_tty && !opts->session,
		.tells = opts->verbose || (facts->stderr_tty && !opts->quiet),
	};
	err = make_parts(plan, facts);
	if (err == -ENOMEM)
		log_error("plan: %s", strerror(ENOMEM));
	return err;
}

void plan_fini(struct af_plan *plan)
{
	free(plan->source);
	free(plan->cwd);
	words_fini(&plan->policy);
	words_fini(&plan->env);
	words_fini(&plan->argv);
	rootfs_fini(&plan->rootfs);
	*plan = (struct af_plan){0};
}

/* FUSE's -o takes a comma or backslash of a value after a backslash. */
static void add_fs_option(struct af_words *argv, const char *option)
{
	af_autofree char *escaped = calloc(2, strlen(option) + 1);
	char *to = escaped;

	if (!escaped) {
		argv->error = -ENOMEM;
		return;
	}
	for (; *option; option++) {
		if (*option == ',' || *option == '\\')
			*to++ = '\\';
		*to++ = *option;
	}
	words_add(argv, "-o");
	words_add(argv, escaped);
}

static void add_delta(const struct af_plan *plan, struct af_words *argv)
{
	af_autofree char *option = NULL;

	if (asprintf(&option, "delta=%s", plan->delta) < 0) {
		option = NULL;
		argv->error = -ENOMEM;
		return;
	}
	add_fs_option(argv, option);
	/* Nobody mounts a temporary one again. */
	if (plan->delta_temporary)
		words_add_all(argv, (const char *const[]){"-o", "volatile", NULL});
	if (plan->opts->delta_size) {
		words_add(argv, "-o");
		words_addf(argv, "quota=%s", plan->opts->delta_size);
	}
}

void plan_fs_argv(const struct af_plan *plan, struct af_words *argv, const char *program,
	const char *source_name, const char *mount_point, int ready_fd, int audit_fd, int hold_fd)
{
	const struct af_identity *id = plan->identity;

	words_add_all(argv, (const char *const[]){program, "-f", "--ready-fd", NULL});
	words_addf(argv, "%d", ready_fd);
	words_add_all(argv, (const char *const[]){"-o", "fsname=workspace", NULL});
	for (size_t i = 0; i < plan->policy.count; i++)
		add_fs_option(argv, plan->policy.items[i]);
	if (plan->delta)
		add_delta(plan, argv);
	if (id->as_root)
		words_add_all(argv, (const char *const[]){"-o", "allow_other", NULL});
	if (id->lend) {
		words_add(argv, "-o");
		words_addf(argv, "lend=%u:%u", id->uid, id->gid);
	}
	if (audit_fd >= 0) {
		words_add(argv, "-o");
		words_addf(argv, "audit=fd:%d", audit_fd);
	}
	if (hold_fd >= 0) {
		words_add(argv, "-o");
		words_addf(argv, "hold_fd=%d", hold_fd);
	}
	words_add(argv, source_name);
	words_add(argv, mount_point);
}

void plan_sync_argv(const struct af_plan *plan, struct af_words *argv, const char *program,
	const char *delta, enum plan_sync what)
{
	words_add(argv, program);
	if (what == PLAN_SYNC_LIST)
		words_add_all(argv, (const char *const[]){"-n", "-0", NULL});
	else if (!plan->tells)
		words_add(argv, "-q");
	if (what == PLAN_SYNC_MERGE_LIST)
		words_add_all(argv, (const char *const[]){"-v", "-0", NULL});
	if (plan->opts->conflict) {
		words_add(argv, "--conflict");
		words_add(argv, plan->opts->conflict);
	}
	if (plan->opts->state) {
		words_add(argv, "--state");
		words_add(argv, plan->opts->state);
	}
	for (size_t i = 0; i < plan->policy.count; i++)
		words_addf(argv, "--%s", plan->policy.items[i]);
	words_add_all(argv, (const char *const[]){"--", delta, plan->source, NULL});
}
