/*
 * Gathering what a plan is made from. See facts.h.
 */
#include "facts.h"

#include "cleanup.h"
#include "log.h"

#include <fcntl.h>
#include <mntent.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

/* The name that a descriptor's directory has now. Newly allocated, or NULL with errno. */
static char *path_of(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path));
	if (len < 0)
		return NULL;
	if ((size_t)len == sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return strndup(path, (size_t)len);
}

static int open_source(struct af_gathered *gathered, const struct af_opts *opts, struct stat *st)
{
	const char *source = opts->source ? opts->source : ".";
	int err = 0;

	gathered->source_fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (gathered->source_fd < 0 || fstat(gathered->source_fd, st) < 0)
		err = -errno;
	if (!err) {
		gathered->source = path_of(gathered->source_fd);
		err = gathered->source ? 0 : -errno;
	}
	if (err)
		log_error("--source: %s: %s", source, strerror(-err));
	return err;
}

static int find_identity(
	struct af_identity *identity, const struct af_opts *opts, const struct stat *source)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): errno is not 0 where open failed */
	const struct passwd *owner = getpwuid(source->st_uid);
	struct af_identity_facts facts = {
		.caller_uid = geteuid(),
		.caller_gid = getegid(),
		.owner_uid = source->st_uid,
		.owner_gid = owner ? owner->pw_gid : source->st_gid,
		.asked = opts->user,
		.pid = getpid(),
	};
	int err = 0;

	/* A group of root's is no more the command's to have than root's id. */
	if (facts.owner_gid == 0 && facts.owner_uid != 0)
		facts.owner_gid = (gid_t)facts.owner_uid;
	if (opts->user)
		err = identity_find_user(opts->user, &facts.asked_uid, &facts.asked_gid);
	if (err) {
		log_error("--user: %s: no such user", opts->user);
		return err;
	}
	err = identity_choose(&facts, identity);
	if (err) {
		log_error("--user: %s: only root may choose the user", opts->user);
		return err;
	}
	/* There is no user namespace in which an id would look like another. */
	if (opts->in_docker) {
		identity->shown_uid = identity->uid;
		identity->shown_gid = identity->gid;
	}
	if (opts->in_docker && !identity->as_root) {
		log_error("--runtime: docker: only root can make a mount that docker sees");
		return -EPERM;
	}
	err = identity_name(identity);
	if (err)
		log_error("--user: %s", strerror(-err));
	return err;
}

/* Docker makes the top of it read-only, and before version 25 nothing that is mounted below. */
static bool has_mounts_below(const char *path)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *entry;
	size_t len = strcmp(path, "/") == 0 ? 0 : strlen(path);
	bool found = !mounts;

	while (!found && (entry = getmntent(mounts)))
		found = strncmp(entry->mnt_dir, path, len) == 0 && entry->mnt_dir[len] == '/' &&
			entry->mnt_dir[len + 1];
	if (mounts)
		endmntent(mounts);
	return found;
}

static int find_binds(struct af_words *binds, const struct af_opts *opts)
{
	for (size_t i = 0; i < opts->item_count; i++) {
		const struct af_item *item = &opts->items[i];
		af_autofree char *src = NULL;
		af_autofree char *real = NULL;
		size_t len;

		if (item->kind != AF_ITEM_BIND && item->kind != AF_ITEM_RO_BIND)
			continue;
		plan_split_bind(item->text, &len);
		src = plan_unescape(item->text, len);
		real = src ? realpath(src, NULL) : NULL;
		if (!real) {
			int err = -errno;

			log_error("--%s: %s: %s", item->kind == AF_ITEM_BIND ? "bind" : "ro-bind",
				src ? src : item->text, strerror(-err));
			return err;
		}
		if (opts->in_docker && item->kind == AF_ITEM_RO_BIND && has_mounts_below(real)) {
			log_error("--ro-bind: %s: something is mounted below it, which docker "
				  "would not make read-only",
				src);
			return -EINVAL;
		}
		words_add(binds, real);
	}
	return words_error(binds);
}

int facts_gather(struct af_gathered *gathered, const struct af_opts *opts)
{
	struct stat st;
	int err;

	*gathered = (struct af_gathered){.source_fd = -1};
	err = open_source(gathered, opts, &st);
	if (!err)
		err = find_identity(&gathered->identity, opts, &st);
	if (!err)
		err = find_binds(&gathered->binds, opts);
	if (err)
		return err;
	err = host_read(&gathered->host);
	if (err)
		log_error("host: %s", strerror(-err));
	gathered->facts = (struct af_facts){
		.host = &gathered->host,
		.identity = &gathered->identity,
		.source = gathered->source,
		.bind_real = gathered->binds.items,
		.caller_env = environ,
		.stdin_tty = isatty(0),
		.stderr_tty = isatty(2),
	};
	return err;
}

void facts_fini(struct af_gathered *gathered)
{
	host_fini(&gathered->host);
	identity_fini(&gathered->identity);
	words_fini(&gathered->binds);
	free(gathered->source);
	if (gathered->source_fd >= 0)
		close(gathered->source_fd);
	*gathered = (struct af_gathered){.source_fd = -1};
}
