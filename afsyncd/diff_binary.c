/*
 * A binary file's change: both contents whole, as git-apply(1) takes them ("literal" in its apply.c): a
 * zlib stream (RFC 1950) in base 85 (git's base85.c), 52 bytes a line.
 *
 * The stream is of stored blocks, which need no compressor: a patch of binary files is large as it is.
 */
#include "diff.h"

#include <stdint.h>
#include <string.h>

enum { LINE_BYTES = 52, BLOCK_BYTES = 65535 };

/* What is written of the stream so far, and the line that is being filled. */
struct encoder {
	FILE *out;
	uint8_t line[LINE_BYTES];
	size_t used;
};

static void put_group(FILE *out, const uint8_t bytes[4])
{
	static const char digits[] =
		"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"!#$%&()*+-;<=>?@^_`{|}~";
	uint32_t value = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
		(uint32_t)bytes[2] << 8 | bytes[3];
	char text[5];

	for (int i = 4; i >= 0; i--) {
		text[i] = digits[value % 85];
		value /= 85;
	}
	fwrite(text, 1, sizeof(text), out);
}

/* A letter for the line's length, A to Z and a to z, then its bytes, padded to whole groups. */
static void end_line(struct encoder *encoder)
{
	size_t used = encoder->used;

	if (used == 0)
		return;
	memset(encoder->line + used, 0, LINE_BYTES - used);
	putc(used <= 26 ? 'A' + (int)used - 1 : 'a' + (int)used - 27, encoder->out);
	for (size_t i = 0; i < used; i += 4)
		put_group(encoder->out, encoder->line + i);
	putc('\n', encoder->out);
	encoder->used = 0;
}

static void put_bytes(struct encoder *encoder, const void *data, size_t size)
{
	const uint8_t *next = data;

	while (size > 0) {
		size_t part = LINE_BYTES - encoder->used < size ? LINE_BYTES - encoder->used : size;

		memcpy(encoder->line + encoder->used, next, part);
		encoder->used += part;
		next += part;
		size -= part;
		if (encoder->used == LINE_BYTES)
			end_line(encoder);
	}
}

/* RFC 1950, section 8.2. */
static uint32_t adler32_of(const uint8_t *data, size_t size)
{
	enum { BASE = 65521, RUN = 5552 };
	uint32_t a = 1, b = 0;

	while (size > 0) {
		size_t part = size < RUN ? size : RUN;

		size -= part;
		for (; part > 0; part--) {
			a += *data++;
			b += a;
		}
		a %= BASE;
		b %= BASE;
	}
	return b << 16 | a;
}

static void put_stored(struct encoder *encoder, const uint8_t *data, size_t size)
{
	do {
		size_t part = size < BLOCK_BYTES ? size : BLOCK_BYTES;
		uint8_t head[] = {part == size, part & 0xff, (uint8_t)(part >> 8), ~part & 0xff,
			(uint8_t)(~part >> 8)};

		put_bytes(encoder, head, sizeof(head));
		put_bytes(encoder, data, part);
		data += part;
		size -= part;
	} while (size > 0);
}

static void put_literal(FILE *out, const struct diff_side *side)
{
	static const uint8_t head[] = {0x78, 0x01};
	const uint8_t *data = (const uint8_t *)(side->data ? side->data : "");
	uint32_t sum = adler32_of(data, side->size);
	uint8_t tail[] = {
		(uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum};
	struct encoder encoder = {.out = out};

	fprintf(out, "literal %zu\n", side->size);
	put_bytes(&encoder, head, sizeof(head));
	put_stored(&encoder, data, side->size);
	put_bytes(&encoder, tail, sizeof(tail));
	end_line(&encoder);
	putc('\n', out);
}

void diff_binary(FILE *out, const struct diff_side *before, const struct diff_side *after)
{
	fputs("GIT binary patch\n", out);
	put_literal(out, after);
	put_literal(out, before);
}
