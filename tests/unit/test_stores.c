/* The stores against a real PostgreSQL: what a run goes through, from its acceptance to its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours */

#include "base/fail.h"
#include "base/text.h"
#include "sql/log_store.h"
#include "sql/pipeline_store.h"
#include "tests/support/stores.h"

struct fixture {
	struct ctx *ctx;
	struct pg *db;
};
static struct fixture f;

static int
setup(void **state)
{
	(void)state;
	f.ctx = ctx_new("test", 0);
	f.db = stores_open(f.ctx);
	stores_reset(f.ctx, f.db);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ctx_free(f.ctx);
	return 0;
}

static void
expect_status(const char *run_id, enum run_status status)
{
	struct run run = stores_find(f.ctx, f.db, run_id);

	assert_string_equal(run_status_name(run.status), run_status_name(status));
}

static void
expect(const char *sql, const char *answer)
{
	assert_string_equal(stores_ask(f.ctx, f.db, sql), answer);
}

static void
expect_step(const struct step_plan *step, const char *status)
{
	expect(ctx_printf(f.ctx, "SELECT status FROM control.step WHERE id = '%s'", step->id), status);
}

static json_t *
an_error(enum fail_code code)
{
	struct failure failure = {.code = code, .message = "it broke"};

	return error_to_json(f.ctx, &failure, NULL, NULL, NULL);
}

static void
succeed(const struct step_claim *claim)
{
	struct step_result result = {.bytes_read = 100, .committed_us = 1700000000000000};
	bool mine;

	result.rows = json_trusted(f.ctx, "{\"read\":10,\"inserted\":4,\"updated\":2,\"unchanged\":1,\"closed\":1,"
					  "\"deduplicated\":1,\"filtered\":0,\"rejected\":1}");
	result.effects = json_trusted(f.ctx, "{\"versions_opened\":6}");
	assert_true(step_succeed(f.ctx, f.db, claim, STORES_BOOT, &result, &mine));
	assert_true(mine);
}

static void
give_up(const struct step_claim *claim)
{
	bool mine;

	assert_true(step_give_up(f.ctx, f.db, claim, STORES_BOOT, an_error(FAIL_SQL_DATA), &mine));
	assert_true(mine);
}

/* A step that fails for good, with its revocation. */
static void
fail_step(const struct step_claim *claim)
{
	struct step_claim revocation;
	bool mine;

	give_up(claim);
	revocation = stores_claim(f.ctx, f.db);
	assert_string_equal(revocation.id, claim->id);
	assert_string_equal(revocation.end_as, "failed");
	assert_true(revocation.load_number > claim->load_number);
	assert_true(step_end(f.ctx, f.db, &revocation, STORES_BOOT, &mine));
	assert_true(mine);
}

/* Nothing is left half done: every attempt has an end, lines and versions have no gaps. */
static void
expect_tidy(void)
{
	expect("SELECT count(*) FROM control.attempt WHERE status = 'running' OR finished_at IS NULL", "0");
	expect(
	    "SELECT count(*) FROM (SELECT run_id, max(id) AS m, count(*) AS n FROM control.log GROUP BY run_id) l WHERE m <> n",
	    "0");
	expect(
	    "SELECT count(*) FROM control.run r WHERE (SELECT count(*) FROM control.step s WHERE s.run_id = r.id AND "
	    "s.status IN ('succeeded','failed','skipped','cancelled')) <> r.steps_done",
	    "0");
	expect(
	    "SELECT count(*) FROM control.run r WHERE (SELECT count(*) FROM control.outbox o WHERE o.run_id = r.id AND "
	    "o.kind <> 'log') <> r.version - 1",
	    "0");
}

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
	    .spec_version = "s"};
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
	struct step_plan step = stores_step(f.ctx, "a", 1, 0);
	struct step_claim claim;
	struct run run;

	(void)state;
	step.fail_run = false;
	run = stores_plan(f.ctx, f.db, &step, 1);
	claim = stores_claim(f.ctx, f.db);
	fail_step(&claim);
	expect_status(run.id, RUN_FAILED);
}

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

static void
test_lists_page_newest_first(void **state)
{
	const char *const pipelines[] = {"p", "q", NULL}, *const statuses[] = {"queued", "failed", NULL};
	struct run_filter filters[] = {{.limit = 2}, {.limit = 2, .pipelines = pipelines},
	    {.limit = 2, .statuses = statuses}};
	const char *ids[5];
	struct run_list list;

	(void)state;
	for (int i = 0; i < 5; i++)
		ids[i] = stores_accept(f.ctx, f.db).id;
	for (int k = 0; k < 3; k++) {
		for (int left = 5; left > 0; left -= 2) {
			assert_true(run_list(f.ctx, f.db, &filters[k], &list));
			assert_int_equal(list.count, left < 2 ? left : 2);
			assert_int_equal(list.more, left > 2);
			assert_string_equal(list.items[0].id, ids[left - 1]);
			filters[k].before_id = list.items[list.count - 1].id;
			filters[k].before_us = list.items[list.count - 1].created_us;
		}
	}
	filters[0] = (struct run_filter){.limit = 9, .label_key = "a", .label_value = "b"};
	assert_true(run_list(f.ctx, f.db, &filters[0], &list));
	assert_int_equal(list.count, 0);
}

