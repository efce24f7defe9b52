/* Loads that were undone: who reads the ledger does as if they had never been. An undo is a row of the ledger as its step will write it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/embed.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "etl/plan.h"
#include "etl/trace.h"
#include "tests/support/loads.h"

#include <cmocka.h>

static int
setup(void **state)
{
	struct loads *loads = loads_new();

	loads_source(loads,
	    "INSERT INTO kind VALUES (1, 'x');"
	    "INSERT INTO sale SELECT d, 'p', 1, 1, 1, timestamptz '2024-01-01 12:00Z' + d * interval '1 day', d"
	    "  FROM generate_series(0, 30) d");
	(void)loads_load(loads, "dim_kind", -1);
	*state = loads;
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

static int64_t
day_us(int day)
{
	int64_t at_us = 0;

	assert_true(clock_parse("2024-01-01", &at_us));
	return at_us + day * CLOCK_DAY_US;
}

/* The load's number. */
static int64_t
load_days(struct loads *loads, int from, int to)
{
	struct slice_job job = loads_job(loads, "fact_sale", 0);
	struct step_claim claim = *job.claim;
	struct slice_outcome outcome;

	claim.from_us = day_us(from);
	claim.to_us = day_us(to);
	claim.slice = plan_slice_name(loads->ctx, claim.from_us, claim.to_us);
	job.claim = &claim;
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	return loads->number;
}

static void
undo(struct loads *loads, int64_t number)
{
	loads_do(loads,
	    ctx_printf(loads->ctx,
		"INSERT INTO loadstar.slice_ledger SELECT gen_random_uuid(), gen_random_uuid(), pipeline, table_name, slice, scope,"
		" slice_from, slice_to, (1::bigint << 40) + %lld, 'undo', spec_hash, jsonb_build_object('undoes', load_id::text)"
		"  FROM loadstar.slice_ledger WHERE load_id = (1::bigint << 40) + %lld",
		(long long)++loads->number, (long long)number));
}

/* The days of January that are loaded, as a plan sees them: one character each. */
static const char *
days(struct loads *loads)
{
	struct slice_interval intervals[31];
	struct slice_job job = loads_job(loads, "fact_sale", -1);
	char *line = ctx_strdup(loads->ctx, "...............................");

	for (int day = 0; day < 31; day++)
		intervals[day] = (struct slice_interval){.from_us = day_us(day), .to_us = day_us(day + 1)};
	assert_true(slice_coverage(loads->ctx, &job, intervals, 31, false));
	for (int day = 0; day < 31; day++)
		if (intervals[day].loaded)
			line[day] = '#';
	return line;
}

/* Whoever asks the ledger has heard of undos; those that need not are named here, with the reason. */
static void
every_reader_knows(void **state)
{
	static const char *const others[] = {
	    "bookkeeping_find", /* is there a ledger? */
	    "ledger_find",      /* of a step: what it did, whatever became of that */
	    "ledger_inputs",    /* an undo wrote the table, too */
	    "ledger_insert",    /* writes */
	};

	(void)state;
	for (size_t i = 0; i < embedded_warehouse_count; i++) {
		const struct embedded_file *file = &embedded_warehouse[i];
		bool other = false;

		for (size_t k = 0; k < sizeof(others) / sizeof(*others); k++)
			other = other || text_equal(file->name, others[k]);
		if (!other && strstr(file->text, "slice_ledger") != NULL && strstr(file->text, "undo") == NULL)
			fail_msg("%s.sql counts loads that were undone", file->name);
	}
}

/* Daily loads, a month over them, a week over that; what lies below shows where a layer goes. */
static void
each_layer(void **state)
{
	struct loads *loads = *state;
	int64_t third = 0, month, week;

	for (int day = 0; day < 5; day++) {
		int64_t number = load_days(loads, day, day + 1);

		third = day == 2 ? number : third;
	}
	assert_string_equal(days(loads), "#####..........................");
	month = load_days(loads, 0, 31);
	week = load_days(loads, 3, 10);
	assert_string_equal(days(loads), "###############################");
	undo(loads, month);
	assert_string_equal(days(loads), "##########.....................");
	undo(loads, week);
	assert_string_equal(days(loads), "#####..........................");
	undo(loads, third);
	assert_string_equal(days(loads), "##.##..........................");
	(void)load_days(loads, 0, 31);
	assert_string_equal(days(loads), "###############################");
}

