/* Strings: conversions, sanitising, names, near misses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

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
test_grows(void **state)
{
	struct text text;

	text_init(&text, *state);
	assert_string_equal(text.data, "");
	for (int i = 0; i < 10000; i++)
		text_addf(&text, "%04d", i);
	assert_int_equal(text.length, 40000);
	assert_int_equal(strlen(text.data), 40000);
	assert_memory_equal(text.data + 4 * 1234, "12341235", 8);
	text_add_bytes(&text, "\0x", 2);
	assert_int_equal(text.length, 40002);
	assert_int_equal(text.data[40002], '\0');
}

static void
test_numbers(void **state)
{
	static const char *const wrong[] = {"", " 1", "1 ", "1x", "0x10", "+-1", "-", "+", "1.0", "9223372036854775808",
	    "-9223372036854775809", "1-1"};
	int64_t n;

	assert_true(text_to_i64("9223372036854775807", &n) && n == INT64_MAX);
	assert_true(text_to_i64("-9223372036854775808", &n) && n == INT64_MIN);
	assert_true(text_to_i64("007", &n) && n == 7);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(text_to_i64(wrong[i], &n));
	assert_false(text_to_i64(NULL, &n));
	assert_string_equal(text_from_i64(*state, INT64_MIN), "-9223372036854775808");
	assert_string_equal(text_from_i64(*state, INT64_MAX), "9223372036854775807");
	assert_string_equal(text_from_i64(*state, 0), "0");
	assert_string_equal(text_from_i64(*state, -10), "-10");
	assert_string_equal(text_from_bool(true), "true");
}

static void
test_compare(void **state)
{
	(void)state;
	assert_true(text_equal(NULL, NULL) && text_equal("a", "a"));
	assert_false(text_equal(NULL, "") || text_equal("a", "b"));
	assert_true(text_starts_with("abc", "ab") && text_starts_with("abc", "") && text_ends_with("abc", "bc"));
	assert_false(text_starts_with("a", "ab") || text_ends_with("c", "bc"));
}

static void
test_names(void **state)
{
	char longest[65];

	(void)state;
	memset(longest, 'a', 64);
	longest[63] = '\0';
	assert_true(text_is_name("a") && text_is_name("dim_robots_2") && text_is_name(longest));
	longest[63] = 'a';
	longest[64] = '\0';
	assert_false(text_is_name(longest) || text_is_name("") || text_is_name("_a") || text_is_name("2a"));
	assert_false(text_is_name("Aa") || text_is_name("a-b") || text_is_name("a b") || text_is_name("a\"") ||
		     text_is_name("\xc3\xa4"));
}

static void
test_sanitize(void **state)
{
	static const char *const same[] = {"", "plain\n\ttext", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
	    "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"};
	static const char *const mended[][2] = {{"a\x01\x7f\rz", "a???z"}, {"\xc3", "?"}, {"\xc3z", "?z"},
	    {"\xe2\x82", "??"}, {"\xe2\x82z", "??z"}, {"\xc0\xaf", "??"}, {"\xed\xa0\x80", "???"},
	    {"\xe0\x80\x80", "???"}, {"\xf0\x80\x80\x80", "????"}, {"\xf4\x90\x80\x80", "????"}, {"\xff\xfe", "??"},
	    {"\x80", "?"},
	    {"\xc2\x9b"
	     "31m",
		"??31m"},
	    {"\xc2\x80\xc2\xa0", "??\xc2\xa0"}};

	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		assert_string_equal(text_sanitize(*state, same[i]), same[i]);
	for (size_t i = 0; i < sizeof(mended) / sizeof(*mended); i++)
		assert_string_equal(text_sanitize(*state, mended[i][0]), mended[i][1]);
}

static void
test_hex(void **state)
{
	assert_string_equal(text_hex(*state, (const unsigned char *)"\x00\xab\xff", 3), "00abff");
	assert_string_equal(text_hex(*state, (const unsigned char *)"", 0), "");
}

static void
test_nearest(void **state)
{
	static const char *const names[] = {"surgeon_id", "full_name", "specialty"};
	char huge[200];

	(void)state;
	assert_string_equal(text_nearest("surgeonid", names, 3), "surgeon_id");
	assert_string_equal(text_nearest("fullname", names, 3), "full_name");
	assert_null(text_nearest("robot", names, 3));
	assert_null(text_nearest("surgeon_id", names, 0));
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_null(text_nearest(huge, (const char *const[]){"a"}, 1));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_grows, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
	    cmocka_unit_test(test_compare),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test_setup_teardown(test_sanitize, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hex, setup, teardown),
	    cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