static void
test_steps_and_lines_are_listed(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "b", 2, -1)};
	struct run run = stores_plan(f.ctx, f.db, steps, 2);
	struct step_filter filter = {.run_id = run.id, .limit = 2}, next;
	struct log_filter lines = {.run_id = run.id, .limit = 100};
	json_t *items = json_new_array(f.ctx), *line;
	struct step_claim claim = stores_claim(f.ctx, f.db);
	struct log_lines page;
	bool more;

	(void)state;
	succeed(&claim);
	assert_true(step_list(f.ctx, f.db, &filter, items, &more, &next));
	assert_true(more);
	assert_true(step_list(f.ctx, f.db, &next, items, &more, &next));
	assert_false(more);
	assert_int_equal(json_array_size(items), 3);
	assert_string_equal(json_text(f.ctx, json_object_get(json_array_get(items, 1), "slice")),
	    "{\"from\":\"2024-01-01T00:00:00Z\",\"to\":\"2024-01-02T00:00:00Z\"}");
	assert_string_equal(json_string_or(json_array_get(json_object_get(json_array_get(items, 1), "attempts"), 0),
				"status", ""),
	    "succeeded");
	assert_true(json_is_null(json_object_get(json_array_get(items, 2), "slice")));
	assert_true(log_page(f.ctx, f.db, &lines, &page));
	assert_true(page.count >= 6);
	for (size_t i = 0; i < page.count; i++)
		assert_int_equal(page.ids[i], i + 1);
	assert_true(json_parse(f.ctx, page.lines[0], strlen(page.lines[0]), &line));
	assert_string_equal(json_string_or(line, "run_id", ""), run.id);
}

static void
test_run_document_is_the_contracts(void **state)
{
	struct run run = stores_accept(f.ctx, f.db);
	const char *document = json_text(f.ctx, run_to_json(f.ctx, &run));

	(void)state;
	assert_true(text_starts_with(document,
	    ctx_printf(f.ctx,
		"{\"id\":\"%s\",\"pipeline\":\"p\",\"type\":\"full\",\"mode\":\"auto\",\"status\":\"queued\",\"attempt\":1,"
		"\"from\":null,\"to\":null,\"slice\":null,\"tables\":null,\"params\":{},\"labels\":{},\"note\":null,"
		"\"requested_by\":\"tester\",\"trigger\":{\"kind\":\"api\",\"ref\":null},\"spec_version\":\"sha256:1\","
		"\"created_at\":\"",
		run.id)));
	assert_non_null(strstr(document,
	    "\"started_at\":null,\"finished_at\":null,\"progress\":{\"steps_total\":null,\"steps_done\":0,\"rows_read\":0,"
	    "\"rows_written\":0,\"rows_rejected\":0,\"bytes_read\":0,\"eta_seconds\":null},\"quality\":{\"passed\":0,"
	    "\"warned\":0,\"failed\":0,\"errored\":0},\"error\":null,\"links\":{\"self\":\"/v1/runs/"));
	assert_string_equal(json_text(f.ctx, an_error(FAIL_SQL_CONFLICT)),
	    "{\"code\":\"sql_conflict\",\"message\":\"it broke\",\"class\":\"conflict\",\"retryable\":true,\"step_id\":null,"
	    "\"table\":null,\"slice\":null,\"file\":null,\"line\":null,\"hint\":null}");
}

static void
test_pipelines_keep_their_versions(void **state)
{
	json_t *files = json_trusted(f.ctx, "{\"pipeline.yaml\":\"x\"}"), *read;
	struct pipeline_row *rows;
	const char *hash;
	bool changed, found;
	size_t count;

	(void)state;
	assert_true(pipeline_apply(f.ctx, f.db, "p", "sha256:1", files, &changed));
	assert_true(changed);
	assert_true(pipeline_apply(f.ctx, f.db, "p", "sha256:1", files, &changed));
	assert_false(changed);
	assert_true(pipeline_apply(f.ctx, f.db, "p", "sha256:2", files, &changed));
	assert_true(changed);
	assert_true(pipeline_find(f.ctx, f.db, "p", NULL, &hash, &read, &found));
	assert_true(found && json_equal(files, read));
	assert_string_equal(hash, "sha256:2");
	assert_true(pipeline_find(f.ctx, f.db, "p", "sha256:1", &hash, &read, &found));
	assert_true(found);
	assert_true(pipeline_find(f.ctx, f.db, "q", NULL, &hash, &read, &found));
	assert_false(found);
	assert_true(pipeline_list(f.ctx, f.db, &rows, &count));
	assert_int_equal(count, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_run_succeeds_wave_by_wave),
	    TEST(test_plan_without_steps_ends_the_run),
	    TEST(test_same_key_same_run),
	    TEST(test_equal_runs_are_returned_or_rejected),
	    TEST(test_failed_step_ends_the_run_and_retry_goes_on),
	    TEST(test_failed_plan_is_planned_again),
	    TEST(test_steps_that_may_fail_make_the_run_partial),
	    TEST(test_nothing_loaded_is_failed_not_partial),
	    TEST(test_cancel_before_anything_started),
	    TEST(test_cancel_revokes_what_runs),
	    TEST(test_revocation_that_finds_a_commit_succeeds),
	    TEST(test_cancel_while_planning),
	    TEST(test_third_loss_fails_the_step_and_a_lost_revocation_goes_on),
	    TEST(test_retry_later_and_hand_back),
	    TEST(test_paused_runs_give_out_nothing),
	    TEST(test_claims_leave_overlaps_and_keep_max_parallel),
	    TEST(test_constraint_refuses_overlapping_running_steps),
	    TEST(test_deadline_fails_the_run),
	    TEST(test_lists_page_newest_first),
	    TEST(test_steps_and_lines_are_listed),
	    TEST(test_run_document_is_the_contracts),
	    TEST(test_pipelines_keep_their_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
