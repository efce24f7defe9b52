/* What is kept how long, against a real PostgreSQL: nothing goes too early, everything goes whole, whatever breaks in between. */
#include "sql/retention_store.h"

#include <pthread.h>
#include <stdlib.h>

#include "sql/audit_store.h"
#include "tests/support/stores_fixture.h"

#define DAY_MS (INT64_C(86400) * 1000)

static const struct retention keep = {
    .runs_ms = 400 * DAY_MS,
    .logs_ms = 30 * DAY_MS,
    .quality_ms = 100 * DAY_MS,
    .audit_ms = 200 * DAY_MS,
};

static int64_t
sweep(enum retention_kind kind)
{
	int64_t rows;

	assert_true(retention_sweep(f.ctx, f.db, kind, &keep, &rows));
	return rows;
}

static void
sweep_all(void)
{
	for (int kind = 0; kind < RETENTION_AUDIT; kind++)
		while (sweep((enum retention_kind)kind) > 0)
			continue;
}

/* A run of table that loaded it and ended so long ago. */
static struct run
ended(const char *table, int days)
{
	struct step_plan step = stores_step(f.ctx, table, 1, -1);
	struct run run = stores_plan(f.ctx, f.db, &step, 1);
	struct step_claim claim = stores_claim(f.ctx, f.db);

	succeed(&claim);
	expect_status(run.id, RUN_SUCCEEDED);
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx,
		"UPDATE control.run SET created_at = now() - interval '%d days', finished_at = now() - interval '%d days' "
		"WHERE id = '%s'; UPDATE control.step SET committed_at = now() - interval '%d days' WHERE run_id = '%s' "
		"AND committed_at IS NOT NULL",
		days, days, run.id, days, run.id));
	return run;
}

static const char *
rows_of(const char *table, const char *run_id)
{
	return stores_ask(f.ctx, f.db,
	    ctx_printf(f.ctx, "SELECT count(*) FROM control.%s WHERE run_id = '%s'", table, run_id));
}

static void
add_result(const char *run_id, int days)
{
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx,
		"INSERT INTO control.pipeline (name, active_hash) VALUES ('p', 'h') ON CONFLICT DO NOTHING;"
		"INSERT INTO control.quality (run_id, step_id, attempt, pipeline, check_name, kind, severity, gate, scope, status, at, "
		"duration_ms) SELECT run_id, id, 1, 'p', 'c%d', 'sql', 'error', 'run', 'table', 'passed', now() - interval '%d days', "
		"1 FROM control.step WHERE run_id = '%s' AND kind = 'plan'",
		days, days, run_id));
}

static void
test_a_run_goes_with_all_that_hangs_on_it(void **state)
{
	static const char *const tables[] = {"step", "log", "log_counter", "idempotency", "quality", "run_facet"};
	struct run old = ended("a", 401), young = ended("a", 399);

	(void)state;
	add_result(old.id, 50);
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx, "INSERT INTO control.idempotency VALUES ('u', 'k', 'f', '%s'), ('u', 'l', 'f', '%s')",
		old.id, young.id));
	stores_do(f.ctx, f.db, "DELETE FROM control.outbox");
	sweep_all();
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		assert_string_equal(rows_of(tables[i], old.id), "0");
	expect("SELECT count(*) FROM control.run", "1");
	expect("SELECT count(*) FROM control.attempt", "2");
	assert_string_equal(rows_of("idempotency", young.id), "1");
	assert_string_equal(rows_of("step", young.id), "2");
	assert_string_equal(rows_of("outbox", old.id), "1"); /* who shows it looks again */
}

