/*
 * The gate: the only caller of the policy. It turns decisions into errnos, by SPEC section 1, and
 * tells the audit of each refusal. Whatever it cannot decide, it refuses.
 */
#ifndef AF_GATE_H
#define AF_GATE_H

#include "policy.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct af_fs;
struct af_inode;
struct fuse_req;

struct af_gate {
	pthread_mutex_t lock;
	struct af_policy *policy; /* protected by lock; a reference */
	uint32_t stamp; /* protected by lock; changes when decisions may have become stale */
};

/* What a request decides with: one policy from its beginning to its end. */
struct gate_view {
	struct af_policy *policy; /* a reference */
	uint32_t stamp;
};

/* Who asks for what, for the audit. */
struct gate_op {
	struct fuse_req *req; /* NULL: nobody to tell about (a walk of our own) */
	const char *name;     /* "open", "rename" ... */
};

void gate_init(struct af_gate *gate, struct af_policy *policy);
void gate_fini(struct af_gate *gate);

struct gate_view gate_begin(struct af_fs *fs);
/* Also replaces a policy whose cache of states is full. */
void gate_end(struct af_fs *fs, struct gate_view *view);
/* Another policy (the reference is taken over) from now on. */
void gate_replace(struct af_fs *fs, struct af_policy *policy);
/* A directory has moved: every decision kept in a node is stale. */
void gate_moved(struct af_fs *fs);

/*
 * The node's own verdict, by the name it is known by. A node without a name keeps its last.
 * Returns 0 or -errno.
 */
int gate_verdict(struct af_fs *fs, const struct gate_view *view, struct af_inode *inode,
	struct af_verdict *verdict);
/* One step from a directory. -ENOENT: the directory has no name (is removed). */
int gate_step(struct af_fs *fs, const struct gate_view *view, struct af_inode *dir,
	const char *name, struct af_step *step);

/* Whether a path with this verdict exists for the mount's user. */
static inline bool gate_visible(const struct af_verdict *verdict)
{
	return verdict->level != AF_NONE || (verdict->flags & AF_V_TRAVERSABLE);
}

/* Remembers in the node what a lookup of its name has just decided. */
void gate_remember(struct af_fs *fs, const struct gate_view *view, struct af_inode *inode,
	const struct af_step *step);

/*
 * Each returns 0 or the refusal: -ENOENT for what is not visible, else -EACCES. *verdict (may be
 * NULL) is filled in any case.
 */
int gate_need(struct af_fs *fs, const struct gate_view *view, struct gate_op op,
	struct af_inode *inode, enum af_level need, struct af_verdict *verdict);
/* That something could be created in dir. */
int gate_need_create(
	struct af_fs *fs, const struct gate_view *view, struct gate_op op, struct af_inode *dir);

/* Tells the audit that a hidden name was asked for. */
void gate_hidden(struct af_fs *fs, const struct gate_view *view, struct gate_op op,
	struct af_inode *dir, const char *name, const struct af_verdict *verdict);
/* Tells the audit of any other refusal of `inode` (with name, if not NULL, below it). */
void gate_refused(struct af_fs *fs, const struct gate_view *view, struct gate_op op,
	struct af_inode *inode, const char *name, const struct af_verdict *verdict,
	enum af_level need, int err);

/* Tells the audit of what was granted, if it wants to know (audit_all). */
void gate_granted(struct af_fs *fs, const struct gate_view *view, struct gate_op op,
	struct af_inode *inode, const char *name, const struct af_verdict *verdict,
	enum af_level need);

#endif
