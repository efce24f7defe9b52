/* What becomes of fires: on a real control database, with a clock that is walked, held up and set back. */
#include "base/bug.h"
#include "etl/schedule.h"
#include "sql/schedule_store.h"
#include "tests/support/schedules.h"
#include "tests/support/stores_fixture.h"

static struct pool *pool;
static struct catalog *catalog;

static int
setup(void **state)
{
	(void)stores_setup(state);
	pool = pool_new(stores_url(), 2);
	catalog = catalog_new();
	return 0;
}

static int
teardown(void **state)
{
	catalog_free(catalog);
	pool_free(pool);
	schedules_free_clock();
	return stores_teardown(state);
}

/* The clock says so, and somebody looks. */
static void
look_at(const char *now)
{
	CTX_SCOPE(tmp, f.ctx);

	schedules_set_clock(now);
	assert_true(schedule_tick(tmp, catalog, pool));
}

static void
begin(const char *keys, const char *now)
{
	schedules_apply(f.ctx, f.db, keys);
	look_at(now);
}

/* "03:00 run, 04:00 paused x3": the fires in the order of their times. */
static void
expect_fires(const char *want)
{
	expect(
	    "SELECT string_agg(to_char(scheduled_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI ') || coalesce(reason, outcome) || "
	    "CASE WHEN fires > 1 THEN ' x' || fires ELSE '' END, ', ' ORDER BY scheduled_at) FROM control.fire",
	    want);
	expect(
	    "SELECT count(*) FROM control.run r WHERE NOT EXISTS (SELECT FROM control.fire f WHERE f.run_id = r.id AND "
	    "f.outcome = 'run' AND to_char(f.scheduled_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') = r.trigger_ref)",
	    "0");
	expect("SELECT count(*) - (SELECT count(*) FROM control.fire WHERE outcome = 'run') FROM control.run", "0");
}

static void
end_runs(void)
{
	stores_do(f.ctx, f.db, "UPDATE control.run SET status = 'succeeded', finished_at = now()");
}

#define NIGHTLY "schedule: { cron: '0 3 * * *' }\n"

static void
test_fires_once(void **state)
{
	(void)state;
	begin(NIGHTLY, "2024-01-31T02:00:00Z");
	look_at("2024-01-31T02:59:59Z");
	expect("SELECT count(*) FROM control.fire", "0");
	look_at("2024-01-31T03:00:00Z");
	look_at("2024-01-31T03:00:01Z");
	expect_fires("01-31 03:00 run");
	expect(
	    "SELECT type || mode || status || requested_by || trigger_kind || trigger_ref || priority FROM control.run",
	    "fullautoqueuedscheduleschedule2024-01-31T03:00:00Z1");
	expect("SELECT params FROM control.run", "{\"region\": \"ch\"}");
	expect("SELECT message FROM control.log", "accepted: full run of shop, asked for by schedule");
	end_runs();
	look_at("2024-02-01T03:00:00Z");
	expect_fires("01-31 03:00 run, 02-01 03:00 run");
}

/* A pipeline that is new is not behind. */
static void
test_begins_now(void **state)
{
	(void)state;
	begin(NIGHTLY, "2024-01-31T03:00:00Z");
	look_at("2024-01-31T03:00:30Z");
	expect("SELECT count(*) FROM control.fire", "0");
}

static void
test_overlap(void **state)
{
	(void)state;
	begin("schedule: { cron: '0 * * * *' }\n", "2024-01-31T02:30:00Z");
	look_at("2024-01-31T03:00:00Z");
	look_at("2024-01-31T04:00:00Z");
	expect_fires("01-31 03:00 run, 01-31 04:00 overlap");
	expect(
	    "SELECT count(*) FROM control.fire a JOIN control.fire b USING (run_id) WHERE a.reason = 'overlap' AND b.outcome = 'run'",
	    "1");
	end_runs();
	look_at("2024-01-31T05:00:00Z");
	expect_fires("01-31 03:00 run, 01-31 04:00 overlap, 01-31 05:00 run");
}

/* A run that somebody asked for is in nobody's way. */
static void
test_no_overlap_with_people(void **state)
{
	(void)state;
	begin(NIGHTLY, "2024-01-31T02:30:00Z");
	stores_do(f.ctx, f.db,
	    "INSERT INTO control.run (id, pipeline, type, mode, requested_by, trigger_kind, spec_version) VALUES "
	    "('019a2f10-7c00-7abc-8def-0123456789ab', 'shop', 'range', 'all', 'dana', 'api', 'sha256:1')");
	look_at("2024-01-31T03:00:00Z");
	expect("SELECT outcome FROM control.fire", "run");
}

