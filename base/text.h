/*
 * text: growing strings and the small conversions everything needs.
 *
 * A struct text grows inside a ctx (its old blocks stay until the ctx dies: build, do not edit). Always NUL terminated.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/ctx.h"

struct text {
	struct ctx *ctx;
	char *data; /* never NULL after text_init */
	size_t length;
	size_t capacity;
};

void text_init(struct text *text, struct ctx *ctx);
void text_add(struct text *text, const char *s);
void text_add_bytes(struct text *text, const void *bytes, size_t length);
void text_addf(struct text *text, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Decimal text of a number, for statement parameters. */
const char *text_from_i64(struct ctx *ctx, int64_t value);
const char *text_from_bool(bool value); /* "true" / "false" */

/* Whole-string conversions; false when the text is anything else or out of range. */
bool text_to_i64(const char *s, int64_t *value) MUST_CHECK;

bool text_equal(const char *a, const char *b); /* NULL equals NULL */
bool text_starts_with(const char *s, const char *prefix);
bool text_ends_with(const char *s, const char *suffix);

/* True for [a-z][a-z0-9_]{0,62}: names of pipelines, tables, columns, connections. */
bool text_is_name(const char *s);

/* A copy that is valid UTF-8 without controls (C0, DEL, C1) but \n and \t: wrong bytes become '?'. For texts that databases and
 * clients send us and that end up in JSON. */
char *text_sanitize(struct ctx *ctx, const char *s);

/* Lower-case hexadecimal. */
char *text_hex(struct ctx *ctx, const unsigned char *bytes, size_t length);

/* The candidate nearest to s by edit distance, or NULL when none is near enough to be a slip of the pen. */
const char *text_nearest(const char *s, const char *const *candidates, size_t count);

#endif
