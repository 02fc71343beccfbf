/*
 * Rights on our own directories. See lend.h.
 */
#include "lend.h"

#include "layer.h"

#include <errno.h>

bool lend_take(struct af_lent *lent, int dirfd)
{
	struct stat st;

	*lent = (struct af_lent){.fd = dirfd};
	if (fstat(dirfd, &st) != 0 || !S_ISDIR(st.st_mode) || (st.st_mode & 0700) == 0700)
		return false;
	lent->mode = st.st_mode & 07777;
	lent->lent = chmod(layer_fd_path(dirfd).text, lent->mode | 0700) == 0;
	return lent->lent;
}

int lend_end(struct af_lent *lent)
{
	if (!lent->lent)
		return 0;
	lent->lent = false;
	return chmod(layer_fd_path(lent->fd).text, lent->mode) != 0 ? -errno : 0;
}
