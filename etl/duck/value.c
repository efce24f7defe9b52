#include "etl/duck/value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "etl/duck/json_scan.h"

const char *
rule_word(enum rule rule)
{
	static const char *const words[] = {
#define RULE(code, word) word,
#include "etl/duck/rule.def"
#undef RULE
	};

	ASSERT((size_t)rule < LENGTH_OF(words));
	return words[rule];
}

bool
value_is_text(const struct spec_type *type)
{
	return type->kind == TYPE_NUMERIC && (type->precision == 0 || type->precision > VALUE_WIDEST_DECIMAL);
}

static enum rule
parse_integer(const struct spec_type *type, const struct field *field, int64_t *i)
{
	static const int64_t largest[] =
	    {[TYPE_SMALLINT] = INT16_MAX, [TYPE_INTEGER] = INT32_MAX, [TYPE_BIGINT] = INT64_MAX};
	struct decimal decimal;
	__int128 wide, most = largest[type->kind];

	if (!decimal_parse(field->data, field->length, &decimal))
		return RULE_TYPE;
	if (decimal.point < decimal.count) {
		for (int k = decimal.point > 0 ? decimal.point : 0; k < decimal.count; k++)
			if (decimal.digits[k] != 0)
				return RULE_TYPE; /* 1.6 is no integer; 1.0 is */
	}
	if (!decimal_to_scaled(&decimal, VALUE_WIDEST_DECIMAL, 0, &wide) || wide > most || wide < -most - 1)
		return RULE_RANGE;
	*i = (int64_t)wide;
	return RULE_NONE;
}

/* Without a point, an exponent or many digits, as most are. */
static bool
parse_plain_integer(const struct field *field, int64_t *i)
{
	bool negative = field->length > 0 && field->data[0] == '-';
	size_t first = negative ? 1 : 0;

	if (field->length - first > 18 || field->length == first)
		return false;
	*i = 0;
	for (size_t k = first; k < field->length; k++) {
		if (field->data[k] < '0' || field->data[k] > '9')
			return false;
		*i = *i * 10 + (field->data[k] - '0');
	}
	if (negative)
		*i = -*i;
	return true;
}

static enum rule
parse_any_integer(const struct spec_type *type, const struct field *field, int64_t *i)
{
	if (!parse_plain_integer(field, i))
		return parse_integer(type, field, i);
	if ((type->kind == TYPE_SMALLINT && (*i > INT16_MAX || *i < INT16_MIN)) ||
	    (type->kind == TYPE_INTEGER && (*i > INT32_MAX || *i < INT32_MIN)))
		return RULE_RANGE;
	return RULE_NONE;
}

static enum rule
parse_numeric(const struct spec_type *type, const struct field *field, struct value *value)
{
	struct decimal decimal;

	if (!decimal_parse(field->data, field->length, &decimal))
		return RULE_TYPE;
	if (value_is_text(type)) {
		value->text.data = field->data;
		value->text.length = field->length;
		if (type->precision == 0)
			return RULE_NONE;
		return decimal.point <= type->precision - type->scale ? RULE_NONE : RULE_RANGE;
	}
	return decimal_to_scaled(&decimal, type->precision, type->scale, &value->wide) ? RULE_NONE : RULE_RANGE;
}

static enum rule
parse_double(const struct field *field, double *d)
{
	static const char *const words[] = {"nan", "infinity", "-infinity"};
	char copy[512], *end;

	for (size_t i = 0; i < LENGTH_OF(words); i++) {
		if (field->length == strlen(words[i]) && strncasecmp(field->data, words[i], field->length) == 0) {
			*d = i == 0 ? (double)NAN : i == 1 ? (double)INFINITY : -(double)INFINITY;
			return RULE_NONE;
		}
	}
	if (field->length == 0 || field->length >= sizeof(copy) ||
	    strspn(field->data, "+-0123456789.eE") < field->length)
		return RULE_TYPE;
	memcpy(copy, field->data, field->length);
	copy[field->length] = '\0';
	errno = 0;
	*d = strtod(copy, &end);
	if (*end != '\0')
		return RULE_TYPE;
	return errno == ERANGE && isinf(*d) ? RULE_RANGE : RULE_NONE;
}

