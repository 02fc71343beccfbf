/*
 * --list: what there is of the caller's.
 */
#ifndef AF_LIST_H
#define AF_LIST_H

#include "opts.h"

/*
 * Sessions, channels, and the deltas that runs of the source have left. What killed runs in docker have left
 * is swept. Returns the exit status.
 */
int list_all(const struct af_opts *opts);

/* All of stdout is out: 0, or AF_EXIT_FAILED, reported. */
int list_finish(void);

/* As all times are shown: of the caller's own zone. text has room for size bytes. */
void list_time(char *text, size_t size, int64_t seconds);

#endif
