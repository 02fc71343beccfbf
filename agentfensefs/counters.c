/*
 * Writing the counters to the log. See counters.h.
 */
#include "fs.h"

#include "cleanup.h"
#include "log.h"

#include <inttypes.h>

static const char *const count_names[] = {
	[AF_COUNT_LOOKUP] = "lookup",
	[AF_COUNT_FORGET] = "forget",
	[AF_COUNT_GETATTR] = "getattr",
	[AF_COUNT_SETATTR] = "setattr",
	[AF_COUNT_OPEN] = "open",
	[AF_COUNT_READ] = "read",
	[AF_COUNT_WRITE] = "write",
	[AF_COUNT_FLUSH] = "flush",
	[AF_COUNT_RELEASE] = "release",
	[AF_COUNT_OPENDIR] = "opendir",
	[AF_COUNT_READDIR] = "readdir",
	[AF_COUNT_NAMES] = "names",
	[AF_COUNT_XATTR] = "xattr",
	[AF_COUNT_OTHER] = "other",
	[AF_COUNT_REFUSED] = "refused",
};
_Static_assert(sizeof(count_names) / sizeof(count_names[0]) == AF_COUNT_KINDS, "a name each");

void counters_log(struct af_fs *fs)
{
	af_autofree char *text = NULL;
	size_t size, nodes;
	uint32_t descriptors;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	pthread_mutex_lock(&fs->table.lock);
	nodes = fs->table.count;
	pthread_mutex_unlock(&fs->table.lock);
	pthread_mutex_lock(&fs->dirfds.lock);
	descriptors = fs->dirfds.count;
	pthread_mutex_unlock(&fs->dirfds.lock);
	for (size_t i = 0; i < AF_COUNT_KINDS; i++)
		fprintf(out, "%s=%" PRIu64 " ", count_names[i],
			atomic_load_explicit(&fs->counters.count[i], memory_order_relaxed));
	fprintf(out, "nodes=%zu directories_held=%" PRIu32, nodes, descriptors);
	if (fclose(out) == 0)
		log_notice("counters: %s", text);
}
