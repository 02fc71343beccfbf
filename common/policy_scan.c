/*
 * The text of a policy file, before libConfuse sees it.
 *
 * libConfuse's lexer takes much silently: it puts environment variables in, drops characters that it
 * does not know (an unquoted * among them), ends a string at a NUL, and remembers an unclosed quote
 * for the next file. In a policy each of these could open what was meant to be closed. So the text is
 * first read here, by the same lexical rules (libConfuse 3.3, src/lexer.l), and refused where they
 * would do any of that. The lines of the strings are noted too: libConfuse only knows where a call
 * ends.
 */
#include "policy_internal.h"

#include "io.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_TEXT ((size_t)64 << 20)

struct scan {
	struct policy_text *out;
	const char *name;
	char *at;
	const char *end;
	unsigned int line;
	bool in_call;      /* between parentheses */
	bool after_string; /* there, a comma or the closing one must follow */
	bool in_group;     /* between braces */
	unsigned int call_line, group_line;
};

static int refuse(const struct scan *s, unsigned int line, const char *why)
{
	return rules_refuse(s->name, line, NULL, why);
}

/* Moves over what is at hand, counting lines. */
static void skip(struct scan *s, size_t count)
{
	for (; count > 0 && s->at < s->end; count--)
		s->line += *s->at++ == '\n';
}

static bool starts_with(const struct scan *s, const char *text)
{
	size_t len = strlen(text);

	return (size_t)(s->end - s->at) >= len && memcmp(s->at, text, len) == 0;
}

/*
 * Comments become blanks: libConfuse does not take them between any two words, and then loses count
 * of the lines.
 */
static void blank(struct scan *s, size_t count)
{
	for (; count > 0 && s->at < s->end; count--) {
		if (*s->at != '\n')
			*s->at = ' ';
		skip(s, 1);
	}
}

static void blank_line(struct scan *s)
{
	while (s->at < s->end && *s->at != '\n')
		blank(s, 1);
}

static int blank_comment(struct scan *s)
{
	unsigned int line = s->line;

	blank(s, 2);
	while (s->at < s->end && !starts_with(s, "*/"))
		blank(s, 1);
	if (s->at == s->end)
		return refuse(s, line, "a comment that is not closed");
	blank(s, 2);
	return 0;
}

static int add_arg(struct scan *s, unsigned int line)
{
	struct policy_text *out = s->out;

	if (!s->in_call)
		return 0;
	if (s->after_string)
		return refuse(s, line, "two strings without a comma between them");
	s->after_string = true;
	if (!glob_grow(
		    (void **)&out->arg_lines, &out->arg_room, out->args, sizeof(*out->arg_lines))) {
		log_error("%s: %s", s->name, strerror(ENOMEM));
		return -ENOMEM;
	}
	out->arg_lines[out->args++] = line;
	return 0;
}

static int digit_value(char c, int base)
{
	int value = c >= '0' && c <= '9' ? c - '0'
		: c >= 'a' && c <= 'f'   ? c - 'a' + 10
		: c >= 'A' && c <= 'F'   ? c - 'A' + 10
					 : base;

	return value < base ? value : -1;
}

/* A backslash in double quotes: only a number can make a NUL. */
static int scan_escape(struct scan *s)
{
	bool hex = s->end - s->at > 1 && s->at[1] == 'x';
	int base = hex ? 16 : 8, most = hex ? 2 : 3, value = 0, digits = 0;
	const char *first = s->at + (hex ? 2 : 1);

	while (digits < most && first + digits < s->end && digit_value(first[digits], base) >= 0)
		value = value * base + digit_value(first[digits++], base);
	if (digits > 0 && value == 0)
		return refuse(s, s->line, "a NUL in a string");
	skip(s, 2);
	return 0;
}

static int scan_string(struct scan *s, char quote)
{
	unsigned int line = s->line;

	skip(s, 1);
	while (s->at < s->end && *s->at != quote) {
		int rc = 0;

		if (quote == '"' && starts_with(s, "${"))
			return refuse(s, s->line,
				"${...} is put in from the environment in double quotes: use "
				"single quotes, or \\$");
		if (*s->at == '\n')
			return refuse(s, line, "a string that goes on in the next line");
		if (*s->at != '\\')
			skip(s, 1);
		else if (quote == '"')
			rc = scan_escape(s);
		else
			skip(s, 2);
		if (rc)
			return rc;
	}
	if (s->at == s->end)
		return refuse(s, line, "a string that is not closed");
	skip(s, 1);
	return add_arg(s, line);
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '-' || c == '+' || c == '.';
}

