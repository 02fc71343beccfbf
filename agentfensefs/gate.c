/*
 * The gate. See gate.h. It makes no system call on the source and answers no request.
 */
#include "fs.h"

#include "cleanup.h"

#include <string.h>

void gate_init(struct af_gate *gate, struct af_policy *policy)
{
	*gate = (struct af_gate){.policy = policy, .stamp = 1};
	pthread_mutex_init(&gate->lock, NULL);
}

void gate_fini(struct af_gate *gate)
{
	policy_put(gate->policy);
	gate->policy = NULL;
	pthread_mutex_destroy(&gate->lock);
}

struct gate_view gate_begin(struct af_fs *fs)
{
	struct gate_view view;

	pthread_mutex_lock(&fs->gate.lock);
	view.policy = policy_get(fs->gate.policy);
	view.stamp = fs->gate.stamp;
	pthread_mutex_unlock(&fs->gate.lock);
	return view;
}

/* 0 is the stamp of a node that nothing was decided for. */
static void next_stamp(struct af_gate *gate)
{
	if (++gate->stamp == 0)
		gate->stamp = 1;
}

void gate_replace(struct af_fs *fs, struct af_policy *policy)
{
	struct af_policy *old;

	pthread_mutex_lock(&fs->gate.lock);
	old = fs->gate.policy;
	fs->gate.policy = policy;
	next_stamp(&fs->gate);
	pthread_mutex_unlock(&fs->gate.lock);
	policy_put(old);
}

void gate_moved(struct af_fs *fs)
{
	pthread_mutex_lock(&fs->gate.lock);
	next_stamp(&fs->gate);
	pthread_mutex_unlock(&fs->gate.lock);
}

/* The policy with an empty cache, unless somebody else was faster. */
static void renew(struct af_fs *fs, struct af_policy *full)
{
	struct af_policy *fresh = policy_renew(full);

	if (!fresh)
		return;
	pthread_mutex_lock(&fs->gate.lock);
	if (fs->gate.policy == full) {
		fs->gate.policy = fresh;
		fresh = full;
		next_stamp(&fs->gate);
	}
	pthread_mutex_unlock(&fs->gate.lock);
	policy_put(fresh);
}

void gate_end(struct af_fs *fs, struct gate_view *view)
{
	if (policy_is_full(view->policy))
		renew(fs, view->policy);
	policy_put(view->policy);
	view->policy = NULL;
}

/*
 * Whether what is kept in the node was decided in this view. The stamp 0, of a view in which a
 * directory has moved, is nobody's: it decides anew each time. Locked.
 */
static bool holds(const struct gate_view *view, const struct af_inode *inode)
{
	return view->stamp != 0 && inode->stamp == view->stamp;
}

/* What is remembered in the node, if it holds for this view. */
static bool recall(struct af_fs *fs, const struct gate_view *view, struct af_inode *inode,
	struct af_verdict *verdict, struct af_state *state)
{
	bool fresh;

	pthread_mutex_lock(&fs->table.lock);
	/* What has lost its name is decided no more; what it was opened for stays. */
	fresh = holds(view, inode) || (!inode->parent && inode != fs->table.root);
	*verdict = inode->verdict;
	*state = holds(view, inode) ? inode->state : (struct af_state){0};
	pthread_mutex_unlock(&fs->table.lock);
	return fresh;
}

static void remember(struct af_fs *fs, const struct gate_view *view, struct af_inode *inode,
	const struct af_verdict *verdict, struct af_state state)
{
	pthread_mutex_lock(&fs->table.lock);
	inode->verdict = *verdict;
	inode->state = state;
	inode->stamp = view->stamp;
	pthread_mutex_unlock(&fs->table.lock);
}

void gate_remember(struct af_fs *fs, const struct gate_view *view, struct af_inode *inode,
	const struct af_step *step)
{
	bool is_dir = S_ISDIR(inode->type);

	remember(fs, view, inode, is_dir ? &step->dir : &step->file,
		is_dir ? step->state : (struct af_state){0});
}

/* Decides the node by its whole path, and remembers. */
static int decide(struct af_fs *fs, const struct gate_view *view, struct af_inode *inode,
	struct af_step *step)
{
	size_t len;
	af_autofree char *path = inode_path(&fs->table, inode, NULL, &len);

