/*
 * Directories of the delta that belong to us and that we may not use, since their mode says so: an
 * ordinary user's daemon lends itself the rights for the moment.
 */
#ifndef AF_LEND_H
#define AF_LEND_H

#include <stdbool.h>
#include <sys/stat.h>

struct af_lent {
	int fd; /* of the directory; borrowed */
	mode_t mode;
	bool lent;
};

/* Makes it usable if it is not. Whether anything changed: then what has failed is worth another try. */
bool lend_take(struct af_lent *lent, int dirfd);
/* As it was. Harmless where nothing was lent. 0 or -errno. */
int lend_end(struct af_lent *lent);

#endif
