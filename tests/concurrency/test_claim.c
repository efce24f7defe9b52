/* Claims by several threads at once, with cancels, retries of runs, dying replicas and the sweeper in between: no attempt is given
 * out twice, no two overlapping steps run together, everything ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#undef fail /* ours */

#include <pthread.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "tests/support/stores.h"

enum {
	WORKERS = 4,
	RUNS = 6,
	DAYS = 40,
	BATCH = 8,
	POSTS = 100,
};

struct shared {
	atomic_int left; /* runs without an end */
	atomic_int claimed, failures;
	atomic_bool stop;
};
static struct shared shared;

struct worker {
	int number;
	unsigned seed;
};

static unsigned
chance(unsigned *seed, unsigned of)
{
	*seed = *seed * 1103515245 + 12345;
	return (*seed >> 16) % of;
}

static bool
end_claim(struct ctx *ctx, struct pg *db, const struct step_claim *claim, unsigned *seed)
{
	struct failure failure = {.code = FAIL_SQL_CONFLICT, .message = "by chance"};
	json_t *error = error_to_json(ctx, &failure, claim->id, claim->table, NULL);
	struct step_result result = {0};
	bool mine;

	if (claim->end_as != NULL)
		return chance(seed, 3) == 0 ? step_succeed(ctx, db, claim, claim->boot_id, &result, &mine)
					    : step_end(ctx, db, claim, claim->boot_id, &mine);
	switch (chance(seed, 12)) {
	case 0: return step_retry_later(ctx, db, claim, claim->boot_id, error, 1, &mine);
	case 1: return step_hand_back(ctx, db, claim, claim->boot_id, &mine);
	case 2: return step_give_up(ctx, db, claim, claim->boot_id, &(struct step_failure){.error = error}, &mine);
	case 3: return true; /* its replica dies with it */
	default: return step_succeed(ctx, db, claim, claim->boot_id, &result, &mine);
	}
}

static void
work_once(struct worker *worker, struct pg *db, const char *boot_id)
{
	struct ctx *ctx = ctx_new("worker", 0);
	struct step_claims claims;

	if (!step_claim(ctx, db, boot_id, false, BATCH, &claims)) {
		atomic_fetch_add(&shared.failures, 1);
		log_failure(ctx, "claim");
	} else if (claims.count == 0) {
		clock_sleep_ms(1);
	}
	atomic_fetch_add(&shared.claimed, ctx_failed(ctx) ? 0 : (int)claims.count);
	for (size_t i = 0; !ctx_failed(ctx) && i < claims.count; i++)
		if (!end_claim(ctx, db, &claims.items[i], &worker->seed)) {
			atomic_fetch_add(&shared.failures, 1);
			log_failure(ctx, "end");
		}
	ctx_free(ctx);
}

/* A worker whose replica is declared dead from time to time: it goes on under a new boot id. */
static void *
work(void *arg)
{
	struct worker *worker = arg;
	struct ctx *ctx = ctx_new("worker", 0);
	struct pg *db = stores_open(ctx);

	for (int life = 0; !atomic_load(&shared.stop); life++) {
		const char *boot_id = ctx_printf(ctx, "boot-%d-%d", worker->number, life);

		ASSERT(replica_register(ctx, db, boot_id, "here", 600000));
		for (int i = 0; i < 20 && !atomic_load(&shared.stop); i++)
			work_once(worker, db, boot_id);
		ASSERT(replica_leave(ctx, db, boot_id));
	}
	ctx_free(ctx);
	return NULL;
}

/* Sweeps, and asks the database whether what must never be is. */
static void *
sweep(void *arg)
{
	struct ctx *ctx = ctx_new("sweep", 0);
	struct pg *db = stores_open(ctx);

	(void)arg;
	while (!atomic_load(&shared.stop)) {
		CTX_SCOPE(tmp, ctx);
		int64_t lost, expired;

		ASSERT(step_expire_leases(tmp, db, &lost) && run_expire_deadlines(tmp, db, &expired));
		ASSERT(text_equal(
		    stores_ask(tmp, db,
			"SELECT count(*) FROM control.step a JOIN control.step b ON a.id < b.id "
			"AND a.warehouse_table = b.warehouse_table AND a.span && b.span WHERE a.status = 'running' "
			"AND b.status = 'running' AND a.end_as IS NULL AND b.end_as IS NULL"),
		    "0"));
		ASSERT(
		    text_equal(stores_ask(tmp, db,
				   "SELECT count(*) FROM (SELECT step_id FROM control.attempt WHERE status = 'running' "
				   "GROUP BY step_id HAVING count(*) > 1) twice"),
			"0"));
		atomic_store(&shared.left,
		    (int)strtol(stores_ask(tmp, db, "SELECT count(*) FROM control.run WHERE finished_at IS NULL"), NULL,
			10));
		clock_sleep_ms(2);
	}
	ctx_free(ctx);
	return NULL;
}

