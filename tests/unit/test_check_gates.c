/* The gates: what an error check stops is never seen by readers, what it said survives, and a commit tells it once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "tests/support/checked.h"
#include "tests/support/pg_cluster.h"

static const char checks[] =
    "  - { name: positive, kind: validity, table: fact_sale, rule: amount > 0 }\n"
    "  - { name: noted, kind: completeness, table: fact_sale, columns: note, severity: warn }\n"
    "  - { name: small, kind: sql, table: fact_sale, gate: published, expect: 0,\n"
    "      query: \"SELECT (SELECT count(*) FROM fact_sale WHERE amount >= 100) FROM pg_sleep(0.3)\" }\n"
    "  - { name: many, kind: volume, table: fact_sale, gate: published, min: 2, severity: warn }\n"
    "  - { name: in_all, kind: volume, table: fact_sale, gate: run, max: 3 }\n"
    "  - { name: kinds, kind: sql, gate: run, query: checks/few.sql, expect: 1, severity: warn }\n";

static int
setup(void **state)
{
	struct ctx *ctx = ctx_new("pipeline", 0);
	struct loads *loads = loads_new_of(checked_pipeline(ctx, checks));

	ctx_defer(loads->ctx, (void (*)(void *))ctx_free, ctx);
	*state = loads;
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

static void
sell(struct loads *loads, const char *values)
{
	loads_source(loads, ctx_printf(loads->ctx, "DELETE FROM sale; INSERT INTO sale VALUES %s", values));
}

static const char *
ledger_checks(struct loads *loads, const struct slice_job *job)
{
	return loads_ask(loads,
	    ctx_printf(loads->ctx,
		"SELECT string_agg(c ->> 'check' || ' ' || (c ->> 'status'), ',' ORDER BY n) FROM loadstar.slice_ledger l,"
		" jsonb_array_elements(l.result -> 'checks') WITH ORDINALITY AS x (c, n) WHERE step_id = '%s'",
		job->claim->id));
}

/* Nothing of the slice is written, and the gate published is not even asked. */
static void
test_staging_stops_before_anything_is_written(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job = loads_job(loads, "fact_sale", 0);

	sell(loads, "(1, 1, '2024-01-01', -1, NULL), (2, 1, '2024-01-01', 5, 'x')");
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_QUALITY_FAILED);
	assert_string_equal(loads->failure, "the check positive failed: 1 of 2 rows fail, expected all rows");
	assert_string_equal(checked_results(loads, &outcome),
	    "positive failed 1 of 2 rows fail\nnoted warned 1 of 2 rows fail");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM fact_sale"), "0");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.slice_ledger"), "0");
	assert_string_equal(loads_ask(loads, "SELECT last_value FROM fact_sale_sale_key_seq"), "1");
}

struct reader {
	pthread_t thread;
	atomic_bool stop;
	int looks, seen;
};

static void *
read_on(void *arg)
{
	struct reader *reader = arg;
	struct ctx *ctx = ctx_new("reader", 0);
	struct pg *pg = pg_cluster_open(ctx, "slice_warehouse");

	while (!atomic_load(&reader->stop)) {
		CTX_SCOPE(tmp, ctx);
		struct pg_rows rows;

		ASSERT(pg_query(tmp, pg, "SELECT count(*) FROM fact_sale WHERE amount >= 100 OR sale_id = 3",
		    PG_NO_PARAMS, &rows));
		reader->seen += pg_i64(&rows, 0, 0) > 0 ? 1 : 0;
		reader->looks++;
		clock_sleep_ms(5);
	}
	ctx_free(ctx);
	return NULL;
}

