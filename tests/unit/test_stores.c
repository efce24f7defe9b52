/* The stores against a real PostgreSQL: what a run goes through, from its acceptance to its end. */
#include "tests/support/stores_fixture.h"

static void
test_run_succeeds_wave_by_wave(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "dim", 1, -1), stores_step(f.ctx, "fact", 2, 0),
	    stores_step(f.ctx, "fact", 2, 1), stores_step(f.ctx, "old", 1, -1)};
	struct step_claims claims;
	struct run run;

	(void)state;
	steps[3].skip_reason = "already_loaded";
	run = stores_plan(f.ctx, f.db, steps, 4);
	assert_int_equal(run.steps_total, 5);
	assert_int_equal(run.steps_done, 2);
	expect_step(&steps[0], "queued");
	expect_step(&steps[1], "waiting");
	claims = stores_claim_many(f.ctx, f.db, 10);
	assert_int_equal(claims.count, 1);
	succeed(&claims.items[0]);
	claims = stores_claim_many(f.ctx, f.db, 10);
	assert_int_equal(claims.count, 2);
	assert_string_equal(claims.items[0].id, steps[1].id);
	succeed(&claims.items[0]);
	expect_status(run.id, RUN_RUNNING);
	succeed(&claims.items[1]);
	run = stores_find(f.ctx, f.db, run.id);
	assert_int_equal(run.status, RUN_SUCCEEDED);
	assert_int_equal(run.rows_read, 30);
	assert_int_equal(run.rows_written, 21);
	assert_int_equal(run.rows_rejected, 3);
	assert_int_equal(run.bytes_read, 300);
	assert_true(run.finished_us >= run.started_us && run.started_us > 0);
	expect_tidy();
}

static void
test_plan_without_steps_ends_the_run(void **state)
{
	struct run run = stores_plan(f.ctx, f.db, NULL, 0);

	(void)state;
	assert_int_equal(run.status, RUN_SUCCEEDED);
	expect_tidy();
}

static void
test_same_key_same_run(void **state)
{
	struct run want = {.pipeline = "p",
	    .type = "full",
	    .mode = "auto",
	    .requested_by = "u",
	    .trigger_kind = "api",
	    .spec_version = "s"};
	struct run_acceptance how = {.idempotency_key = "k", .fingerprint = "1", .on_duplicate = "queue"};
	struct run first, second;
	bool existed;

	(void)state;
	assert_true(run_accept(f.ctx, f.db, &want, &how, &first, &existed));
	assert_false(existed);
	assert_true(run_accept(f.ctx, f.db, &want, &how, &second, &existed));
	assert_true(existed);
	assert_string_equal(first.id, second.id);
	how.fingerprint = "2";
	assert_false(run_accept(f.ctx, f.db, &want, &how, &second, &existed));
	assert_int_equal(ctx_failure(f.ctx)->code, FAIL_IDEMPOTENCY_MISMATCH);
	fail_clear(f.ctx);
	expect("SELECT count(*) FROM control.run", "1");
}

static void
test_equal_runs_are_returned_or_rejected(void **state)
{
	struct run want = {.pipeline = "p",
	    .type = "full",
	    .mode = "auto",
	    .requested_by = "u",
	    .trigger_kind = "api",
	    .spec_version = "sha256:1"};
	struct run_acceptance how = {.idempotency_key = "k", .fingerprint = "1", .on_duplicate = "return"};
	struct run first = stores_accept(f.ctx, f.db), second;
	bool existed;

	(void)state;
	assert_true(run_accept(f.ctx, f.db, &want, &how, &second, &existed));
	assert_true(existed);
	assert_string_equal(first.id, second.id);
	assert_true(run_accept(f.ctx, f.db, &want, &how, &second, &existed));
	assert_string_equal(first.id, second.id);
	how = (struct run_acceptance){.on_duplicate = "reject"};
	assert_false(run_accept(f.ctx, f.db, &want, &how, &second, &existed));
	assert_int_equal(ctx_failure(f.ctx)->code, FAIL_RUN_DUPLICATE);
	fail_clear(f.ctx);
	want.mode = "all"; /* reloads what auto would leave alone: not the same */
	assert_true(run_accept(f.ctx, f.db, &want, &how, &second, &existed));
	assert_false(existed);
	want.type = "facts";
	assert_true(run_accept(f.ctx, f.db, &want, &how, &second, &existed));
	assert_false(existed);
}

