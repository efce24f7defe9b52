/* Attempts that meet: two of one step at once, a revocation while a publish is under way, a COMMIT whose answer is lost. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/cutter.h"
#include "tests/support/loads.h"
#include "tests/support/pg_cluster.h"

#include <cmocka.h>

enum { SALES = 50 };

static int
setup(void **state)
{
	struct loads *loads = loads_new();

	loads_source(loads,
	    "INSERT INTO part VALUES ('p1', 'bolt', 1, '2024-01-01'); INSERT INTO tag VALUES (1, 1, 'red', 'x');"
	    "INSERT INTO kind VALUES (1, 'retail');"
	    "INSERT INTO sale SELECT n, 'p1', 1, 1, 1, timestamptz '2024-01-01 00:00:00+00' + n * interval '1 minute', n, "
	    "now(), '' FROM generate_series(1, 50) n");
	(void)loads_load(loads, "dim_part", -1);
	(void)loads_load(loads, "dim_tag", -1);
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

/* A load in a thread of its own. */
struct attempt {
	struct slice_job job;
	pthread_t thread;
	struct slice_outcome outcome;
	enum fail_code code;
};

static void *
load(void *arg)
{
	struct attempt *attempt = arg;
	struct ctx *ctx = ctx_new("attempt", 0);

	attempt->code = slice_load(ctx, &attempt->job, &attempt->outcome) ? FAIL_NONE : ctx_failure(ctx)->code;
	ctx_free(ctx);
	return NULL;
}

static const char *
sales_and_ledger(struct loads *loads)
{
	return loads_ask(loads, "SELECT (SELECT count(*) FROM fact_sale), "
				"(SELECT count(*) FROM loadstar.slice_ledger WHERE table_name = 'public.fact_sale')");
}

static void
forget(struct loads *loads)
{
	loads_do(loads,
	    "DELETE FROM fact_sale; DELETE FROM loadstar.slice_ledger WHERE table_name = 'public.fact_sale'");
}

/* Holds each publish between its locks and its COMMIT. */
static void
slow_down(struct loads *loads, double seconds)
{
	loads_do(loads,
	    ctx_printf(loads->ctx,
		"CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(%f); RETURN NULL; END $$;"
		"DROP TRIGGER IF EXISTS slow ON fact_sale;"
		"CREATE TRIGGER slow AFTER INSERT ON fact_sale FOR EACH STATEMENT EXECUTE FUNCTION slow()",
		seconds));
}

static void
test_two_attempts(void **state)
{
	struct loads *loads = *state;

	srand(3);
	slow_down(loads, 0.03);
	for (int round = 0; round < 12; round++) {
		struct attempt a = {.job = loads_job(loads, "fact_sale", 0)};
		struct attempt b = {.job = loads_again(loads, &a.job)};
		int committed;

		forget(loads);
		assert_int_equal(pthread_create(&a.thread, NULL, load, &a), 0);
		clock_sleep_ms(rand() % 80);
		assert_int_equal(pthread_create(&b.thread, NULL, load, &b), 0);
		(void)pthread_join(a.thread, NULL);
		(void)pthread_join(b.thread, NULL);
		assert_true(a.code == FAIL_NONE || a.code == FAIL_FENCED);
		assert_true(b.code == FAIL_NONE);
		committed = (a.code == FAIL_NONE && !a.outcome.found) + (b.code == FAIL_NONE && !b.outcome.found);
		assert_int_equal(committed, 1);
		assert_string_equal(sales_and_ledger(loads), "50 1");
	}
}

static void
test_revoke_while_publishing(void **state)
{
	struct loads *loads = *state;
	int kept = 0, stopped = 0;

	srand(4);
	slow_down(loads, 0.05);
	for (int round = 0; round < 20; round++) {
		struct attempt a = {.job = loads_job(loads, "fact_sale", 0)};
		struct slice_job revoking = loads_again(loads, &a.job);
		struct slice_outcome outcome;
		struct ctx *ctx = ctx_new("revoke", 0);
		bool committed;

		forget(loads);
		assert_int_equal(pthread_create(&a.thread, NULL, load, &a), 0);
		clock_sleep_ms(rand() % 150);
		assert_true(slice_revoke(ctx, &revoking, &outcome, &committed));
		assert_string_equal(sales_and_ledger(loads), committed ? "50 1" : "0 0"); /* at once, and for good */
		(void)pthread_join(a.thread, NULL);
		assert_string_equal(sales_and_ledger(loads), committed ? "50 1" : "0 0");
		assert_true(committed || a.code != FAIL_NONE);
		assert_int_equal(outcome.counts.inserted, committed ? SALES : 0);
		kept += committed;
		stopped += !committed;
		ctx_free(ctx);
	}
	assert_true(kept > 0);
	assert_true(stopped > 0);
}

