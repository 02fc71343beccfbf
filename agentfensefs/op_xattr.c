/*
 * Extended attributes: user.* and POSIX ACLs; no others exist here. See op.h.
 */
#include "op.h"

#include "cleanup.h"
#include "copyup.h"
#include "cred.h"

#include <bsd/string.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

/* linux/posix_acl_xattr.h: a header of 4 bytes, then entries, all little-endian. */
enum { ACL_HEADER = 4, ACL_ENTRY = 8, ACL_PERM = 2 };

static bool is_acl(const char *name)
{
	return strcmp(name, "system.posix_acl_access") == 0 ||
		strcmp(name, "system.posix_acl_default") == 0;
}

static bool is_served(const char *name)
{
	return strncmp(name, "user.", 5) == 0 || is_acl(name);
}

/* An ACL tells the truth as mode bits do: no entry grants what the level does not. */
static void mask_acl(char *acl, size_t size, const struct af_verdict *verdict, mode_t type)
{
	unsigned int allowed = attr_mask(verdict, type) & 07;

	for (size_t i = ACL_HEADER; i + ACL_ENTRY <= size; i += ACL_ENTRY)
		acl[i + ACL_PERM] = (char)(acl[i + ACL_PERM] & (int)allowed);
}

/*
 * The level that reading xattr `name` needs. The kernel reads a directory's ACL for its own check of
 * whether somebody may pass, so that must not need more than passing does.
 */
static enum af_level read_need(const struct op_ctx *op, const char *name)
{
	return S_ISDIR(op->inode->type) && is_acl(name) ? AF_VIEW : AF_READ;
}

/* The name under which the layer that has the file keeps the xattr. 0, or -ERANGE: too long. */
static int stored_name(
	const struct af_found *found, const char *name, char stored[XATTR_NAME_MAX + 1])
{
	if (found->upper)
		return delta_xattr_escape(stored, XATTR_NAME_MAX + 1, name);
	return strlcpy(stored, name, XATTR_NAME_MAX + 1) > XATTR_NAME_MAX ? -ERANGE : 0;
}

static int get_value(struct op_ctx *op, const char *name, char *value, size_t size, ssize_t *len)
{
	/* The kernel itself asks for ACLs, for each who passes: the audit hears of others only. */
	struct gate_op what = {is_acl(name) ? NULL : op->req, "getxattr"};
	char stored[XATTR_NAME_MAX + 1];
	struct af_verdict verdict;
	struct af_pathfd path;
	int err;

	if (!is_served(name))
		return -EOPNOTSUPP;
	err = gate_need(op->fs, &op->view, what, op->inode, read_need(op, name), &verdict);
	/* The masked mode says all about who may not; ls(1) asks for the ACL of each file. */
	if (err == -EACCES && is_acl(name))
		return -ENODATA;
	if (err && !(op->inode == op->fs->table.root && is_acl(name)))
		return err;
	err = pathfd_get(op->fs, op->inode, &path);
	if (err)
		return err == -EXDEV ? -ENODATA : err; /* a covered directory has none */
	err = stored_name(&path.found, name, stored);
	if (!err) {
		*len = getxattr(layer_fd_path(path.fd).text, stored, value, size);
		err = *len < 0 ? -errno : 0;
	}
	pathfd_put(&path);
	if (!err && size > 0 && strcmp(name, "system.posix_acl_access") == 0)
		mask_acl(value, (size_t)*len, &verdict, op->inode->type);
	return err;
}

/* Replies with what a call that takes a buffer has found; size 0 asks for the length alone. */
static void reply_bytes(fuse_req_t req, int err, const char *data, size_t size, ssize_t len)
{
	if (err)
		fuse_reply_err(req, -err);
	else if (size == 0)
		fuse_reply_xattr(req, (size_t)len);
	else if ((size_t)len > size)
		fuse_reply_err(req, ERANGE);
	else
		fuse_reply_buf(req, data, (size_t)len);
}

void op_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	af_autofree char *value = size ? malloc(size) : NULL;
	struct op_ctx op;
	ssize_t len = 0;
	int err = op_begin(&op, req, ino, AF_COUNT_XATTR);

	if (!err && size && !value)
		err = -ENOMEM;
	if (!err)
		do
			err = get_value(&op, name, value, size, &len);
		while (op_again(&op, err));
	reply_bytes(req, err, value, size, len);
	op_end(&op);
}

/* Keeps the names that are served, as the user set them; returns the length of what is left. */
static size_t filter_names(const struct af_found *found, char *names, size_t size)
{
	char name[XATTR_NAME_MAX + 1];
	size_t kept = 0;

	for (size_t i = 0; i < size;) {
		size_t len = strlen(names + i) + 1;

		/* Unescaped it is no longer. */
		if (is_served(names + i) &&
			(!found->upper ||
				delta_xattr_unescape(name, sizeof(name), names + i) == 0)) {
			const char *shown = found->upper ? name : names + i;
			size_t shown_len = strlen(shown) + 1;

			memmove(names + kept, shown, shown_len);
			kept += shown_len;
		}
		i += len;
	}
	return kept;
}

