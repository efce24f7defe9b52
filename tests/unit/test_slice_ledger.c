/* What the ledger says: coverage, open slices, touched ones; and who may make tables in a warehouse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/loads.h"

#include <cmocka.h>

static int
setup(void **state)
{
	struct loads *loads = loads_new();

	loads_source(loads, "INSERT INTO kind VALUES (1, 'x')");
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

static void
cover(struct loads *loads, struct slice_interval *intervals, int first_day, size_t count)
{
	struct slice_job job = loads_job(loads, "fact_sale", 0);
	int64_t start_us = job.claim->from_us;

	for (size_t i = 0; i < count; i++)
		intervals[i] = (struct slice_interval){.from_us = start_us + (first_day + (int)i) * CLOCK_DAY_US,
		    .to_us = start_us + (first_day + (int)i + 1) * CLOCK_DAY_US};
	assert_true(slice_coverage(loads->ctx, &job, intervals, count, true));
}

static void
test_coverage(void **state)
{
	struct loads *loads = *state;
	struct slice_interval days[5], half;
	struct slice_job job = loads_job(loads, "fact_sale", 0);

	loads_source(loads,
	    "INSERT INTO sale SELECT n, 'p', 1, 1, 1, timestamptz '2024-01-01 12:00:00+00' + n * interval '1 day', 1, "
	    "'2024-01-01', '' FROM generate_series(0, 4) n");
	(void)loads_load(loads, "fact_sale", 1);
	(void)loads_load(loads, "fact_sale", 3);
	cover(loads, days, 0, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(days[i].loaded, i == 1 || i == 3);
		assert_int_equal(days[i].loaded_us > 0, i == 1 || i == 3);
		assert_false(days[i].open || days[i].touched);
	}
	loads_source(loads, "UPDATE sale SET changed_at = clock_timestamp() WHERE sale_id IN (0, 3)");
	cover(loads, days, 0, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(days[i].touched, i == 3);
	(void)loads_load(loads, "fact_sale", 3);
	cover(loads, days, 0, 5);
	assert_false(days[3].touched);
	half = (struct slice_interval){.from_us = job.claim->from_us + 3 * CLOCK_DAY_US / 2,
	    .to_us = job.claim->from_us + 5 * CLOCK_DAY_US / 2}; /* half of it is not loaded */
	assert_true(slice_coverage(loads->ctx, &job, &half, 1, false));
	assert_false(half.loaded);
	assert_true(half.loaded_us > 0);
}

/* Newer loads win where they are, older ones show through elsewhere: against a model of one byte a segment. */
static void
test_layers(void **state)
{
	enum { DAYS = 20, LOADS = 40 };
	struct loads *loads = *state;
	struct slice_interval days[DAYS];
	char model[DAYS] = {0};

	srand(11);
	for (int i = 0; i < LOADS; i++) {
		int from = rand() % DAYS, to = from + 1 + rand() % 4, open = rand() % 3 == 0;

		if (to > DAYS)
			to = DAYS;
		loads_do(loads,
		    ctx_printf(loads->ctx,
			"INSERT INTO loadstar.slice_ledger VALUES (gen_random_uuid(), gen_random_uuid(), 'shop', 'public.fact_sale', '%d/%d', 'time', "
			"timestamptz '2024-01-01 00:00:00+00' + %d * interval '1 day', timestamptz '2024-01-01 00:00:00+00' + %d * interval '1 day', %d, '%s', 'h', "
			"'{\"snapshot_at\": \"2024-01-01T00:00:00Z\"}')",
			from, to, from, to, i, open ? "open" : "loaded"));
		for (int day = from; day < to; day++)
			model[day] = open ? 'o' : 'l';
		cover(loads, days, 0, DAYS);
		for (int day = 0; day < DAYS; day++) {
			assert_int_equal(days[day].loaded, model[day] == 'l');
			assert_int_equal(days[day].open, model[day] == 'o');
		}
	}
}

