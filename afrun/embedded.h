/*
 * The library that a session's shell loads (session_shell.c), which afrun carries.
 */
#ifndef AF_SHELL_LIBRARY_H
#define AF_SHELL_LIBRARY_H

/* Returns a descriptor of it, which the caller owns and nobody can write to, or -errno. */
int shell_library_open(void);

#endif
