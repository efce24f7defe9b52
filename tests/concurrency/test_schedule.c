/* Several replicas look at the same schedules with clocks that differ and jump: each fire is decided once, and each run has its fire. */
#include <pthread.h>

#include "base/bug.h"
#include "etl/schedule.h"
#include "tests/support/schedules.h"
#include "tests/support/stores_fixture.h"

enum { REPLICAS = 4, MINUTES = 60 };

static atomic_int looks, failures;
static atomic_bool stop;

/* A replica of its own: its pool, its catalog. */
static void *
replica(void *arg)
{
	struct pool *pool = pool_new(stores_url(), 1);
	struct catalog *catalog = catalog_new();

	(void)arg;
	while (!atomic_load(&stop)) {
		struct ctx *ctx = ctx_new("replica", 0);

		atomic_fetch_add(&failures, !schedule_tick(ctx, catalog, pool));
		atomic_fetch_add(&looks, 1);
		ctx_free(ctx);
		clock_sleep_ms(1); /* replicas do not spin */
	}
	catalog_free(catalog);
	pool_free(pool);
	return NULL;
}

/* Until every replica has looked since. */
static void
wait_for_looks(void)
{
	int until = atomic_load(&looks) + 2 * REPLICAS;

	for (int i = 0; atomic_load(&looks) < until && i < 20000; i++)
		clock_sleep_ms(1);
}

static void
run_replicas(void (*walk)(void))
{
	pthread_t threads[REPLICAS];

	atomic_store(&stop, false);
	for (int i = 0; i < REPLICAS; i++)
		ASSERT(pthread_create(&threads[i], NULL, replica, NULL) == 0);
	walk();
	atomic_store(&stop, true);
	for (int i = 0; i < REPLICAS; i++)
		ASSERT(pthread_join(threads[i], NULL) == 0);
	assert_int_equal(atomic_load(&failures), 0);
}

static void
expect_runs_have_fires(void)
{
	expect("SELECT count(*) FROM control.run",
	    stores_ask(f.ctx, f.db, "SELECT count(*) FROM control.fire WHERE outcome = 'run'"));
	expect("SELECT count(*) - count(DISTINCT trigger_ref) FROM control.run", "0");
	expect("SELECT count(*) FROM control.run r LEFT JOIN control.fire f ON f.run_id = r.id WHERE f.run_id IS NULL",
	    "0");
	expect("SELECT count(*) FROM control.step", stores_ask(f.ctx, f.db, "SELECT count(*) FROM control.run"));
}

static void
walk_an_hour(void)
{
	for (int minute = 0; minute <= MINUTES; minute++) {
		schedules_set_clock(ctx_printf(f.ctx, "2024-01-31T%02d:%02d:01Z", 2 + minute / 60, minute % 60));
		wait_for_looks();
	}
}

static void
test_once(void **state)
{
	(void)state;
	schedules_set_clock("2024-01-31T02:00:00Z");
	schedules_apply(f.ctx, f.db, "schedule: { cron: '* * * * *', overlap: queue }\n");
	run_replicas(walk_an_hour);
	expect_runs_have_fires();
	expect("SELECT count(*) FROM control.run", "60");
}

/* Forward by hours, back by hours, back by seconds, all the time. */
static void
walk_madly(void)
{
	static const char *const times[] = {"2024-01-31T03:00:01Z", "2024-01-31T05:30:00Z", "2024-01-31T02:10:00Z",
	    "2024-01-31T03:00:02Z", "2024-01-31T02:59:58Z", "2024-01-31T04:00:01Z", "2024-01-31T06:00:00Z",
	    "2024-01-31T05:59:59Z", "2024-01-31T02:30:00Z", "2024-01-31T06:00:03Z"};

	for (size_t i = 0; i < 3 * LENGTH_OF(times); i++) {
		schedules_set_clock(times[i % LENGTH_OF(times)]);
		wait_for_looks();
	}
}

static void
test_clocks_that_jump(void **state)
{
	(void)state;
	schedules_set_clock("2024-01-31T02:00:00Z");
	schedules_apply(f.ctx, f.db, "schedule: { cron: '0 * * * *', overlap: queue, catchup: all }\n");
	run_replicas(walk_madly);
	expect_runs_have_fires();
	expect(
	    "SELECT string_agg(to_char(scheduled_at AT TIME ZONE 'UTC', 'HH24'), ' ' ORDER BY scheduled_at) FROM control.fire",
	    "03 04 05 06");
	expect("SELECT count(*) FROM control.run", "4");
}

/* All down at 03:00, then all start at once. */
static void
walk_nowhere(void)
{
	wait_for_looks();
}

static void
test_down_at_the_time(void **state)
{
	(void)state;
	schedules_set_clock("2024-01-31T02:00:00Z");
	schedules_apply(f.ctx, f.db, "schedule: { cron: '0 3 * * *', catchup: last }\n");
	run_replicas(walk_nowhere);
	schedules_set_clock("2024-02-02T07:00:00Z");
	run_replicas(walk_nowhere);
	expect_runs_have_fires();
	expect("SELECT string_agg(coalesce(reason, outcome) || fires, ' ' ORDER BY scheduled_at) FROM control.fire",
	    "merged2 run1");
}

/* One run at a time, whoever looks. */
static void
test_skips_once(void **state)
{
	(void)state;
	schedules_set_clock("2024-01-31T02:00:00Z");
	schedules_apply(f.ctx, f.db, "schedule: { cron: '* * * * *' }\n");
	run_replicas(walk_an_hour);
	expect_runs_have_fires();
	expect(
	    "SELECT string_agg(reason, '' ORDER BY reason) || count(*) FROM (SELECT coalesce(reason, outcome) AS reason, count(*) "
	    "FROM control.fire GROUP BY 1) r",
	    "overlaprun2");
	expect("SELECT count(*) FROM control.fire WHERE reason = 'overlap'", "59");
}

static int
teardown(void **state)
{
	schedules_free_clock();
	return stores_teardown(state);
}

#define SCHEDULE_TEST(name) cmocka_unit_test_setup_teardown(name, stores_setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    SCHEDULE_TEST(test_once),
	    SCHEDULE_TEST(test_clocks_that_jump),
	    SCHEDULE_TEST(test_down_at_the_time),
	    SCHEDULE_TEST(test_skips_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
