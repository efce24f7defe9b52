/* The stores against a real PostgreSQL: how steps are cancelled, lost, handed back, held apart and timed out. */
#include "base/clock.h"
#include "tests/support/stores_fixture.h"

static void
test_cancel_before_anything_started(void **state)
{
	struct run run = stores_accept(f.ctx, f.db);

	(void)state;
	assert_true(run_cancel(f.ctx, f.db, run.id, "me", &run));
	assert_int_equal(run.status, RUN_CANCELLED);
	assert_true(run.finished_us > 0);
	assert_int_equal(stores_claim_many(f.ctx, f.db, 9).count, 0);
	assert_false(run_cancel(f.ctx, f.db, run.id, "me", &run));
	assert_int_equal(ctx_failure(f.ctx)->code, FAIL_RUN_FINISHED);
	fail_clear(f.ctx);
	expect_tidy();
}

/* The old attempt is superseded by the revocation and has no say any more. */
static void
test_cancel_revokes_what_runs(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "b", 2, 0)};
	struct step_result nothing = {0};
	struct step_claim claim, revocation;
	struct step_holding *held;
	struct run run = stores_plan(f.ctx, f.db, steps, 2);
	size_t count;
	bool mine;

	(void)state;
	claim = stores_claim(f.ctx, f.db);
	assert_true(run_cancel(f.ctx, f.db, run.id, "me", &run));
	assert_int_equal(run.status, RUN_CANCELLING);
	expect_step(&steps[1], "cancelled");
	assert_true(step_holdings(f.ctx, f.db, STORES_BOOT, &held, &count));
	assert_int_equal(count, 1);
	assert_false(held[0].wanted);
	revocation = stores_claim(f.ctx, f.db);
	assert_string_equal(revocation.end_as, "cancelled");
	assert_string_equal(revocation.previous_boot_id, STORES_BOOT);
	assert_int_equal(stores_claim_many(f.ctx, f.db, 9).count, 0);
	assert_true(step_succeed(f.ctx, f.db, &claim, STORES_BOOT, &nothing, &mine));
	assert_false(mine);
	expect("SELECT status FROM control.attempt ORDER BY load_number DESC OFFSET 1 LIMIT 1", "superseded");
	assert_true(step_holdings(f.ctx, f.db, STORES_BOOT, &held, &count));
	assert_true(held[0].wanted && held[0].load_number == revocation.load_number);
	assert_true(step_end(f.ctx, f.db, &revocation, STORES_BOOT, &mine));
	assert_true(mine);
	expect_status(run.id, RUN_CANCELLED);
	expect_tidy();
}

static void
test_revocation_that_finds_a_commit_succeeds(void **state)
{
	struct step_plan step = stores_step(f.ctx, "a", 1, 0);
	struct run run = stores_plan(f.ctx, f.db, &step, 1);
	struct step_claim claim = stores_claim(f.ctx, f.db), revocation;

	(void)state;
	give_up(&claim);
	revocation = stores_claim(f.ctx, f.db);
	succeed(&revocation);
	expect_step(&step, "succeeded");
	expect("SELECT count(*) FROM control.step WHERE error IS NOT NULL OR reason IS NOT NULL OR end_as IS NOT NULL",
	    "0");
	expect_status(run.id, RUN_SUCCEEDED);
	expect_tidy();
}

static void
test_cancel_while_planning(void **state)
{
	struct step_plan step = stores_step(f.ctx, "a", 1, 0);
	struct run run = stores_accept(f.ctx, f.db);
	struct step_claim claim = stores_claim(f.ctx, f.db);
	bool mine;

	(void)state;
	assert_true(run_cancel(f.ctx, f.db, run.id, "me", &run));
	assert_int_equal(run.status, RUN_CANCELLING);
	assert_true(
	    step_finish_plan(f.ctx, f.db, &claim, STORES_BOOT, &step, 1, 0, &mine)); /* faster than the revocation */
	assert_true(mine);
	expect_status(run.id, RUN_CANCELLED);
	expect_step(&step, "cancelled");
	expect_tidy();
}