static void
test_what_has_not_ended_stays(void **state)
{
	struct run older = ended("b", 500), newest = ended("b", 450);
	struct run waits = stores_accept(f.ctx, f.db), failed = stores_accept(f.ctx, f.db);

	(void)state;
	assert_true(run_cancel(f.ctx, f.db, failed.id, "u", &failed));
	assert_true(run_cancel(f.ctx, f.db, waits.id, "u", &waits));
	stores_do(f.ctx, f.db,
	    "UPDATE control.run SET created_at = now() - interval '500 days', finished_at = "
	    "CASE WHEN finished_at IS NOT NULL THEN now() - interval '500 days' END WHERE status = 'cancelled'");
	assert_true(run_retry(f.ctx, f.db, waits.id, NULL, "u", &waits));
	add_result(waits.id, 450);
	sweep_all();
	expect_status(waits.id, RUN_QUEUED);
	assert_true(atoi(rows_of("log", waits.id)) > 0);
	assert_string_equal(rows_of("quality", waits.id), "1");
	expect_status(newest.id, RUN_SUCCEEDED); /* it says how fresh table b is */
	assert_string_equal(rows_of("step", older.id), "0");
	assert_string_equal(rows_of("step", failed.id), "0");
}

static void
test_lines_go_before_their_run_in_batches(void **state)
{
	struct run old = ended("c", 31), young = ended("c", 29);
	const char *young_lines = rows_of("log", young.id);

	(void)state;
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx,
		"INSERT INTO control.log (run_id, id, level, message) SELECT '%s', 100 + i, 1, 'x' FROM generate_series(1, 11000) i",
		old.id));
	assert_int_equal(sweep(RETENTION_LOGS), 5000);
	assert_int_equal(sweep(RETENTION_RUNS), 0);
	assert_int_equal(sweep(RETENTION_LOGS), 5000);
	expect("SELECT count(*) FROM control.run WHERE logs_kept", "2");
	assert_true(sweep(RETENTION_LOGS) < 5000);
	assert_int_equal(sweep(RETENTION_LOGS), 0);
	assert_string_equal(rows_of("log", old.id), "0");
	assert_string_equal(rows_of("log", young.id), young_lines);
	expect("SELECT count(*) FROM control.run WHERE logs_kept", "1");
	expect("SELECT count(*) FROM control.run", "2");
}

/* Its numbers go on, and its new lines are kept until it has ended for as long again. */
static void
test_a_run_that_goes_on_has_lines_again(void **state)
{
	struct run run = stores_accept(f.ctx, f.db);

	(void)state;
	assert_true(run_cancel(f.ctx, f.db, run.id, "u", &run));
	stores_do(f.ctx, f.db, "UPDATE control.run SET finished_at = now() - interval '31 days'");
	while (sweep(RETENTION_LOGS) > 0)
		continue;
	assert_string_equal(rows_of("log", run.id), "0");
	assert_true(run_retry(f.ctx, f.db, run.id, NULL, "u", &run));
	expect("SELECT min(id) > 1 FROM control.log", "t");
	assert_int_equal(sweep(RETENTION_LOGS), 0);
	expect("SELECT logs_kept FROM control.run", "t");
}

static void
test_results_go_by_their_own_age(void **state)
{
	struct run run = ended("d", 10);

	(void)state;
	add_result(run.id, 101);
	add_result(run.id, 99);
	assert_int_equal(sweep(RETENTION_QUALITY), 1);
	expect("SELECT check_name FROM control.quality", "c99");
	expect_status(run.id, RUN_SUCCEEDED);
}

static void
test_the_outbox_is_swept_from_its_begin(void **state)
{
	(void)state;
	stores_do(f.ctx, f.db,
	    "INSERT INTO control.outbox (at, run_id, kind) SELECT now() - interval '25 hours', gen_random_uuid(), 'log' FROM "
	    "generate_series(1, 6000); INSERT INTO control.outbox (run_id, kind) VALUES (gen_random_uuid(), 'log')");
	assert_int_equal(sweep(RETENTION_OUTBOX), 5000);
	assert_int_equal(sweep(RETENTION_OUTBOX), 1000);
	assert_int_equal(sweep(RETENTION_OUTBOX), 0);
	expect("SELECT count(*) FROM control.outbox", "1");
}

