/*
 * For unit tests: a policy from text, and messages caught from stderr.
 */
#ifndef AF_POLICY_TEXT_H
#define AF_POLICY_TEXT_H

#include "policy.h"

#include "io.h"
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Adds text as a file whose name messages give as /proc/self/fd/N. Returns as rules_add_file(). */
static inline int add_policy_text(struct af_rules *rules, const char *text, size_t size)
{
	char path[64];
	int fd = memfd_create("policy", MFD_CLOEXEC), rc;

	if (fd < 0 || io_write_all(fd, text, size) < 0)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = rules_add_file(rules, path);
	close(fd);
	return rc;
}

/* Compiles text, which must be right. */
static inline struct af_policy *policy_from(const char *text)
{
	struct af_rules *rules = rules_new();
	struct af_policy *policy = NULL;

	if (!rules || add_policy_text(rules, text, strlen(text)) != 0 ||
		policy_compile(rules, &policy) != 0)
		policy = NULL;
	rules_free(rules);
	return policy;
}

/* What is written to stderr between catch_begin() and catch_end(), at most 4 KiB of it. */
struct caught {
	int saved, fd;
	char text[4096];
};

static inline void catch_begin(struct caught *caught)
{
	fflush(stderr);
	caught->saved = dup(2);
	caught->fd = memfd_create("stderr", MFD_CLOEXEC);
	if (caught->saved < 0 || caught->fd < 0 || dup2(caught->fd, 2) < 0)
		abort();
}

static inline const char *catch_end(struct caught *caught)
{
	ssize_t len;

	fflush(stderr);
	len = pread(caught->fd, caught->text, sizeof(caught->text) - 1, 0);
	caught->text[len < 0 ? 0 : len] = '\0';
	dup2(caught->saved, 2);
	close(caught->saved);
	close(caught->fd);
	return caught->text;
}

#endif