static void
test_queue_and_cancel(void **state)
{
	(void)state;
	begin("schedule: { cron: '0 * * * *', overlap: queue }\n", "2024-01-31T02:30:00Z");
	look_at("2024-01-31T03:00:00Z");
	look_at("2024-01-31T04:00:00Z");
	expect_fires("01-31 03:00 run, 01-31 04:00 run");
	expect("SELECT count(*) FROM control.run WHERE status = 'queued'", "2");
	schedules_apply(f.ctx, f.db, "schedule: { cron: '0 * * * *', overlap: cancel }\n");
	look_at("2024-01-31T05:00:00Z");
	expect_fires("01-31 03:00 run, 01-31 04:00 run, 01-31 05:00 run");
	expect("SELECT string_agg(status, ' ' ORDER BY trigger_ref) FROM control.run", "cancelled cancelled queued");
}

/* Down from 02:30 until three fires were missed. */
static void
test_catchup(void **state)
{
	static const struct {
		const char *keys, *fires;
	} cases[] = {
	    {"schedule: { cron: '0 * * * *', catchup: last }\n", "01-31 04:00 merged x2, 01-31 05:00 run"},
	    {"schedule: { cron: '0 * * * *', catchup: none }\n", "01-31 05:00 missed x3"},
	    {"schedule: { cron: '0 * * * *', catchup: all, overlap: queue }\n",
		"01-31 03:00 run, 01-31 04:00 run, 01-31 05:00 run"},
	    {"schedule: { cron: '0 * * * *', catchup: all, overlap: queue, window: 100m }\n",
		"01-31 03:00 missed, 01-31 04:00 run, 01-31 05:00 run"},
	    {"schedule: { cron: '0 * * * *', catchup: last, window: 10m }\n", "01-31 05:00 missed x3"},
	};

	(void)state;
	for (size_t i = 0; i < LENGTH_OF(cases); i++) {
		stores_reset(f.ctx, f.db);
		begin(cases[i].keys, "2024-01-31T02:30:00Z");
		look_at("2024-01-31T05:30:00Z");
		look_at("2024-01-31T05:30:01Z");
		expect_fires(cases[i].fires);
	}
}

/* The last fire is on time: nobody calls it missed, whatever was before. */
static void
test_on_time_after_a_pause(void **state)
{
	(void)state;
	begin("schedule: { cron: '0 * * * *', catchup: none }\n", "2024-01-31T02:30:00Z");
	look_at("2024-01-31T05:00:40Z");
	expect_fires("01-31 04:00 missed x2, 01-31 05:00 run");
}

/* A year down, at a minute's pace: bounded work, one run. */
static void
test_a_year_down(void **state)
{
	(void)state;
	begin("schedule: { cron: '* * * * *' }\n", "2023-01-31T02:30:00Z");
	look_at("2024-01-31T02:30:20Z");
	expect_fires("01-31 02:29 merged x525599, 01-31 02:30 run");
	stores_reset(f.ctx, f.db);
	begin("schedule: { cron: '* * * * *', catchup: all, overlap: queue }\n", "2024-01-30T02:30:00Z");
	look_at("2024-01-31T02:30:20Z");
	expect("SELECT fires FROM control.fire WHERE reason = 'missed'", "1340");
	expect("SELECT count(*) FROM control.run", "100");
	look_at("2024-01-31T02:31:00Z");
	expect("SELECT reason FROM control.fire ORDER BY scheduled_at DESC LIMIT 1", "backlog");
}

static void
test_paused(void **state)
{
	bool found;

	(void)state;
	begin("schedule: { cron: '0 * * * *' }\n", "2024-01-31T02:30:00Z");
	assert_true(schedule_pause(f.ctx, f.db, "shop", true, "dana", &found) && found);
	assert_true(schedule_pause(f.ctx, f.db, "shop", true, "eve", &found) && found);
	expect("SELECT paused_by FROM control.pipeline", "dana");
	look_at("2024-01-31T03:00:00Z");
	look_at("2024-01-31T05:10:00Z");
	assert_true(schedule_pause(f.ctx, f.db, "shop", false, "eve", &found) && found);
	expect("SELECT paused_by IS NULL AND paused_at IS NULL FROM control.pipeline", "t");
	look_at("2024-01-31T06:00:00Z");
	expect_fires("01-31 03:00 paused, 01-31 05:00 paused x2, 01-31 06:00 run");
	assert_true(schedule_pause(f.ctx, f.db, "nowhere", true, "eve", &found) && !found);
}