static void
lose_replica(void)
{
	int64_t lost;

	stores_do(f.ctx, f.db, "UPDATE control.replica SET lease_until = now() - interval '1 s'");
	assert_int_equal(stores_claim_many(f.ctx, f.db, 9).count, 0);
	assert_true(step_expire_leases(f.ctx, f.db, &lost));
	assert_int_equal(lost, 1);
	assert_true(replica_register(f.ctx, f.db, STORES_BOOT, "", 600000));
}

static void
test_third_loss_fails_the_step_and_a_lost_revocation_goes_on(void **state)
{
	struct step_plan step = stores_step(f.ctx, "a", 1, 0);
	struct run run = stores_plan(f.ctx, f.db, &step, 1);
	struct step_claim claim;
	bool mine, alive;

	(void)state;
	for (int i = 0; i < 3; i++) {
		claim = stores_claim(f.ctx, f.db);
		assert_null(claim.end_as);
		assert_int_equal(claim.tries, 1);
		lose_replica();
	}
	for (int i = 0; i < 4; i++) {
		claim = stores_claim(f.ctx, f.db);
		assert_string_equal(claim.end_as, "failed");
		lose_replica();
	}
	assert_true(replica_heartbeat(f.ctx, f.db, "nobody", 1000, &alive));
	assert_false(alive);
	claim = stores_claim(f.ctx, f.db);
	assert_true(step_end(f.ctx, f.db, &claim, STORES_BOOT, &mine));
	run = stores_find(f.ctx, f.db, run.id);
	assert_int_equal(run.status, RUN_FAILED);
	assert_string_equal(json_string_or(run.error, "code", ""), "worker_lost");
	assert_string_equal(json_string_or(json_object_get(run.error, "slice"), "from", ""), "2024-01-01T00:00:00Z");
	expect("SELECT count(*) FROM control.attempt WHERE status = 'lost'", "7");
	expect_tidy();
}

static void
test_a_lost_step_of_files_names_them(void **state)
{
	struct step_plan step = stores_step(f.ctx, "a", 1, 0);
	struct step_claim claim;
	struct run run;
	bool mine;

	(void)state;
	step.scope = "files";
	step.slice = "files:x";
	step.from_us = step.to_us = CLOCK_MINUS_INFINITY;
	step.files = json_trusted(f.ctx,
	    "{\"batch\": \"20240115\", \"files\": [{\"path\": \"a.json\", \"etag\": \"e\", \"size\": 7}]}");
	run = stores_plan(f.ctx, f.db, &step, 1);
	for (int i = 0; i < 3; i++) {
		(void)stores_claim(f.ctx, f.db);
		lose_replica();
	}
	expect("SELECT error -> 'slice' ->> 'batch' FROM control.step WHERE table_name = 'a'", "20240115");
	expect("SELECT error -> 'slice' -> 'files' -> 0 ->> 'path' FROM control.step WHERE table_name = 'a'", "a.json");
	claim = stores_claim(f.ctx, f.db);
	assert_true(step_end(f.ctx, f.db, &claim, STORES_BOOT, &mine));
	run = stores_find(f.ctx, f.db, run.id);
	assert_string_equal(json_string_or(json_object_get(run.error, "slice"), "batch", ""), "20240115");
}

