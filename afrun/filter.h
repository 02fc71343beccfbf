/*
 * The system calls that the sandbox does not have.
 */
#ifndef AF_FILTER_H
#define AF_FILTER_H

/*
 * A descriptor that the filter (struct sock_filter[], as bwrap's --seccomp reads it) can be read
 * from. The caller owns it. Returns it or -errno.
 */
int filter_open(void);

#endif
