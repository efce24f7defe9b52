/* Results of checks in the control database: kept once, also of steps that fail; a retry's take over; read in pages. */
#include "sql/quality_store.h"
#include "tests/support/stores_fixture.h"

static json_t *
result_of(const char *check, const char *status, int attempt, const char *at)
{
	return json_trusted(f.ctx,
	    ctx_printf(f.ctx,
		"{\"table\":\"a\",\"check\":\"%s\",\"kind\":\"validity\",\"severity\":\"error\",\"gate\":\"staging\",\"scope\":\"slice\","
		"\"status\":\"%s\",\"expected\":\"all rows\",\"observed\":\"2 of 5 rows fail\",\"rows_checked\":5,\"rows_failed\":2,"
		"\"sample\":[{\"id\":1}],\"at\":\"%s\",\"duration_ms\":3,\"error\":null,\"attempt\":%d}",
		check, status, at, attempt));
}

static json_t *
two(const char *first, const char *second, int attempt)
{
	json_t *results = json_new_array(f.ctx);

	json_add(results, result_of("x", first, attempt, "2024-01-01T00:00:00Z"));
	json_add(results, result_of("y", second, attempt, "2024-01-02T00:00:00Z"));
	return results;
}

static void
fail_on_quality(const struct step_claim *claim, json_t *results)
{
	struct step_failure failure = {.error = an_error(FAIL_QUALITY_FAILED), .checks = results};
	bool mine;

	assert_true(step_give_up(f.ctx, f.db, claim, STORES_BOOT, &failure, &mine));
	assert_true(mine);
}

static bool
succeed_with(const struct step_claim *claim, json_t *results)
{
	struct step_result result = {.checks = results};
	bool mine;

	assert_true(step_succeed(f.ctx, f.db, claim, STORES_BOOT, &result, &mine));
	return mine;
}

static void
expect_numbers(const char *run_id, const char *numbers)
{
	struct run run = stores_find(f.ctx, f.db, run_id);

	assert_string_equal(ctx_printf(f.ctx, "%lld %lld %lld %lld", (long long)run.checks_passed,
				(long long)run.checks_warned, (long long)run.checks_failed,
				(long long)run.checks_errored),
	    numbers);
}

/* "check status attempt" of a run's results, or of all, a line each. */
static const char *
lines(const json_t *items)
{
	const json_t *item;
	struct text out;
	size_t i;

	text_init(&out, f.ctx);
	json_array_foreach(items, i, item)
		text_addf(&out, "%s%s %s %lld", i == 0 ? "" : ", ", json_string_or(item, "check", "?"),
		    json_string_or(item, "status", "?"), (long long)json_int_or(item, "attempt", 0));
	return out.data;
}

static const char *
of_run(const char *run_id)
{
	json_t *items = json_new_array(f.ctx);
	int64_t next;

	assert_true(quality_of_run(f.ctx, f.db, run_id, 0, 100, items, &next));
	assert_int_equal(next, 0);
	return lines(items);
}

static void
test_evidence_of_a_failed_step_and_its_retry(void **state)
{
	struct step_plan step = stores_step(f.ctx, "a", 1, 0);
	struct run run = stores_plan(f.ctx, f.db, &step, 1);
	struct step_claim claim = stores_claim(f.ctx, f.db), revocation;
	bool mine;

	(void)state;
	fail_on_quality(&claim, two("failed", "warned", 1));
	expect_numbers(run.id, "0 1 1 0");
	revocation = stores_claim(f.ctx, f.db);
	assert_true(step_end(f.ctx, f.db, &revocation, STORES_BOOT, &mine));
	expect_status(run.id, RUN_FAILED);
	expect_numbers(run.id, "0 1 1 0");
	assert_string_equal(of_run(run.id), "x failed 1, y warned 1");
	expect("SELECT count(*) FROM control.log WHERE message = 'check failed'", "2");
	assert_true(run_retry(f.ctx, f.db, run.id, NULL, "me", &run));
	claim = stores_claim(f.ctx, f.db);
	assert_true(succeed_with(&claim, two("passed", "error", 3)));
	expect_numbers(run.id, "1 0 0 1");
	assert_string_equal(of_run(run.id), "x passed 3, y error 3");
	expect("SELECT count(*) FROM control.quality", "4"); /* what was said before is still there */
	expect_tidy();
}