static void
test_retry_later_and_hand_back(void **state)
{
	struct step_plan step = stores_step(f.ctx, "a", 1, 0);
	struct run run = stores_plan(f.ctx, f.db, &step, 1);
	struct step_claim claim = stores_claim(f.ctx, f.db);
	bool mine;

	(void)state;
	assert_true(step_hand_back(f.ctx, f.db, &claim, STORES_BOOT, &mine));
	assert_true(mine);
	claim = stores_claim(f.ctx, f.db);
	assert_int_equal(claim.tries, 1);
	assert_int_equal(claim.attempt, 2);
	assert_true(step_retry_later(f.ctx, f.db, &claim, STORES_BOOT, an_error(FAIL_SQL_CONFLICT), 60000, &mine));
	assert_int_equal(stores_claim_many(f.ctx, f.db, 9).count, 0);
	stores_do(f.ctx, f.db, "UPDATE control.step SET retry_at = now() WHERE status = 'queued'");
	assert_true(step_hand_back(f.ctx, f.db, &claim, STORES_BOOT, &mine));
	assert_false(mine); /* not ours any more */
	claim = stores_claim(f.ctx, f.db);
	assert_int_equal(claim.tries, 2);
	assert_true(step_wait_for(f.ctx, f.db, &claim, "lock", "fact"));
	expect("SELECT waiting_for->>'detail' FROM control.step WHERE status = 'running'", "fact");
	succeed(&claim);
	expect_status(run.id, RUN_SUCCEEDED);
	expect_tidy();
}

static void
test_paused_runs_give_out_nothing(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "a", 1, 1)};
	struct run run = stores_plan(f.ctx, f.db, steps, 2);
	struct step_claim claim = stores_claim(f.ctx, f.db);

	(void)state;
	assert_true(run_pause(f.ctx, f.db, run.id, true, &run));
	assert_int_equal(run.status, RUN_PAUSED);
	assert_true(run_pause(f.ctx, f.db, run.id, true, &run));
	assert_int_equal(stores_claim_many(f.ctx, f.db, 9).count, 0);
	succeed(&claim);
	expect_status(run.id, RUN_PAUSED);
	assert_true(run_pause(f.ctx, f.db, run.id, false, &run));
	assert_int_equal(run.status, RUN_RUNNING);
	claim = stores_claim(f.ctx, f.db);
	succeed(&claim);
	expect_status(run.id, RUN_SUCCEEDED);
	expect_tidy();
}

static void
test_claims_leave_overlaps_and_keep_max_parallel(void **state)
{
	struct step_plan whole = stores_step(f.ctx, "a", 1, -1);
	struct step_plan days[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "a", 1, 1),
	    stores_step(f.ctx, "a", 1, 2), stores_step(f.ctx, "b", 1, 3)};
	struct step_claims claims;

	(void)state;
	(void)stores_plan(f.ctx, f.db, days, 4);
	(void)stores_plan(f.ctx, f.db, &whole, 1);
	stores_do(f.ctx, f.db, "UPDATE control.run SET max_parallel = 3 WHERE steps_total = 5");
	claims = stores_claim_many(f.ctx, f.db, 9);
	assert_int_equal(claims.count, 3); /* three days of a; neither the whole table nor a fourth step */
	succeed(&claims.items[0]);
	claims = stores_claim_many(f.ctx, f.db, 9);
	assert_int_equal(claims.count, 1);
	assert_string_equal(claims.items[0].table, "b");
}

/* Days that come one after the other do not keep a month waiting that is older than them; what is elsewhere goes on. */
static void
test_nobody_overtakes_an_older_step_that_waits(void **state)
{
	struct step_plan first = stores_step(f.ctx, "a", 1, 0), whole = stores_step(f.ctx, "a", 1, -1);
	struct step_plan later[] = {stores_step(f.ctx, "a", 1, 1), stores_step(f.ctx, "b", 1, 1)};
	struct step_claims claims;
	struct step_claim claim;

	(void)state;
	(void)stores_plan(f.ctx, f.db, &first, 1);
	claim = stores_claim(f.ctx, f.db);
	(void)stores_plan(f.ctx, f.db, &whole, 1);
	(void)stores_plan(f.ctx, f.db, later, 2);
	claims = stores_claim_many(f.ctx, f.db, 9);
	assert_int_equal(claims.count, 1);
	assert_string_equal(claims.items[0].table, "b");
	succeed(&claim);
	claim = stores_claim(f.ctx, f.db);
	assert_string_equal(claim.slice, whole.slice);
	assert_int_equal(stores_claim_many(f.ctx, f.db, 9).count, 0);
	succeed(&claim);
	assert_string_equal(stores_claim(f.ctx, f.db).slice, later[0].slice);
}

