/*
 * Who the command is: outside, where the kernel checks, and inside, where it looks.
 */
#ifndef AF_IDENTITY_H
#define AF_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

/* Ids that are lent are above this; it is itself nobody's. */
#define AF_LENT_ID_BASE 0x70000000U

/* What the choice is made from. */
struct af_identity_facts {
	uid_t caller_uid;
	gid_t caller_gid;
	uid_t owner_uid; /* of the source */
	gid_t owner_gid;
	bool asked; /* -u */
	uid_t asked_uid;
	gid_t asked_gid;
	pid_t pid; /* makes lent ids differ from run to run */
};

struct af_identity {
	uid_t uid; /* outside: what the kernel checks */
	gid_t gid;
	uid_t shown_uid; /* inside */
	gid_t shown_gid;
	bool as_root;  /* afrun is root, and must become uid:gid before anything runs */
	bool lend;     /* the source is root's: the mount lends uid:gid root's ownership */
	char *name;    /* of shown_uid, owned */
	char *group;   /* of shown_gid, owned */
	char *home;    /* inside, owned */
	gid_t *groups; /* supplementary ones outside, owned; only where as_root */
	int group_count;
};

/*
 * The ids (pure): an ordinary caller stays who they are; root becomes who -u says or the source's
 * owner, and where that is root, an id that owns nothing. uid is never 0 in the result for root.
 * Returns 0, or -EPERM where an ordinary caller asks to be someone else.
 */
int identity_choose(const struct af_identity_facts *facts, struct af_identity *identity);

/* USER: a name, or UID[:GID] in numbers. Returns 0, or -ENOENT. */
int identity_find_user(const char *user, uid_t *uid, gid_t *gid);

/* Fills in names, home and groups from the system's databases. Returns 0 or -ENOMEM. */
int identity_name(struct af_identity *identity);
void identity_fini(struct af_identity *identity);

/* In a child: become uid:gid for good. Returns 0 or -errno. */
int identity_become(const struct af_identity *identity);

#endif
