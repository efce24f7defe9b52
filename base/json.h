/*
 * json: jansson, made safe for strangers' input.
 *
 * Parsed and built values belong to a ctx: nobody calls json_decref on them. Depth is limited to 64, duplicates and
 * NULs are refused. Large data never comes through here.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>

#include "base/ctx.h"

/* Call once in main before threads: seeds jansson's hash. */
void json_setup(void);

/* Parses a whole text of any JSON type. FAIL_MALFORMED_JSON with line and column. */
bool json_parse(struct ctx *ctx, const char *text, size_t length, json_t **value) MUST_CHECK;

/* New values owned by the ctx. */
json_t *json_new_object(struct ctx *ctx);
json_t *json_new_array(struct ctx *ctx);

/* Setters that cannot fail: strings are sanitised to UTF-8, NULL gives null. */
void json_put_string(struct ctx *ctx, json_t *object, const char *key, const char *value);
void json_put_int(json_t *object, const char *key, int64_t value);
void json_put_bool(json_t *object, const char *key, bool value);
void json_put_null(json_t *object, const char *key);
void json_put(json_t *object, const char *key, json_t *value);                       /* shares value */
void json_put_time(struct ctx *ctx, json_t *object, const char *key, int64_t at_us); /* 0 or infinite: null */
void json_add(json_t *array, json_t *value);
void json_add_string(struct ctx *ctx, json_t *array, const char *value);

/* Compact text in insertion order; sorted: canonical, for hashes. */
char *json_text(struct ctx *ctx, const json_t *value);
char *json_text_sorted(struct ctx *ctx, const json_t *value);
char *json_text_indented(struct ctx *ctx, const json_t *value);

/* A text that is known to hold JSON because we or the database wrote it; NULL or "" gives null. */
json_t *json_trusted(struct ctx *ctx, const char *text);

/* Member of an object as string / integer, or the default when absent, null or of another type. */
const char *json_string_or(const json_t *object, const char *key, const char *otherwise);
int64_t json_int_or(const json_t *object, const char *key, int64_t otherwise);

/* "parent/name" with the escapes of RFC 6901. */
char *json_pointer(struct ctx *ctx, const char *parent, const char *name);

/* Appends "text" with JSON's escapes, quotes included: for hot paths that build no tree. */
struct text;
void json_quote(struct text *out, const char *s);

#endif