/* What a revocation finds committed was told by the attempt that gave up: it is there once. */
static void
test_the_same_results_are_kept_once(void **state)
{
	struct step_plan step = stores_step(f.ctx, "a", 1, 0);
	struct run run = stores_plan(f.ctx, f.db, &step, 1);
	struct step_claim claim = stores_claim(f.ctx, f.db), revocation;

	(void)state;
	fail_on_quality(&claim, two("passed", "warned", 1));
	revocation = stores_claim(f.ctx, f.db);
	assert_true(succeed_with(&revocation, two("passed", "warned", 1)));
	assert_false(succeed_with(&claim, two("failed", "failed", 1))); /* no say any more */
	expect_numbers(run.id, "1 1 0 0");
	assert_string_equal(of_run(run.id), "x passed 1, y warned 1");
	expect_status(run.id, RUN_SUCCEEDED);
}

static void
test_list(void **state)
{
	const char *const nobody[] = {"q", NULL}, *const p[] = {"p", NULL};
	struct quality_filter filter = {.pipelines = p, .limit = 3}, next;
	json_t *items = json_new_array(f.ctx), *first;
	bool more;

	(void)state;
	for (int day = 0; day < 2; day++) {
		struct step_plan step = stores_step(f.ctx, "a", 1, day);
		struct step_claim claim;

		(void)stores_plan(f.ctx, f.db, &step, 1);
		claim = stores_claim(f.ctx, f.db);
		assert_true(succeed_with(&claim, two("passed", day == 0 ? "failed" : "warned", day + 1)));
	}
	assert_true(quality_list(f.ctx, f.db, &filter, items, &more, &next));
	assert_true(more);
	assert_string_equal(lines(items), "y warned 2, y failed 1, x passed 2");
	first = json_array_get(items, 0);
	assert_string_equal(json_string_or(first, "pipeline", ""), "p");
	assert_string_equal(json_string_or(first, "at", ""), "2024-01-02T00:00:00Z");
	assert_string_equal(json_string_or(json_object_get(first, "slice"), "from", ""), "2024-01-02T00:00:00Z");
	assert_string_equal(json_text(f.ctx, json_object_get(first, "sample")), "[{\"id\":1}]");
	items = json_new_array(f.ctx);
	assert_true(quality_list(f.ctx, f.db, &next, items, &more, &next));
	assert_false(more);
	assert_string_equal(lines(items), "x passed 1");
	filter = (struct quality_filter){.status = "failed", .check = "y", .table = "a", .limit = 9};
	items = json_new_array(f.ctx);
	stores_do(f.ctx, f.db, "INSERT INTO control.pipeline (name, active_hash) VALUES ('p', 'x')");
	assert_true(quality_list(f.ctx, f.db, &filter, items, &more, &next));
	assert_string_equal(lines(items), "y failed 1");
	filter = (struct quality_filter){.pipelines = p, .until_us = INT64_C(1704153600000000), .limit = 9};
	items = json_new_array(f.ctx);
	assert_true(quality_list(f.ctx, f.db, &filter, items, &more, &next)); /* before 2024-01-02 */
	assert_string_equal(lines(items), "x passed 2, x passed 1");
	filter = (struct quality_filter){.pipelines = nobody, .limit = 9};
	items = json_new_array(f.ctx);
	assert_true(quality_list(f.ctx, f.db, &filter, items, &more, &next));
	assert_int_equal(json_array_size(items), 0);
}

static void
test_freshness(void **state)
{
	struct step_plan steps[] = {stores_step(f.ctx, "a", 1, 0), stores_step(f.ctx, "a", 1, 1),
	    stores_step(f.ctx, "b", 1, 0)};
	struct pg_rows rows;

	(void)state;
	(void)stores_plan(f.ctx, f.db, steps, 3);
	for (int i = 0; i < 3; i++) {
		struct step_claim claim = stores_claim(f.ctx, f.db);

		succeed(&claim);
	}
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx, "UPDATE control.step SET committed_at = now() - interval '10 s' WHERE id = '%s'",
		steps[0].id));
	assert_true(quality_freshness(f.ctx, f.db, &rows));
	assert_int_equal(rows.count, 2);
	assert_string_equal(pg_value(&rows, 0, 1), "a");
	assert_string_equal(pg_value(&rows, 1, 1), "b");
	stores_do(f.ctx, f.db, "UPDATE control.step SET committed_at = now() - interval '20 s' WHERE table_name = 'b'");
	assert_true(quality_freshness(f.ctx, f.db, &rows));
	assert_true(strncmp(pg_value(&rows, 0, 2), "10.", 3) == 0 && strncmp(pg_value(&rows, 1, 2), "20.", 3) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STORES_TEST(test_evidence_of_a_failed_step_and_its_retry),
	    STORES_TEST(test_the_same_results_are_kept_once),
	    STORES_TEST(test_list),
	    STORES_TEST(test_freshness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