/* One that dies in the middle leaves whole runs, and the lock to the next. */
static void
test_two_sweepers(void **state)
{
	struct ctx *other = ctx_new("other", 0);
	struct pg *first = stores_open(other);
	int64_t rows;
	bool mine;

	(void)state;
	for (int i = 0; i < 3; i++)
		(void)ended("e", 410 - i);
	(void)ended("e", 1);
	assert_true(retention_lock(other, first, &mine) && mine);
	assert_true(retention_lock(f.ctx, f.db, &mine));
	assert_false(mine);
	while (sweep(RETENTION_LOGS) > 0)
		continue;
	assert_true(pg_begin(other, first));
	assert_true(retention_sweep(other, first, RETENTION_RUNS, &keep, &rows));
	assert_int_equal(rows, 3);
	assert_int_equal(sweep(RETENTION_RUNS), 0); /* would it wait, or count them twice? */
	ctx_free(other);
	expect("SELECT count(*) FROM control.run", "4");
	for (int i = 0; i < 100 && !mine; i++) {
		assert_true(retention_lock(f.ctx, f.db, &mine));
		if (!mine)
			stores_do(f.ctx, f.db, "SELECT pg_sleep(0.05)");
	}
	assert_true(mine);
	assert_int_equal(sweep(RETENTION_RUNS), 3);
	expect("SELECT count(*) FROM control.run", "1");
	expect("SELECT count(*) FROM control.step", "2");
	stores_do(f.ctx, f.db, "SELECT pg_advisory_unlock_all()");
}

struct poster {
	pthread_t thread;
	const char *fingerprint;
	bool existed;
};

static void *
post(void *arg)
{
	struct poster *poster = arg;
	struct ctx *ctx = ctx_new("poster", 0);
	struct pg *db = stores_open(ctx);
	struct run want = {.pipeline = "p",
	    .type = "full",
	    .mode = "auto",
	    .requested_by = "u",
	    .trigger_kind = "api",
	    .spec_version = "sha256:1"};
	struct run_acceptance how = {.idempotency_key = "k",
	    .fingerprint = poster->fingerprint,
	    .on_duplicate = "queue"};
	struct run run;

	assert_true(run_accept(ctx, db, &want, &how, &run, &poster->existed));
	ctx_free(ctx);
	return NULL;
}

static void
test_a_key_is_free_once_its_run_is_gone(void **state)
{
	struct poster poster = {.fingerprint = "another body"};
	struct run old = ended("g", 401);

	(void)state;
	(void)ended("g", 1);
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx, "INSERT INTO control.idempotency VALUES ('u', 'k', 'f', '%s')", old.id));
	while (sweep(RETENTION_LOGS) > 0)
		continue;
	assert_true(pg_begin(f.ctx, f.db));
	assert_int_equal(sweep(RETENTION_RUNS), 1);
	assert_int_equal(pthread_create(&poster.thread, NULL, post, &poster), 0);
	stores_do(f.ctx, f.db, "SELECT pg_sleep(0.2)"); /* he waits for what becomes of the key */
	assert_true(pg_commit(f.ctx, f.db));
	assert_int_equal(pthread_join(poster.thread, NULL), 0);
	assert_false(poster.existed);
	expect("SELECT fingerprint FROM control.idempotency", "another body");
}

/* Entries of so many days ago, sealed then. */
static void
audited(int days, int count)
{
	for (int i = 0; i < count; i++)
		assert_true(audit_write(f.ctx, f.db, &(struct audit_entry){.action = "run.pause", .subject = "old"}));
	stores_do(f.ctx, f.db, "SET session_replication_role = replica");
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx,
		"UPDATE control.audit SET at = now() - interval '%d days' WHERE id > coalesce((SELECT max(last_id) FROM "
		"control.audit_seal), 0)",
		days));
	assert_true(audit_seal(f.ctx, f.db));
	stores_do(f.ctx, f.db,
	    ctx_printf(f.ctx,
		"UPDATE control.audit_seal SET at = now() - interval '%d days' WHERE last_id = (SELECT max(last_id) FROM "
		"control.audit_seal)",
		days));
	stores_do(f.ctx, f.db, "SET session_replication_role = origin");
}

