/*
 * libfuse's low-level interface, in the one version that all files of this program use.
 */
#ifndef AF_FUSE_H
#define AF_FUSE_H

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h> /* IWYU pragma: export */

#endif
