/*
 * The words between outside and inside. See control.h; what they lead to is supervise.c's and
 * inside.c's business.
 */
#include "control.h"

#include "cleanup.h"
#include "io.h"

#include <bsd/stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>

/* execve(2) takes less (a quarter of the stack limit, 6 MiB at most by default). */
#define COMMAND_MAX (64U << 20)

enum { ANSWER_TIMEOUT_S = 5 };

int control_send(int fd, const struct af_control *message, const int *fds, int count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * AF_CONTROL_FDS)];
		struct cmsghdr align;
	} space = {0};
	struct af_control copy = *message;
	struct iovec part = {.iov_base = &copy, .iov_len = sizeof(copy)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *rights;

	if (count > 0) {
		header.msg_control = space.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
		memcpy(CMSG_DATA(rights), fds, sizeof(int) * (size_t)count);
	}
	while (sendmsg(fd, &header, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int control_recv(int fd, struct af_control *message, int *fds, int *count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * AF_CONTROL_FDS)];
		struct cmsghdr align;
	} space = {0};
	struct iovec part = {.iov_base = message, .iov_len = sizeof(*message)};
	struct msghdr header = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = space.bytes,
		.msg_controllen = sizeof(space)};
	const struct cmsghdr *rights;
	ssize_t got;

	*count = 0;
	do
		got = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return got < 0 && errno != ECONNRESET ? -errno : 0;
	rights = CMSG_FIRSTHDR(&header);
	if (rights && rights->cmsg_level == SOL_SOCKET && rights->cmsg_type == SCM_RIGHTS) {
		*count = (int)((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(rights), sizeof(int) * (size_t)*count);
	}
	return got == (ssize_t)sizeof(*message) ? 1 : -EBADMSG;
}

/* How many, then the strings, each with its NUL. */
static int write_strings(FILE *out, char *const *strings)
{
	uint32_t count = 0;

	while (strings && strings[count])
		count++;
	fwrite(&count, sizeof(count), 1, out);
	for (uint32_t i = 0; i < count; i++)
		fwrite(strings[i], 1, strlen(strings[i]) + 1, out);
	return ferror(out) ? -EIO : 0;
}

int control_write_command(const char *cwd, char *const *argv, char *const *envp)
{
	af_autoclose int fd = memfd_create("afrun-command", MFD_CLOEXEC);
	af_autofree char *text = NULL;
	size_t size = 0;
	FILE *out = fd < 0 ? NULL : open_memstream(&text, &size);
	int err;

	if (!out)
		return -errno;
	fwrite(cwd, 1, strlen(cwd) + 1, out);
	err = write_strings(out, argv);
	if (!err)
		err = write_strings(out, envp);
	if (fclose(out) != 0)
		err = -ENOMEM;
	if (!err)
		err = io_write_all(fd, text, size);
	if (!err && lseek(fd, 0, SEEK_SET) < 0)
		err = -errno;
	return err ? err : af_steal_fd(&fd);
}

/* Takes one string off *at. Returns NULL at the end. */
static char *take_string(char **at, const char *end)
{
	char *text = *at;
	size_t len = strnlen(text, (size_t)(end - text));

	if (text + len >= end)
		return NULL;
	*at = text + len + 1;
	return text;
}

static char **take_strings(char **at, const char *end)
{
	uint32_t count;
	char **strings;

	if ((size_t)(end - *at) < sizeof(count))
		return NULL;
	memcpy(&count, *at, sizeof(count));
	*at += sizeof(count);
	if (count > (size_t)(end - *at))
		return NULL;
	strings = calloc((size_t)count + 1, sizeof(*strings));
	for (uint32_t i = 0; strings && i < count; i++) {
		strings[i] = take_string(at, end);
		if (!strings[i]) {
			free(strings);
			return NULL;
		}
	}
	return strings;
}

int control_read_command(int fd, struct af_command *command)
{
	char *text, *at;
	size_t size;
	int err = io_read_all(fd, COMMAND_MAX, &text, &size);

	*command = (struct af_command){0};
	if (err)
		return err;
	command->cwd = at = text;
	if (!take_string(&at, text + size))
		return -EBADMSG;
	command->argv = take_strings(&at, text + size);
	command->envp = command->argv ? take_strings(&at, text + size) : NULL;
	return command->envp ? 0 : -EBADMSG;
}

void control_command_fini(struct af_command *command)
{
	free(command->cwd);
	free(command->argv);
	free(command->envp);
	*command = (struct af_command){0};
}

int control_answer_state(int fd, const void *state, size_t size)
{
	struct af_control answer = {.kind = AF_CONTROL_ANSWER};
	af_autoclose int file = memfd_create("afrun-state", MFD_CLOEXEC);
	int err = file < 0 ? -errno : io_write_all(file, state, size);

	if (!err && lseek(file, 0, SEEK_SET) < 0)
		err = -errno;
	return err ? err : control_send(fd, &answer, &file, 1);
}

int control_ask_state(int fd, void *state, size_t size)
{
	struct af_control message = {.kind = AF_CONTROL_ASK, .value = AF_ASK_STATUS};
	struct timeval limit = {.tv_sec = ANSWER_TIMEOUT_S};
	struct af_control answer = {0};
	int fds[AF_CONTROL_FDS], count = 0;
	int err = control_send(fd, &message, NULL, 0);
	uint32_t said = 0;
	int got;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	got = err ? err : control_recv(fd, &answer, fds, &count);
	err = got < 0 ? got : got == 0 ? -ECONNRESET : -EPROTO;
	if (got > 0 && answer.kind == AF_CONTROL_ANSWER && count == 1 &&
		io_read_full(fds[0], state, size) == (ssize_t)size) {
		memcpy(&said, state, sizeof(said));
		err = said == size ? 0 : -EPROTO;
	}
	for (int i = 0; i < count; i++)
		close(fds[i]);
	return err;
}
