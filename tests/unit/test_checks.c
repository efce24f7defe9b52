/* Quality checks of every kind, asked of rows in a real PostgreSQL: what passes, what fails, what cannot be asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "tests/support/checked.h"

static int
setup(void **state)
{
	struct ctx *ctx = ctx_new("pipeline", 0);

	*state = loads_new_of(checked_pipeline(ctx, "  - { name: any, kind: volume, table: fact_sale, min: 0 }\n"));
	ctx_defer(((struct loads *)*state)->ctx, (void (*)(void *))ctx_free, ctx);
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

/* Loads the kinds and the first day of sales with these checks. */
static enum fail_code
load_with(struct loads *loads, const char *checks, struct slice_outcome *outcome)
{
	struct slice_job job;

	loads_redeclare(loads, checked_pipeline(loads->ctx, checks));
	job = loads_job(loads, "fact_sale", 0);
	return loads_try(loads, &job, outcome);
}

static void
sell(struct loads *loads, const char *values)
{
	loads_source(loads, ctx_printf(loads->ctx, "DELETE FROM sale; INSERT INTO sale VALUES %s", values));
}

static void
three_sales(struct loads *loads)
{
	loads_source(loads, "DELETE FROM kind; INSERT INTO kind VALUES (1, 'one'), (2, 'two')");
	(void)loads_load(loads, "dim_kind", -1);
	sell(loads, "(1, 1, '2024-01-01 01:00+00', 10, 'a'), (2, 2, '2024-01-01 02:00+00', NULL, 'a'),"
		    "(3, 9, '2024-01-01 03:00+00', 30, NULL)");
}

