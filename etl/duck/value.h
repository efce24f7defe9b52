/*
 * value: a field's text to a value of a declared type, exactly or not at all.
 *
 * Nothing is rounded but what PostgreSQL rounds too when it reads the same text: digits after a numeric's scale, microseconds.
 */
#ifndef ETL_DUCK_VALUE_H
#define ETL_DUCK_VALUE_H

#include "etl/duck/rule.h"
#include "etl/spec.h"

/* What a reader found; nested: an object or array as it is written, or for a jsonb column any value. */
enum field_kind { FIELD_NULL, FIELD_STRING, FIELD_NUMBER, FIELD_BOOLEAN, FIELD_NESTED };
struct field {
	enum field_kind kind;
	bool broken; /* holds U+0000 or half a surrogate pair */
	const char *data;
	size_t length;
};

struct value {
	bool null;
	union {
		int64_t i;     /* integers, boolean, date (days), timestamps (us since 1970) */
		__int128 wide; /* numeric of precision ≤ 38, scaled; uuid, big-endian */
		double d;
		struct {
			const char *data;
			size_t length;
		} text; /* text, jsonb, wider numeric */
	};
};

enum { VALUE_WIDEST_DECIMAL = 38 };

/* True when the type travels as text through DuckDB: numeric without precision or too wide for its decimals. */
bool value_is_text(const struct spec_type *type);

enum rule value_parse(const struct spec_type *type, const struct field *field, struct value *value) MUST_CHECK;

/* A decimal number as digits: 0.d1d2d3… × 10^point, without leading zeros. */
enum { DECIMAL_DIGITS = 1000 };
struct decimal {
	bool negative;
	int count;
	int point;
	int scale;                   /* digits after the point, as written */
	char digits[DECIMAL_DIGITS]; /* 0…9, not characters */
};
bool decimal_parse(const char *text, size_t length, struct decimal *decimal) MUST_CHECK;
/* Rounded half away from zero to scale; false when it has more than precision digits then. */
bool decimal_to_scaled(const struct decimal *decimal, int precision, int scale, __int128 *scaled) MUST_CHECK;
void decimal_from_scaled(__int128 scaled, int scale, struct decimal *decimal);

/* value_time.c: "2024-01-31"; "2024-01-31[T ]09:15[:00[.123456]][Z|±hh[:mm]]"; "infinity", "-infinity" (INT64_MAX, -INT64_MAX).
 * zone: whether an offset is there. */
bool value_parse_date(const char *s, size_t length, int64_t *days) MUST_CHECK;
bool value_parse_time(const char *s, size_t length, int64_t *us, bool *zone, bool *utc) MUST_CHECK;

#endif
