/*
 * What is dangerous to the host and therefore held back: policies/hold.conf and --hold; and which
 * paths were asked for: --only and --exclude.
 */
#ifndef AF_HOLD_H
#define AF_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct sync_hold;

/*
 * The list that is installed (path_find_data) and then `count` patterns of --hold. 0 or -errno, reported.
 * hold.conf is a policy file without regard to case: none = held, write = merged.
 */
int hold_load(struct sync_hold **hold, const char *const *patterns, size_t count);
/* The same with another file as the list. */
int hold_load_list(
	struct sync_hold **hold, const char *list, const char *const *patterns, size_t count);
void hold_free(struct sync_hold *hold);

/*
 * Why this change is held back, as a few words that stay until the next call, or NULL. upper: what the
 * delta has there (st_mode 0: deleted; a deletion is held where the path is listed). target: a
 * symlink's, else NULL; source_mode: what the source has there now (0: nothing), for what becomes
 * executable under .git. Not for two threads at once.
 */
const char *hold_why(const struct sync_hold *hold, const char *path, const struct stat *upper,
	const char *target, mode_t source_mode);

struct sync_only;
/*
 * only: a list of paths in a file ("-": stdin), a line each as names_print() writes them, or raw and
 * NUL-terminated; NULL: all. exclude: patterns of rules. 0 or -errno, reported.
 */
int only_load(struct sync_only **only, const char *file, bool nul, const char *const *exclude,
	size_t count);
void only_free(struct sync_only *only);
/* Whether it was asked for: named itself, or below a named directory, and not excluded. */
bool only_takes(const struct sync_only *only, const char *path, bool is_dir);
/* Whether --exclude leaves it out. */
bool only_excludes(const struct sync_only *only, const char *path, bool is_dir);

#endif
