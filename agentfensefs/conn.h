/*
 * What this mount and the kernel agree on when the connection is made (FUSE_INIT).
 */
#ifndef AF_CONN_H
#define AF_CONN_H

#include <stdio.h>

struct fuse_conn_info;

void conn_init(void *userdata, struct fuse_conn_info *conn);
/* Prints our version, libfuse's, and what this libfuse lacks. */
void conn_print_version(FILE *out);

#endif
