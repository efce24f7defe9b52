#include "tests/support/stores_fixture.h"

struct stores_fixture f;

int
stores_setup(void **state)
{
	(void)state;
	f.ctx = ctx_new("test", 0);
	f.db = stores_open(f.ctx);
	stores_reset(f.ctx, f.db);
	return 0;
}

int
stores_teardown(void **state)
{
	(void)state;
	ctx_free(f.ctx);
	return 0;
}

void
expect_status(const char *run_id, enum run_status status)
{
	struct run run = stores_find(f.ctx, f.db, run_id);

	assert_string_equal(run_status_name(run.status), run_status_name(status));
}

void
expect(const char *sql, const char *answer)
{
	assert_string_equal(stores_ask(f.ctx, f.db, sql), answer);
}

void
expect_step(const struct step_plan *step, const char *status)
{
	expect(ctx_printf(f.ctx, "SELECT status FROM control.step WHERE id = '%s'", step->id), status);
}

json_t *
an_error(enum fail_code code)
{
	struct failure failure = {.code = code, .message = "it broke"};

	return error_to_json(f.ctx, &failure, NULL, NULL, NULL);
}

void
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

void
give_up(const struct step_claim *claim)
{
	bool mine;

	struct step_failure failure = {.error = an_error(FAIL_SQL_DATA)};

	assert_true(step_give_up(f.ctx, f.db, claim, STORES_BOOT, &failure, &mine));
	assert_true(mine);
}

void
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

void
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