/* A slice is open by the time of its extraction. */
static void
test_open(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = loads_job(loads, "fact_sale", 0);
	struct step_claim *claim = (struct step_claim *)(uintptr_t)job.claim;
	struct slice_interval interval = {0};
	struct slice_outcome outcome;

	claim->from_us = clock_now_us() - CLOCK_DAY_US;
	claim->to_us = clock_now_us() + CLOCK_DAY_US;
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	interval.from_us = claim->from_us;
	interval.to_us = claim->to_us;
	assert_true(slice_coverage(loads->ctx, &job, &interval, 1, true));
	assert_true(interval.open);
	assert_false(interval.loaded);
}

/* A date of change says only the day: a change after the extraction, on the same day, must be found. */
static void
test_changed_by_date(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = loads_job(loads, "fact_sale", 0);
	struct spec_table table = *job.table;
	struct slice_interval interval = {.from_us = job.claim->from_us, .to_us = job.claim->to_us};

	loads_source(loads,
	    "INSERT INTO sale (sale_id, kind_id, sold_at, changed_at) VALUES (1, 1, '2024-01-01 05:00:00+00', 'yesterday')");
	(void)loads_load(loads, "fact_sale", 0);
	table.columns = ctx_alloc_array(loads->ctx, table.column_count, sizeof(*table.columns));
	for (size_t i = 0; i < table.column_count; i++) {
		table.columns[i] = job.table->columns[i];
		if (strcmp(table.columns[i].name, "changed_at") == 0)
			table.columns[i].type.kind = TYPE_DATE;
	}
	table.query = "SELECT sold_at, changed_at::date FROM sale WHERE sold_at >= :from AND sold_at < :to";
	job.table = &table;
	assert_true(slice_coverage(loads->ctx, &job, &interval, 1, true));
	assert_true(interval.loaded && !interval.touched);
	loads_source(loads, "UPDATE sale SET changed_at = now()");
	assert_true(slice_coverage(loads->ctx, &job, &interval, 1, true));
	assert_true(interval.touched);
}

static enum fail_code
apply(struct loads *loads, struct slice_job job)
{
	struct ctx *ctx = ctx_new("ddl", 0);
	const struct spec_table *table = spec_find_table(loads->spec, "fact_sale");
	enum fail_code code = slice_apply_ddl(ctx, &job, &table, 1) ? FAIL_NONE : ctx_failure(ctx)->code;

	loads->failure = ctx_strdup(loads->ctx, ctx_failure(ctx)->message);
	ctx_free(ctx);
	return code;
}

static bool
next_number(void *arg, struct ctx *ctx, int64_t *number)
{
	struct loads *loads = arg;

	(void)ctx;
	*number = ++loads->number;
	return true;
}

/* Other steps are claimed and registered while a ddl step begins: that is no foreign owner, and nothing to fail for. */
static void
test_ddl_below_newer_loads(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = loads_job(loads, "fact_sale", 0);

	job.numbers = (struct slice_numbers){.next = next_number, .arg = loads};
	(void)loads_load(loads, "dim_kind", -1);
	assert_int_equal(apply(loads, job), FAIL_NONE);
	loads_do(loads, "UPDATE loadstar.slice_fence SET load_id = load_id + 1000"); /* of a sequence that was ahead */
	assert_int_equal(apply(loads, job), FAIL_FOREIGN_OWNER);
	assert_non_null(strstr(loads->failure, "adopt"));
}

/* A control database that is behind: its steps fail, where a ghost's would come again and again. They can be revoked. */
static void
test_passed_for_good(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = loads_job(loads, "dim_kind", -1);
	struct slice_outcome outcome;
	bool committed = true;

	job.numbers = (struct slice_numbers){.next = next_number, .arg = loads};
	(void)loads_load(loads, "dim_kind", -1);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_FENCED);
	loads_do(loads, "UPDATE loadstar.slice_fence SET load_id = load_id + 1000");
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_FOREIGN_OWNER);
	loads_do(loads, "UPDATE loadstar.slice_fence SET load_id = load_id + (1::bigint << 41)"); /* of another epoch */
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_FOREIGN_OWNER);
	assert_true(slice_revoke(loads->ctx, &job, &outcome, &committed));
	assert_false(committed);
}

