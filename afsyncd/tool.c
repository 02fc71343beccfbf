/*
 * diff(1) and diff3(1) at work. See tool.h; what they are asked is their callers' business.
 */
#include "tool.h"

#include "cleanup.h"
#include "io.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

int tool_text(const void *data, size_t size)
{
	af_autoclose int fd = memfd_create("text", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err = fd < 0 ? -errno : io_write_all(fd, data, size);

	if (err)
		return err;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return -errno;
	return af_steal_fd(&fd);
}

void tool_name(char name[TOOL_NAME], int fd)
{
	snprintf(name, TOOL_NAME, "/proc/self/fd/%d", fd);
}

/* In the child: nothing to read, the pipe as standard output. */
static int set_up(void *arg)
{
	const int *write_end = arg;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(*write_end, STDOUT_FILENO) < 0)
		return -errno;
	return 0;
}

int tool_start(
	char *const argv[], const int *keep, size_t keep_count, struct af_child *child, FILE **out)
{
	static char locale[] = "LC_ALL=C";
	char *const environment[] = {locale, NULL};
	af_autoclose int read_end = -1, write_end = -1;
	struct af_spawn spawn = {.argv = argv,
		.envp = environment,
		.keep = keep,
		.keep_count = keep_count,
		.setup = set_up,
		.arg = &write_end};
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	read_end = ends[0];
	write_end = ends[1];
	*out = fdopen(read_end, "r");
	if (!*out)
		return -errno;
	(void)af_steal_fd(&read_end);
	err = spawn_start(&spawn, child, NULL);
	if (err) {
		fclose(*out);
		*out = NULL;
	}
	return err;
}

int tool_end(struct af_child *child)
{
	int status;
	pid_t got;

	do {
		got = waitpid(child->pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	if (child->pidfd >= 0)
		close(child->pidfd);
	*child = AF_CHILD_NONE;
	if (got < 0)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}
