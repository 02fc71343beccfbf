/*
 * Names of files as one field of one line, and back. See names.h.
 */
#include "names.h"

#include "log.h"
#include "utf8.h"

#include <stdint.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* The byte that text, which begins with a backslash, stands for if it is \xNN; else -1. */
static int escaped_byte(const char *text)
{
	int high = text[1] == 'x' ? hex_digit(text[2]) : -1;
	int low = high >= 0 ? hex_digit(text[3]) : -1;

	return low < 0 ? -1 : high << 4 | low;
}

void names_print(FILE *out, const char *text)
{
	while (*text) {
		size_t bytes = utf8_length(text, strnlen(text, 4), NULL);
		char shown[32] = "";

		bytes = bytes ? bytes : 1;
		if (*text == '\\' && escaped_byte(text) > 0)
			fputs("\\x5c", out);
		else
			fwrite(shown, 1, log_escape(shown, sizeof(shown), text, bytes), out);
		text += bytes;
	}
}

void names_unescape(char *text)
{
	char *to = text;

	while (*text) {
		int byte = *text == '\\' ? escaped_byte(text) : -1;

		if (byte > 0) {
			*to++ = (char)byte;
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}
