/*
 * Opening what lies at a path below a directory, and nowhere else.
 */
#ifndef AF_BENEATH_H
#define AF_BENEATH_H

/*
 * Opens path (relative; however long) below root as O_PATH | O_NOFOLLOW: whatever it is, a symlink
 * too; none is followed on the way, and no other filesystem entered. Returns a descriptor that the caller
 * owns, or -errno.
 */
int beneath_open(int root, const char *path);

/*
 * Opens a descriptor of a regular file or a directory again with these flags; O_CLOEXEC is added. It
 * must be known to be one: anything else could block. A descriptor that the caller owns, or -errno.
 */
int beneath_reopen(int object, int flags);

#endif
