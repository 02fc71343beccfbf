/*
 * Variables that release what they hold when they go out of scope.
 *
 * Every handler keeps errno, so `return -errno` after a failed call is safe. Ownership leaves such
 * a variable with af_steal() or af_steal_fd(), which reset it.
 */
#ifndef AF_CLEANUP_H
#define AF_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	int saved = errno;

	free(*(void **)p);
	errno = saved;
}

static inline void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclose(FILE **file)
{
	int saved = errno;

	if (*file)
		fclose(*file);
	errno = saved;
}

static inline void cleanup_closedir(DIR **dir)
{
	int saved = errno;

	if (*dir)
		closedir(*dir);
	errno = saved;
}

#define af_autofree __attribute__((cleanup(cleanup_free)))
#define af_autoclose __attribute__((cleanup(cleanup_close)))
#define af_autofclose __attribute__((cleanup(cleanup_fclose)))
#define af_autoclosedir __attribute__((cleanup(cleanup_closedir)))

static inline int af_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#define af_steal(pp)                               \
	({                                         \
		__typeof__(*(pp)) stolen_ = *(pp); \
		*(pp) = NULL;                      \
		stolen_;                           \
	})

#endif
