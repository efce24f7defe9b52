/* The parts of the libpq room that need no server: classes of failures, quoting, cleaning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "sql/pg_internal.h"

#include <cmocka.h>

static void
test_codes(void **state)
{
	static const struct {
		const char *sqlstate;
		enum fail_code code;
	} cases[] = {
	    {"08006", FAIL_CONNECTION_LOST},
	    {"08P01", FAIL_CONNECTION_LOST},
	    {"57P01", FAIL_CONNECTION_LOST},
	    {"57P02", FAIL_CONNECTION_LOST},
	    {"57P03", FAIL_CONNECTION_LOST},
	    {"57P04", FAIL_SQL_ERROR},
	    {"57P05", FAIL_CONNECTION_LOST},
	    {"25P03", FAIL_CONNECTION_LOST},
	    {"25P02", FAIL_SQL_ERROR},
	    {"53100", FAIL_DISK_FULL},
	    {"53000", FAIL_SQL_RESOURCES},
	    {"53200", FAIL_SQL_RESOURCES},
	    {"53300", FAIL_SQL_RESOURCES},
	    {"40001", FAIL_SQL_CONFLICT},
	    {"40P01", FAIL_SQL_CONFLICT},
	    {"40002", FAIL_SQL_ERROR},
	    {"55P03", FAIL_LOCK_TIMEOUT},
	    {"55006", FAIL_SQL_ERROR},
	    {"57014", FAIL_STATEMENT_TIMEOUT},
	    {"22001", FAIL_SQL_DATA},
	    {"22P02", FAIL_SQL_DATA},
	    {"23505", FAIL_SQL_DATA},
	    {"23P01", FAIL_SQL_DATA},
	    {"42601", FAIL_SQL_ERROR},
	    {"XX000", FAIL_SQL_ERROR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(pg_fail_code(cases[i].sqlstate, "1023"),
		    cases[i].sqlstate[0] == 'X' ? FAIL_SQL_CONFLICT : cases[i].code);
	assert_int_equal(pg_fail_code("XX000", "something else"), FAIL_SQL_ERROR);
}

static void
test_quoting(void **state)
{
	static const char *const items[] = {"a", "b\"c\\d", "", NULL, "NULL", "{,}"};
	struct ctx *ctx = ctx_new("test", 0);

	(void)state;
	assert_string_equal(pg_identifier(ctx, "a\"b"), "\"a\"\"b\"");
	assert_string_equal(pg_literal(ctx, "it's \\ \"so\""), "'it''s \\ \"so\"'");
	assert_string_equal(pg_literal(ctx, ""), "''");
	assert_string_equal(pg_text_array(ctx, items, 6), "{\"a\",\"b\\\"c\\\\d\",\"\",NULL,\"NULL\",\"{,}\"}");
	assert_string_equal(pg_text_array(ctx, items, 0), "{}");
	ctx_free(ctx);
}

static void
test_clean(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct secret password = secret_make(ctx, "c4n4ry"), none = {NULL};

	(void)state;
	assert_string_equal(pg_clean(ctx, &password, "c4n4ry: no, c4n4ry\n\tmore c4n4ry"), "***: no, ***");
	assert_string_equal(pg_clean(ctx, &none, "bell \a\xff\nmore"), "bell ??");
	assert_string_equal(pg_clean(ctx, &none, ""), "");
	ctx_free(ctx);
}

/* Whatever the value holds, nothing of it is left. */
static void
test_hide_value(void **state)
{
	static const char *const cases[][2] = {
	    {"division by zero", "division by zero"},
	    {"invalid input syntax for type integer: \"c4n4ry\"", "invalid input syntax for type integer: \"***\""},
	    {"value \"c4n4ry\" is out of range for type integer", "value \"***\" is out of range for type integer"},
	    {"x: \"c4n4ry\" column \"c4n4ry\" encoding \"", "x: \"***\""},
	    {"x: \"column \"c4n4ry\"", "x: \"***\""},
	    {"x: \"c4n4ry", "x: \"***\""},
	    {"\"c4n4ry\"", "\"***\""},
	    {"missing data for column \"a\"", "missing data for column \"a\""},
	    {"column \"a\" has \"c4n4ry\" in it", "column \"a\" has \"***\" in it"},
	    {"invalid byte sequence for encoding \"UTF8\": 0xff", "invalid byte sequence for encoding \"UTF8\": 0xff"},
	    {"column \"", "column \""},
	    {"", ""},
	};
	struct ctx *ctx = ctx_new("test", 0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(pg_hide_value(ctx, cases[i][0]), cases[i][1]);
	ctx_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_codes),
	    cmocka_unit_test(test_quoting),
	    cmocka_unit_test(test_clean),
	    cmocka_unit_test(test_hide_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