static void
test_spec_changes(void **state)
{
	(void)state;
	begin(NIGHTLY, "2024-01-31T02:00:00Z");
	schedules_apply(f.ctx, f.db, "schedule: { cron: '0 5 * * *' }\n");
	look_at("2024-01-31T02:10:00Z");
	look_at("2024-01-31T03:00:00Z");
	expect("SELECT count(*) FROM control.fire", "0");
	look_at("2024-01-31T05:00:00Z");
	expect_fires("01-31 05:00 run");
	end_runs();
	/* One that comes with a restart: what the old rule missed is told, not done. */
	schedules_apply(f.ctx, f.db, "schedule: { cron: '0 9 * * *', timezone: Europe/Zurich }\n");
	look_at("2024-02-02T06:00:00Z");
	expect_fires("01-31 05:00 run, 02-02 05:00 changed x2");
	look_at("2024-02-02T08:00:00Z");
	expect_fires("01-31 05:00 run, 02-02 05:00 changed x2, 02-02 08:00 run");
	/* None, and the same again: as if it were new. */
	schedules_apply(f.ctx, f.db, "");
	look_at("2024-02-02T09:00:00Z");
	expect("SELECT count(*) FROM control.schedule", "0");
	schedules_apply(f.ctx, f.db, "schedule: { cron: '0 9 * * *', timezone: Europe/Zurich }\n");
	look_at("2024-02-09T09:00:00Z");
	expect("SELECT count(*) FROM control.fire", "3");
}

static void
test_clock_set_back(void **state)
{
	(void)state;
	begin("schedule: { cron: '0 * * * *' }\n", "2024-01-31T02:30:00Z");
	look_at("2024-01-31T03:00:00Z");
	end_runs();
	look_at("2024-01-31T02:58:00Z"); /* by little: it waits */
	look_at("2024-01-31T03:00:30Z");
	expect_fires("01-31 03:00 run");
	look_at("2024-01-31T04:00:00Z");
	end_runs();
	look_at("2024-01-31T02:30:00Z"); /* by much: what has fired does not fire again */
	look_at("2024-01-31T03:00:00Z");
	look_at("2024-01-31T03:00:01Z");
	look_at("2024-01-31T04:00:00Z");
	look_at("2024-01-31T04:00:01Z");
	expect_fires("01-31 03:00 run, 01-31 04:00 run");
	look_at("2024-01-31T05:00:00Z");
	expect_fires("01-31 03:00 run, 01-31 04:00 run, 01-31 05:00 run");
}

/* A clock that was a year ahead for a while: nothing is silent for a year after. */
static void
test_clock_ahead(void **state)
{
	(void)state;
	begin(NIGHTLY, "2024-01-31T02:30:00Z");
	look_at("2025-01-31T02:30:00Z");
	expect_fires("01-29 03:00 merged x365, 01-30 03:00 run");
	end_runs();
	look_at("2024-01-31T02:31:00Z");
	look_at("2024-01-31T03:00:00Z");
	expect("SELECT outcome FROM control.fire WHERE scheduled_at = '2024-01-31T03:00:00Z'", "run");
}

static void
test_what_runs(void **state)
{
	(void)state;
	begin("schedule: { cron: '0 3 * * *', run: facts, mode: missing, params: { region: de } }\n",
	    "2024-01-31T02:30:00Z");
	look_at("2024-01-31T03:00:00Z");
	expect("SELECT type || mode || (params->>'region') FROM control.run", "factsmissingde");
}

/* Nothing of a fire is there unless all of it is. */
static void
test_one_transaction(void **state)
{
	(void)state;
	begin(NIGHTLY, "2024-01-31T02:30:00Z");
	stores_do(f.ctx, f.db, "ALTER TABLE control.run ADD CONSTRAINT no_more CHECK (false) NOT VALID");
	look_at("2024-01-31T03:00:00Z");
	expect("SELECT count(*) FROM control.fire", "0");
	stores_do(f.ctx, f.db, "ALTER TABLE control.run DROP CONSTRAINT no_more");
	look_at("2024-01-31T03:00:05Z");
	expect_fires("01-31 03:00 run");
}

#define SCHEDULE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCHEDULE_TEST(test_fires_once),
	    SCHEDULE_TEST(test_begins_now),
	    SCHEDULE_TEST(test_overlap),
	    SCHEDULE_TEST(test_no_overlap_with_people),
	    SCHEDULE_TEST(test_queue_and_cancel),
	    SCHEDULE_TEST(test_catchup),
	    SCHEDULE_TEST(test_on_time_after_a_pause),
	    SCHEDULE_TEST(test_a_year_down),
	    SCHEDULE_TEST(test_paused),
	    SCHEDULE_TEST(test_spec_changes),
	    SCHEDULE_TEST(test_clock_set_back),
	    SCHEDULE_TEST(test_clock_ahead),
	    SCHEDULE_TEST(test_what_runs),
	    SCHEDULE_TEST(test_one_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
