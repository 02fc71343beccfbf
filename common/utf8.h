/*
 * The one answer to "which bytes here are one character".
 */
#ifndef AF_UTF8_H
#define AF_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Length in bytes (2 to 4) of the well-formed multi-byte UTF-8 sequence that text begins with, 1 for
 * an ASCII byte, or 0 where it begins with a stray byte (RFC 3629: no overlong forms, no surrogates,
 * nothing above U+10FFFF). len must be at least 1. *code gets the code point, if not NULL.
 */
static inline size_t utf8_length(const char *text, size_t len, uint32_t *code)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t need = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t value;

	if (need == 0 || s[0] > 0xf4 || need > len)
		return 0;
	value = need == 1 ? s[0] : s[0] & (0x7fU >> need);
	for (size_t i = 1; i < need; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	if ((need == 3 && (value < 0x800 || (value >= 0xd800 && value < 0xe000))) ||
		(need == 4 && (value < 0x10000 || value > 0x10ffff)))
		return 0;
	if (code)
		*code = value;
	return need;
}

#endif