#define BROKEN "SELECT count(*) FROM control.audit_verify WHERE NOT intact"

static void
test_the_audit_log_begins_later_and_is_a_chain(void **state)
{
	bool moved;

	(void)state;
	audited(300, 3);
	audited(250, 2);
	audited(100, 4);
	assert_true(retention_move_audit(f.ctx, f.db, &keep, &moved));
	assert_true(moved);
	expect(BROKEN, "0");
	assert_true(sweep(RETENTION_AUDIT) >= 5); /* other tests wrote, too */
	assert_int_equal(sweep(RETENTION_AUDIT_SEALS), 1);
	assert_int_equal(sweep(RETENTION_AUDIT) + sweep(RETENTION_AUDIT_SEALS), 0);
	expect(BROKEN, "0");
	expect("SELECT count(*) FROM control.audit WHERE subject = 'old'", "4");
	expect("SELECT count(*) FROM control.audit a, control.audit_anchor b WHERE a.action = 'audit.sweep' AND "
	       "a.detail->>'hash' = b.hash",
	    "1");
	assert_true(retention_move_audit(f.ctx, f.db, &keep, &moved));
	assert_false(moved);
	assert_true(audit_seal(f.ctx, f.db));
	expect(BROKEN, "0");
	expect("SELECT count(*) FROM control.audit_verify", "3"); /* the anchor and two seals */
	stores_do(f.ctx, f.db, "SET session_replication_role = replica");
	stores_do(f.ctx, f.db,
	    "BEGIN; UPDATE control.audit SET subject = 'x' WHERE id = (SELECT min(id) FROM control.audit)");
	expect(BROKEN, "1");
	stores_do(f.ctx, f.db,
	    "ROLLBACK; BEGIN; DELETE FROM control.audit_seal WHERE last_id = (SELECT min(last_id) FROM "
	    "control.audit_seal)");
	expect(BROKEN, "2");
	stores_do(f.ctx, f.db, "ROLLBACK; SET session_replication_role = origin");
}

static void
test_what_is_not_intact_is_not_swept(void **state)
{
	bool moved;

	(void)state;
	audited(300, 2);
	stores_do(f.ctx, f.db,
	    "SET session_replication_role = replica; UPDATE control.audit SET subject = 'x' WHERE subject = "
	    "'old' AND at < now() - interval '299 days'; SET session_replication_role = origin");
	assert_false(retention_move_audit(f.ctx, f.db, &keep, &moved));
	assert_non_null(strstr(ctx_failure(f.ctx)->message, "not intact"));
	fail_clear(f.ctx);
	expect("SELECT count(*) FROM control.audit WHERE subject = 'x'", "2");
}

static void
test_for_ever(void **state)
{
	static const struct retention ever = {0};
	bool moved;
	int64_t rows;

	(void)state;
	(void)ended("h", 3000);
	(void)ended("h", 2000);
	for (int kind = 0; kind <= RETENTION_RUNS; kind++) {
		assert_true(retention_sweep(f.ctx, f.db, (enum retention_kind)kind, &ever, &rows));
		assert_int_equal(rows, 0);
	}
	assert_true(retention_move_audit(f.ctx, f.db, &ever, &moved) && !moved);
	expect("SELECT count(*) FROM control.run", "2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STORES_TEST(test_a_run_goes_with_all_that_hangs_on_it),
	    STORES_TEST(test_what_has_not_ended_stays),
	    STORES_TEST(test_lines_go_before_their_run_in_batches),
	    STORES_TEST(test_a_run_that_goes_on_has_lines_again),
	    STORES_TEST(test_results_go_by_their_own_age),
	    STORES_TEST(test_the_outbox_is_swept_from_its_begin),
	    STORES_TEST(test_two_sweepers),
	    STORES_TEST(test_a_key_is_free_once_its_run_is_gone),
	    STORES_TEST(test_the_audit_log_begins_later_and_is_a_chain),
	    STORES_TEST(test_what_is_not_intact_is_not_swept),
	    STORES_TEST(test_for_ever),
	};

	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