/* The rows are written and looked at for 0.3 s by the check; somebody else never sees one of them. */
static void
test_published_is_rolled_back_and_nobody_saw_it(void **state)
{
	struct loads *loads = *state;
	struct reader reader = {.looks = 0};
	struct slice_outcome outcome;
	struct slice_job job;

	sell(loads, "(1, 1, '2024-01-01', 1, 'a'), (2, 1, '2024-01-01', 2, 'b')");
	(void)loads_load(loads, "fact_sale", 0);
	sell(loads, "(1, 1, '2024-01-01', 100, 'a'), (3, 1, '2024-01-01', 2, 'b'), (4, 1, '2024-01-01', 300, 'c')");
	job = loads_job(loads, "fact_sale", 0);
	assert_int_equal(pthread_create(&reader.thread, NULL, read_on, &reader), 0);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_QUALITY_FAILED);
	atomic_store(&reader.stop, true);
	pthread_join(reader.thread, NULL);
	assert_string_equal(checked_results(loads, &outcome),
	    "positive passed 0 of 3 rows fail\nnoted passed 0 of 3 rows fail\nsmall failed 2\nmany passed 3 rows");
	assert_true(reader.looks > 10);
	assert_int_equal(reader.seen, 0);
	assert_string_equal(loads_ask(loads, "SELECT sale_id, amount FROM fact_sale ORDER BY 1"), "1 1.00\n2 2.00");
	assert_string_equal(ledger_checks(loads, &job), "-");
	sell(loads, "(1, 1, '2024-01-01', 99, 'a')");
	job = loads_again(loads, &job); /* the same step, once its source is mended */
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(ledger_checks(loads, &job), "positive passed,noted passed,small passed,many warned");
}

/* An attempt that finds the step committed says what the one that committed it was told; what it asked itself does not count. */
static void
test_a_commit_that_is_found_tells_its_results(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job = loads_job(loads, "fact_sale", 0), again;
	struct ctx *ctx = ctx_new("revoke", 0);
	const char *said;
	bool committed;

	sell(loads, "(1, 1, '2024-01-01', 1, NULL)");
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(checked_results(loads, &outcome),
	    "positive passed 0 of 1 rows fail\nnoted warned 1 of 1 rows fail\nsmall passed 0\nmany warned 1 rows");
	said = json_text_sorted(loads->ctx, outcome.checks);
	sell(loads, "(1, 1, '2024-01-01', 1, 'now there is one')");
	again = loads_again(loads, &job);
	assert_int_equal(loads_try(loads, &again, &outcome), FAIL_NONE);
	assert_true(outcome.found);
	assert_string_equal(json_text_sorted(loads->ctx, outcome.checks), said);
	assert_int_equal(json_int_or(checked_result(&outcome, "noted"), "attempt", 0), 1);
	again = loads_again(loads, &again);
	assert_true(slice_revoke(ctx, &again, &outcome, &committed));
	assert_true(committed);
	assert_string_equal(json_text_sorted(loads->ctx, outcome.checks), said);
	ctx_free(ctx);
}

static enum fail_code
ask_run(struct loads *loads, struct slice_outcome *outcome)
{
	return checked_after(loads, NULL, outcome);
}

static void
test_run(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	sell(loads, "(1, 1, '2024-01-01', 1, 'a'), (2, 1, '2024-01-01', 2, 'b'), (3, 1, '2024-01-02', 2, 'b')");
	(void)loads_load(loads, "fact_sale", 0);
	(void)loads_load(loads, "fact_sale", 1);
	assert_int_equal(ask_run(loads, &outcome), FAIL_NONE);
	assert_string_equal(checked_results(loads, &outcome), "in_all passed 3 rows\nkinds passed 1");
	assert_string_equal(json_string_or(checked_result(&outcome, "in_all"), "scope", ""), "table");
	loads_do(loads, "UPDATE fact_sale SET sold_at = '2024-01-03' WHERE sale_id = 3");
	sell(loads, "(9, 1, '2024-01-02', 1, 'a')");
	(void)loads_load(loads, "fact_sale", 1);
	assert_int_equal(ask_run(loads, &outcome), FAIL_QUALITY_FAILED);
	assert_string_equal(loads->failure, "the check in_all failed: 4 rows, expected at most 3 rows");
	assert_string_equal(checked_results(loads, &outcome), "in_all failed 4 rows\nkinds passed 1");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM fact_sale"), "4"); /* after the fact */
}

