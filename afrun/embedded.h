/*
 * Programs that afrun carries in its own file, for where its own file does not run: the library that a
 * session's shell loads (session_shell.c), and our first process for a root without our libraries
 * (inside_static.c).
 */
#ifndef AF_EMBEDDED_H
#define AF_EMBEDDED_H

/* Returns a descriptor of the library, which the caller owns and nobody can write to, or -errno. */
int embedded_shell(void);
/* Writes the program as a new file. 0 or -errno. */
int embedded_inside(int dirfd, const char *name);

#endif