/* Each check alone at severity warn, so that the slice is loaded whatever it says; then at error. */
static const struct kind_case {
	const char *keys, *status, *observed;
} cases[] = {
    {"kind: completeness, columns: [sale_id, kind_id]", "passed", "0 of 3 rows fail"},
    {"kind: completeness, columns: [amount, note]", "failed", "2 of 3 rows fail"},
    {"kind: completeness, columns: amount, at_least: 66.6%", "passed", "1 of 3 rows fail"},
    {"kind: completeness, columns: amount, at_least: 66.7%", "failed", "1 of 3 rows fail"},
    {"kind: completeness, columns: amount, where: sale_id <> 2", "passed", "0 of 2 rows fail"},
    {"kind: completeness, columns: amount, where: sale_id > 9", "passed", "0 of 0 rows fail"},
    {"kind: completeness, columns: kind_key, gate: published", "passed", "0 of 3 rows fail"},
    {"kind: validity, rule: amount > 0", "passed", "0 of 3 rows fail"}, /* NULL passes */
    {"kind: validity, rule: \"amount > 10 -- or so\"", "failed", "1 of 3 rows fail"},
    {"kind: validity, rule: \"sold_at >= :from AND sold_at < :to AND sold_at < :now\"", "passed", "0 of 3 rows fail"},
    {"kind: validity, rule: amount IS NOT NULL, where: note = 'a', at_least: 50%, gate: published", "passed",
	"1 of 2 rows fail"},
    {"kind: validity, rule: amount / (sale_id - 1) > 0", "error", NULL},
    {"kind: validity, rule: price > 0", "error", NULL}, {"kind: validity, rule: amount", "error", NULL},
    {"kind: validity, rule: nextval('fact_sale_sale_key_seq') > 0", "error", NULL}, /* checks only look */
    {"kind: uniqueness, columns: [sale_id, note]", "passed", "0 of 2 rows fail"},
    {"kind: uniqueness, columns: note", "failed", "2 of 2 rows fail"},
    {"kind: uniqueness, columns: note, where: sale_id > 1, gate: published", "passed", "0 of 1 rows fail"},
    {"kind: uniqueness, columns: note, at_least: 0%", "passed", "2 of 2 rows fail"},
    {"kind: referential, columns: kind_key", "passed", "0 of 3 rows fail"},
    {"kind: referential, columns: kind_key, allow_unknown: false", "failed", "1 of 3 rows fail"},
    {"kind: referential, columns: kind_key, allow_unknown: false, at_least: 60%", "passed", "1 of 3 rows fail"},
    {"kind: referential, columns: kind_id, references: dim_kind, gate: staging", "failed", "1 of 3 rows fail"},
    {"kind: referential, columns: kind_id, references: dim_kind, where: kind_id < 9", "passed", "0 of 2 rows fail"},
    {"kind: volume, min: 3, max: 3", "passed", "3 rows"}, {"kind: volume, min: 4", "failed", "3 rows"},
    {"kind: volume, max: 1, where: note = 'a', gate: published", "failed", "2 rows"},
    {"kind: sql, gate: staging, query: SELECT count(*) FROM loadstar_stage, expect: 3", "passed", "3"},
    {"kind: sql, gate: published, query: SELECT count(*) FROM fact_sale WHERE sold_at < :to, expect: 4", "failed", "3"},
    {"kind: sql, gate: published, query: SELECT sum(amount) FROM fact_sale, expect: 41.5, tolerance: 1.5", "passed",
	"40.00"},
    {"kind: sql, gate: published, query: SELECT sum(amount) FROM fact_sale, expect: 41.6, tolerance: 1.5", "failed",
	"40.00"},
    {"kind: sql, gate: published, query: SELECT count(*) FROM fact_sale, expect: { min: 1, max: 3 }", "passed", "3"},
    {"kind: sql, gate: published, query: SELECT count(*) FROM fact_sale, expect: { max: 2 }", "failed", "3"},
    {"kind: sql, gate: published, query: SELECT bool_and(sale_id > 0) FROM fact_sale, expect: true", "passed", "true"},
    {"kind: sql, gate: published, query: SELECT bool_and(sale_id > 1) FROM fact_sale, expect: true", "failed", "false"},
    {"kind: sql, gate: published, query: SELECT min(note) FROM fact_sale, expect: a", "passed", "a"},
    {"kind: sql, gate: published, query: SELECT min(note) FROM fact_sale, expect: b", "failed", "a"},
    {"kind: sql, gate: published, query: SELECT min(note) FROM fact_sale WHERE false, expect: null", "passed", NULL},
    {"kind: sql, gate: published, query: SELECT min(note) FROM fact_sale, expect: null", "failed", "a"},
    {"kind: sql, gate: published, query: SELECT min(amount) FROM fact_sale WHERE false, expect: 0", "failed", NULL},
    {"kind: sql, gate: published, query: SELECT min(note) FROM fact_sale, expect: 1", "error", NULL}, /* no number */
    {"kind: sql, gate: published, query: SELECT sale_id FROM fact_sale, expect: 1", "error", NULL},   /* three rows */
    {"kind: sql, gate: published, query: checks/few.sql, expect: 3", "passed", "3"}, /* and the unknown one */
};

static void
test_kinds(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	three_sales(loads);
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		const struct kind_case *c = &cases[i];
		bool passes = strcmp(c->status, "passed") == 0;
		const char *warned = strcmp(c->status, "failed") == 0 ? "warned" : c->status;
		const json_t *result;

		assert_int_equal(load_with(loads,
				     ctx_printf(loads->ctx, "  - { name: it, table: fact_sale, severity: warn, %s }\n",
					 c->keys),
				     &outcome),
		    FAIL_NONE);
		result = checked_result(&outcome, "it");
		assert_non_null(result);
		if (strcmp(json_string_or(result, "status", "?"), warned) != 0)
			print_message("%s: %s\n", c->keys, json_text(loads->ctx, result));
		assert_string_equal(json_string_or(result, "status", "?"), warned);
		if (strcmp(c->status, "error") != 0)
			assert_string_equal(json_string_or(result, "observed", "-"),
			    c->observed != NULL ? c->observed : "-");
		else
			assert_true(strlen(json_string_or(result, "error", "")) > 5);
		assert_int_equal(load_with(loads,
				     ctx_printf(loads->ctx, "  - { name: it, table: fact_sale, %s }\n", c->keys),
				     &outcome),
		    passes                            ? FAIL_NONE
		    : strcmp(c->status, "error") == 0 ? FAIL_CHECK_ERROR
						      : FAIL_QUALITY_FAILED);
		assert_string_equal(json_string_or(checked_result(&outcome, "it"), "status", "?"), c->status);
		if (!passes)
			assert_non_null(strstr(loads->failure, "the check it "));
	}
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM fact_sale"), "3");
}

