#include "handlers/uri.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/fail.h"
#include "base/text.h"

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that %XX at s stands for, -1 when it is not one. s is NUL terminated. */
static int
escaped_byte(const char *s)
{
	int high = hex_digit(s[1]);
	int low = high < 0 ? -1 : hex_digit(s[2]);

	return low < 0 ? -1 : high * 16 + low;
}

static bool
is_clean(struct ctx *ctx, const char *s)
{
	if (strpbrk(s, "\n\t") != NULL)
		return false;
	return text_equal(text_sanitize(ctx, s), s);
}

bool
uri_decode(struct ctx *ctx, const char *raw, size_t length, char **decoded)
{
	char *copy = ctx_strndup(ctx, raw, length), *out = copy;

	for (const char *in = copy; *in != '\0'; in++) {
		int byte = (unsigned char)*in;

		if (*in == '%') {
			byte = escaped_byte(in);
			if (byte <= 0)
				return fail(ctx, FAIL_BAD_REQUEST, "the URL holds a wrong escape");
			in += 2;
		}
		*out++ = (char)byte;
	}
	*out = '\0';
	*decoded = copy;
	if (!is_clean(ctx, copy))
		return fail(ctx, FAIL_BAD_REQUEST, "the URL holds control bytes or is not UTF-8");
	return true;
}

/* . and .. also as %2e. */
static bool
is_dots(const char *segment, size_t length)
{
	size_t dots = 0;

	for (size_t i = 0; i < length; dots++) {
		if (segment[i] == '.')
			i++;
		else if (length - i >= 3 && strncasecmp(segment + i, "%2e", 3) == 0)
			i += 3;
		else
			return false;
	}
	return dots == 1 || dots == 2;
}

bool
uri_path_is_sane(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~') /* also what is negative: bytes that must be escaped */
			return false;
	for (const char *p = path; *p != '\0';) {
		size_t length = strcspn(++p, "/");

		if (is_dots(p, length))
			return false;
		for (size_t i = 0; i + 2 < length; i++) {
			if (strncmp(p + i, "%00", 3) == 0 || strncasecmp(p + i, "%2f", 3) == 0)
				return false;
		}
		p += length;
	}
	return true;
}
