#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"

enum { MAX_DEPTH = 64 };

void
json_setup(void)
{
	json_object_seed(0);
}

static void
release_value(void *value)
{
	json_decref(value);
}

static json_t *
own(struct ctx *ctx, json_t *value)
{
	ASSERT(value != NULL);
	ctx_defer(ctx, release_value, value);
	return value;
}

/* jansson allows 2048 levels; its own recursion and ours must not see them, so the text is measured first. */
static bool
depth_is_sane(const char *text, size_t length)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > MAX_DEPTH)
				return false;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return true;
}

bool
json_parse(struct ctx *ctx, const char *text, size_t length, json_t **value)
{
	json_error_t error;

	if (!depth_is_sane(text, length))
		return fail(ctx, FAIL_MALFORMED_JSON, "nested deeper than %d levels", MAX_DEPTH);
	if (length > 0 && memchr(text, '\0', length) != NULL) /* jansson takes one after a number for the end */
		return fail(ctx, FAIL_MALFORMED_JSON, "a NUL byte is no JSON");
	*value = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (*value == NULL)
		return fail(ctx, FAIL_MALFORMED_JSON, "line %d, column %d: %s", error.line, error.column,
		    text_sanitize(ctx, error.text));
	own(ctx, *value);
	return true;
}

json_t *
json_new_object(struct ctx *ctx)
{
	return own(ctx, json_object());
}

json_t *
json_new_array(struct ctx *ctx)
{
	return own(ctx, json_array());
}

static json_t *
new_string(struct ctx *ctx, const char *value)
{
	json_t *string = value == NULL ? json_null() : json_string(value);

	if (string == NULL)
		string = json_string(text_sanitize(ctx, value));
	ASSERT(string != NULL);
	return string;
}

void
json_put_string(struct ctx *ctx, json_t *object, const char *key, const char *value)
{
	ASSERT(json_object_set_new(object, key, new_string(ctx, value)) == 0);
}

void
json_put_int(json_t *object, const char *key, int64_t value)
{
	ASSERT(json_object_set_new(object, key, json_integer(value)) == 0);
}

void
json_put_bool(json_t *object, const char *key, bool value)
{
	ASSERT(json_object_set_new(object, key, json_boolean(value)) == 0);
}

void
json_put_null(json_t *object, const char *key)
{
	ASSERT(json_object_set_new(object, key, json_null()) == 0);
}

void
json_put(json_t *object, const char *key, json_t *value)
{
	ASSERT(json_object_set(object, key, value) == 0);
}

void
json_put_time(struct ctx *ctx, json_t *object, const char *key, int64_t at_us)
{
	bool none = at_us == 0 || at_us == CLOCK_INFINITY || at_us == CLOCK_MINUS_INFINITY;

	json_put_string(ctx, object, key, none ? NULL : clock_format(ctx, at_us));
}

void
json_add(json_t *array, json_t *value)
{
	ASSERT(json_array_append(array, value) == 0);
}

void
json_add_string(struct ctx *ctx, json_t *array, const char *value)
{
	ASSERT(json_array_append_new(array, new_string(ctx, value)) == 0);
}

static char *
dump(struct ctx *ctx, const json_t *value, size_t flags)
{
	size_t length = json_dumpb(value, NULL, 0, flags | JSON_ENCODE_ANY);
	char *text = ctx_alloc(ctx, length + 1);

	ASSERT(json_dumpb(value, text, length, flags | JSON_ENCODE_ANY) == length);
	return text;
}

char *
json_text(struct ctx *ctx, const json_t *value)
{
	return dump(ctx, value, JSON_COMPACT | JSON_REAL_PRECISION(15));
}

char *
json_text_sorted(struct ctx *ctx, const json_t *value)
{
	return dump(ctx, value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
}

char *
json_text_indented(struct ctx *ctx, const json_t *value)
{
	return dump(ctx, value, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
}

json_t *
json_trusted(struct ctx *ctx, const char *text)
{
	json_t *value;

	if (text == NULL || *text == '\0')
		return json_null();
	value = json_loads(text, JSON_DECODE_ANY, NULL);
	return value == NULL ? json_null() : own(ctx, value);
}

const char *
json_string_or(const json_t *object, const char *key, const char *otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_string(value) ? json_string_value(value) : otherwise;
}

int64_t
json_int_or(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

void
json_quote(struct text *out, const char *s)
{
	const char *clean = s;

	text_add(out, "\"");
	for (; *clean != '\0'; clean++) {
		size_t plain = strcspn(clean, "\"\\\b\f\n\r\t\x01\x02\x03\x04\x05\x06\x07\x0b\x0e\x0f\x10\x11\x12"
					      "\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");

		text_add_bytes(out, clean, plain);
		clean += plain;
		if (*clean == '\0')
			break;
		if (*clean == '"' || *clean == '\\')
			text_addf(out, "\\%c", *clean);
		else
			text_addf(out, "\\u%04x", (unsigned char)*clean);
	}
	text_add(out, "\"");
}

char *
json_pointer(struct ctx *ctx, const char *parent, const char *name)
{
	struct text out;

	text_init(&out, ctx);
	text_addf(&out, "%s/", parent);
	for (; *name != '\0'; name++) {
		if (*name == '~' || *name == '/')
			text_add(&out, *name == '~' ? "~0" : "~1");
		else
			text_add_bytes(&out, name, 1);
	}
	return out.data;
}