static void
make_runs(struct ctx *ctx, struct pg *db)
{
	for (int r = 0; r < RUNS; r++) {
		struct step_plan steps[DAYS + 2];

		for (int i = 0; i < DAYS; i++) {
			steps[i] = stores_step(ctx, i % 3 == 0 ? "a" : "b", 1, i / 2);
			steps[i].fail_run = r % 2 == 0;
		}
		steps[DAYS] = stores_step(ctx, "a", 1, -1);
		steps[DAYS + 1] = stores_step(ctx, "c", 2, -1);
		(void)stores_plan(ctx, db, steps, DAYS + 2);
	}
	stores_do(ctx, db, "UPDATE control.run SET max_parallel = 5 WHERE id IN (SELECT id FROM control.run LIMIT 2)");
}

/* Cancels the run that was made last, and retries it until it is not in the mood. */
static void
disturb(struct ctx *ctx, struct pg *db)
{
	const char *id = stores_ask(ctx, db, "SELECT id FROM control.run ORDER BY created_at DESC LIMIT 1");
	struct run run;

	for (int i = 0; i < 3; i++) {
		clock_sleep_ms(20);
		if (!run_cancel(ctx, db, id, "test", &run))
			fail_clear(ctx);
		clock_sleep_ms(60);
		if (!run_retry(ctx, db, id, NULL, "test", &run))
			fail_clear(ctx);
	}
}

static void
expect(struct ctx *ctx, struct pg *db, const char *sql, const char *answer)
{
	assert_string_equal(stores_ask(ctx, db, sql), answer);
}

/* Everything has its end, its number and its line. */
static void
expect_tidy(struct ctx *ctx, struct pg *db)
{
	expect(ctx, db, "SELECT count(*) FROM control.step WHERE status IN ('waiting', 'queued', 'running')", "0");
	expect(ctx, db, "SELECT count(*) FROM control.attempt WHERE status = 'running'", "0");
	expect(ctx, db, "SELECT count(*) - count(DISTINCT load_number) FROM control.attempt", "0");
	expect(ctx, db,
	    "SELECT count(*) FROM control.run r WHERE steps_done <> steps_total OR steps_done <> "
	    "(SELECT count(*) FROM control.step s WHERE s.run_id = r.id)",
	    "0");
	expect(ctx, db,
	    "SELECT count(*) FROM (SELECT run_id, max(id) - count(*) AS gaps FROM control.log GROUP BY run_id) l "
	    "WHERE gaps <> 0",
	    "0");
	expect(ctx, db,
	    ctx_printf(ctx, "SELECT count(*) - %d FROM control.attempt WHERE boot_id <> '%s'",
		atomic_load(&shared.claimed), STORES_BOOT),
	    "0");
}

static void
test_claims_are_exclusive_and_everything_ends(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct pg *db = stores_open(ctx);
	struct worker workers[WORKERS];
	pthread_t threads[WORKERS], sweeper;
	int64_t deadline_us = clock_monotonic_us() + 60 * CLOCK_SECOND_US;

	(void)state;
	stores_reset(ctx, db);
	make_runs(ctx, db);
	atomic_store(&shared.left, RUNS);
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){.number = i, .seed = (unsigned)i + 1};
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	assert_int_equal(pthread_create(&sweeper, NULL, sweep, NULL), 0);
	disturb(ctx, db);
	clock_sleep_ms(50);
	while (atomic_load(&shared.left) > 0 && clock_monotonic_us() < deadline_us)
		clock_sleep_ms(10);
	atomic_store(&shared.stop, true);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	pthread_join(sweeper, NULL);
	assert_int_equal(atomic_load(&shared.left), 0);
	assert_int_equal(atomic_load(&shared.failures), 0);
	expect_tidy(ctx, db);
	ctx_free(ctx);
}

static void *
post(void *arg)
{
	struct run want = {.pipeline = "p",
	    .type = "full",
	    .mode = "auto",
	    .requested_by = "u",
	    .trigger_kind = "api",
	    .spec_version = "s"};
	struct run_acceptance how = {.idempotency_key = "k", .fingerprint = "1", .on_duplicate = "queue"};
	struct ctx *ctx = ctx_new("post", 0);
	struct pg *db = stores_open(ctx);
	atomic_int *made = arg;

	for (int i = 0; i < POSTS / WORKERS; i++) {
		struct run run;
		bool existed;

		ASSERT(run_accept(ctx, db, &want, &how, &run, &existed));
		atomic_fetch_add(made, existed ? 0 : 1);
	}
	ctx_free(ctx);
	return NULL;
}

static void
test_parallel_posts_of_one_key_make_one_run(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct pg *db = stores_open(ctx);
	pthread_t threads[WORKERS];
	atomic_int made = 0;

	(void)state;
	stores_reset(ctx, db);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post, &made), 0);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&made), 1);
	expect(ctx, db, "SELECT count(*) FROM control.run", "1");
	ctx_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_claims_are_exclusive_and_everything_ends),
	    cmocka_unit_test(test_parallel_posts_of_one_key_make_one_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
