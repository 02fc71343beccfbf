/*
 * Makes a volatile delta last: what was left out while it was written is done once, at the end.
 */
#include "delta_internal.h"

#include "cleanup.h"

#include <fcntl.h>

int delta_settle(struct af_delta *delta)
{
	const struct delta_mount none = {.boot_id = ""};
	af_autoclose int fd = -1;
	int rc;

	if (!delta->is_volatile || delta->is_new)
		return 0;
	fd = openat(delta->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) != 0)
		return -errno;
	/* Only now: the record must not be there before what it speaks for. */
	rc = delta_log_mount(&delta->log, &none);
	return rc ? rc : journal_sync(&delta->log);
}
