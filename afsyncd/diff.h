/*
 * What the parts of --diff share. The format is git's: gitformat patches as git-diff(1) describes them
 * under "generating patch text with -p", of which patch(1) takes all but what is binary.
 *
 *     diff.c         the plan's steps -> changes of single files, in an order that can be applied
 *     diff_side.c    a file before or after, read whole
 *     diff_file.c    one change: its header, and its body
 *     diff_text.c    ... as hunks
 *     diff_binary.c  ... as a binary patch
 */
#ifndef AF_DIFF_H
#define AF_DIFF_H

#include "delta.h"
#include "plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
	DIFF_MAX = 128 << 20, /* bytes: of a file */
	DIFF_ID = 41,         /* bytes: git's name of a content, with its NUL */
};

/* A file as it is before or after. */
struct diff_side {
	unsigned int mode; /* git's: 0100644, 0100755, 0120000; 0: there is none */
	struct stat st;    /* where there is one */
	char *data;        /* owned; a symlink's: its target */
	size_t size;       /* bytes */
	bool has_xattrs;
	char id[DIFF_ID]; /* SHA-1 of "blob SIZE NUL data", in hexadecimal */
};

/*
 * Reads what is at path below root (O_PATH), a regular file or a symlink; no symlink is followed, and
 * nothing else opened for reading. 0, -ESTALE: it is neither; -EFBIG; -errno.
 */
int side_read(struct diff_side *side, int root, const char *path);
/* What is there: S_IFREG, S_IFLNK ...; 0: nothing, or nothing that can be reached. */
mode_t side_type(int root, const char *path);
/* Puts another content in its place; takes no ownership. 0 or -ENOMEM. */
int side_set_content(struct diff_side *side, const char *data, size_t size);
void side_fini(struct diff_side *side);
/* Whether both are there, with the same content. */
bool side_is_same(const struct diff_side *before, const struct diff_side *after);
/* Git's mode of a file with this st_mode; 0 for what it does not carry. */
unsigned int side_git_mode(mode_t mode);

/*
 * One file's change; a side of mode 0 is none. Both paths are the same but where it was renamed. 0 or
 * -errno (of diff(1); the stream's own errors are for its owner to ask).
 */
int diff_file(FILE *out, const char *old_path, const struct diff_side *before, const char *new_path,
	const struct diff_side *after);

/* Unified hunks from one text to another that differs. 0 or -errno. */
int diff_hunks(FILE *out, const struct diff_side *before, const struct diff_side *after);
/* A binary patch, forth and back. */
void diff_binary(FILE *out, const struct diff_side *before, const struct diff_side *after);

#endif