/* Every result has the contract's fields, and shows the rows that failed: their key and what the check is about. */
static void
test_result_and_sample(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	const json_t *result;

	three_sales(loads);
	loads_source(loads, "UPDATE sale SET note = repeat('x', 500) WHERE sale_id = 1");
	assert_int_equal(
	    load_with(loads,
		"  - { name: one, kind: validity, table: fact_sale, rule: \"amount > 20 OR note = 'amount'\" }\n"
		"  - { name: two, kind: uniqueness, table: fact_sale, columns: kind_id, severity: warn }\n"
		"  - { name: three, kind: referential, table: fact_sale, columns: kind_id, references: dim_kind,\n"
		"      gate: staging, severity: warn }\n",
		&outcome),
	    FAIL_QUALITY_FAILED);
	assert_string_equal(loads->failure, "the check one failed: 1 of 3 rows fail, expected all rows");
	assert_string_equal(checked_results(loads, &outcome),
	    "one failed 1 of 3 rows fail\ntwo passed 0 of 3 rows fail\nthree warned 1 of 3 rows fail");
	result = checked_result(&outcome, "one");
	assert_string_equal(json_text(loads->ctx, json_object_get(result, "sample")),
	    ctx_printf(loads->ctx, "[{\"sale_id\":1,\"amount\":\"10.00\",\"note\":\"%s\"}]",
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
		"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
	assert_string_equal(json_string_or(result, "table", ""), "fact_sale");
	assert_string_equal(json_string_or(result, "kind", ""), "validity");
	assert_string_equal(json_string_or(result, "severity", ""), "error");
	assert_string_equal(json_string_or(result, "gate", ""), "staging");
	assert_string_equal(json_string_or(result, "scope", ""), "slice");
	assert_string_equal(json_string_or(result, "expected", ""), "all rows");
	assert_int_equal(json_int_or(result, "rows_checked", -1), 3);
	assert_int_equal(json_int_or(result, "rows_failed", -1), 1);
	assert_int_equal(json_int_or(result, "attempt", -1), 1);
	assert_true(json_is_string(json_object_get(result, "at")) && json_int_or(result, "duration_ms", -1) >= 0);
	assert_string_equal(json_text(loads->ctx, json_object_get(checked_result(&outcome, "three"), "sample")),
	    "[{\"sale_id\":3,\"kind_id\":9}]");
	sell(loads, "(1, 1, '2024-01-01', 1, 'a'), (2, 1, '2024-01-01', 1, 'a'), (3, 2, '2024-01-01', 1, 'a')");
	assert_int_equal(load_with(loads, "  - { name: u, kind: uniqueness, table: fact_sale, columns: kind_id }\n",
			     &outcome),
	    FAIL_QUALITY_FAILED);
	assert_string_equal(json_text(loads->ctx, json_object_get(checked_result(&outcome, "u"), "sample")),
	    "[{\"sale_id\":1,\"kind_id\":1},{\"sale_id\":2,\"kind_id\":1}]");
	loads_source(loads, "INSERT INTO sale SELECT n, 1, '2024-01-01', 1, 'a' FROM generate_series(4, 500) n");
	assert_int_equal(load_with(loads, "  - { name: v, kind: validity, table: fact_sale, rule: amount > 1 }\n",
			     &outcome),
	    FAIL_QUALITY_FAILED);
	assert_int_equal(json_array_size(json_object_get(checked_result(&outcome, "v"), "sample")), 10);
}

/* One that cannot be asked hides none of those it is asked together with. */
static void
test_error_of_one_hides_no_other(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	three_sales(loads);
	assert_int_equal(
	    load_with(loads,
		"  - { name: a, kind: completeness, table: fact_sale, columns: sale_id }\n"
		"  - { name: b, kind: validity, table: fact_sale, rule: amount / 0 > 1, severity: warn }\n"
		"  - { name: c, kind: validity, table: fact_sale, rule: sale_id > 0 }\n"
		"  - { name: d, kind: completeness, table: fact_sale, columns: amount, where: sale_id = 2, severity: warn }\n",
		&outcome),
	    FAIL_NONE);
	assert_string_equal(checked_results(loads, &outcome),
	    "a passed 0 of 3 rows fail\nb error -\nc passed 0 of 3 rows fail\nd warned 1 of 1 rows fail");
	assert_non_null(strstr(json_string_or(checked_result(&outcome, "b"), "error", ""), "division by zero"));
}

/* Volume against the slice's own last load, at both gates. */
static void
test_volume_of_previous(void **state)
{
	static const char checks[] =
	    "  - { name: staged, kind: volume, table: fact_sale, least_of_previous: 50%, most_of_previous: 200% }\n"
	    "  - { name: written, kind: volume, table: fact_sale, gate: published, least_of_previous: 50% }\n";
	struct loads *loads = *state;
	struct slice_outcome outcome;

	three_sales(loads);
	assert_int_equal(load_with(loads, checks, &outcome), FAIL_NONE); /* nothing before it */
	assert_string_equal(checked_results(loads, &outcome), "staged passed 3 rows\nwritten passed 3 rows");
	loads_source(loads, "DELETE FROM sale WHERE sale_id = 3");
	assert_int_equal(load_with(loads, checks, &outcome), FAIL_NONE);
	assert_string_equal(checked_results(loads, &outcome),
	    "staged passed 2 rows, 3 before\nwritten passed 2 rows, 3 before");
	loads_source(loads, "DELETE FROM sale");
	assert_int_equal(load_with(loads, checks, &outcome), FAIL_QUALITY_FAILED);
	assert_string_equal(checked_results(loads, &outcome), "staged failed 0 rows, 2 before");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM fact_sale"), "2");
	sell(loads, "(1, 1, '2024-01-01', 1, ''), (2, 1, '2024-01-01', 1, ''), (3, 1, '2024-01-01', 1, ''),"
		    "(4, 1, '2024-01-01', 1, ''), (5, 1, '2024-01-01', 1, '')");
	assert_int_equal(load_with(loads, checks, &outcome), FAIL_QUALITY_FAILED);
	assert_string_equal(checked_results(loads, &outcome), "staged failed 5 rows, 2 before");
}

/* Of a dimension the current version of each member counts, and the unknown one never. */
static void
test_dimension(void **state)
{
	static const char checks[] =
	    "  - { name: label, kind: completeness, table: dim_kind, columns: label, gate: published }\n"
	    "  - { name: many, kind: volume, table: dim_kind, max: 2, gate: published }\n";
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job;

	three_sales(loads);
	loads_redeclare(loads, checked_pipeline(loads->ctx, checks));
	job = loads_job(loads, "dim_kind", -1);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(checked_results(loads, &outcome), "label passed 0 of 2 rows fail\nmany passed 2 rows");
	assert_string_equal(json_string_or(checked_result(&outcome, "label"), "scope", ""), "table");
	loads_source(loads, "UPDATE kind SET label = NULL WHERE kind_id = 2");
	job = loads_job(loads, "dim_kind", -1);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_QUALITY_FAILED);
	assert_string_equal(loads_ask(loads, "SELECT label FROM dim_kind WHERE kind_id = 2"), "two");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_kinds, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_result_and_sample, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_error_of_one_hides_no_other, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_volume_of_previous, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_dimension, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
