/*
 * LAUNCH, by which the command starts. See launch.h.
 */
#include "launch.h"

#include "cleanup.h"
#include "control.h"
#include "io.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* From here on the streams are the command's alone: whoever reads them sees their end in time. */
static void let_go_of_streams(void)
{
	af_autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
	}
}

/* A caller's text as it is, in a descriptor of its own; empty where it will be typed. */
static int write_text(const struct af_plan *plan)
{
	af_autoclose int fd = memfd_create("afrun-text", MFD_CLOEXEC);
	const char *text = plan->argv.count ? plan->argv.items[0] : "";
	int err = fd < 0 ? -errno : io_write_all(fd, text, strlen(text));

	return err ? err : af_steal_fd(&fd);
}

/*
 * A pipe without a name is its maker's, mode 0600. Root's command has other ids, and could not open it as
 * /dev/stdin or /dev/stderr; nobody else comes by its name.
 */
static void open_pipe(int fd)
{
	static const mode_t may[] = {S_IRUSR | S_IRGRP | S_IROTH, S_IWUSR | S_IWGRP | S_IWOTH};
	struct statfs fs;
	struct stat st;

	if (geteuid() == 0 && fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC &&
		fstat(fd, &st) == 0)
		(void)!fchmod(fd, (st.st_mode & ALLPERMS) | may[fd != STDIN_FILENO]);
}

int launch_command(const struct af_run *run, const struct af_terminal *terminal)
{
	static const int closed[] = {AF_LAUNCH_NO_IN, AF_LAUNCH_NO_OUT, AF_LAUNCH_NO_ERR};
	static const int own[] = {AF_LAUNCH_PTY, AF_LAUNCH_PTY_OUT, AF_LAUNCH_PTY_ERR};
	const struct af_plan *plan = run->plan;
	struct af_control message = {.kind = AF_CONTROL_LAUNCH};
	af_autoclose int command = plan->in_session
		? write_text(plan)
		: control_write_command(plan->cwd, plan->argv.items, plan->env.items);
	int fds[AF_CONTROL_FDS] = {command}, count = 1, err;

	if (command < 0)
		return command;
	message.own_memory = run->limits->own_memory;
	message.own_pids = run->limits->own_pids;
	message.expendable = run->limits->limits && run->limits->limits->memory != 0;
	if (plan->in_session && plan->argv.count == 0)
		message.value |= AF_LAUNCH_INTERACTIVE;
	terminal_describe(terminal, &message);
	for (int i = 0; i < 3; i++) {
		if (run->closed_std & 1U << i)
			message.value |= closed[i];
		else if (!(message.value & own[i])) {
			open_pipe(i);
			fds[count++] = i;
		}
	}
	err = control_send(run->sandbox->control, &message, fds, count);
	let_go_of_streams();
	return err;
}