static int
planned(struct loads *loads, const char *mode)
{
	struct slice_job job = loads_job(loads, "fact_sale", -1);
	struct step_claim claim = *job.claim;
	struct plan plan;
	int count = 0;

	claim.run_type = "range";
	claim.mode = mode;
	claim.tables = json_trusted(loads->ctx, "[\"fact_sale\"]");
	claim.run_from_us = day_us(0);
	claim.run_to_us = day_us(31);
	job.table = NULL;
	job.claim = &claim;
	assert_true(plan_make(loads->ctx, &job, NULL, &plan));
	for (size_t i = 0; i < plan.count; i++)
		count += text_equal(plan.steps[i].scope, "time");
	return count;
}

static void
a_run_loads_again_what_is_missing_now(void **state)
{
	struct loads *loads = *state;
	int64_t month = load_days(loads, 0, 31);

	assert_int_equal(planned(loads, "missing"), 0);
	(void)load_days(loads, 3, 4);
	undo(loads, month);
	assert_int_equal(planned(loads, "missing"), 30);
	assert_int_equal(planned(loads, "all"), 31);
}

/* A snapshot that is not there any more is no newer one. */
static void
an_older_snapshot_may_come(void **state)
{
	struct loads *loads = *state;
	struct slice_job first = loads_job(loads, "dim_tag", -1);
	struct slice_outcome outcome;
	int64_t newest;

	assert_int_equal(loads_try(loads, &first, &outcome), FAIL_NONE);
	(void)loads_load(loads, "dim_tag", -1);
	newest = loads->number;
	loads_do(loads,
	    "UPDATE loadstar.slice_ledger SET result = result || '{\"snapshot_at\": \"2999-01-01\"}'"
	    " WHERE table_name = 'public.dim_tag' AND load_id = (SELECT max(load_id) FROM loadstar.slice_ledger)");
	first = loads_job(loads, "dim_tag", -1);
	assert_int_equal(loads_try(loads, &first, &outcome), FAIL_STALE_SNAPSHOT);
	undo(loads, newest);
	(void)loads_load(loads, "dim_tag", -1);
}

static void
a_row_says_that_its_load_was_undone(void **state)
{
	struct loads *loads = *state;
	const struct spec_table *table = spec_find_table(loads->spec, "fact_sale");
	const json_t *load;
	json_t *answer;
	int64_t number = load_days(loads, 0, 31);

	assert_true(trace_row(loads->ctx, loads->warehouse, loads->spec, table, (const char *const[]){"3"}, &answer));
	load = json_object_get(json_array_get(json_object_get(answer, "versions"), 0), "load");
	assert_true(json_is_null(json_object_get(load, "undone_at")));
	assert_true(json_is_array(json_object_get(load, "checks")));
	undo(loads, number);
	assert_true(trace_row(loads->ctx, loads->warehouse, loads->spec, table, (const char *const[]){"3"}, &answer));
	load = json_object_get(json_array_get(json_object_get(answer, "versions"), 0), "load");
	assert_non_null(json_string_or(load, "undone_at", NULL));
}

/* A ledger made before there were undos is read as it is, and follows with the next ddl step. */
static void
an_older_ledger_follows(void **state)
{
	struct loads *loads = *state;
	struct loads_pipeline same = {.files = loads->spec->files.items, .count = loads->spec->files.count};
	int64_t month;

	loads_do(loads, "DROP INDEX loadstar.slice_ledger_undone; ALTER TABLE loadstar.slice_ledger"
			" DROP CONSTRAINT slice_ledger_state_check,"
			" ADD CONSTRAINT slice_ledger_state_check CHECK (state IN ('loaded', 'open'))");
	month = load_days(loads, 0, 31);
	assert_string_equal(days(loads), "###############################");
	loads_redeclare(loads, &same);
	undo(loads, month);
	assert_string_equal(days(loads), "...............................");
	assert_false(pg_run(loads->ctx, loads->warehouse,
	    "INSERT INTO loadstar.slice_ledger SELECT gen_random_uuid(), run_id, pipeline, table_name, slice, scope, slice_from,"
	    " slice_to, load_id + 1, state, spec_hash, result FROM loadstar.slice_ledger WHERE state = 'undo'"));
	assert_string_equal(ctx_failure(loads->ctx)->sqlstate, "23505"); /* undone once */
	fail_clear(loads->ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_reader_knows),
	    cmocka_unit_test_setup_teardown(each_layer, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_run_loads_again_what_is_missing_now, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_older_snapshot_may_come, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_row_says_that_its_load_was_undone, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_older_ledger_follows, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
