#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"

void
text_init(struct text *text, struct ctx *ctx)
{
	text->ctx = ctx;
	text->length = 0;
	text->capacity = 128;
	text->data = ctx_alloc(ctx, text->capacity);
}

static void
reserve(struct text *text, size_t more)
{
	size_t needed = text->length + more + 1;
	char *data;

	if (needed <= text->capacity)
		return;
	while (text->capacity < needed)
		text->capacity *= 2;
	data = ctx_alloc(text->ctx, text->capacity);
	memcpy(data, text->data, text->length + 1);
	text->data = data;
}

void
text_add_bytes(struct text *text, const void *bytes, size_t length)
{
	reserve(text, length);
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void
text_add(struct text *text, const char *s)
{
	text_add_bytes(text, s, strlen(s));
}

void
text_addf(struct text *text, const char *fmt, ...)
{
	va_list args, again;
	int length;

	va_start(args, fmt);
	va_copy(again, args);
	length = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	ASSERT(length >= 0);
	reserve(text, (size_t)length);
	(void)vsnprintf(text->data + text->length, (size_t)length + 1, fmt, args);
	text->length += (size_t)length;
	va_end(args);
}

const char *
text_from_i64(struct ctx *ctx, int64_t value)
{
	char digits[24], *s = digits + sizeof(digits) - 1;
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	*s = '\0';
	do
		*--s = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (value < 0)
		*--s = '-';
	return ctx_strdup(ctx, s);
}

const char *
text_from_bool(bool value)
{
	return value ? "true" : "false";
}

bool
text_to_i64(const char *s, int64_t *value)
{
	char *end;
	long long number;

	if (s == NULL || *s == '\0' || strspn(s, "+-0123456789") != strlen(s))
		return false;
	errno = 0;
	number = strtoll(s, &end, 10);
	if (errno != 0 || *end != '\0')
		return false;
	*value = number;
	return true;
}

bool
text_equal(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool
text_starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool
text_ends_with(const char *s, const char *suffix)
{
	size_t length = strlen(s), tail = strlen(suffix);

	return length >= tail && strcmp(s + length - tail, suffix) == 0;
}

bool
text_is_name(const char *s)
{
	size_t length = strlen(s);

	if (length == 0 || length > 63 || s[0] < 'a' || s[0] > 'z')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

/* Length of the valid UTF-8 sequence at s, 0 when there is none. */
static size_t
utf8_length(const unsigned char *s)
{
	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf && (s[1] & 0xc0) == 0x80)
		return 2;
	if ((s[0] & 0xf0) == 0xe0 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80) {
		if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f))
			return 0;
		return 3;
	}
	if (s[0] >= 0xf0 && s[0] <= 0xf4 && (s[1] & 0xc0) == 0x80 && (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80) {
		if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
			return 0;
		return 4;
	}
	return 0;
}

char *
text_sanitize(struct ctx *ctx, const char *s)
{
	char *copy = ctx_strdup(ctx, s);

	for (unsigned char *p = (unsigned char *)copy; *p != '\0';) {
		size_t length = utf8_length(p);

		if (length == 0 || (*p < 0x20 && *p != '\n' && *p != '\t') || *p == 0x7f ||
		    (*p == 0xc2 && p[1] < 0xa0)) {
			*p++ = '?';
			continue;
		}
		p += length;
	}
	return copy;
}

char *
text_hex(struct ctx *ctx, const unsigned char *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = ctx_alloc(ctx, length * 2 + 1);

	for (size_t i = 0; i < length; i++) {
		hex[i * 2] = digits[bytes[i] >> 4];
		hex[i * 2 + 1] = digits[bytes[i] & 15];
	}
	return hex;
}

/* Levenshtein distance with two rows; texts over 63 bytes count as infinitely far apart. */
static size_t
distance(const char *a, const char *b)
{
	size_t previous[64], current[64];
	size_t la = strlen(a), lb = strlen(b);

	if (la > 63 || lb > 63)
		return SIZE_MAX;
	for (size_t j = 0; j <= lb; j++)
		previous[j] = j;
	for (size_t i = 1; i <= la; i++) {
		current[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = previous[j - 1] + (a[i - 1] != b[j - 1]);

			best = previous[j] + 1 < best ? previous[j] + 1 : best;
			best = current[j - 1] + 1 < best ? current[j - 1] + 1 : best;
			current[j] = best;
		}
		memcpy(previous, current, sizeof(previous));
	}
	return previous[lb];
}

const char *
text_nearest(const char *s, const char *const *candidates, size_t count)
{
	const char *nearest = NULL;
	size_t best = strlen(s) / 3 + 2;

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(s, candidates[i]);

		if (d < best) {
			best = d;
			nearest = candidates[i];
		}
	}
	return nearest;
}
