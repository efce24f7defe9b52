/*
 * Three days of nightly `full` runs in mode auto, on a clock of the test's own: rows arrive, change, arrive late, move and vanish, and each
 * morning the table equals the source. The source's server tells the test's time, too: a function of its own name stands before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "etl/plan.h"
#include "tests/support/loads.h"

#include <cmocka.h>

static int64_t now_us;

static int64_t
fake_now(void *arg)
{
	(void)arg;
	return now_us;
}

static const struct clock fake_clock = {.now_us = fake_now};

static void
set_clock(struct loads *loads, const char *time)
{
	assert_true(clock_parse(time, &now_us));
	loads_source(loads, ctx_printf(loads->ctx, "UPDATE fake.clock SET at = '%s'", time));
}

/* The pipeline with another line below `changed_by`. */
static struct loads_pipeline
with(struct ctx *ctx, const struct spec *spec, const char *line)
{
	static const char after[] = "    changed_by: changed_at\n";
	struct loads_pipeline pipeline = {.files = ctx_alloc_array(ctx, spec->files.count, sizeof(*pipeline.files)),
	    .count = spec->files.count};

	for (size_t i = 0; i < pipeline.count; i++) {
		struct spec_file *file = &pipeline.files[i];
		const char *at = strstr(spec->files.items[i].text, after);

		*file = spec->files.items[i];
		if (at != NULL)
			file->text = ctx_printf(ctx, "%.*s%s%s%s", (int)(at - file->text), file->text, after, line,
			    at + strlen(after));
	}
	return pipeline;
}

static int
setup(void **state)
{
	struct loads *loads = loads_new();

	loads_source(loads,
	    "DROP SCHEMA IF EXISTS fake CASCADE; CREATE SCHEMA fake; CREATE TABLE fake.clock AS SELECT now() AS at;"
	    "CREATE FUNCTION fake.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM fake.clock';"
	    "ALTER DATABASE slice_source SET search_path = fake, pg_catalog, public; SET search_path = fake, pg_catalog, public;"
	    "INSERT INTO kind VALUES (1, 'x')");
	clock_set(&fake_clock);
	*state = loads;
	return 0;
}

static int
teardown(void **state)
{
	struct loads *loads = *state;

	clock_set(NULL);
	loads_source(loads, "ALTER DATABASE slice_source RESET search_path; DROP SCHEMA fake CASCADE");
	loads_free(loads);
	return 0;
}

static void
put(struct loads *loads, int id, const char *sold_at, int amount)
{
	loads_source(loads,
	    ctx_printf(loads->ctx, "INSERT INTO sale VALUES (%d, 'p', 1, 1, 1, '%s', %d, fake.clock_timestamp(), '')",
		id, sold_at, amount));
}

static void
load_step(struct loads *loads, const struct step_plan *step)
{
	struct slice_job job = loads_job(loads, step->table, -1);
	struct step_claim claim = *job.claim;
	struct slice_outcome outcome;

	claim.id = step->id;
	claim.scope = step->scope;
	claim.slice = step->slice;
	claim.from_us = step->from_us;
	claim.to_us = step->to_us;
	job.claim = &claim;
	if (loads_try(loads, &job, &outcome) != FAIL_NONE)
		fail_msg("%s %s: %s", step->table, step->slice, loads->failure);
}

/* A nightly run at a time; the days of the facts' slices that it loaded, and the states the ledger has for the last night's. */
static const char *
night(struct loads *loads, const char *time)
{
	struct slice_job job = loads_job(loads, "fact_sale", -1);
	struct step_claim claim = *job.claim;
	struct text days;
	struct plan plan;

	set_clock(loads, time);
	claim.run_type = "full";
	claim.mode = "auto";
	claim.tables = json_null();
	claim.run_created_us = clock_now_us();
	job.table = NULL;
	job.claim = &claim;
	text_init(&days, loads->ctx);
	assert_true(plan_make(loads->ctx, &job, NULL, &plan));
	for (size_t i = 0; i < plan.count; i++) {
		if (plan.steps[i].table == NULL)
			continue;
		load_step(loads, &plan.steps[i]);
		if (text_equal(plan.steps[i].scope, "time"))
			text_addf(&days, "%s%.2s", days.length > 0 ? " " : "",
			    plan.steps[i].slice + strlen("2024-01-"));
	}
	return days.data;
}

static const char sales[] = "SELECT sale_id, sold_at, amount FROM sale ORDER BY sale_id";
static const char facts[] = "SELECT sale_id, sold_at, amount FROM fact_sale ORDER BY sale_id";

static void
equals_its_source(struct loads *loads)
{
	assert_string_equal(loads_ask(loads, facts), loads_ask_source(loads, sales));
}

static const char *
open_slices(struct loads *loads)
{
	return loads_ask(loads,
	    "SELECT string_agg(to_char(slice_from, 'DD'), ' ' ORDER BY slice_from)"
	    "  FROM (SELECT DISTINCT ON (slice) * FROM loadstar.slice_ledger WHERE scope = 'time' ORDER BY slice, load_id DESC) l"
	    " WHERE state = 'open'");
}

