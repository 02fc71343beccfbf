/*
 * Reads and writes that are whole, or failed. See io.h.
 */
#include "io.h"

#include "cleanup.h"

int io_write_all(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size > 0) {
		ssize_t done = write(fd, next, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		next += done;
		size -= (size_t)done;
	}
	return 0;
}

ssize_t io_read_full(int fd, void *data, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = read(fd, (char *)data + used, size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

int io_read_all(int fd, size_t max, char **data, size_t *size)
{
	af_autofree char *buffer = NULL;
	size_t used = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (room - used < 2) {
			size_t want = room ? room * 2 : 4096;
			char *bigger = realloc(buffer, want);

			if (!bigger)
				return -ENOMEM;
			buffer = bigger;
			room = want;
		}
		got = io_read_full(fd, buffer + used, room - used - 1);
		if (got < 0)
			return (int)got;
		if (got == 0)
			break;
		used += (size_t)got;
		if (used > max)
			return -EFBIG;
	}
	buffer[used] = '\0';
	*data = af_steal(&buffer);
	*size = used;
	return 0;
}
