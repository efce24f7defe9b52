/* Calendars: what a day and a minute say, that a repeat touches nothing, that they grow, and how facts find them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/kinds.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = loads_new_of(&kinds_pipeline);
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

/* The same pipeline with one text replaced. */
static void
redeclare(struct loads *loads, const char *from, const char *to)
{
	struct loads_pipeline pipeline = kinds_pipeline;

	pipeline.files = ctx_alloc_array(loads->ctx, pipeline.count, sizeof(*pipeline.files));
	for (size_t i = 0; i < pipeline.count; i++) {
		pipeline.files[i] = kinds_pipeline.files[i];
		if (text_ends_with(pipeline.files[i].path, ".yaml")) {
			const char *text = pipeline.files[i].text, *at = strstr(text, from);

			assert_non_null(at);
			pipeline.files[i].text =
			    ctx_printf(loads->ctx, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
		}
	}
	loads_redeclare(loads, &pipeline);
}

static void
test_dates(void **state)
{
	static const char day[] =
	    "SELECT date_key, year, quarter, month, month_name, day_of_month, day_of_year, day_of_week, day_name, iso_year, "
	    "iso_week, is_weekend, is_month_end, month_start, month_end, fiscal_year, fiscal_quarter, fiscal_month "
	    "FROM dim_date WHERE full_date = '%s'";
	static const struct {
		const char *date, *row;
	} days[] = {
	    {"2024-02-29", "20240229 2024 1 2 February 29 60 4 Thursday 2024 9 f t 2024-02-01 2024-02-29 2024 4 11"},
	    {"2024-03-31", "20240331 2024 1 3 March 31 91 7 Sunday 2024 13 t t 2024-03-01 2024-03-31 2024 4 12"},
	    {"2024-04-01", "20240401 2024 2 4 April 1 92 1 Monday 2024 14 f f 2024-04-01 2024-04-30 2025 1 1"},
	    {"2024-12-30", "20241230 2024 4 12 December 30 365 1 Monday 2025 1 f f 2024-12-01 2024-12-31 2025 3 9"},
	    {"2025-12-31", "20251231 2025 4 12 December 31 365 3 Wednesday 2026 1 f t 2025-12-01 2025-12-31 2026 3 9"},
	};
	struct loads *loads = *state;
	struct slice_outcome outcome = loads_load(loads, "dim_date", -1);

	assert_int_equal(outcome.counts.inserted, 366 + 365);
	assert_string_equal(
	    loads_ask(loads,
		"SELECT min(full_date), max(full_date), count(*), count(DISTINCT date_key) FROM dim_date WHERE date_key > 0"),
	    "2024-01-01 2025-12-31 731 731");
	for (size_t i = 0; i < sizeof(days) / sizeof(*days); i++)
		assert_string_equal(loads_ask(loads, ctx_printf(loads->ctx, day, days[i].date)), days[i].row);
	outcome = loads_load(loads, "dim_date", -1);
	assert_int_equal(outcome.counts.unchanged, 731);
	assert_string_equal(loads_ask(loads, "SELECT count(DISTINCT load_id) FROM dim_date"),
	    "2"); /* and the unknown member's */
}

static void
test_minutes(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome = loads_load(loads, "dim_time", -1);

	assert_int_equal(outcome.counts.inserted, 1440);
	assert_string_equal(
	    loads_ask(loads,
		"SELECT time_key, minute_of_day, hour, minute, label, hour_of_half_day, half_day, part_of_day "
		"FROM dim_time WHERE minute_of_day IN (0, 545, 720, 1439) ORDER BY 1"),
	    "0 0 0 0 00:00 12 AM night\n905 545 9 5 09:05 9 AM morning\n1200 720 12 0 12:00 12 PM afternoon\n"
	    "2359 1439 23 59 23:59 11 PM evening");
	outcome = loads_load(loads, "dim_time", -1);
	assert_int_equal(outcome.counts.unchanged, 1440);
}

static const char when[] =
    "SELECT id, at_date_key, at_time_key, local_date_key, local_time_key, day_key FROM fact_when ORDER BY id";

/* The pipeline's time zone is Europe/Zurich: winter an hour before UTC, summer two. */
static void
test_facts(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	loads_source(loads,
	    "INSERT INTO fact_when VALUES (1, '2024-01-31 23:30:59.9Z', '2024-01-31 23:30:00', '2024-01-31'),"
	    "(2, '2024-07-01 22:00:00Z', '2024-07-02 00:00:00', '2024-07-02'), (3, NULL, NULL, NULL),"
	    "(4, '2026-01-01 00:00:00+01', '2025-12-31 23:59:59', '2023-12-31'), (5, 'infinity', '-infinity', 'infinity')");
	(void)loads_load(loads, "fact_when", -1);
	assert_string_equal(loads_ask(loads, "SELECT DISTINCT at_date_key, at_time_key, day_key FROM fact_when"),
	    "-1 -1 -1");
	outcome = loads_load(loads, "dim_date", -1); /* points them to what is there now */
	assert_int_equal(outcome.counts.rows_repointed, 2 + 3 + 2);
	(void)loads_load(loads, "dim_time", -1);
	assert_string_equal(loads_ask(loads, when),
	    "1 20240201 30 20240131 2330 20240131\n2 20240702 0 20240702 0 20240702\n"
	    "3 -1 -1 -1 -1 -1\n4 -1 0 20251231 2359 -1\n5 -1 -1 -1 -1 -1");
	outcome = loads_load(loads, "fact_when", -1);
	assert_int_equal(outcome.counts.unchanged, 5);
	assert_string_equal(loads_ask(loads,
				"SELECT string_agg(indexname, ' ') FROM pg_indexes WHERE tablename = 'fact_when'"),
	    "fact_when_grain");
}

/* More years come in, and rows that lay outside find them; fewer take nothing away. */
static void
test_growth(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	loads_source(loads, "INSERT INTO fact_when VALUES (1, '2026-01-01 05:00Z', NULL, '2024-01-01')");
	(void)loads_load(loads, "dim_date", -1);
	(void)loads_load(loads, "fact_when", -1);
	assert_string_equal(loads_ask(loads, when), "1 -1 -1 -1 -1 20240101");
	redeclare(loads, "years: 2", "years: 3");
	outcome = loads_load(loads, "dim_date", -1);
	assert_int_equal(outcome.counts.inserted, 365);
	assert_int_equal(outcome.counts.unchanged, 731);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	assert_string_equal(loads_ask(loads, when), "1 20260101 -1 -1 -1 20240101");
	redeclare(loads, "years: 2, fiscal_year_start: 4", "years: 1, fiscal_year_start: 1");
	outcome = loads_load(loads, "dim_date", -1);
	assert_int_equal(outcome.counts.updated, 366);
	assert_int_equal(outcome.counts.rows_deleted, 0);
	assert_string_equal(
	    loads_ask(loads,
		"SELECT fiscal_year, fiscal_quarter, fiscal_month FROM dim_date WHERE full_date = '2024-05-01'"),
	    "2024 2 5");
	assert_string_equal(loads_ask(loads, when), "1 20260101 -1 -1 -1 20240101");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_dates, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_minutes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_facts, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_growth, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
