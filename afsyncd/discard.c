/*
 * Throwing a delta away. See discard.h.
 */
#include "discard.h"

#include "cleanup.h"
#include "delta.h"
#include "log.h"
#include "remove.h"

#include <string.h>

/*
 * What is large goes first, out of directories that stay: so that a discard that was killed can be
 * repeated, since what is left is still a delta.
 */
static int remove_parts(const struct af_delta *delta)
{
	static const char *const parts[] = {"upper", "work", "meta"};
	int err = remove_entries(delta->upper_fd);

	if (!err)
		err = remove_entries(delta->work_fd);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !err; i++)
		err = remove_tree(delta->dir_fd, parts[i]);
	return err;
}

int discard_delta(const char *path)
{
	af_autofree char *real = realpath(path, NULL);
	struct delta_fault fault;
	struct af_delta delta;
	int err;

	if (!real) {
		err = -errno;
		log_error("%s: %s", path, strerror(-err));
		return err;
	}
	err = delta_open(&delta, real, DELTA_DISCARD, &fault);
	if (err) {
		log_error("%s: %s", path, fault.text);
		return err;
	}
	err = remove_parts(&delta);
	if (!err && rmdir(real) < 0)
		err = -errno;
	if (err)
		log_error("%s: %s", path, strerror(-err));
	delta_close(&delta);
	return err;
}
