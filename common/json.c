/*
 * The JSON writer of json.h (RFC 8259). It writes; it never reads.
 */
#include "json.h"

#include "utf8.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void json_init(struct af_json *json, FILE *out)
{
	json->out = out;
	json->need_comma = false;
}

/* How many bytes text begins with that are written as they are: most texts are nothing else. */
static size_t plain_length(const char *text, size_t len)
{
	size_t plain = 0;

	while (plain < len && text[plain] >= ' ' && text[plain] <= '~' && text[plain] != '"' &&
		text[plain] != '\\')
		plain++;
	return plain;
}

static void put_text(FILE *out, const char *text, size_t len)
{
	putc_unlocked('"', out);
	for (size_t i = 0; i < len;) {
		size_t plain = plain_length(text + i, len - i), bytes;
		unsigned char c;

		fwrite_unlocked(text + i, 1, plain, out);
		i += plain;
		if (i == len)
			break;
		c = (unsigned char)text[i];
		bytes = utf8_length(text + i, len - i, NULL);
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c == '\t')
			fputs("\\t", out);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else if (bytes == 0)
			fprintf(out, "\\udc%02x", c);
		else
			fwrite_unlocked(text + i, 1, bytes, out);
		i += bytes ? bytes : 1;
	}
	putc_unlocked('"', out);
}

static void begin_value(struct af_json *json, const char *key)
{
	if (json->need_comma)
		putc_unlocked(',', json->out);
	json->need_comma = true;
	if (key) {
		put_text(json->out, key, strlen(key));
		putc_unlocked(':', json->out);
	}
}

static void begin_group(struct af_json *json, const char *key, int bracket)
{
	begin_value(json, key);
	putc_unlocked(bracket, json->out);
	json->need_comma = false;
}

static void end_group(struct af_json *json, int bracket)
{
	putc_unlocked(bracket, json->out);
	json->need_comma = true;
}

void json_object(struct af_json *json, const char *key)
{
	begin_group(json, key, '{');
}

void json_object_end(struct af_json *json)
{
	end_group(json, '}');
}

void json_array(struct af_json *json, const char *key)
{
	begin_group(json, key, '[');
}

void json_array_end(struct af_json *json)
{
	end_group(json, ']');
}

void json_bytes(struct af_json *json, const char *key, const char *text, size_t len)
{
	begin_value(json, key);
	put_text(json->out, text, len);
}

void json_string(struct af_json *json, const char *key, const char *text)
{
	if (text)
		json_bytes(json, key, text, strlen(text));
	else
		json_null(json, key);
}

void json_int(struct af_json *json, const char *key, int64_t value)
{
	begin_value(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_double(struct af_json *json, const char *key, double value)
{
	begin_value(json, key);
	if (isfinite(value))
		fprintf(json->out, "%.6f", value);
	else
		fputs("null", json->out);
}

void json_bool(struct af_json *json, const char *key, bool value)
{
	begin_value(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct af_json *json, const char *key)
{
	begin_value(json, key);
	fputs("null", json->out);
}
