/*
 * The library in afrun's own file. See shell_library.h; the Makefile says where it was made.
 */
#include "shell_library.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

__asm__(".section .rodata\n"
	".balign 16\n"
	"af_shell_library:\n"
	".incbin \"session_shell.so\"\n"
	"af_shell_library_end:\n"
	".byte 0\n"
	".previous\n");

extern const char af_shell_library[] __attribute__((visibility("hidden")));
extern const char af_shell_library_end[] __attribute__((visibility("hidden")));

int shell_library_open(void)
{
	af_autoclose int fd = memfd_create("afrun-session", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t size = (uintptr_t)af_shell_library_end - (uintptr_t)af_shell_library;
	int err;

	if (fd < 0)
		return -errno;
	err = io_write_all(fd, af_shell_library, size);
	if (!err &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) <
			0)
		err = -errno;
	return err ? err : af_steal_fd(&fd);
}
