/*
 * Which source a delta is merged into: the one that is named, or the one that the delta says it was made on.
 */
#ifndef AF_WHERE_H
#define AF_WHERE_H

#include "delta.h"

/* What the delta's SOURCE record says. */
struct where_record {
	char *path; /* owned; NULL: there is no record, or none that is to be believed */
	uint64_t dev, ino;
};

struct where {
	int fd;     /* O_PATH | O_DIRECTORY of the source's root; owned */
	char *path; /* owned; absolute, resolved */
};

#define WHERE_NONE ((struct where){.fd = -1})

/* 0 or -errno (not reported). */
int where_read_record(const struct af_delta *delta, struct where_record *record);
void where_record_fini(struct where_record *record);

/*
 * Opens the source: `named`, the caller's word, or where that is NULL the record's, if what is there is
 * still the same directory. record may be NULL. 0 or -errno, reported. Ended with where_fini().
 */
int where_open(struct where *where, const char *named, const struct where_record *record);
void where_fini(struct where *where);

#endif