	if (!path)
		return errno == ENOENT ? -ENOENT : -ENOMEM;
	policy_path(view->policy, path, len, step);
	gate_remember(fs, view, inode, step);
	return 0;
}

int gate_verdict(struct af_fs *fs, const struct gate_view *view, struct af_inode *inode,
	struct af_verdict *verdict)
{
	struct af_state state;
	struct af_step step;
	int err;

	if (recall(fs, view, inode, verdict, &state))
		return 0;
	err = decide(fs, view, inode, &step);
	/* Lost its name meanwhile: its last verdict stands. */
	if (err == -ENOENT)
		return recall(fs, view, inode, verdict, &state), 0;
	if (err)
		return err;
	*verdict = S_ISDIR(inode->type) ? step.dir : step.file;
	return 0;
}

int gate_step(struct af_fs *fs, const struct gate_view *view, struct af_inode *dir,
	const char *name, struct af_step *step)
{
	struct af_verdict verdict;
	struct af_state state;

	if (!recall(fs, view, dir, &verdict, &state) || state.id == 0) {
		size_t len;
		af_autofree char *path = NULL;
		struct af_step own;
		int err = decide(fs, view, dir, &own);

		if (err)
			return err;
		state = own.state;
		if (state.id == 0) { /* the policy's cache is full */
			path = inode_path(&fs->table, dir, name, &len);
			if (!path)
				return errno == ENOENT ? -ENOENT : -ENOMEM;
			policy_path(view->policy, path, len, step);
			return 0;
		}
	}
	policy_step(view->policy, state, name, strlen(name), step);
	return 0;
}

/* One line in the audit log. err 0: granted. */
static void audit_event(struct af_fs *fs, fuse_req_t req, const struct gate_view *view,
	const char *op, struct af_inode *inode, const char *name, const struct af_verdict *verdict,
	enum af_level need, int err)
{
	struct audit_event event = {
		.op = op,
		.level = (enum af_level)verdict->level,
		.needed = need,
		.rule = policy_rule(view->policy, verdict),
		.err = err,
	};

	audit_write(fs, req, &event, inode, name);
}

void gate_refused(struct af_fs *fs, const struct gate_view *view, struct gate_op op,
	struct af_inode *inode, const char *name, const struct af_verdict *verdict,
	enum af_level need, int err)
{
	counters_add(&fs->counters, AF_COUNT_REFUSED);
	if (fs->audit && op.req)
		audit_event(fs, op.req, view, op.name, inode, name, verdict, need, err);
}

void gate_granted(struct af_fs *fs, const struct gate_view *view, struct gate_op op,
	struct af_inode *inode, const char *name, const struct af_verdict *verdict,
	enum af_level need)
{
	if (audit_wants_grants(fs->audit) && op.req)
		audit_event(fs, op.req, view, op.name, inode, name, verdict, need, 0);
}

void gate_hidden(struct af_fs *fs, const struct gate_view *view, struct gate_op op,
	struct af_inode *dir, const char *name, const struct af_verdict *verdict)
{
	gate_refused(fs, view, op, dir, name, verdict, AF_VIEW, ENOENT);
}

int gate_need(struct af_fs *fs, const struct gate_view *view, struct gate_op op,
	struct af_inode *inode, enum af_level need, struct af_verdict *verdict)
{
	struct af_verdict local;
	int err;

	if (!verdict)
		verdict = &local;
	err = gate_verdict(fs, view, inode, verdict);
	if (err)
		return err;
	if (verdict->level >= need || (need == AF_VIEW && gate_visible(verdict))) {
		gate_granted(fs, view, op, inode, NULL, verdict, need);
		return 0;
	}
	err = gate_visible(verdict) ? EACCES : ENOENT;
	gate_refused(fs, view, op, inode, NULL, verdict, need, err);
	return -err;
}

int gate_need_create(
	struct af_fs *fs, const struct gate_view *view, struct gate_op op, struct af_inode *dir)
{
	struct af_verdict verdict;
	int err = gate_verdict(fs, view, dir, &verdict);

	if (err)
		return err;
	if (verdict.flags & AF_V_MAY_CREATE) {
		gate_granted(fs, view, op, dir, NULL, &verdict, AF_WRITE);
		return 0;
	}
	gate_refused(fs, view, op, dir, NULL, &verdict, AF_WRITE, EACCES);
	return -EACCES;
}
