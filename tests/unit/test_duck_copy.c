/* The binary forms of values, byte for byte, and what texts are values at all. The round trip is in test_duck_files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/bug.h"
#include "base/text.h"
#include "etl/duck/copy.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static void
is(struct ctx *ctx, struct copy_buffer *buffer, const char *hex)
{
	assert_string_equal(text_hex(ctx, (const unsigned char *)buffer->data, buffer->length), hex);
	buffer->length = 0;
}

static void
test_frame(void **state)
{
	struct copy_buffer buffer = {0};

	copy_put_header(&buffer);
	is(*state, &buffer, "5047434f50590aff0d0a000000000000000000");
	copy_put_row(&buffer, 3);
	copy_put_null(&buffer);
	copy_put_trailer(&buffer);
	is(*state, &buffer, "0003ffffffffffff");
	copy_free(&buffer);
}

static void
test_values(void **state)
{
	struct copy_buffer buffer = {0};

	copy_put_boolean(&buffer, true);
	copy_put_boolean(&buffer, false);
	is(*state, &buffer, "00000001010000000100");
	copy_put_smallint(&buffer, -2);
	copy_put_integer(&buffer, INT32_MIN);
	copy_put_bigint(&buffer, INT64_MAX);
	is(*state, &buffer, "00000002fffe0000000480000000000000087fffffffffffffff");
	copy_put_double(&buffer, -1.5);
	is(*state, &buffer, "00000008bff8000000000000");
	copy_put_uuid(&buffer, ((unsigned __int128)0x0123456789abcdef << 64) | 0xfedcba9876543210);
	is(*state, &buffer, "000000100123456789abcdeffedcba9876543210");
	copy_put_text(&buffer, "ab", 2);
	copy_put_text(&buffer, "", 0);
	copy_put_jsonb(&buffer, "[1]", 3);
	is(*state, &buffer, "0000000261620000000000000004015b315d");
	copy_free(&buffer);
}

static void
test_moments(void **state)
{
	struct copy_buffer buffer = {0};

	assert_true(copy_put_date(&buffer, 0) && copy_put_date(&buffer, 10957) && copy_put_date(&buffer, INT32_MAX) &&
		    copy_put_date(&buffer, -INT32_MAX));
	is(*state, &buffer,
	    "00000004ffffd533000000040000000000000004"
	    "7fffffff0000000480000000");
	assert_true(copy_put_timestamp(&buffer, INT64_C(946684800000001)) && copy_put_timestamp(&buffer, INT64_MAX) &&
		    copy_put_timestamp(&buffer, -INT64_MAX));
	is(*state, &buffer, "000000080000000000000001000000087fffffffffffffff000000088000000000000000");
	assert_false(copy_put_date(&buffer, INT32_MAX - 1) || copy_put_date(&buffer, -2451545 + 10957 - 1));
	assert_false(copy_put_timestamp(&buffer, INT64_MIN + 5));
	copy_free(&buffer);
}

/* count, weight, sign, scale, groups: as PostgreSQL's numeric_send makes them. */
static void
numeric_is(struct ctx *ctx, const char *text, const char *hex)
{
	struct copy_buffer buffer = {0};
	struct decimal decimal;

	assert_true(decimal_parse(text, strlen(text), &decimal));
	copy_put_numeric(&buffer, &decimal);
	is(ctx, &buffer, hex);
	copy_free(&buffer);
}

static void
test_numerics(void **state)
{
	numeric_is(*state, "0", "000000080000000000000000");
	numeric_is(*state, "-0.00", "000000080000000000000002");
	numeric_is(*state, "1", "0000000a00010000000000000001");
	numeric_is(*state, "-1234567.891", "0000000e0003000140000003007b11d722ce");
	numeric_is(*state, "10000", "0000000a00010001000000000001");
	numeric_is(*state, "0.0001", "0000000a0001ffff000000040001");
	numeric_is(*state, "0.00001", "0000000a0001fffe0000000503e8");
	numeric_is(*state, "0.001", "0000000a0001ffff00000003000a");
	numeric_is(*state, "1e-9", "0000000a0001fffd0000000903e8");
	numeric_is(*state, "12e3",
	    "0000000c00020001000000000001"
	    "07d0");
	numeric_is(*state, "100000000.5",
	    "00000010000400020000000100010000"
	    "00001388");
}

static void
test_scaled(void **state)
{
	static const __int128 samples[] = {0, 1, -1, 9999, 10000, -123456789, INT64_MAX, (__int128)INT64_MAX * 1000000};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(samples); i++) {
		for (int scale = 0; scale <= 30; scale += 3) {
			struct decimal decimal;
			__int128 back;

			decimal_from_scaled(samples[i], scale, &decimal);
			assert_true(decimal_to_scaled(&decimal, 38, scale, &back));
			assert_true(back == samples[i]);
		}
	}
}

static enum rule
parse_as(enum type_kind kind, enum field_kind field_kind, const char *text, struct value *value)
{
	struct spec_type type = {.kind = kind, .precision = kind == TYPE_NUMERIC ? 5 : 0, .scale = 2};
	struct field field = {.kind = field_kind, .data = text, .length = strlen(text)};

	return value_parse(&type, &field, value);
}