static void
test_failed_step_ends_the_run_and_retry_goes_on(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "b", 1, 0),
	    stores_step(f.ctx, "c", 1, 0), stores_step(f.ctx, "d", 2, 0)};
	struct step_claims claims;
	struct step_claim again;
	struct run run = stores_plan(f.ctx, f.db, steps, 4);

	(void)state;
	claims = stores_claim_many(f.ctx, f.db, 2);
	fail_step(&claims.items[0]);
	expect_status(run.id, RUN_RUNNING); /* the other one runs on */
	expect("SELECT count(*) FROM control.step WHERE status = 'skipped' AND reason->>'code' = 'upstream_failed'",
	    "2");
	succeed(&claims.items[1]);
	run = stores_find(f.ctx, f.db, run.id);
	assert_int_equal(run.status, RUN_FAILED);
	assert_string_equal(json_string_or(run.error, "code", ""), "sql_data");
	assert_int_equal(run.steps_done, 5);
	expect_tidy();

	assert_true(run_retry(f.ctx, f.db, run.id, NULL, "me", &run));
	assert_int_equal(run.status, RUN_QUEUED);
	assert_int_equal(run.attempt, 2);
	assert_int_equal(run.steps_done, 2);
	assert_true(json_is_null(run.error));
	expect_step(&steps[3], "waiting");
	claims = stores_claim_many(f.ctx, f.db, 9);
	assert_int_equal(claims.count, 2);
	assert_int_equal(claims.items[0].tries, 1);
	assert_int_equal(claims.items[0].attempt + claims.items[1].attempt, 4); /* a's third, another's first */
	succeed(&claims.items[0]);
	succeed(&claims.items[1]);
	again = stores_claim(f.ctx, f.db);
	succeed(&again);
	expect_status(run.id, RUN_SUCCEEDED);
	expect_tidy();
}

static void
test_failed_plan_is_planned_again(void **state)
{
	struct run run = stores_accept(f.ctx, f.db);
	struct step_claim claim = stores_claim(f.ctx, f.db);
	bool mine;

	(void)state;
	give_up(&claim);
	expect_status(run.id, RUN_FAILED);
	assert_true(run_retry(f.ctx, f.db, run.id, "sha256:2", "me", &run));
	claim = stores_claim(f.ctx, f.db);
	assert_string_equal(claim.kind, "plan");
	assert_string_equal(claim.spec_version, "sha256:2");
	assert_int_equal(claim.run_attempt, 2);
	assert_true(step_finish_plan(f.ctx, f.db, &claim, STORES_BOOT, NULL, 0, 0, &mine));
	expect_status(run.id, RUN_SUCCEEDED);
	expect_tidy();
}

static void
test_steps_that_may_fail_make_the_run_partial(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "b", 1, 0),
	    stores_step(f.ctx, "c", 2, 0)};
	struct step_claims claims;
	struct step_claim last;
	struct run run;

	(void)state;
	for (int i = 0; i < 3; i++)
		steps[i].fail_run = false;
	run = stores_plan(f.ctx, f.db, steps, 3);
	claims = stores_claim_many(f.ctx, f.db, 2);
	fail_step(&claims.items[0]);
	succeed(&claims.items[1]);
	last = stores_claim(f.ctx, f.db);
	succeed(&last);
	expect_status(run.id, RUN_PARTIAL);
	expect_tidy();
}

static void
test_nothing_loaded_is_failed_not_partial(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "b", 1, -1)};
	struct step_claim claim;
	struct run run;

	(void)state;
	steps[0].fail_run = false;
	steps[1].skip_reason = "no_time"; /* a range has nothing to do with it */
	run = stores_plan(f.ctx, f.db, steps, 2);
	claim = stores_claim(f.ctx, f.db);
	fail_step(&claim);
	expect_status(run.id, RUN_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STORES_TEST(test_run_succeeds_wave_by_wave),
	    STORES_TEST(test_plan_without_steps_ends_the_run),
	    STORES_TEST(test_same_key_same_run),
	    STORES_TEST(test_equal_runs_are_returned_or_rejected),
	    STORES_TEST(test_failed_step_ends_the_run_and_retry_goes_on),
	    STORES_TEST(test_failed_plan_is_planned_again),
	    STORES_TEST(test_steps_that_may_fail_make_the_run_partial),
	    STORES_TEST(test_nothing_loaded_is_failed_not_partial),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
