/*
 * A list of words. See words.h.
 */
#include "words.h"

#include "cleanup.h"

#include <bsd/stdlib.h>
#include <stdarg.h>
#include <string.h>

void words_fini(struct af_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct af_words){0};
}

/* Takes over text; NULL stands for memory that was not to be had. */
static void words_take(struct af_words *words, char *text)
{
	char **bigger;

	if (!text)
		words->error = -ENOMEM;
	if (words->count + 2 > words->room && text) {
		bigger = reallocarray(words->items, words->room * 2 + 16, sizeof(*bigger));
		if (!bigger) {
			words->error = -ENOMEM;
			free(text);
			return;
		}
		words->items = bigger;
		words->room = words->room * 2 + 16;
	}
	if (!text)
		return;
	words->items[words->count++] = text;
	words->items[words->count] = NULL;
}

void words_add(struct af_words *words, const char *text)
{
	words_take(words, strdup(text));
}

void words_addf(struct af_words *words, const char *fmt, ...)
{
	char *text;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	words_take(words, text);
}

void words_add_all(struct af_words *words, const char *const *texts)
{
	for (; *texts; texts++)
		words_add(words, *texts);
}

void words_set_env(struct af_words *words, const char *name, const char *value)
{
	size_t len = strlen(name);
	char *text;

	for (size_t i = 0; i < words->count; i++) {
		if (strncmp(words->items[i], name, len) != 0 || words->items[i][len] != '=')
			continue;
		if (asprintf(&text, "%s=%s", name, value) < 0) {
			words->error = -ENOMEM;
			return;
		}
		free(words->items[i]);
		words->items[i] = text;
		return;
	}
	words_addf(words, "%s=%s", name, value);
}

int words_error(const struct af_words *words)
{
	return words->error;
}

void words_quote(FILE *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789_-+=./,:@%";

	if (*text && strspn(text, plain) == strlen(text)) {
		fputs(text, out);
		return;
	}
	putc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else
			putc(*text, out);
	}
	putc('\'', out);
}

void words_print(FILE *out, char *const *items)
{
	for (size_t i = 0; items[i]; i++) {
		if (i > 0)
			putc(' ', out);
		words_quote(out, items[i]);
	}
	putc('\n', out);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void words_sort(struct af_words *words)
{
	if (words->count)
		qsort(words->items, words->count, sizeof(*words->items), compare);
}