/* Slices that are each unique, and a table that is not: only who asks of the whole sees it, and only after the last of them. */
static void
test_scopes(void **state)
{
	static const char scoped[] =
	    "  - { name: once_here, kind: uniqueness, table: fact_sale, columns: note, gate: published }\n"
	    "  - { name: once_anywhere, kind: uniqueness, table: fact_sale, columns: note, gate: published, scope: table }\n"
	    "  - { name: few_kinds, kind: volume, table: dim_kind, gate: published, scope: table, max: 1 }\n";
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job;

	loads_redeclare(loads, checked_pipeline(loads->ctx, scoped));
	sell(loads, "(1, 1, '2024-01-01', 1, 'a'), (2, 1, '2024-01-01', 2, 'b'), (3, 1, '2024-01-02', 2, 'b')");
	for (int day = 0; day < 2; day++) {
		outcome = loads_load(loads, "fact_sale", day);
		assert_string_equal(checked_results(loads, &outcome),
		    day == 0 ? "once_here passed 0 of 2 rows fail" : "once_here passed 0 of 1 rows fail");
		assert_string_equal(json_string_or(checked_result(&outcome, "once_here"), "scope", ""), "slice");
	}
	assert_int_equal(checked_after(loads, "fact_sale", &outcome), FAIL_QUALITY_FAILED);
	assert_string_equal(checked_results(loads, &outcome), "once_anywhere failed 2 of 3 rows fail");
	assert_string_equal(json_string_or(checked_result(&outcome, "once_anywhere"), "scope", ""), "table");
	assert_string_equal(json_string_or(checked_result(&outcome, "once_anywhere"), "gate", ""), "published");
	assert_string_equal(json_text(loads->ctx, json_object_get(checked_result(&outcome, "once_anywhere"), "sample")),
	    "[{\"sale_id\":2,\"note\":\"b\"},{\"sale_id\":3,\"note\":\"b\"}]");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM fact_sale"), "3"); /* after the fact */
	/* a table that is one slice has its whole in that slice's transaction */
	loads_source(loads, "INSERT INTO kind VALUES (1, 'one'), (2, 'two')");
	job = loads_job(loads, "dim_kind", -1);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_QUALITY_FAILED);
	assert_string_equal(json_string_or(checked_result(&outcome, "few_kinds"), "scope", ""), "table");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM dim_kind"), "1"); /* the unknown one */
}

/* The clock that :now and freshness go by is the service's. */
static int64_t
fake_now(void *arg)
{
	return *(int64_t *)arg;
}

static void
test_freshness_by_a_fake_clock(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	int64_t now_us = 0;
	struct clock clock = {.now_us = fake_now, .arg = &now_us};

	loads_redeclare(loads,
	    checked_pipeline(loads->ctx,
		"  - { name: fresh, kind: freshness, table: fact_sale, column: sold_at, max_age: 2d }\n"));
	clock_set(&clock);
	assert_true(clock_parse("2024-01-03T12:00:00Z", &now_us));
	assert_int_equal(ask_run(loads, &outcome), FAIL_QUALITY_FAILED); /* nothing is not fresh */
	sell(loads, "(1, 1, '2024-01-01 12:00+00', 1, 'a')");
	(void)loads_load(loads, "fact_sale", 0);
	assert_int_equal(ask_run(loads, &outcome), FAIL_NONE); /* two days to the second */
	now_us += CLOCK_SECOND_US;
	assert_int_equal(ask_run(loads, &outcome), FAIL_QUALITY_FAILED);
	assert_string_equal(checked_results(loads, &outcome), "fresh failed 2024-01-01T12:00:00Z");
	clock_set(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_staging_stops_before_anything_is_written, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_published_is_rolled_back_and_nobody_saw_it, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_a_commit_that_is_found_tells_its_results, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_run, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_scopes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_freshness_by_a_fake_clock, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