/* A publish that hangs is not waited for: its session ends, and the revocation goes on in bounded time. */
static void
test_revoke_hanging(void **state)
{
	struct loads *loads = *state;
	struct attempt a = {.job = loads_job(loads, "fact_sale", 0)};
	struct slice_job revoking = loads_again(loads, &a.job);
	struct slice_outcome outcome;
	struct ctx *ctx = ctx_new("revoke", 0);
	int64_t since_us;
	bool committed;

	slow_down(loads, 30);
	assert_int_equal(pthread_create(&a.thread, NULL, load, &a), 0);
	clock_sleep_ms(700);
	since_us = clock_monotonic_us();
	assert_true(slice_revoke(ctx, &revoking, &outcome, &committed));
	assert_true(clock_monotonic_us() - since_us < 5 * CLOCK_SECOND_US);
	assert_false(committed);
	(void)pthread_join(a.thread, NULL);
	assert_int_equal(a.code, FAIL_CONNECTION_LOST);
	assert_string_equal(sales_and_ledger(loads), "0 0");
	ctx_free(ctx);
}

static void
lose_commit(struct loads *loads, enum cut cut)
{
	struct cutter *cutter = cutter_start(loads->ctx, cut);
	struct config config = loads->config;
	struct slice_outcome outcome;
	struct slice_job job = loads_job(loads, "fact_sale", 0);
	enum fail_code code;

	forget(loads);
	config.connections = NULL;
	config_add_connection(loads->ctx, &config, "shop", pg_cluster_url(loads->ctx, "slice_source").hidden);
	config_add_connection(loads->ctx, &config, "warehouse", cutter_url(loads->ctx, cutter, "slice_warehouse"));
	job.config = &config;
	code = loads_try(loads, &job, &outcome);
	assert_true(cutter_stop(cutter));
	if (cut == CUT_AFTER_SERVER) {
		assert_int_equal(code, FAIL_NONE);
		assert_int_equal(outcome.counts.inserted, SALES);
		assert_true(outcome.committed_us > 0);
		assert_string_equal(sales_and_ledger(loads), "50 1");
		return;
	}
	assert_int_equal(code, FAIL_CONNECTION_LOST);
	assert_string_equal(sales_and_ledger(loads), "0 0");
	job = loads_again(loads, &job);
	job.config = &loads->config;
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(sales_and_ledger(loads), "50 1");
}

static void
test_lost_commit(void **state)
{
	lose_commit(*state, CUT_AFTER_SERVER);
	lose_commit(*state, CUT_BEFORE_SERVER);
}

/* What happens between STAGE and PUBLISH of a load: written as a log hook, for "staged" is logged there. */
struct between {
	struct loads *loads;
	const char *source; /* done to the source */
	int day;            /* loaded then */
	bool done;
};

static void
load_between(void *arg, struct ctx *ctx, enum log_level level, const char *message, json_t *fields)
{
	struct between *between = arg;

	(void)ctx;
	(void)level;
	(void)fields;
	if (between->done || strcmp(message, "staged") != 0)
		return;
	between->done = true;
	loads_source(between->loads, between->source);
	(void)loads_load(between->loads, "fact_sale", between->day);
}

static const char *
where_is(struct loads *loads, int sale)
{
	return loads_ask(loads,
	    ctx_printf(loads->ctx, "SELECT extract(day FROM sold_at), amount FROM fact_sale WHERE sale_id = %d", sale));
}

/* A row moves to another slice while this one waits to publish what it read before. That slice is loaded first. */
static void
move_between(struct loads *loads)
{
	struct between between = {.loads = loads,
	    .day = 1,
	    .source =
		"UPDATE sale SET sold_at = sold_at + interval '1 day', amount = 700, changed_at = now() WHERE sale_id = 7"};
	struct slice_job job = loads_job(loads, "fact_sale", 0);
	struct slice_outcome outcome;

	job.log = (struct slice_log){.write = load_between, .arg = &between};
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_STALE_SNAPSHOT);
	assert_string_equal(where_is(loads, 7), "2 700.00");
	job = loads_again(loads, &job);
	assert_int_equal(loads_try(loads, &job, &outcome), FAIL_NONE);
	assert_string_equal(where_is(loads, 7), "2 700.00");
	assert_int_equal(outcome.counts.read, SALES - 1);
}

