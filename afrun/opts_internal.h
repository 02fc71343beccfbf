/*
 * Between opts.c (which option it is) and opts_value.c (what its value means).
 */
#ifndef AF_OPTS_INTERNAL_H
#define AF_OPTS_INTERNAL_H

#include "opts.h"

/* Each returns 0 or -EINVAL, reported. */
int opts_set_duration(const char *option, const char *text, int64_t *ms);
int opts_set_runtime(struct af_opts *opts, const char *text);
int opts_set_net(struct af_opts *opts, const char *text);
int opts_set_sync(struct af_opts *opts, const char *text);
int opts_set_conflict(struct af_opts *opts, const char *text);
int opts_set_delta_size(struct af_opts *opts, const char *text);

#endif
