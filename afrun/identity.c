/*
 * Who the command is. See identity.h.
 *
 * Without any capability the host's uid 0 still owns files such as /proc/sys/kernel/core_pattern,
 * which are a way to host root, so nothing inside ever has it. For root's own source the command
 * gets an id from a range that no system assigns (systemd's UIDS-GIDS lists what is taken; above
 * 0x6fffffff comes nothing until 0x7fff0000), offset by the process id: two runs at once never share
 * one, so they cannot signal each other even where they could name each other.
 */
#include "identity.h"

#include "cleanup.h"

#include <bsd/stdlib.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>

static void lend_id(struct af_identity *identity, pid_t pid)
{
	identity->uid = AF_LENT_ID_BASE + (uid_t)pid;
	identity->gid = AF_LENT_ID_BASE + (gid_t)pid;
	identity->shown_uid = 0;
	identity->shown_gid = 0;
	identity->lend = true;
}

int identity_choose(const struct af_identity_facts *facts, struct af_identity *identity)
{
	*identity = (struct af_identity){.as_root = facts->caller_uid == 0};
	if (!identity->as_root) {
		if (facts->asked && facts->asked_uid != facts->caller_uid)
			return -EPERM;
		identity->uid = facts->caller_uid;
		identity->gid = facts->caller_gid;
	} else {
		identity->uid = facts->asked ? facts->asked_uid : facts->owner_uid;
		identity->gid = facts->asked ? facts->asked_gid : facts->owner_gid;
	}
	identity->shown_uid = identity->uid;
	identity->shown_gid = identity->gid;
	if (identity->uid == 0)
		lend_id(identity, facts->pid);
	return 0;
}

int identity_find_user(const char *user, uid_t *uid, gid_t *gid)
{
	const struct passwd *entry = getpwnam(user);
	const char *colon = strchr(user, ':');
	af_autofree char *number = strndup(user, colon ? (size_t)(colon - user) : strlen(user));
	const char *bad = NULL;

	if (entry) {
		*uid = entry->pw_uid;
		*gid = entry->pw_gid;
		return 0;
	}
	if (!number)
		return -ENOMEM;
	*uid = (uid_t)strtonum(number, 0, (long long)UINT_MAX - 1, &bad);
	if (bad)
		return -ENOENT;
	entry = getpwuid(*uid);
	*gid = entry ? entry->pw_gid : (gid_t)*uid;
	if (colon)
		*gid = (gid_t)strtonum(colon + 1, 0, (long long)UINT_MAX - 1, &bad);
	return bad ? -ENOENT : 0;
}

/* The groups that a login would have; without a name in the database, none. */
static int find_groups(struct af_identity *identity, const char *login)
{
	int room = 64;

	identity->group_count = 0;
	if (!identity->as_root || identity->lend || !login)
		return 0;
	for (;;) {
		gid_t *groups = reallocarray(identity->groups, (size_t)room, sizeof(*groups));

		if (!groups)
			return -ENOMEM;
		identity->groups = groups;
		identity->group_count = room;
		if (getgrouplist(login, identity->gid, groups, &identity->group_count) >= 0)
			return 0;
		room = identity->group_count > room ? identity->group_count : room * 2;
	}
}

/* A name that fits a line of passwd(5) and a path. */
static bool is_plain(const char *name)
{
	return *name && *name != '-' && *name != '.' && !strpbrk(name, ":/\n ");
}

int identity_name(struct af_identity *identity)
{
	const struct passwd *user = getpwuid(identity->shown_uid);
	const struct group *group;
	const char *login = user && is_plain(user->pw_name) ? user->pw_name : NULL;
	int err = find_groups(identity, login);

	if (err)
		return err;
	identity->name = strdup(login ? login : "user");
	group = getgrgid(identity->shown_gid);
	identity->group = strdup(group && is_plain(group->gr_name) ? group->gr_name : "users");
	if (!identity->name || !identity->group)
		return -ENOMEM;
	if (identity->shown_uid == 0)
		identity->home = strdup("/root");
	else if (asprintf(&identity->home, "/home/%s", identity->name) < 0)
		identity->home = NULL;
	return identity->home ? 0 : -ENOMEM;
}

void identity_fini(struct af_identity *identity)
{
	free(identity->name);
	free(identity->group);
	free(identity->home);
	free(identity->groups);
	*identity = (struct af_identity){0};
}

int identity_become(const struct af_identity *identity)
{
	if (!identity->as_root)
		return 0;
	if (setgroups((size_t)identity->group_count, identity->groups) < 0 ||
		setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
		setresuid(identity->uid, identity->uid, identity->uid) < 0)
		return -errno;
	return 0;
}