static void
test_moved_on(void **state)
{
	struct loads *loads = *state;

	move_between(loads); /* into an empty slice */
	assert_string_equal(sales_and_ledger(loads), "50 2");
	loads_source(loads, "UPDATE sale SET sold_at = sold_at - interval '1 day' WHERE sale_id = 7");
	(void)loads_load(loads, "fact_sale", 0); /* moved back by the newer extraction */
	assert_string_equal(where_is(loads, 7), "1 700.00");
	move_between(loads); /* into one with rows */
	assert_string_equal(sales_and_ledger(loads), "50 5");
}

/* Publishes of a table stand in a queue; the last one waits longer than a lock may be waited for. */
static void
test_queue(void **state)
{
	struct loads *loads = *state;
	struct spec_table table = *spec_find_table(loads->spec, "fact_sale");
	struct attempt a = {.job = loads_job(loads, "fact_sale", 0)};
	struct slice_job second = loads_job(loads, "fact_sale", 1);
	struct slice_outcome outcome;

	table.timeouts.lock_ms = 300;
	second.table = &table;
	slow_down(loads, 1.5);
	assert_int_equal(pthread_create(&a.thread, NULL, load, &a), 0);
	clock_sleep_ms(500);
	assert_int_equal(loads_try(loads, &second, &outcome), FAIL_NONE);
	(void)pthread_join(a.thread, NULL);
	assert_int_equal(a.code, FAIL_NONE);
}

/* Another step of the slice registered after the revocation was claimed: no older attempt can publish, and that step goes on. */
static void
test_revoke_below(void **state)
{
	struct loads *loads = *state;
	struct slice_job old = loads_job(loads, "fact_sale", 0), revoking = loads_again(loads, &old),
			 other = loads_job(loads, "fact_sale", 0);
	struct slice_outcome outcome;
	bool committed = true;

	assert_int_equal(loads_try(loads, &other, &outcome), FAIL_NONE);
	assert_true(slice_revoke(loads->ctx, &revoking, &outcome, &committed));
	assert_false(committed);
	assert_int_equal(loads_try(loads, &old, &outcome), FAIL_FENCED);
}

/* Another run's step loads the same slice, registered before the revocation: it is passed by, but its session lives. */
static void
test_revoke_spares_others(void **state)
{
	struct loads *loads = *state;
	struct slice_job old = loads_job(loads, "fact_sale", 0);
	struct attempt other = {.job = loads_job(loads, "fact_sale", 0)};
	struct slice_job revoking = loads_again(loads, &old);
	struct slice_outcome outcome;
	bool committed = true;

	loads_source(loads, "ALTER TABLE sale RENAME TO sale_fast;"
			    "CREATE VIEW sale AS SELECT s.* FROM sale_fast s, (SELECT pg_sleep(1.5)) AS slow");
	assert_int_equal(pthread_create(&other.thread, NULL, load, &other), 0);
	clock_sleep_ms(500); /* registered, and extracting */
	assert_true(slice_revoke(loads->ctx, &revoking, &outcome, &committed));
	assert_false(committed);
	(void)pthread_join(other.thread, NULL);
	loads_source(loads, "DROP VIEW sale; ALTER TABLE sale_fast RENAME TO sale");
	assert_int_equal(other.code, FAIL_FENCED); /* not CONNECTION_LOST: it came to its own end */
}

/* The spec does not declare the table any more. */
static void
test_revoke_undeclared(void **state)
{
	struct loads *loads = *state;
	struct slice_job old = loads_job(loads, "fact_sale", 0), revoking = loads_again(loads, &old);
	struct slice_outcome outcome;
	bool committed = true;

	revoking.table = NULL;
	assert_true(slice_revoke(loads->ctx, &revoking, &outcome, &committed));
	assert_false(committed);
	assert_int_equal(loads_try(loads, &old, &outcome), FAIL_FENCED);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_two_attempts, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_revoke_while_publishing, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_revoke_hanging, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_lost_commit, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_moved_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_revoke_below, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_revoke_spares_others, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_revoke_undeclared, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
