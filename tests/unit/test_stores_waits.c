/* For what steps wait, against a real PostgreSQL: every kind, as GET /v1/runs/{id}/steps tells it. */
#include "sql/step_waits.h"
#include "tests/support/stores_fixture.h"

static bool seen[WAIT_KIND_COUNT];

/* What a step waits for as "kind: detail"; "" for nothing. */
static const char *
waits_for(const char *run_id, const char *step_id, json_t **step)
{
	struct step_filter filter = {.run_id = run_id, .limit = 100}, next;
	json_t *items = json_new_array(f.ctx), *waits = NULL;
	const char *kind, *since;
	bool more;
	size_t i;

	assert_true(step_list(f.ctx, f.db, &filter, items, &more, &next));
	json_array_foreach(items, i, *step) {
		waits = json_object_get(*step, "waiting_for");
		if (text_equal(json_string_or(*step, "id", ""), step_id))
			break;
	}
	if (!json_is_object(waits))
		return "";
	since = json_string_or(waits, "since", NULL);
	assert_non_null(since);
	assert_true(strcmp(since, "2020") > 0);
	kind = json_string_or(waits, "kind", "");
	for (i = 0; i < WAIT_KIND_COUNT; i++)
		seen[i] = seen[i] || text_equal(wait_kind_name((enum wait_kind)i), kind);
	return ctx_printf(f.ctx, "%s: %s", kind, json_string_or(waits, "detail", ""));
}

static void
expect_wait(const struct run *run, const struct step_plan *plan, const char *expected)
{
	json_t *step;

	assert_string_equal(waits_for(run->id, plan->id, &step), expected);
}

static void
test_earlier_waves_workers_and_limits(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "a", 1, 1),
	    stores_step(f.ctx, "b", 1, 2), stores_step(f.ctx, "c", 2, 0)};
	struct run run = stores_plan(f.ctx, f.db, steps, 4);
	struct step_claim claim;

	(void)state;
	expect_wait(&run, &steps[0], "worker: a free worker");
	expect_wait(&run, &steps[3], "dependency: a, b");
	claim = stores_claim(f.ctx, f.db);
	assert_string_equal(claim.id, steps[0].id);
	expect_wait(&run, &steps[0], "");
	stores_do(f.ctx, f.db, "UPDATE control.run SET max_parallel = 1");
	expect_wait(&run, &steps[1], "max_parallel: the run has its 1 steps running");
	succeed(&claim);
	expect_wait(&run, &steps[0], "");
	expect_wait(&run, &steps[1], "worker: a free worker");
	assert_true(run_pause(f.ctx, f.db, run.id, true, &run));
	expect_wait(&run, &steps[1], "paused: the run is paused");
	expect_wait(&run, &steps[3], "paused: the run is paused");
	assert_true(run_pause(f.ctx, f.db, run.id, false, &run));
	stores_do(f.ctx, f.db, "UPDATE control.replica SET lease_until = now() - interval '1 s'");
	expect_wait(&run, &steps[1], "no_worker: no replica with workers is alive");
	stores_do(f.ctx, f.db, "DELETE FROM control.replica");
	expect_wait(&run, &steps[1], "no_worker: no replica with workers is alive");
}

static void
test_slices_of_other_runs(void **state)
{
	struct step_plan day = stores_step(f.ctx, "a", 1, 0), whole = stores_step(f.ctx, "a", 1, -1);
	struct run first = stores_plan(f.ctx, f.db, &day, 1), second = stores_plan(f.ctx, f.db, &whole, 1);
	struct step_claim claim = stores_claim(f.ctx, f.db);

	(void)state;
	assert_string_equal(claim.run_id, first.id);
	expect_wait(&second, &whole,
	    ctx_printf(f.ctx, "overlap: run %s loads 2024-01-01T00:00:00Z/2024-01-02T00:00:00Z of a", first.id));
	succeed(&claim);
	expect_wait(&second, &whole, "worker: a free worker");
}

static void
test_what_is_tried_again(void **state)
{
	struct step_plan plan = stores_step(f.ctx, "a", 1, 0);
	struct run run = stores_plan(f.ctx, f.db, &plan, 1);
	struct step_claim claim = stores_claim(f.ctx, f.db);
	json_t *step;
	bool mine;

	(void)state;
	assert_true(step_wait_for(f.ctx, f.db, &claim, wait_kind_name(WAIT_LOCK), "public.a"));
	expect_wait(&run, &plan, "lock: public.a");
	assert_true(step_wait_for(f.ctx, f.db, &claim, wait_kind_name(WAIT_CONNECTION), "warehouse"));
	expect_wait(&run, &plan, "connection: warehouse");
	stores_do(f.ctx, f.db, "UPDATE control.replica SET lease_until = now() - interval '1 s'");
	expect_wait(&run, &plan, "lease: its replica does not answer any more");
	stores_do(f.ctx, f.db, "DELETE FROM control.replica");
	expect_wait(&run, &plan, "lease: its replica does not answer any more");
	assert_true(replica_register(f.ctx, f.db, STORES_BOOT, "", 600000));
	assert_true(step_retry_later(f.ctx, f.db, &claim, STORES_BOOT, an_error(FAIL_SQL_CONFLICT), 60000, &mine));
	assert_string_equal(waits_for(run.id, plan.id, &step), "backoff: after sql_conflict: it broke");
	assert_non_null(json_string_or(step, "retry_at", NULL));
	stores_do(f.ctx, f.db, "UPDATE control.step SET retry_at = now()");
	claim = stores_claim(f.ctx, f.db);
	expect_wait(&run, &plan, "");
	give_up(&claim);
	expect_wait(&run, &plan, "worker: a free worker, to end it as failed");
	claim = stores_claim(f.ctx, f.db);
	assert_true(step_end(f.ctx, f.db, &claim, STORES_BOOT, &mine));
	expect_wait(&run, &plan, "");
}

static void
test_every_kind_was_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < WAIT_KIND_COUNT; i++)
		if (!seen[i]) {
			print_error("nothing here waits for %s\n", wait_kind_name((enum wait_kind)i));
			assert_true(seen[i]);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STORES_TEST(test_earlier_waves_workers_and_limits),
	    STORES_TEST(test_slices_of_other_runs),
	    STORES_TEST(test_what_is_tried_again),
	    STORES_TEST(test_every_kind_was_seen),
	};

	return cmocka_run_group_tests_name("what steps wait for", tests, NULL, NULL);
}
