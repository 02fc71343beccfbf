/*
 * Walking the delta's upper: every entry becomes a fact. Nothing but directories is opened, and what
 * must never be merged is refused, with the reason.
 */
#ifndef AF_SCAN_H
#define AF_SCAN_H

#include "facts.h"

/* Adds a fact for each entry of upper, sorted by path. 0 or -errno. */
int scan_upper(struct facts *facts, int upper_fd);

/* A new fact at the end; path is copied. NULL: out of memory. */
struct fact *facts_add(struct facts *facts, const char *path);
struct fact *facts_find(const struct facts *facts, const char *path);
/* The same of the first bytes of path: a directory above it. */
struct fact *facts_find_prefix(const struct facts *facts, const char *path, size_t len);
/* In the order of path names: a directory before what is in it. */
int facts_compare(const char *a, const char *b);
void facts_fini(struct facts *facts);

#endif