static int scan_word(struct scan *s)
{
	if (starts_with(s, "${"))
		return refuse(s, s->line, "${...} is put in from the environment: not in a policy");
	if (s->in_call)
		return refuse(s, s->line, "a pattern or file name must be in quotes");
	if (!is_word(*s->at))
		return refuse(s, s->line, "an unexpected character outside quotes");
	while (s->at < s->end && is_word(*s->at))
		s->at++;
	return 0;
}

/*
 * Calls and groups are checked here: libConfuse loses memory where it finds a mistake inside a call,
 * and a daemon that reads its policy again would lose it every time; and it takes the end of the file
 * for the end of a group.
 */
static int scan_punctuation(struct scan *s)
{
	char c = *s->at;

	if (c == '(' && !s->in_call) {
		s->in_call = true;
		s->after_string = false;
		s->call_line = s->line;
	} else if (c == ')' && s->in_call) {
		s->in_call = false;
	} else if (c == ',' && s->in_call && s->after_string) {
		s->after_string = false;
	} else if (c == '{' && !s->in_group && !s->in_call) {
		s->in_group = true;
		s->group_line = s->line;
	} else if (c == '}' && s->in_group && !s->in_call) {
		s->in_group = false;
	} else if (c == '{' || c == '}') {
		return refuse(s, s->line, "a group is rules 'TITLE' { ... }");
	} else if (s->in_call || c == '(' || c == ')') {
		return refuse(s, s->line, "a call is LEVEL('PATTERN', ...)");
	}
	skip(s, 1);
	return 0;
}

static int scan_one(struct scan *s)
{
	switch (*s->at) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		skip(s, 1);
		return 0;
	case '{':
	case '}':
	case '=':
	case ',':
	case '(':
	case ')':
		return scan_punctuation(s);
	case '#':
		blank_line(s);
		return 0;
	case '"':
	case '\'':
		return scan_string(s, *s->at);
	}
	if (starts_with(s, "//")) {
		blank_line(s);
		return 0;
	}
	return starts_with(s, "/*") ? blank_comment(s) : scan_word(s);
}

static int scan(struct policy_text *text, const char *name)
{
	struct scan s = {
		.out = text,
		.name = name,
		.at = text->text,
		.end = text->text + text->size,
		.line = 1,
	};
	const char *nul = memchr(text->text, '\0', text->size);
	int rc = 0;

	if (nul) {
		skip(&s, (size_t)(nul - text->text));
		return refuse(&s, s.line, "a NUL byte: not a policy file");
	}
	while (s.at < s.end && !rc)
		rc = scan_one(&s);
	if (!rc && s.in_call)
		rc = refuse(&s, s.call_line, "a call that is not closed");
	if (!rc && s.in_group)
		rc = refuse(&s, s.group_line, "a group that is not closed");
	return rc;
}

/* The text is there, or rc says why not. */
static int finish(struct policy_text *text, const char *name, int rc)
{
	if (rc) {
		log_error("%s: %s", name, strerror(-rc));
		return rc;
	}
	/* A file that was cut off to nothing is no policy; one of comments is. */
	return text->size ? scan(text, name) : rules_refuse(name, 1, NULL, "an empty file");
}

int policy_text_read(struct policy_text *text, int fd, const char *name)
{
	struct stat st;
	int rc = fstat(fd, &st) < 0 ? -errno : 0;

	memset(text, 0, sizeof(*text));
	if (!rc && S_ISDIR(st.st_mode))
		rc = -EISDIR;
	/* A FIFO or a device could block, or never end. */
	if (!rc && !S_ISREG(st.st_mode)) {
		log_error("%s: not a regular file", name);
		return -EINVAL;
	}
	if (!rc)
		rc = io_read_all(fd, MAX_TEXT, &text->text, &text->size);
	return finish(text, name, rc);
}

int policy_text_copy(struct policy_text *text, const char *from, const char *name)
{
	size_t size = strlen(from);

	*text = (struct policy_text){.size = size};
	if (size > MAX_TEXT)
		return finish(text, name, -EFBIG);
	text->text = strdup(from);
	return finish(text, name, text->text ? 0 : -ENOMEM);
}

void policy_text_fini(struct policy_text *text)
{
	free(text->text);
	free(text->arg_lines);
	memset(text, 0, sizeof(*text));
}
