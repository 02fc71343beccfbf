/*
 * Names and paths. See path.h.
 */
#include "path.h"

#include "cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

#ifndef AF_DATADIR
#define AF_DATADIR "/usr/local/share/agentfense"
#endif

bool path_is_component(const char *name)
{
	size_t len = strnlen(name, NAME_MAX + 1);

	return len > 0 && len <= NAME_MAX && !memchr(name, '/', len) && strcmp(name, ".") != 0 &&
		strcmp(name, "..") != 0;
}

int path_openat2(int dirfd, const char *path, int flags, unsigned int mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = mode,
		.resolve = resolve,
	};
	long fd = syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

/* The directory of the running program, without a trailing slash; newly allocated. */
static char *program_dir(void)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (len < 0)
		return NULL;
	exe[len] = '\0';
	slash = strrchr(exe, '/');
	if (!slash) {
		errno = ENOENT;
		return NULL;
	}
	*slash = '\0';
	return strdup(exe);
}

char *path_find_data(const char *name)
{
	static const char *const below[] = {"../share/agentfense", "..", "../.."};
	af_autofree char *dir = program_dir();

	for (size_t i = 0; dir && i < sizeof(below) / sizeof(below[0]); i++) {
		af_autofree char *joined = NULL;
		char *real;

		if (asprintf(&joined, "%s/%s/%s", dir, below[i], name) < 0) {
			joined = NULL;
			return NULL;
		}
		real = realpath(joined, NULL);
		if (real)
			return real;
	}
	{
		af_autofree char *joined = NULL;

		if (asprintf(&joined, "%s/%s", AF_DATADIR, name) < 0) {
			joined = NULL;
			return NULL;
		}
		return realpath(joined, NULL);
	}
}

char *path_find_program(const char *name)
{
	af_autofree char *dir = program_dir();
	af_autofree char *joined = NULL;

	if (!dir || asprintf(&joined, "%s/%s", dir, name) < 0) {
		joined = NULL;
		return dir ? NULL : strdup(name);
	}
	if (access(joined, X_OK) == 0)
		return af_steal(&joined);
	return strdup(name);
}
