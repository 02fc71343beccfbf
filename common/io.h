/*
 * Reads and writes that are whole, or failed.
 */
#ifndef AF_IO_H
#define AF_IO_H

#include <stddef.h>
#include <sys/types.h>

/* Writes all of data; EINTR is retried. Returns 0 or -errno. */
int io_write_all(int fd, const void *data, size_t size);

/*
 * Reads until size bytes or the end. Returns the number of bytes read (short only at the end of the
 * file), or -errno.
 */
ssize_t io_read_full(int fd, void *data, size_t size);

/*
 * Reads the rest of fd, at most max bytes (-EFBIG beyond), into a newly allocated buffer with a NUL
 * after its end. *size gets the length without it. Returns 0 or -errno.
 */
int io_read_all(int fd, size_t max, char **data, size_t *size);

#endif
