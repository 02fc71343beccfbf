/*
 * What afrun carries. See embedded.h; the Makefile says how it was made.
 */
#include "embedded.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define EMBED(name, file)                       \
	".section .rodata\n"                    \
	".balign 16\n" name ":\n"               \
	".incbin \"" file "\"\n" name "_end:\n" \
	".byte 0\n"                             \
	".previous\n"

__asm__(EMBED("af_shell", "session_shell.so") EMBED("af_inside", "afrun-inside"));

extern const char af_shell[] __attribute__((visibility("hidden")));
extern const char af_shell_end[] __attribute__((visibility("hidden")));
extern const char af_inside[] __attribute__((visibility("hidden")));
extern const char af_inside_end[] __attribute__((visibility("hidden")));

int embedded_shell(void)
{
	af_autoclose int fd = memfd_create("afrun-session", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err;

	if (fd < 0)
		return -errno;
	err = io_write_all(fd, af_shell, (uintptr_t)af_shell_end - (uintptr_t)af_shell);
	if (!err &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) <
			0)
		err = -errno;
	return err ? err : af_steal_fd(&fd);
}

int embedded_inside(int dirfd, const char *name)
{
	af_autoclose int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	int err;

	if (fd < 0)
		return -errno;
	err = io_write_all(fd, af_inside, (uintptr_t)af_inside_end - (uintptr_t)af_inside);
	if (!err && fchmod(fd, 0555) < 0)
		err = -errno;
	return err;
}
