/*
 * A JSON writer onto a stream: commas and escapes are its business, the order of keys the caller's.
 *
 * Paths are bytes and JSON is Unicode: a byte that is not part of well-formed UTF-8 is written as
 * the lone surrogate \udcNN (NN = the byte, 80 to ff), as Python's surrogateescape does, so that
 * the bytes stay recoverable.
 */
#ifndef AF_JSON_H
#define AF_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct af_json {
	FILE *out; /* borrowed */
	bool need_comma;
};

void json_init(struct af_json *json, FILE *out);

/* key is NULL for an array's element or the outermost value, here and below. */
void json_object(struct af_json *json, const char *key);
void json_object_end(struct af_json *json);
void json_array(struct af_json *json, const char *key);
void json_array_end(struct af_json *json);
/* text NULL writes null. */
void json_string(struct af_json *json, const char *key, const char *text);
void json_bytes(struct af_json *json, const char *key, const char *text, size_t len);
void json_int(struct af_json *json, const char *key, int64_t value);
void json_double(struct af_json *json, const char *key, double value);
void json_bool(struct af_json *json, const char *key, bool value);
void json_null(struct af_json *json, const char *key);

#endif