static enum rule
parse_boolean(const struct field *field, int64_t *i)
{
	static const char *const words[] = {"false", "true", "f", "t", "no", "yes", "n", "y", "off", "on", "0", "1"};

	for (size_t k = 0; k < LENGTH_OF(words); k++) {
		if (field->length == strlen(words[k]) && strncasecmp(field->data, words[k], field->length) == 0) {
			*i = (int64_t)k % 2;
			return RULE_NONE;
		}
	}
	return RULE_TYPE;
}

/* A time without zone takes Z for what it says and refuses offsets, which PostgreSQL would drop in silence. */
static enum rule
parse_moment(const struct spec_type *type, const struct field *field, int64_t *i)
{
	bool zone, utc;

	if (type->kind == TYPE_DATE)
		return value_parse_date(field->data, field->length, i) ? RULE_NONE : RULE_TYPE;
	if (!value_parse_time(field->data, field->length, i, &zone, &utc))
		return RULE_TYPE;
	return type->kind == TYPE_TIMESTAMP && zone && !utc ? RULE_TYPE : RULE_NONE;
}

static enum rule
parse_uuid(const struct field *field, __int128 *wide)
{
	unsigned __int128 bits = 0;
	int digits = 0;

	for (size_t i = 0; i < field->length; i++) {
		char c = field->data[i];

		if (c == '-' && field->length == 36 && (i == 8 || i == 13 || i == 18 || i == 23))
			continue;
		if (c >= '0' && c <= '9')
			c = (char)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			c = (char)((c | 0x20) - 'a' + 10);
		else
			return RULE_TYPE;
		bits = bits << 4 | (unsigned char)c;
		digits++;
	}
	*wide = (__int128)bits;
	return digits == 32 ? RULE_NONE : RULE_TYPE;
}

/* From JSON it is checked already; from CSV it is text that must be JSON. */
static enum rule
parse_jsonb(const struct field *field, struct value *value)
{
	struct json_scan scan = {.at = field->data, .end = field->data + field->length};
	struct json_slice slice;

	value->text.data = field->data;
	value->text.length = field->length;
	if (field->kind == FIELD_NESTED)
		return RULE_NONE;
	if (!json_scan_value(&scan, &slice))
		return RULE_TYPE;
	json_scan_space(&scan);
	if (scan.at != scan.end)
		return RULE_TYPE;
	return scan.broken ? RULE_NUL : scan.huge ? RULE_RANGE : RULE_NONE;
}

static enum rule
parse_scalar(const struct spec_type *type, const struct field *field, struct value *value)
{
	switch (type->kind) {
	case TYPE_SMALLINT:
	case TYPE_INTEGER:
	case TYPE_BIGINT: return parse_any_integer(type, field, &value->i);
	case TYPE_BOOLEAN: return parse_boolean(field, &value->i);
	case TYPE_NUMERIC: return parse_numeric(type, field, value);
	case TYPE_DOUBLE: return parse_double(field, &value->d);
	case TYPE_DATE:
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return parse_moment(type, field, &value->i);
	case TYPE_UUID: return parse_uuid(field, &value->wide);
	case TYPE_TEXT:
	case TYPE_JSONB: break;
	}
	return RULE_TYPE;
}

enum rule
value_parse(const struct spec_type *type, const struct field *field, struct value *value)
{
	value->null = field->kind == FIELD_NULL;
	if (value->null)
		return RULE_NONE;
	if (field->broken)
		return RULE_NUL;
	if (type->kind == TYPE_JSONB)
		return parse_jsonb(field, value);
	if (type->kind == TYPE_TEXT) {
		value->text.data = field->data;
		value->text.length = field->length;
		return RULE_NONE;
	}
	/* An empty text is no value of the other types; exporters that quote everything write NULL so. */
	value->null = field->kind == FIELD_STRING && field->length == 0;
	if (value->null)
		return RULE_NONE;
	if (field->kind == FIELD_NESTED || (field->kind == FIELD_BOOLEAN) != (type->kind == TYPE_BOOLEAN))
		if (field->kind != FIELD_STRING && !(field->kind == FIELD_NUMBER && type->kind == TYPE_BOOLEAN))
			return RULE_TYPE;
	return parse_scalar(type, field, value);
}