static const struct {
	enum type_kind kind;
	const char *text;
	enum rule rule;
	int64_t i;
} texts[] = {
    {TYPE_SMALLINT, "32767", RULE_NONE, 32767},
    {TYPE_SMALLINT, "32768", RULE_RANGE, 0},
    {TYPE_INTEGER, "-2147483648", RULE_NONE, INT32_MIN},
    {TYPE_INTEGER, "-2147483649", RULE_RANGE, 0},
    {TYPE_BIGINT, "9223372036854775807", RULE_NONE, INT64_MAX},
    {TYPE_BIGINT, "9223372036854775808", RULE_RANGE, 0},
    {TYPE_BIGINT, "-9223372036854775808", RULE_NONE, INT64_MIN},
    {TYPE_INTEGER, "1e3", RULE_NONE, 1000},
    {TYPE_INTEGER, "1.000", RULE_NONE, 1},
    {TYPE_INTEGER, "1.6", RULE_TYPE, 0},
    {TYPE_INTEGER, "0x10", RULE_TYPE, 0},
    {TYPE_INTEGER, "1_000", RULE_TYPE, 0},
    {TYPE_INTEGER, " 1", RULE_TYPE, 0},
    {TYPE_INTEGER, "-", RULE_TYPE, 0},
    {TYPE_INTEGER, "1e999", RULE_RANGE, 0},
    {TYPE_BOOLEAN, "Yes", RULE_NONE, 1},
    {TYPE_BOOLEAN, "2", RULE_TYPE, 0},
    {TYPE_DATE, "1970-01-02", RULE_NONE, 1},
    {TYPE_DATE, "1970-1-2", RULE_TYPE, 0},
    {TYPE_DATE, "1970-01-02T00:00:00Z", RULE_TYPE, 0},
    {TYPE_DATE, "2100-02-29", RULE_TYPE, 0},
    {TYPE_TIMESTAMP, "1970-01-01 00:00:01", RULE_NONE, 1000000},
    {TYPE_TIMESTAMP, "1970-01-01T00:00:01Z", RULE_NONE, 1000000},
    {TYPE_TIMESTAMP, "1970-01-01T00:00:01+02:00", RULE_TYPE, 0},
    {TYPE_TIMESTAMPTZ, "1970-01-01T02:00:00+02", RULE_NONE, 0},
    {TYPE_TIMESTAMPTZ, "1970-01-01T00:00:00.0000015Z", RULE_NONE, 2},
    {TYPE_TIMESTAMPTZ, "1969-12-31", RULE_NONE, -86400000000},
    {TYPE_TIMESTAMPTZ, "1970-01-01T24:00:00Z", RULE_TYPE, 0},
    {TYPE_TIMESTAMPTZ, "1970-01-01T00:00:60Z", RULE_TYPE, 0},
    {TYPE_TIMESTAMPTZ, "yesterday", RULE_TYPE, 0},
    {TYPE_UUID, "00000000-0000-0000-0000-00000000000", RULE_TYPE, 0},
    {TYPE_UUID, "0000000-00000-0000-0000-000000000001", RULE_TYPE, 0},
    {TYPE_DOUBLE, "1e309", RULE_RANGE, 0},
    {TYPE_DOUBLE, "0x1p3", RULE_TYPE, 0},
    {TYPE_DOUBLE, "1e-400", RULE_NONE, 0},
    {TYPE_NUMERIC, "999.994", RULE_NONE, 99999},
    {TYPE_NUMERIC, "999.995", RULE_RANGE, 0},
    {TYPE_NUMERIC, "-0.005", RULE_NONE, -1},
    {TYPE_NUMERIC, "NaN", RULE_TYPE, 0},
    {TYPE_JSONB, "{\"a\": 1}", RULE_NONE, -1},
    {TYPE_JSONB, "{'a': 1}", RULE_TYPE, 0},
    {TYPE_JSONB, "1e200000", RULE_RANGE, 0},
    {TYPE_JSONB, "\"\\ud800\"", RULE_NUL, 0},
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH_OF(texts); i++) {
		struct value value = {.wide = 0};

		if (parse_as(texts[i].kind, FIELD_STRING, texts[i].text, &value) != texts[i].rule)
			fail_msg("%s as type %d", texts[i].text, (int)texts[i].kind);
		if (texts[i].rule == RULE_NONE && texts[i].kind == TYPE_NUMERIC)
			assert_true(value.wide == texts[i].i);
		else if (texts[i].rule == RULE_NONE && texts[i].kind != TYPE_JSONB && texts[i].kind != TYPE_DOUBLE)
			assert_true(value.i == texts[i].i);
	}
}

static void
test_kinds(void **state)
{
	struct value value;

	(void)state;
	assert_int_equal(parse_as(TYPE_INTEGER, FIELD_BOOLEAN, "true", &value), RULE_TYPE);
	assert_int_equal(parse_as(TYPE_INTEGER, FIELD_NESTED, "[1]", &value), RULE_TYPE);
	assert_int_equal(parse_as(TYPE_BOOLEAN, FIELD_NUMBER, "1", &value), RULE_NONE);
	assert_int_equal(parse_as(TYPE_BOOLEAN, FIELD_BOOLEAN, "false", &value), RULE_NONE);
	assert_int_equal(parse_as(TYPE_TEXT, FIELD_NESTED, "[1]", &value), RULE_NONE);
	assert_int_equal(parse_as(TYPE_DATE, FIELD_STRING, "", &value), RULE_NONE);
	assert_true(value.null);
	assert_int_equal(parse_as(TYPE_TEXT, FIELD_STRING, "", &value), RULE_NONE);
	assert_false(value.null);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_frame, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_values, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_moments, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_numerics, setup, teardown),
	    cmocka_unit_test(test_scaled),
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
