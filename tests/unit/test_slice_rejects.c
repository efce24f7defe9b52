/* Rejected rows: moved to the quarantine with their slice, as a difference, and kept as evidence when the slice fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"
#include "tests/support/loads.h"

#include <cmocka.h>

static const char quarantine[] =
    "SELECT slice LIKE '2024-01-01T%', line, column_name, rule, raw_text, state FROM loadstar.quarantine "
    "WHERE table_name = 'public.fact_sale' ORDER BY id";

static int
setup(void **state)
{
	*state = loads_new();
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

/* An attempt at a day of fact_sale that refuses the rows given as VALUES (line, column_name, rule, raw_text, row_time). */
static struct loading
refuse(struct loads *loads, int day, const char *rows, struct slice_job *job, struct slice_outcome *outcome)
{
	struct loading loading;

	*job = loads_job(loads, "fact_sale", day);
	loading_init(loads->ctx, &loading, job, outcome);
	assert_true(open_warehouse(loads->ctx, job, &loading.warehouse));
	assert_true(stage_rejects(loads->ctx, &loading));
	if (rows != NULL)
		assert_true(pg_run(loads->ctx, loading.warehouse,
		    ctx_printf(loads->ctx,
			"INSERT INTO loadstar_rejects (line, column_name, rule, raw_text, row_time) VALUES %s", rows)));
	return loading;
}

static int64_t
publish(struct loads *loads, int day, const char *rows)
{
	struct slice_outcome outcome;
	struct slice_job job;
	struct loading loading = refuse(loads, day, rows, &job, &outcome);

	assert_true(pg_begin(loads->ctx, loading.warehouse));
	assert_true(publish_rejects(loads->ctx, &loading));
	assert_true(pg_commit(loads->ctx, loading.warehouse));
	pg_close(loading.warehouse);
	return outcome.counts.rejected;
}

static void
test_difference(void **state)
{
	struct loads *loads = *state;

	assert_int_equal(publish(loads, 0,
			     "(1, 'amount', 'type', 'x', NULL), (1, 'amount', 'type', 'x', NULL), "
			     "(NULL, 'kind_key', 'lookup', 'y', '2024-01-01 10:00Z')"),
	    3);
	assert_int_equal(publish(loads, 0, "(1, 'amount', 'type', 'x', NULL), (9, NULL, 'syntax', 'z', NULL)"), 2);
	assert_string_equal(loads_ask(loads, quarantine), "t 1 amount type x open\nt 1 amount type x superseded\n"
							  "t - kind_key lookup y superseded\nt 9 - syntax z open");
	assert_int_equal(publish(loads, 0, "(9, NULL, 'syntax', 'z', NULL), (1, 'amount', 'type', 'x', NULL)"), 2);
	assert_string_equal(loads_ask(loads, "SELECT count(*), max(id) FROM loadstar.quarantine"), "4 4");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.quarantine WHERE state = 'superseded' AND "
					     "(closed_by IS NULL OR reason IS NULL)"),
	    "0");
}

/* What another slice refused is none of ours, whatever the slices are called; what lies in our time is. */
static void
test_place_in_time(void **state)
{
	struct loads *loads = *state;

	(void)publish(loads, 0,
	    "(NULL, 'kind_key', 'lookup', 'a', '2024-01-02 10:00Z'), "
	    "(NULL, 'kind_key', 'lookup', 'b', '2024-01-01 10:00Z'), (5, NULL, 'type', 'c', NULL)");
	assert_int_equal(publish(loads, 1, NULL), 0);
	assert_string_equal(loads_ask(loads,
				"SELECT raw_text FROM loadstar.quarantine WHERE state = 'open' ORDER BY 1"),
	    "b\nc");
	assert_int_equal(publish(loads, 0, NULL), 0);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.quarantine WHERE state = 'open'"), "0");
}

static void
fail_with(struct loads *loads, struct loading *loading, enum fail_code code)
{
	(void)fail_sql(loads->ctx, code, "", "no good");
	keep_evidence(loads->ctx, loading);
	assert_int_equal(ctx_failure(loads->ctx)->code, code);
	fail_clear(loads->ctx);
}

static void
test_evidence(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job;
	struct loading loading = refuse(loads, 0, "(1, NULL, 'type', 'a', NULL)", &job, &outcome);

	/* Refused while publishing: seen before the rollback. */
	assert_true(pg_begin(loads->ctx, loading.warehouse));
	assert_true(pg_run(loads->ctx, loading.warehouse,
	    "INSERT INTO loadstar_rejects (rule, raw_text) VALUES ('lookup', 'b'); CREATE TABLE half_done (n int)"));
	fail_with(loads, &loading, FAIL_LOOKUP_MISSING);
	assert_string_equal(loads_ask(loads, "SELECT raw_text, state, reason FROM loadstar.quarantine ORDER BY id"),
	    "a failed no good\nb failed no good");
	assert_string_equal(loads_ask(loads, "SELECT to_regclass('half_done')"), "-");

	/* A transaction the server has given up shows what was refused before it; the newest attempt stands for the step. */
	assert_true(pg_begin(loads->ctx, loading.warehouse));
	assert_false(pg_run(loads->ctx, loading.warehouse, "SELECT 1 / 0"));
	fail_clear(loads->ctx);
	fail_with(loads, &loading, FAIL_SQL_DATA);
	assert_string_equal(loads_ask(loads, "SELECT raw_text, state FROM loadstar.quarantine ORDER BY id"),
	    "a failed");

	/* A lost connection says nothing about the rows. */
	fail_with(loads, &loading, FAIL_CONNECTION_LOST);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.quarantine"), "1");

	/* Evidence is not open, so a good load leaves it. */
	assert_int_equal(publish(loads, 0, NULL), 0);
	assert_string_equal(loads_ask(loads, "SELECT raw_text, state FROM loadstar.quarantine ORDER BY id"),
	    "a failed");
	pg_close(loading.warehouse);
}

static void
test_bounded(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job;
	struct loading loading = refuse(loads, 0, "(1, NULL, 'type', 'a', NULL)", &job, &outcome);

	assert_true(pg_run(loads->ctx, loading.warehouse,
	    "INSERT INTO loadstar_rejects (line, rule) SELECT n, 'type' FROM generate_series(2, 5000) n"));
	fail_with(loads, &loading, FAIL_FILE_REJECTS);
	assert_string_equal(loads_ask(loads, "SELECT count(*), min(line), max(line) FROM loadstar.quarantine"),
	    "1000 1 1000");
	pg_close(loading.warehouse);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_difference, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_place_in_time, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_evidence, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
