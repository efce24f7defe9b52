#include "etl/duck/json_scan.h"

#include <string.h>

enum { DEEPEST = 200, LARGEST_EXPONENT = 100000 };

void
json_scan_space(struct json_scan *scan)
{
	while (
	    scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
		scan->at++;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX, or -1. */
static int
hex_unit(const char *at, const char *end)
{
	int unit = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

/* At the u of \uXXXX, perhaps with the other half behind it. */
static bool
scan_unit(struct json_scan *scan)
{
	int unit = hex_unit(scan->at + 1, scan->end), low;

	if (unit < 0)
		return false;
	scan->at += 5;
	if (unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
		scan->broken = true;
	if (unit < 0xD800 || unit > 0xDBFF)
		return true;
	low = scan->end - scan->at >= 6 && scan->at[0] == '\\' && scan->at[1] == 'u' ? hex_unit(scan->at + 2, scan->end)
										     : -1;
	if (low >= 0xDC00 && low <= 0xDFFF)
		scan->at += 6;
	else
		scan->broken = true;
	return true;
}

static bool
scan_string(struct json_scan *scan, bool *escaped)
{
	*escaped = false;
	for (scan->at++; scan->at < scan->end;) {
		unsigned char c = (unsigned char)*scan->at;

		if (c == '"') {
			scan->at++;
			return true;
		}
		if (c < 0x20)
			return false;
		scan->at++;
		if (c != '\\')
			continue;
		*escaped = true;
		if (scan->at == scan->end)
			return false;
		if (*scan->at == 'u') {
			if (!scan_unit(scan))
				return false;
		} else if (*scan->at == '\0' || strchr("\"\\/bfnrt", *scan->at++) == NULL) {
			return false;
		}
	}
	return false;
}

static int
scan_digits(struct json_scan *scan)
{
	const char *first = scan->at;

	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
		scan->at++;
	return (int)(scan->at - first);
}

static bool
scan_exponent(struct json_scan *scan)
{
	const char *first;
	int digits, exponent = 0;

	if (scan->at == scan->end || (*scan->at != 'e' && *scan->at != 'E'))
		return true;
	scan->at++;
	if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-'))
		scan->at++;
	first = scan->at;
	digits = scan_digits(scan);
	for (int i = 0; i < digits && exponent <= LARGEST_EXPONENT; i++)
		exponent = exponent * 10 + (first[i] - '0');
	scan->huge |= exponent > LARGEST_EXPONENT || (exponent > 16000 && first[-1] == '-');
	return digits > 0;
}

static bool
scan_number(struct json_scan *scan)
{
	if (*scan->at == '-')
		scan->at++;
	if (scan->at < scan->end && *scan->at == '0')
		scan->at++;
	else if (scan_digits(scan) == 0)
		return false;
	if (scan->at < scan->end && *scan->at == '.') {
		scan->at++;
		if (scan_digits(scan) == 0)
			return false;
	}
	return scan_exponent(scan);
}

static bool
scan_word(struct json_scan *scan, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, word, length) != 0)
		return false;
	scan->at += length;
	return true;
}

/* From the opening to the closing bracket of an object or array. */
static bool
scan_nested(struct json_scan *scan) /* NOLINT(misc-no-recursion): at most DEEPEST */
{
	bool object = *scan->at == '{', escaped;
	char close = object ? '}' : ']';
	struct json_slice slice;

	if (++scan->depth > DEEPEST)
		return false;
	scan->at++;
	json_scan_space(scan);
	if (scan->at < scan->end && *scan->at == close) {
		scan->at++;
		scan->depth--;
		return true;
	}
	for (;;) {
		if (object) {
			json_scan_space(scan);
			if (scan->at == scan->end || *scan->at != '"' || !scan_string(scan, &escaped))
				return false;
			json_scan_space(scan);
			if (scan->at == scan->end || *scan->at++ != ':')
				return false;
		}
		if (!json_scan_value(scan, &slice))
			return false;
		json_scan_space(scan);
		if (scan->at == scan->end || (*scan->at != ',' && *scan->at != close))
			return false;
		if (*scan->at++ == close)
			break;
	}
	scan->depth--;
	return true;
}

bool
json_scan_value(struct json_scan *scan, struct json_slice *slice) /* NOLINT(misc-no-recursion) */
{
	bool good;

	json_scan_space(scan);
	slice->data = scan->at;
	slice->escaped = false;
	if (scan->at == scan->end)
		return false;
	switch (*scan->at) {
	case '"':
		slice->kind = FIELD_STRING;
		good = scan_string(scan, &slice->escaped);
		break;
	case '{':
	case '[':
		slice->kind = FIELD_NESTED;
		good = scan_nested(scan);
		break;
	case 't':
	case 'f':
		slice->kind = FIELD_BOOLEAN;
		good = scan_word(scan, *scan->at == 't' ? "true" : "false");
		break;
	case 'n':
		slice->kind = FIELD_NULL;
		good = scan_word(scan, "null");
		break;
	default: slice->kind = FIELD_NUMBER; good = scan_number(scan);
	}
	slice->length = (size_t)(scan->at - slice->data);
	return good;
}

static char *
put_utf8(char *to, unsigned code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xC0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3F));
	} else if (code < 0x10000) {
		*to++ = (char)(0xE0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3F));
		*to++ = (char)(0x80 | (code & 0x3F));
	} else {
		*to++ = (char)(0xF0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3F));
		*to++ = (char)(0x80 | (code >> 6 & 0x3F));
		*to++ = (char)(0x80 | (code & 0x3F));
	}
	return to;
}

/* The escape at `at`, behind the backslash. */
static const char *
unescape_one(const char *at, const char *end, char **to)
{
	static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
	const char *letter;
	unsigned code, low;

	if (*at != 'u') {
		letter = strchr(letters, *at);
		*(*to)++ = letter != NULL ? bytes[letter - letters] : *at;
		return at + 1;
	}
	code = (unsigned)hex_unit(at + 1, end);
	at += 5;
	if (code >= 0xD800 && code <= 0xDBFF && end - at >= 6) {
		low = (unsigned)hex_unit(at + 2, end);
		code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
		at += 6;
	}
	*to = put_utf8(*to, code);
	return at;
}

/* The slice was scanned and is not broken: halves have their partners. */
size_t
json_unescape(const struct json_slice *slice, char *to)
{
	const char *at = slice->data + 1, *end = slice->data + slice->length - 1;
	char *first = to;

	while (at < end) {
		const char *back = memchr(at, '\\', (size_t)(end - at));
		size_t plain = (size_t)((back != NULL ? back : end) - at);

		memcpy(to, at, plain);
		to += plain;
		at += plain;
		if (back != NULL)
			at = unescape_one(back + 1, end, &to);
	}
	return (size_t)(to - first);
}

/* Bytes of the sequence at s, 0 when it is wrong: no overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t
sequence_length(const unsigned char *s, size_t left)
{
	size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;

	if (s[0] < 0xC2 || s[0] > 0xF4 || left < length)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
	    (s[0] == 0xF4 && s[1] > 0x8F))
		return 0;
	return length;
}

bool
utf8_valid(const char *data, size_t length)
{
	const unsigned char *s = (const unsigned char *)data;
	size_t i = 0;

	while (i < length) {
		uint64_t eight;
		size_t step = 1;

		if (length - i >= 8) {
			memcpy(&eight, s + i, 8);
			if ((eight & UINT64_C(0x8080808080808080)) == 0) {
				i += 8;
				continue;
			}
		}
		if (s[i] >= 0x80 && (step = sequence_length(s + i, length - i)) == 0)
			return false;
		i += step;
	}
	return true;
}
