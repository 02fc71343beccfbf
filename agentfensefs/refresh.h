/*
 * After a delta was merged below a living mount: nodes and open files find again what they are of.
 *
 * What the delta had is the source's now, as other inodes, or has stayed in the delta. A node is what is
 * seen at its name; a file that is open reads that, and one that is open for writing is copied up anew,
 * so that no descriptor of ours can write to the source. What was removed while it is open stays as it
 * is: no name leads there.
 */
#ifndef AF_REFRESH_H
#define AF_REFRESH_H

#include <stdbool.h>

struct af_fs;

/*
 * Whether it can be done: not where a file is open by a name that was removed, and has others, which
 * would be another file's afterwards. No worker runs.
 */
bool refresh_can_be(struct af_fs *fs);
/* No worker runs, and the delta is there again. 0 or -ENOMEM. */
int refresh_nodes(struct af_fs *fs);
/* Workers run again: the kernel drops what it remembers. */
void refresh_kernel(struct af_fs *fs);

#endif
