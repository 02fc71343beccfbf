/*
 * One pattern -> tokens, or why it is not one.
 *
 * The grammar is .gitignore's with braces (agentfense-policy(5)). A pattern is decided character by
 * character: a symbol is a code point, or a byte that is not part of well-formed UTF-8.
 */
#ifndef AF_GLOB_H
#define AF_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Symbols: code points, then the 128 stray bytes 0x80 to 0xff. */
#define GLOB_STRAY_BASE 0x110000U
#define GLOB_SYMBOLS (GLOB_STRAY_BASE + 0x100U)

/* How deep braces may be nested, so that whoever walks the tokens may recurse. */
#define GLOB_MAX_DEPTH 32

enum glob_kind {
	GLOB_CHAR,     /* value: a symbol */
	GLOB_ANY,      /* ? */
	GLOB_STAR,     /* *, within one name */
	GLOB_CLASS,    /* value: index into classes */
	GLOB_OPEN,     /* { */
	GLOB_COMMA,    /* the next alternative */
	GLOB_CLOSE,    /* } */
	GLOB_SLASH,    /* between two components */
	GLOB_GLOBSTAR, /* any number of whole components, with the slash after them */
};

struct glob_token {
	enum glob_kind kind;
	uint32_t value;
};

struct glob_range {
	uint32_t first, last; /* symbols, both included */
};

/* Sorted, apart from each other, negation and case already applied. */
struct glob_class {
	uint32_t first_range, ranges; /* in struct glob's ranges */
};

/* Zero-initialised before the first use; buffers are kept from one glob_parse() to the next. */
struct glob {
	struct glob_token *tokens;
	struct glob_class *classes;
	struct glob_range *ranges;
	size_t token_count, class_count, range_count;
	size_t token_room, class_room, range_room;
	bool negative;       /* began with ! */
	bool directory_only; /* ended in a slash, or in the component ** */
	bool nocase;         /* characters and classes match ASCII letters of either case */
};

/*
 * Parses text into glob; an anchored pattern has no leading GLOB_GLOBSTAR, a floating one does. No
 * tokens at all: the root, so everything.
 * Returns 0, -ENOMEM, or -EINVAL with *why set to a static string.
 */
int glob_parse(struct glob *glob, const char *text, bool nocase, const char **why);
void glob_fini(struct glob *glob);

/* The symbol that text (len > 0 bytes) begins with; *bytes gets its length. */
uint32_t glob_symbol(const char *text, size_t len, size_t *bytes);

/* For glob_class.c: makes room for one more element of *array. Returns false if memory is short. */
bool glob_grow(void **array, size_t *room, size_t count, size_t element);

/*
 * Parses the bracket expression that begins at *text (just after the [) and moves *text after its ].
 * Appends a class to glob. Returns 0, -ENOMEM, or -EINVAL with *why.
 */
int glob_parse_class(struct glob *glob, const char **text, const char **why);

#endif