static void
first_days(struct loads *loads)
{
	set_clock(loads, "2024-01-03T20:00:00Z");
	put(loads, 1, "2024-01-01 10:00Z", 10);
	put(loads, 2, "2024-01-02 10:00Z", 20);
	put(loads, 3, "2024-01-03 10:00Z", 30);
	put(loads, 4, "2024-01-03 11:00Z", 40);
	set_clock(loads, "2024-01-04T01:30:00Z");
	put(loads, 5, "2024-01-04 01:00Z", 50);
	assert_string_equal(night(loads, "2024-01-04T02:00:00Z"), "01 02 03 04");
	equals_its_source(loads);
	assert_string_equal(open_slices(loads), "04");
}

static void
three_nights(void **state)
{
	struct loads *loads = *state;

	first_days(loads);
	set_clock(loads, "2024-01-04T15:00:00Z");
	put(loads, 6, "2024-01-04 12:00Z", 60); /* arrives */
	put(loads, 7, "2024-01-02 23:00Z", 70); /* arrives late */
	loads_source(loads,
	    "UPDATE sale SET amount = 31, changed_at = fake.clock_timestamp() WHERE sale_id = 3"); /* changes */
	assert_string_equal(night(loads, "2024-01-05T02:00:00Z"), "02 03 04 05");
	equals_its_source(loads);
	assert_string_equal(open_slices(loads), "05"); /* the one of the night before was completed */
	set_clock(loads, "2024-01-05T15:00:00Z");
	put(loads, 8, "2024-01-05 14:00Z", 80);
	loads_source(loads,
	    "UPDATE sale SET sold_at = '2024-01-01 09:00Z', changed_at = fake.clock_timestamp() WHERE sale_id = 6"); /* moves */
	assert_string_equal(night(loads, "2024-01-06T02:00:00Z"), "01 05 06");
	equals_its_source(loads);
	assert_string_equal(night(loads, "2024-01-06T02:30:00Z"), "06");
	equals_its_source(loads);
}

/* What changed_by cannot see stays as it was, and is found with `reconcile`. */
static void
reconciled_nights(void **state)
{
	struct loads *loads = *state;
	const struct spec *plain = loads->spec;
	struct loads_pipeline pipeline = with(loads->ctx, plain, "    reconcile: P7D\n");

	first_days(loads);
	set_clock(loads, "2024-01-04T15:00:00Z");
	loads_source(loads, "DELETE FROM sale WHERE sale_id = 4; UPDATE sale SET amount = 11 WHERE sale_id = 1");
	assert_string_equal(night(loads, "2024-01-05T02:00:00Z"), "04 05");
	assert_string_not_equal(loads_ask(loads, facts), loads_ask_source(loads, sales));
	loads_redeclare(loads, &pipeline);
	assert_string_equal(night(loads, "2024-01-05T03:00:00Z"), "01 02 03 04 05"); /* nothing was noted of them yet */
	equals_its_source(loads);
	assert_string_equal(night(loads, "2024-01-05T04:00:00Z"), "05");
	set_clock(loads, "2024-01-05T15:00:00Z");
	loads_source(loads, "UPDATE sale SET amount = 12 WHERE sale_id = 1; DELETE FROM sale WHERE sale_id = 2;"
			    "UPDATE sale SET sold_at = '2024-01-04 09:00Z' WHERE sale_id = 3");
	assert_string_equal(night(loads, "2024-01-06T02:00:00Z"), "01 02 03 04 05 06");
	equals_its_source(loads);
	assert_string_equal(night(loads, "2024-01-06T03:00:00Z"), "06");
	/* a slice that is left behind by the seven days is not looked at any more */
	assert_string_equal(night(loads, "2024-01-09T02:00:00Z"), "06 07 08 09");
	loads_source(loads, "UPDATE sale SET amount = 13 WHERE sale_id IN (1, 5)");
	assert_string_equal(night(loads, "2024-01-10T02:00:00Z"), "04 09 10");
}

/* Duplicates and rows out of bounds are of the source, not of the table: what is not written is no difference. */
static void
what_is_dropped_is_no_difference(void **state)
{
	struct loads *loads = *state;
	struct loads_pipeline pipeline = with(loads->ctx, loads->spec, "    reconcile: P7D\n");

	loads_redeclare(loads, &pipeline);
	set_clock(loads, "2024-01-03T20:00:00Z");
	put(loads, 1, "2024-01-01 10:00Z", 10);
	put(loads, 1, "2024-01-01 10:00Z", 11);
	put(loads, 2, "infinity", 11);
	assert_string_equal(night(loads, "2024-01-04T02:00:00Z"), "01 02 03 04");
	assert_string_equal(night(loads, "2024-01-04T03:00:00Z"), "04");
	load_step(loads, &(struct step_plan){.id = uuid_make(loads->ctx),
			     .table = "fact_sale",
			     .scope = "time",
			     .slice = "half",
			     .from_us = now_us - 3 * CLOCK_DAY_US,
			     .to_us = now_us - 2 * CLOCK_DAY_US});
	assert_string_equal(night(loads, "2024-01-04T04:00:00Z"), "01 02 04"); /* two loads made each of them */
	assert_string_equal(night(loads, "2024-01-04T05:00:00Z"), "04");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(three_nights, setup, teardown),
	    cmocka_unit_test_setup_teardown(reconciled_nights, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_dropped_is_no_difference, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
