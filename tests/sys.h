/*
 * What the parts of sys share: how arguments are read and answers given. See sys.c for its use.
 */
#ifndef TESTS_SYS_H
#define TESTS_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { MAX_HELD = 64 };

/* args ends in NULL. Returns 0, or -1 with errno. */
struct op {
	const char *name;
	int min_args, max_args;
	int (*run)(char **args);
};

/* Each ends in an entry without a name. */
extern const struct op ops_names[];
extern const struct op ops_attrs[];
extern const struct op ops_data[];

struct place {
	int dir;
	const char *name;
};

struct word {
	const char *name;
	long value;
};

/* Exits 2. */
void usage(const char *what, const char *arg);
/* Keeps an open descriptor for @N. Returns 0, or -1 for fd -1. */
int hold_fd(int fd);
int arg_fd(const char *arg);
struct place arg_place(const char *arg);
const char *arg_path(const char *arg);
long long arg_number(const char *arg);
mode_t arg_mode(char *const *args, mode_t otherwise);
long arg_word(const struct word *words, const char *arg);
long arg_words(const struct word *words, const char *arg);

void answer(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int answer_bytes(const char *bytes, ssize_t size);

#endif
