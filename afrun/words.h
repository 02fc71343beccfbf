/*
 * A list of words, such as an argument vector or an environment.
 *
 * Errors stick: builders add without checking and ask words_error() once, at the end.
 */
#ifndef AF_WORDS_H
#define AF_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct af_words {
	char **items; /* NULL-terminated once a word was added; each owned */
	size_t count;
	size_t room;
	int error; /* 0 or -ENOMEM */
};

void words_fini(struct af_words *words);
void words_add(struct af_words *words, const char *text);
void words_addf(struct af_words *words, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* text[0..] up to a NULL. */
void words_add_all(struct af_words *words, const char *const *texts);
/* Replaces the word that begins with the same NAME=, else adds: for environments. */
void words_set_env(struct af_words *words, const char *name, const char *value);
int words_error(const struct af_words *words);
/* By the values of their bytes. */
void words_sort(struct af_words *words);

/* Writes text so that sh(1) reads it back as one word. */
void words_quote(FILE *out, const char *text);
/* All words, quoted, with spaces between and a newline. */
void words_print(FILE *out, char *const *items);

#endif
