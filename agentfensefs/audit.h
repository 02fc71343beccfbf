/*
 * The audit log: one JSON object a line for every refusal and every hidden path asked for.
 *
 * Bounded in rate; what is dropped is counted and the count is written when there is room again. A
 * line is one write(2) to a descriptor opened for appending, so several mounts may share a file.
 */
#ifndef AF_AUDIT_H
#define AF_AUDIT_H

#include "policy.h"

#include "fuse.h"

struct af_fs;
struct gate_view;
struct af_inode;
struct af_audit;

struct audit_event {
	const char *op;
	enum af_level level;
	enum af_level needed;
	const struct af_rule *rule; /* NULL: the default decided */
	int err;                    /* positive; 0: granted */
};

/*
 * target is a file (made with mode 0600) or fd:N. all: log grants too.
 * Returns 0 or -errno, reported.
 */
int audit_open(const char *target, bool all, struct af_audit **audit);
void audit_close(struct af_audit *audit);
bool audit_wants_grants(const struct af_audit *audit);

/* The path is that of inode, followed by name if not NULL. */
void audit_write(struct af_fs *fs, fuse_req_t req, const struct audit_event *event,
	struct af_inode *inode, const char *name);

/* Once a mount: its quota is used up, or was not enough for what was asked for. audit may be NULL. */
void audit_quota(struct af_audit *audit, uint64_t used_bytes);

/*
 * The kernel refuses by itself what the masked mode bits do not allow, and then only asks for the
 * attributes once more (fs/fuse/dir.c, fuse_permission). Called for each such question about a file
 * that is not writable here: finds out from the caller's system call whether it was that, and logs it.
 * fresh says that the kernel had no other reason to ask.
 */
void audit_infer(struct af_fs *fs, fuse_req_t req, const struct gate_view *view,
	struct af_inode *inode, const struct af_verdict *verdict, bool fresh);

#endif