static void
test_owner(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = loads_job(loads, "fact_sale", 0), foreign = loads_job(loads, "fact_sale", 0);
	struct slice_outcome outcome;

	assert_int_equal(apply(loads, job), FAIL_NONE);
	foreign.control_id = "another";
	assert_int_equal(apply(loads, foreign), FAIL_FOREIGN_OWNER);
	assert_int_equal(loads_try(loads, &foreign, &outcome), FAIL_FOREIGN_OWNER);
	loads_do(loads, "UPDATE loadstar.slice_fence SET load_id = load_id + (1::bigint << 41)");
	assert_int_equal(apply(loads, loads_again(loads, &job)), FAIL_FOREIGN_OWNER);
	assert_non_null(strstr(loads->failure, "adopt"));
}

static void
test_ddl(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = loads_job(loads, "fact_sale", 0);

	loads_do(loads, "ALTER TABLE fact_sale DROP COLUMN amount, DROP COLUMN tag_key");
	assert_int_equal(apply(loads, job), FAIL_NONE);
	assert_string_equal(loads_ask(loads, "SELECT count(amount) + count(tag_key) FROM fact_sale"), "0");
	loads_do(loads, "ALTER TABLE fact_sale ALTER COLUMN amount TYPE text");
	assert_int_equal(apply(loads, job), FAIL_DDL_MISMATCH);
	assert_non_null(strstr(loads->failure, "amount is text, declared numeric(10,2)"));
	loads_do(loads, "DROP TABLE fact_sale, dim_kind"); /* a neighbour comes back with it */
	assert_int_equal(apply(loads, job), FAIL_NONE);
	assert_string_equal(loads_ask(loads, "SELECT kind_key, is_current FROM dim_kind"), "-1 t");
}

/* No ddl step of a table waits for its loads when there is nothing to do. */
static void
test_ddl_does_not_wait(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = loads_job(loads, "fact_sale", 0);

	loads_do(loads,
	    "BEGIN; INSERT INTO dim_kind (kind_id, effective_from, effective_to, is_current, load_id, loaded_at) "
	    "VALUES (9, '-infinity', 'infinity', true, 1, now()); LOCK fact_sale IN ROW EXCLUSIVE MODE");
	assert_int_equal(apply(loads, job), FAIL_NONE);
	loads_do(loads, "ROLLBACK");
}

static void
test_orphans(void **state)
{
	struct loads *loads = *state;
	struct slice_job job = loads_job(loads, "fact_sale", 0), again = loads_again(loads, &job);
	struct pg_options options = {.what = "orphan",
	    .application_name = slice_application_name(loads->ctx, job.claim, job.claim->attempt)};
	struct secret url;
	struct pg *pg;
	int64_t ended;

	assert_true(config_connection(loads->ctx, &loads->config, "warehouse", &url));
	assert_true(pg_open(loads->ctx, &url, &options, &pg));
	assert_true(slice_end_orphans(loads->ctx, &job, &ended)); /* of its own attempt: none */
	assert_int_equal(ended, 0);
	assert_true(slice_end_orphans(loads->ctx, &again, &ended));
	assert_true(ended >= 1);
	clock_sleep_ms(100);
	assert_string_equal(loads_ask(loads, ctx_printf(loads->ctx,
						 "SELECT count(*) FROM pg_stat_activity WHERE application_name = '%s'",
						 options.application_name)),
	    "0");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_coverage, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_layers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_open, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_changed_by_date, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ddl_below_newer_loads, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_passed_for_good, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ddl, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ddl_does_not_wait, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_orphans, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
