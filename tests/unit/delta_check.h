/*
 * For unit tests: a delta that must open, something in its upper, and whether it is still there.
 */
#ifndef AF_DELTA_CHECK_H
#define AF_DELTA_CHECK_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "delta_internal.h"
#include "io.h"
#include "remove.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline struct af_delta must_open(const char *path, enum delta_use use)
{
	struct af_delta delta = {.is_volatile = false};
	struct delta_fault fault;
	int rc = delta_open(&delta, path, use, &fault);

	if (rc)
		fail_msg("%s: %d: %s", path, rc, fault.text);
	return delta;
}

static inline void put_file(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static inline void assert_file(int dir_fd, const char *name, const char *text)
{
	char got[64] = "";
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(io_read_full(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, text);
}

/* Its first record; is_volatile is the delta's. */
static inline void log_source(struct af_delta *delta)
{
	const struct delta_source source = {.path = "/src", .is_volatile = delta->is_volatile};

	assert_int_equal(delta_log_source(&delta->log, &source), 0);
}

static inline void fill_upper(const struct af_delta *delta)
{
	assert_int_equal(mkdirat(delta->upper_fd, "dir", 0700), 0);
	put_file(delta->upper_fd, "dir/file", "content");
	put_file(delta->upper_fd, "last", "content");
}

/* All that fill_upper() made; false: nothing is there. Anything between fails. */
static inline bool upper_is_full(const struct af_delta *delta)
{
	if (delta_is_empty(delta->upper_fd) == 1)
		return false;
	assert_file(delta->upper_fd, "dir/file", "content");
	assert_file(delta->upper_fd, "last", "content");
	return true;
}

#endif
