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

static const char *
evidence(struct loads *loads)
{
	return loads_ask(loads, "SELECT state, raw_text, reason FROM loadstar.quarantine ORDER BY id");
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
	outcome.counts.read = 7;
	fail_with(loads, &loading, FAIL_LOOKUP_MISSING);
	assert_string_equal(evidence(loads), "aborted a no good\naborted b no good");
	assert_string_equal(loads_ask(loads, "SELECT to_regclass('half_done')"), "-");
	assert_string_equal(
	    loads_ask(loads,
		"SELECT state, code, reason, counts -> 'rows' ->> 'read', checks FROM loadstar.slice_evidence"),
	    "aborted lookup_missing no good 7 []");

	/* A transaction the server has given up shows what was refused before it; the last failure stands for the slice. */
	assert_true(pg_begin(loads->ctx, loading.warehouse));
	assert_false(pg_run(loads->ctx, loading.warehouse, "SELECT 1 / 0"));
	fail_clear(loads->ctx);
	fail_with(loads, &loading, FAIL_SQL_DATA);
	assert_string_equal(evidence(loads), "aborted a no good");
	assert_string_equal(loads_ask(loads, "SELECT code FROM loadstar.slice_evidence"), "sql_data");

	/* A lost connection says nothing about the rows. */
	fail_with(loads, &loading, FAIL_CONNECTION_LOST);
	assert_string_equal(evidence(loads), "aborted a no good");

	/* It is no open reject, so the next load's have nothing to do with it. */
	assert_int_equal(publish(loads, 0, NULL), 0);
	assert_string_equal(evidence(loads), "aborted a no good");
	pg_close(loading.warehouse);
}

/* A failure takes the place of the slice's one before, also of another run's; a success of the slice, and of nothing else, ends it. */
static void
test_evidence_is_superseded(void **state)
{
	static const char states[] =
	    "SELECT left(slice, 10), state, closed_by IS NOT NULL FROM loadstar.slice_evidence ORDER BY slice";
	struct loads *loads = *state;
	struct slice_outcome outcome;
	struct slice_job job;
	struct loading loading;

	for (int day = 0; day < 2; day++) {
		loading = refuse(loads, day, "(1, NULL, 'type', 'a', NULL)", &job, &outcome);
		fail_with(loads, &loading, FAIL_FILE_REJECTS);
		pg_close(loading.warehouse);
	}
	loading = refuse(loads, 0, NULL, &job, &outcome); /* a run of its own, which refused nothing */
	fail_with(loads, &loading, FAIL_QUALITY_FAILED);
	pg_close(loading.warehouse);
	assert_string_equal(loads_ask(loads, "SELECT left(slice, 10), state FROM loadstar.quarantine"),
	    "2024-01-02 aborted");
	assert_string_equal(loads_ask(loads, states), "2024-01-01 aborted f\n2024-01-02 aborted f");
	(void)loads_load(loads, "fact_sale", 1);
	assert_string_equal(loads_ask(loads, "SELECT state, closed_by IS NOT NULL FROM loadstar.quarantine"),
	    "superseded t");
	assert_string_equal(loads_ask(loads, states), "2024-01-01 aborted f\n2024-01-02 superseded t");
	(void)loads_load(loads, "fact_sale", 0);
	assert_string_equal(loads_ask(loads, states), "2024-01-01 superseded t\n2024-01-02 superseded t");
}

/* Who was passed by a newer attempt says nothing any more; and a process that dies before it could say leaves nothing behind. */
static void
test_evidence_that_is_late(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome, newer_outcome;
	struct slice_job job, newer;
	struct loading loading = refuse(loads, 0, "(1, NULL, 'type', 'a', NULL)", &job, &outcome), other;

	newer = loads_again(loads, &job);
	loading_init(loads->ctx, &other, &newer, &newer_outcome);
	assert_true(open_warehouse(loads->ctx, &newer, &other.warehouse));
	assert_true(register_slice(loads->ctx, &other));
	fail_with(loads, &loading, FAIL_FILE_REJECTS);
	assert_string_equal(evidence(loads), "");
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.slice_evidence"), "0");
	assert_true(pg_begin(loads->ctx, loading.warehouse));
	pg_close(loading.warehouse);
	fail_with(loads, &loading, FAIL_FILE_REJECTS);
	assert_string_equal(loads_ask(loads, "SELECT count(*) FROM loadstar.slice_evidence"), "0");
	pg_close(other.warehouse);
	newer = loads_again(loads, &newer);
	assert_int_equal(loads_try(loads, &newer, &outcome), FAIL_NONE);
}

/* What an earlier version kept as 'failed'. */
static void
test_earlier_state(void **state)
{
	struct loads *loads = *state;

	loads_do(loads,
	    "ALTER TABLE loadstar.quarantine DROP CONSTRAINT quarantine_state_check;"
	    "INSERT INTO loadstar.quarantine (pipeline, table_name, slice, run_id, step_id, load_id, rule, state) "
	    "VALUES ('p', 't', 's', gen_random_uuid(), gen_random_uuid(), 1, 'type', 'failed');"
	    "ALTER TABLE loadstar.quarantine ADD CONSTRAINT quarantine_state_check "
	    "CHECK (state IN ('open', 'superseded', 'failed', 'replayed', 'closed'))");
	for (int i = 0; i < 2; i++) {
		assert_true(pg_begin(loads->ctx, loads->warehouse));
		assert_true(slice_create_bookkeeping(loads->ctx, loads->warehouse));
		assert_true(pg_commit(loads->ctx, loads->warehouse));
		assert_string_equal(loads_ask(loads, "SELECT state FROM loadstar.quarantine"), "aborted");
	}
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
	    cmocka_unit_test_setup_teardown(test_evidence_is_superseded, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_evidence_that_is_late, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_earlier_state, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