/* Who may go first by priority does; who waits for a retry, or was paused, holds nobody up. */
static void
test_who_cannot_start_anyway_is_overtaken(void **state)
{
	struct step_plan first = stores_step(f.ctx, "a", 1, 0), whole = stores_step(f.ctx, "a", 1, -1);
	struct step_plan later = stores_step(f.ctx, "a", 1, 1), urgent = stores_step(f.ctx, "a", 1, 2);
	struct run run;

	(void)state;
	(void)stores_plan(f.ctx, f.db, &first, 1);
	(void)stores_claim(f.ctx, f.db);
	run = stores_plan(f.ctx, f.db, &whole, 1);
	(void)stores_plan(f.ctx, f.db, &urgent, 1);
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx,
		"UPDATE control.run SET priority = 9 WHERE id = (SELECT run_id FROM control.step"
		" WHERE id = '%s')",
		urgent.id));
	assert_string_equal(stores_claim(f.ctx, f.db).slice, urgent.slice);
	(void)stores_plan(f.ctx, f.db, &later, 1);
	assert_int_equal(stores_claim_many(f.ctx, f.db, 9).count, 0);
	assert_true(run_pause(f.ctx, f.db, run.id, true, &run));
	assert_string_equal(stores_claim(f.ctx, f.db).slice, later.slice);
}

static void
test_constraint_refuses_overlapping_running_steps(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, -1), stores_step(f.ctx, "a", 1, 1)};

	(void)state;
	(void)stores_plan(f.ctx, f.db, steps, 2);
	assert_false(pg_run(f.ctx, f.db, "UPDATE control.step SET status = 'running' WHERE wave = 1"));
	assert_string_equal(ctx_failure(f.ctx)->sqlstate, "23P01");
	fail_clear(f.ctx);
}

static void
test_deadline_fails_the_run(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "b", 1, 0)};
	struct run run = stores_plan(f.ctx, f.db, steps, 2);
	struct step_claim claim = stores_claim(f.ctx, f.db);
	int64_t expired;
	bool mine;

	(void)state;
	stores_do(f.ctx, f.db,
	    "UPDATE control.run SET created_at = now() - interval '9 s', deadline_at = now() - interval '1 s'");
	assert_true(run_expire_deadlines(f.ctx, f.db, &expired));
	assert_int_equal(expired, 1);
	assert_true(run_expire_deadlines(f.ctx, f.db, &expired));
	assert_int_equal(expired, 0);
	expect_step(&steps[1], "failed");
	claim = stores_claim(f.ctx, f.db);
	assert_true(step_end(f.ctx, f.db, &claim, STORES_BOOT, &mine));
	run = stores_find(f.ctx, f.db, run.id);
	assert_int_equal(run.status, RUN_FAILED);
	assert_string_equal(json_string_or(run.error, "code", ""), "run_deadline");
	assert_true(run_retry(f.ctx, f.db, run.id, NULL, "me", &run));
	assert_true(run.deadline_us > run.changed_us);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STORES_TEST(test_cancel_before_anything_started),
	    STORES_TEST(test_cancel_revokes_what_runs),
	    STORES_TEST(test_revocation_that_finds_a_commit_succeeds),
	    STORES_TEST(test_cancel_while_planning),
	    STORES_TEST(test_third_loss_fails_the_step_and_a_lost_revocation_goes_on),
	    STORES_TEST(test_a_lost_step_of_files_names_them),
	    STORES_TEST(test_retry_later_and_hand_back),
	    STORES_TEST(test_paused_runs_give_out_nothing),
	    STORES_TEST(test_claims_leave_overlaps_and_keep_max_parallel),
	    STORES_TEST(test_nobody_overtakes_an_older_step_that_waits),
	    STORES_TEST(test_who_cannot_start_anyway_is_overtaken),
	    STORES_TEST(test_constraint_refuses_overlapping_running_steps),
	    STORES_TEST(test_deadline_fails_the_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
