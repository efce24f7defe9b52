/* Placeholders: where they are, where they are not, and that no value gets out of its literal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bug.h"
#include "base/fail.h"
#include "etl/template.h"

/* After ours: it makes a macro of fail. */
#include <cmocka.h>

static const struct template_value values[] = {
    {"from", "timestamp with time zone", "2024-01-01T00:00:00Z"},
    {"to", "timestamp with time zone", "2024-02-01T00:00:00Z"},
    {"n", "bigint", "42"},
    {"minus", "integer", "-7"},
    {"name", "text", "O'Hara"},
    {"slash", "text", "a\\'b"},
    {"none", "numeric(10,2)", NULL},
    {"sql", NULL, "count(*)"},
    {"bad", "bigint", "1; DROP TABLE x"},
};

static const struct {
	const char *sql, *filled;
} cases[] = {
    {"SELECT :n", "SELECT 42::bigint"},
    {"t >= :from", "t >= timestamp with time zone '2024-01-01T00:00:00Z'"},
    {"(:n,:n)", "(42::bigint,42::bigint)"},
    {"5-:minus", "5-(-7)::integer"},
    {":name", "text 'O''Hara'"},
    {":slash", "text E'a\\\\''b'"},
    {":none", "NULL::numeric(10,2)"},
    {"SELECT :sql", "SELECT count(*)"},
    {":name'x'", "text 'O''Hara' 'x'"},
    /* not placeholders */
    {"':n'", "':n'"},
    {"'a'':n'", "'a'':n'"},
    {"E'\\':n'", "E'\\':n'"},
    {"e'\\\\':n", "e'\\\\'42::bigint"},
    {"'\\' || :n", "'\\' || 42::bigint"},
    {"U&'\\0061:n'", "U&'\\0061:n'"},
    {"\"a\"\":n\"", "\"a\"\":n\""},
    {"$$ :n $$", "$$ :n $$"},
    {"$a$ :n $$ $b$ $a$ :n", "$a$ :n $$ $b$ $a$ 42::bigint"},
    {"a$b$ :n", "a$b$ 42::bigint"},
    {"$1 :n", "$1 42::bigint"},
    {"-- :n\n:n", "-- :n\n42::bigint"},
    {"/* /* :n */ :n */ :n", "/* /* :n */ :n */ 42::bigint"},
    {"x::n", "x::n"},
    {"x :: n", "x :: n"},
    {"a[1:n]", "a[1:n]"},
    {"a[b:n]", "a[b:n]"},
    {"a[f(x):n]", "a[f(x):n]"},
    {"a[b[1]:n]", "a[b[1]:n]"},
    {"f(a := :n)", "f(a := 42::bigint)"},
    {"a:=1", "a:=1"},
    {"$:n", "$:n"},
    {"1.:n", "1.:n"},
    {":n$", ":n$"},
    {": n", ": n"},
    {":1", ":1"},
    {"ä:n", "ä:n"},
    {"'äöü' :n", "'äöü' 42::bigint"},
    {":n::text", "42::bigint::text"},
    {":", ":"},
    {"", ""},
};

static void
test_fill(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		struct ctx *ctx = ctx_new("test", 0);
		char *filled = NULL;

		assert_true(template_fill(ctx, "x.sql", cases[i].sql, values, LENGTH_OF(values), &filled));
		assert_string_equal(filled, cases[i].filled);
		ctx_free(ctx);
	}
}

static const struct {
	const char *sql, *message;
} errors[] = {
    {"SELECT\n  :form", "x.sql:2:3: unknown placeholder ':form'"},
    {"'äö' :fromX", "x.sql:1:6: unknown placeholder ':fromX'"},
    {"SELECT 'a", "x.sql:1:8: this has no end"},
    {"/* /* */", "x.sql:1:1: this has no end"},
    {"$a$ $A$", "x.sql:1:1: this has no end"},
    {":bad", "the value of :bad is not a bigint"},
};

static void
test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH_OF(errors); i++) {
		struct ctx *ctx = ctx_new("test", 0);
		char *filled;

		assert_false(template_fill(ctx, "x.sql", errors[i].sql, values, LENGTH_OF(values), &filled));
		assert_string_equal(ctx_failure(ctx)->message, errors[i].message);
		ctx_free(ctx);
	}
}

static bool
stop_at_to(void *arg, const char *name, int line, int column)
{
	int *count = arg;

	(void)line, (void)column;
	++*count;
	return strcmp(name, "to") != 0;
}

static void
test_scan(void **state)
{
	int count = 0;

	(void)state;
	assert_false(template_scan(":from :to :n", stop_at_to, &count));
	assert_int_equal(count, 2);
	assert_true(template_scan("':to'", stop_at_to, &count));
	assert_int_equal(count, 2);
}

static void
test_fault(void **state)
{
	int line, column;

	(void)state;
	assert_null(template_fault("SELECT ';' -- ;\n", &line, &column));
	assert_non_null(template_fault("SELECT 1\n ;", &line, &column));
	assert_int_equal(line, 2);
	assert_int_equal(column, 2);
	assert_non_null(template_fault("SELECT \"a", &line, &column));
	assert_int_equal(column, 8);
	assert_non_null(template_fault(" /* */ -- nothing", &line, &column));
}

static int
characters(const char *from, const char *to)
{
	int n = 0;

	for (; from < to; from++)
		n += (*from & 0xc0) != 0x80;
	return n;
}

/* A place in what was filled is found again in the template: each @ where it stands, a value where its placeholder does. */
static void
test_place(void **state)
{
	static const struct {
		const char *sql;
		int line, column, value_line, value_column; /* of the @, and of what the first value stands for */
	} places[] = {
	    {"SELECT @ :n", 1, 8, 1, 10},
	    {"SELECT :n, @", 1, 12, 1, 8},
	    {"SELECT :from\n  AND x < :to AND @", 2, 19, 1, 8},
	    {"SELECT 'ä' || :name'x' || @", 1, 27, 1, 15},
	    {"SELECT :sql,\n :n, 'é',\n\n  \t@", 4, 4, 1, 8},
	    {"-- :n\nSELECT ':n', :n + @", 2, 19, 2, 14},
	};
	struct ctx *ctx = ctx_new("test", 0);
	int line, column;

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(places); i++) {
		const char *sql = places[i].sql, *at, *value;
		char *filled;

		assert_true(template_fill(ctx, "q.sql", sql, values, LENGTH_OF(values), &filled));
		at = strchr(filled, '@');
		assert_true(
		    template_place(ctx, sql, values, LENGTH_OF(values), characters(filled, at) + 1, &line, &column));
		assert_int_equal(line, places[i].line);
		assert_int_equal(column, places[i].column);
		value = strpbrk(strstr(sql, "-- :n") != NULL ? filled + 19 : filled,
		    "4tc"); /* 42, timestamp, text, count */
		for (int k = 1; k <= 2; k++) {
			assert_true(template_place(ctx, sql, values, LENGTH_OF(values), characters(filled, value) + k,
			    &line, &column));
			assert_int_equal(line, places[i].value_line);
			assert_int_equal(column, places[i].value_column);
		}
		assert_false(template_place(ctx, sql, values, LENGTH_OF(values), 1000, &line, &column));
		assert_int_equal(line, places[i].line > places[i].value_line ? places[i].line : places[i].value_line);
	}
	ctx_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fill),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_scan),
	    cmocka_unit_test(test_fault),
	    cmocka_unit_test(test_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) != 0;
}