static int get_names(struct op_ctx *op, char **names, size_t *len)
{
	struct gate_op what = {op->req, "listxattr"};
	af_autofree char *all = NULL;
	struct af_pathfd path;
	ssize_t got;
	int err = gate_need(op->fs, &op->view, what, op->inode, AF_READ, NULL);

	if (err)
		return err;
	all = malloc(XATTR_LIST_MAX + 1);
	if (!all)
		return -ENOMEM;
	err = pathfd_get(op->fs, op->inode, &path);
	if (err)
		return err == -EXDEV ? 0 : err; /* a covered directory has none */
	got = listxattr(layer_fd_path(path.fd).text, all, XATTR_LIST_MAX);
	err = got < 0 ? -errno : 0;
	if (got >= 0) {
		all[got] = '\0';
		*len = filter_names(&path.found, all, (size_t)got);
	}
	pathfd_put(&path);
	if (err)
		return err;
	*names = af_steal(&all);
	return 0;
}

void op_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	af_autofree char *names = NULL;
	struct op_ctx op;
	size_t len = 0;
	int err = op_begin(&op, req, ino, AF_COUNT_XATTR);

	if (!err)
		do
			err = get_names(&op, &names, &len);
		while (op_again(&op, err));
	reply_bytes(req, err, names, size, (ssize_t)len);
	op_end(&op);
}

/* That the attribute may be changed, by name and by level. */
static int may_change(struct op_ctx *op, const char *what, const char *name)
{
	struct gate_op who = {op->req, what};
	struct af_verdict verdict;
	int err = gate_need(op->fs, &op->view, who, op->inode, AF_WRITE, &verdict);

	if (strcmp(name, "security.capability") == 0) {
		if (!err)
			gate_refused(
				op->fs, &op->view, who, op->inode, NULL, &verdict, AF_WRITE, EPERM);
		return -EPERM;
	}
	if (!is_served(name))
		return -EOPNOTSUPP;
	return err;
}

/* An access ACL sets the group's mode bits too, and so could make a set-gid file executable. */
static bool makes_setgid(const char *name, const struct stat *st)
{
	return is_acl(name) && S_ISREG(st->st_mode) && (st->st_mode & S_ISGID);
}

/* What is to become of an attribute; value NULL: removed. */
struct change {
	const char *op, *name, *value;
	size_t size;
	int flags;
};

static int apply(int fd, const struct change *change)
{
	struct af_fd_path path = layer_fd_path(fd);
	int failed = change->value
		? setxattr(path.text, change->name, change->value, change->size, change->flags)
		: removexattr(path.text, change->name);

	return failed ? -errno : 0;
}

/* Setting an access ACL takes set-gid away from whoever lacks CAP_FSETID, as we do (cred.c). */
static int restore_setgid(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (st.st_mode & S_ISGID)
		return 0;
	return cred_chmod(layer_fd_path(fd).text, (st.st_mode & 07777) | S_ISGID);
}

static int change_value(struct op_ctx *op, const struct change *change)
{
	char stored[XATTR_NAME_MAX + 1];
	struct change to_apply = *change;
	struct af_pathfd path;
	int err = may_change(op, change->op, change->name);

	if (err)
		return err;
	err = copyup_pathfd(op->fs, op->inode, COPYUP_DATA, &path);
	if (err)
		return err == -EXDEV ? -EACCES : err;
	kcache_touched(op->inode);
	to_apply.name = stored;
	err = stored_name(&path.found, change->name, stored);
	if (!err && change->value && makes_setgid(change->name, &path.found.st))
		err = -EPERM;
	else if (!err)
		err = apply(path.fd, &to_apply);
	if (!err && is_acl(change->name) && S_ISDIR(op->inode->type) &&
		(path.found.st.st_mode & S_ISGID))
		err = restore_setgid(path.fd);
	pathfd_put(&path);
	return err;
}

static void do_change(fuse_req_t req, fuse_ino_t ino, const struct change *change)
{
	struct op_ctx op;
	int err = op_begin(&op, req, ino, AF_COUNT_XATTR);

	if (!err)
		do
			err = change_value(&op, change);
		while (op_again(&op, err));
	fuse_reply_err(req, -err);
	op_end(&op);
}

void op_setxattr(
	fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
	struct change change = {"setxattr", name, value, size, flags};

	do_change(req, ino, &change);
}

void op_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct change change = {.op = "removexattr", .name = name};

	do_change(req, ino, &change);
}
