/* JSON from strangers, and JSON for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/json.h"
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
refuse(struct ctx *ctx, const char *text, size_t length)
{
	json_t *value;

	if (json_parse(ctx, text, length, &value))
		fail_msg("%.40s was read", text);
	assert_int_equal(ctx_failure(ctx)->code, FAIL_MALFORMED_JSON);
	fail_clear(ctx);
}

static void
test_refuses(void **state)
{
	static const char *const wrong[] = {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}", "{} {}",
	    "nul", "'a'", "{a:1}", "\"\\u0000\"", "{\"a\\u0000b\":1}", "\"\\ud800\"", "\"\xff\"", "\"\xc3\"",
	    "\"tab\t\"", "01", "1e999", "99999999999999999999", "NaN", "/* */ 1", "\xef\xbb\xbf{}"};
	static const char with_nul[] = "{\"a\":\0 1}";

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		refuse(*state, wrong[i], strlen(wrong[i]));
	refuse(*state, with_nul, sizeof(with_nul) - 1);
	refuse(*state, "123\0", 4);
	refuse(*state, "{}\0", 3);
}

static void
test_position(void **state)
{
	static const char text[] = "{\n  \"a\": x\n}";
	json_t *value;

	assert_false(json_parse(*state, text, strlen(text), &value));
	assert_non_null(strstr(ctx_failure(*state)->message, "line 2"));
}

/* 64 levels are fine, 65 are not, a million are not either; brackets in strings do not count. */
static void
test_depth(void **state)
{
	size_t million = 1000000;
	char *bomb = ctx_alloc(*state, million + 1);
	char text[256];
	json_t *value;

	for (size_t depth = 64; depth <= 65; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		if (depth == 64)
			assert_true(json_parse(*state, text, 2 * depth, &value));
		else
			refuse(*state, text, 2 * depth);
	}
	memset(bomb, '[', million);
	refuse(*state, bomb, million);
	for (size_t i = 0; i + 5 <= million; i += 5)
		memcpy(bomb + i, "{\"a\":", 5);
	refuse(*state, bomb, million);
	memset(text, '[', 200);
	text[0] = text[199] = '"';
	memcpy(text + 100, "\\\"", 2);
	assert_true(json_parse(*state, text, 200, &value));
	/* Closing brackets do not buy depth. */
	memset(text, ']', 100);
	memset(text + 100, '[', 100);
	refuse(*state, text, 200);
}

static void
test_build(void **state)
{
	struct ctx *ctx = *state;
	json_t *object = json_new_object(ctx), *array = json_new_array(ctx);

	json_put_string(ctx, object, "z", "bad \xff utf");
	json_put_string(ctx, object, "none", NULL);
	json_put_int(object, "n", INT64_MIN);
	json_put_bool(object, "b", true);
	json_put_null(object, "null");
	json_put_time(ctx, object, "t", 0);
	json_put_time(ctx, object, "i", CLOCK_INFINITY);
	json_put_time(ctx, object, "at", CLOCK_DAY_US);
	json_add_string(ctx, array, "q\"\n");
	json_add(array, json_new_object(ctx));
	json_put(object, "a", array);
	assert_string_equal(json_text(ctx, object),
	    "{\"z\":\"bad ? utf\",\"none\":null,\"n\":-9223372036854775808,\"b\":true,\"null\":null,\"t\":null,\"i\":null,"
	    "\"at\":\"1970-01-02T00:00:00Z\",\"a\":[\"q\\\"\\n\",{}]}");
	assert_string_equal(json_string_or(object, "z", "x"), "bad ? utf");
	assert_string_equal(json_string_or(object, "n", "x"), "x");
	assert_true(json_int_or(object, "n", 1) == INT64_MIN && json_int_or(object, "z", 7) == 7);
	assert_true(json_int_or(NULL, "n", 3) == 3);
}

static void
test_canonical(void **state)
{
	static const char one[] = "{\"b\":[1,{\"y\":1,\"x\":2}],\"a\":0.1}";
	static const char other[] = " { \"a\" : 0.1 , \"b\" : [1, {\"x\":2,\"y\":1}] } ";
	json_t *a, *b;

	assert_true(json_parse(*state, one, strlen(one), &a));
	assert_true(json_parse(*state, other, strlen(other), &b));
	assert_string_equal(json_text_sorted(*state, a), json_text_sorted(*state, b));
	assert_string_not_equal(json_text(*state, a), json_text(*state, b));
}

static void
test_quote(void **state)
{
	struct text out;
	json_t *value;
	char all[128];

	for (int i = 1; i < 128; i++)
		all[i - 1] = (char)i;
	all[127] = '\0';
	text_init(&out, *state);
	json_quote(&out, all);
	assert_true(json_parse(*state, out.data, out.length, &value));
	assert_string_equal(json_string_value(value), all);
	text_init(&out, *state);
	json_quote(&out, "");
	assert_string_equal(out.data, "\"\"");
}

static void
test_trusted(void **state)
{
	assert_true(json_is_null(json_trusted(*state, NULL)));
	assert_true(json_is_null(json_trusted(*state, "")));
	assert_true(json_is_null(json_trusted(*state, "{broken")));
	assert_int_equal(json_int_or(json_trusted(*state, "{\"a\":5}"), "a", 0), 5);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_position, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_build, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_canonical, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_quote, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_trusted, setup, teardown),
	};

	json_setup();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
