#include <ctype.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/text.h"
#include "etl/spec/parse.h"

enum {
	LARGEST_PRECISION = 1000,
	LONGEST_VALUE_BYTES = 1000,
	LONGEST_PATTERN_BYTES = 200,
	MOST_REPETITIONS = 10000,
};

/* In the order of enum type_kind. */
const char *const spec_type_words[] = {
    "text",
    "smallint",
    "integer",
    "bigint",
    "boolean",
    "numeric",
    "double",
    "date",
    "timestamp",
    "timestamptz",
    "uuid",
    "jsonb",
};
const size_t spec_type_words_count = LENGTH_OF(spec_type_words);

static const char *const full_names[] = {
    "text",
    "smallint",
    "integer",
    "bigint",
    "boolean",
    "numeric",
    "double precision",
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "uuid",
    "jsonb",
};

char *
spec_type_name(struct ctx *ctx, const struct spec_type *type)
{
	ASSERT((size_t)type->kind < LENGTH_OF(full_names));
	if (type->kind == TYPE_NUMERIC && type->precision > 0)
		return ctx_printf(ctx, "numeric(%d,%d)", type->precision, type->scale);
	return ctx_strdup(ctx, full_names[type->kind]);
}

static bool
take_small(const char **s, int *n)
{
	int digits = 0;

	while (**s == ' ')
		(*s)++;
	for (*n = 0; isdigit((unsigned char)**s) && digits < 5; (*s)++, digits++)
		*n = *n * 10 + (**s - '0');
	while (**s == ' ')
		(*s)++;
	return digits > 0;
}

static bool
parse_numeric(const char *s, struct spec_type *type)
{
	if (strncmp(s, "numeric(", 8) != 0)
		return false;
	s += 8;
	if (!take_small(&s, &type->precision) || type->precision < 1 || type->precision > LARGEST_PRECISION)
		return false;
	if (*s == ',') {
		s++;
		if (!take_small(&s, &type->scale) || type->scale > type->precision)
			return false;
	}
	type->kind = TYPE_NUMERIC;
	return strcmp(s, ")") == 0;
}

bool
spec_type_parse(const char *text, struct spec_type *type)
{
	*type = (struct spec_type){0};
	for (size_t i = 0; i < LENGTH_OF(full_names); i++) {
		if (strcmp(text, spec_type_words[i]) == 0 || strcmp(text, full_names[i]) == 0) {
			type->kind = (enum type_kind)i;
			return true;
		}
	}
	return parse_numeric(text, type);
}

/* [+-]digits[.digits][e[+-]digits]; an exponent only for doubles. */
static bool
is_number(const char *s, bool exponent)
{
	size_t whole, fraction = 0;

	s += *s == '+' || *s == '-';
	whole = strspn(s, "0123456789");
	s += whole;
	if (*s == '.') {
		fraction = strspn(s + 1, "0123456789");
		s += 1 + fraction;
	}
	if (whole + fraction == 0 || whole + fraction > 300)
		return false;
	if (exponent && (*s == 'e' || *s == 'E')) {
		size_t digits;

		s++;
		s += *s == '+' || *s == '-';
		digits = strspn(s, "0123456789");
		s += digits;
		if (digits == 0 || digits > 3)
			return false;
	}
	return *s == '\0';
}

static bool
is_uuid(const char *s)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
	}
	return s[36] == '\0';
}

static bool
is_within(const char *s, int64_t least, int64_t most)
{
	int64_t n;

	return text_to_i64(s, &n) && n >= least && n <= most;
}

static bool
is_time(const char *s)
{
	int64_t at_us;

	return clock_parse(s, &at_us) && at_us != CLOCK_INFINITY && at_us != CLOCK_MINUS_INFINITY;
}

/* A timestamp without zone: the same shape as with one, but for the zone. */
static bool
is_local_time(const char *s)
{
	char with_zone[64];

	if (clock_is_date(s))
		return true;
	if (strlen(s) > 40 || strpbrk(s, "Zz+") != NULL)
		return false;
	(void)snprintf(with_zone, sizeof(with_zone), "%sZ", s);
	return is_time(with_zone);
}

bool
spec_type_accepts(const struct spec_type *type, const char *value)
{
	if (strlen(value) > LONGEST_VALUE_BYTES)
		return false;
	switch (type->kind) {
	case TYPE_TEXT: return true;
	case TYPE_SMALLINT: return is_within(value, INT16_MIN, INT16_MAX);
	case TYPE_INTEGER: return is_within(value, INT32_MIN, INT32_MAX);
	case TYPE_BIGINT: return is_within(value, INT64_MIN, INT64_MAX);
	case TYPE_BOOLEAN: return strcmp(value, "true") == 0 || strcmp(value, "false") == 0;
	case TYPE_NUMERIC: return is_number(value, false);
	case TYPE_DOUBLE: return is_number(value, true);
	case TYPE_DATE: return clock_is_date(value);
	case TYPE_TIMESTAMP: return is_local_time(value);
	case TYPE_TIMESTAMPTZ: return is_time(value);
	case TYPE_UUID: return is_uuid(value);
	case TYPE_JSONB: return false;
	}
	return false;
}

/* What the braces of a pattern multiply to. */
static long
repetitions(const char *pattern)
{
	long product = 1;

	for (const char *p = strchr(pattern, '{'); p != NULL && product <= MOST_REPETITIONS; p = strchr(p + 1, '{')) {
		long most = 1, n = 1;

		for (const char *q = p + 1; *q != '\0' && *q != '}'; q++) {
			if (!isdigit((unsigned char)*q))
				continue;
			n = strtol(q, (char **)&q, 10);
			most = n > most ? n : most;
			q--;
		}
		product = most > MOST_REPETITIONS ? most : product * most;
	}
	return product;
}

bool
spec_pattern_is_sane(const char *pattern, const char **why)
{
	regex_t regex;

	*why = NULL;
	if (strlen(pattern) > LONGEST_PATTERN_BYTES)
		*why = "is longer than 200 bytes";
	else if (repetitions(pattern) > MOST_REPETITIONS)
		*why = "repeats too often";
	else if (strpbrk(pattern, "\n\t") != NULL)
		*why = "holds a line end or a tab";
	for (const char *p = pattern; *why == NULL && (p = strchr(p, '\\')) != NULL; p += 2)
		if (isdigit((unsigned char)p[1]))
			*why = "refers back to a group";
		else if (p[1] == '\0')
			*why = "ends with a backslash";
	if (*why != NULL)
		return false;
	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
		*why = "is not a POSIX extended regular expression";
		return false;
	}
	regfree(&regex);
	return true;
}

static void
release_regex(void *handle)
{
	regfree(handle);
}

bool
spec_param_accepts(struct ctx *ctx, const struct spec_param *param, const char *value)
{
	CTX_SCOPE(tmp, ctx);
	regex_t *regex = ctx_alloc(tmp, sizeof(*regex));

	if (!spec_type_accepts(&param->type, value))
		return false;
	if (param->pattern == NULL)
		return true;
	if (regcomp(regex, ctx_printf(tmp, "^(%s)$", param->pattern), REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	ctx_defer(tmp, release_regex, regex);
	return regexec(regex, value, 0, NULL, 0) == 0;
}
