/* The audit log against a real PostgreSQL: written with what it tells of, never changed, chained. */
#include "sql/audit_store.h"
#include "tests/support/stores_fixture.h"

static json_t *
entries(const char *subject)
{
	struct audit_filter filter = {.subject = subject, .limit = 100};
	json_t *items = json_new_array(f.ctx);
	int64_t next;

	assert_true(audit_list(f.ctx, f.db, &filter, items, &next));
	assert_int_equal(next, 0);
	return items;
}

static const char *
action(const json_t *items, size_t i)
{
	return json_string_or(json_array_get(items, i), "action", "");
}

static void
test_changes_of_a_run_are_written_with_them(void **state)
{
	struct ctx_tags tags = {.subject = "audit-pat", .client = "192.0.2.7", .trace_id = "t1"};
	struct run run = stores_accept(f.ctx, f.db);
	json_t *items;

	(void)state;
	ctx_set_tags(f.ctx, &tags);
	assert_true(run_pause(f.ctx, f.db, run.id, true, &run));
	assert_true(run_pause(f.ctx, f.db, run.id, true, &run)); /* changes nothing: no entry */
	assert_true(run_pause(f.ctx, f.db, run.id, false, &run));
	assert_true(run_cancel(f.ctx, f.db, run.id, "audit-pat", &run));
	assert_true(run_retry(f.ctx, f.db, run.id, NULL, "audit-pat", &run));
	assert_false(run_retry(f.ctx, f.db, run.id, NULL, "audit-pat", &run)); /* refused: no entry */
	fail_clear(f.ctx);
	items = entries("audit-pat");
	assert_int_equal(json_array_size(items), 4);
	assert_string_equal(action(items, 0), "run.retry");
	assert_string_equal(action(items, 1), "run.cancel");
	assert_string_equal(action(items, 2), "run.resume");
	assert_string_equal(action(items, 3), "run.pause");
	assert_string_equal(json_string_or(json_array_get(items, 0), "target", ""), run.id);
	assert_string_equal(json_string_or(json_array_get(items, 0), "pipeline", ""), "p");
	assert_string_equal(json_string_or(json_array_get(items, 0), "client", ""), "192.0.2.7");
	assert_string_equal(json_string_or(json_array_get(items, 0), "trace_id", ""), "t1");
	expect(ctx_printf(f.ctx, "SELECT count(*) FROM control.audit WHERE action = 'run.submit' AND target = '%s'",
		   run.id),
	    "1");
}

/* Who let a guard pass is told with the step that did: only what was allowed, once, and nothing of an attempt that has no say. */
static void
test_guards_that_were_passed(void **state)
{
	struct step_plan step = stores_step(f.ctx, "fact", 1, 0);
	struct run run = stores_plan(f.ctx, f.db, &step, 1);
	struct step_claim claim = stores_claim(f.ctx, f.db), old = claim;
	struct step_result result = {
	    .guards = json_trusted(f.ctx,
		"[{\"guard\":\"shrink\",\"count\":30,\"held\":40,\"limit_percent\":50,\"passed\":\"allowed\"},"
		"{\"guard\":\"change\",\"count\":9,\"held\":9,\"limit_percent\":50,\"passed\":\"warning\"}]")};
	struct audit_filter filter = {.action = "guard.pass", .limit = 100};
	json_t *items = json_new_array(f.ctx);
	int64_t next;
	bool mine;

	(void)state;
	old.load_number--;
	assert_true(step_succeed(f.ctx, f.db, &old, STORES_BOOT, &result, &mine));
	assert_false(mine);
	assert_true(step_succeed(f.ctx, f.db, &claim, STORES_BOOT, &result, &mine));
	assert_true(mine);
	assert_true(step_succeed(f.ctx, f.db, &claim, STORES_BOOT, &result, &mine));
	assert_true(audit_list(f.ctx, f.db, &filter, items, &next));
	assert_int_equal(json_array_size(items), 1);
	items = json_array_get(items, 0);
	assert_string_equal(json_string_or(items, "subject", ""), "tester");
	assert_string_equal(json_string_or(items, "target", ""), run.id);
	assert_string_equal(json_text(f.ctx, json_object_get(items, "detail")),
	    ctx_printf(f.ctx,
		"{\"step_id\":\"%s\",\"table\":\"fact\",\"slice\":\"2024-01-01T00:00:00Z/2024-01-02T00:00:00Z\","
		"\"guard\":\"shrink\",\"count\":30,\"held\":40,\"limit_percent\":50,\"passed\":\"allowed\"}",
		step.id));
}

static void
test_an_entry_goes_with_its_transaction(void **state)
{
	struct audit_entry entry = {.action = "run.cancel", .subject = "audit-lost"};

	(void)state;
	assert_true(pg_begin(f.ctx, f.db) && audit_write(f.ctx, f.db, &entry));
	pg_rollback(f.db);
	assert_int_equal(json_array_size(entries("audit-lost")), 0);
	entry.action = "Not An Action";
	assert_false(audit_write(f.ctx, f.db, &entry));
}

static void
test_pages_and_filters(void **state)
{
	const char *const pipelines[] = {"audit_b", NULL};
	struct audit_filter filter = {.subject = "audit-page", .limit = 2}, of_b = {.pipelines = pipelines, .limit = 9};
	json_t *items = json_new_array(f.ctx), *some = json_new_array(f.ctx);
	int pages = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(audit_write(f.ctx, f.db,
		    &(struct audit_entry){.action = i % 2 == 0 ? "run.pause" : "run.resume",
			.subject = "audit-page",
			.pipeline = i < 2 ? "audit_a" : "audit_b",
			.target = text_from_i64(f.ctx, i)}));
	do {
		assert_true(audit_list(f.ctx, f.db, &filter, items, &filter.before_id));
		pages++;
	} while (filter.before_id != 0);
	assert_int_equal(pages, 3);
	assert_int_equal(json_array_size(items), 5);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(json_string_or(json_array_get(items, i), "target", ""),
		    text_from_i64(f.ctx, 4 - (int64_t)i));
	assert_true(audit_list(f.ctx, f.db, &of_b, some, &of_b.before_id));
	assert_int_equal(json_array_size(some), 3);
	of_b.action = "run.resume";
	some = json_new_array(f.ctx);
	assert_true(audit_list(f.ctx, f.db, &of_b, some, &of_b.before_id));
	assert_int_equal(json_array_size(some), 1);
}

static void
expect_refused(const char *sql)
{
	assert_false(pg_run(f.ctx, f.db, sql));
	assert_string_equal(ctx_failure(f.ctx)->sqlstate, "42501");
	fail_clear(f.ctx);
}

static void
write_one(void)
{
	assert_true(audit_write(f.ctx, f.db, &(struct audit_entry){.action = "run.pause", .subject = "audit-seal"}));
}

static void
test_it_is_only_added_to(void **state)
{
	(void)state;
	write_one();
	assert_true(audit_seal(f.ctx, f.db));
	expect_refused("UPDATE control.audit SET subject = 'x'");
	expect_refused("DELETE FROM control.audit");
	expect_refused("TRUNCATE control.audit");
	expect_refused("UPDATE control.audit_seal SET hash = ''");
	expect_refused("DELETE FROM control.audit_seal");
	expect_refused("INSERT INTO control.audit_anchor SELECT max(last_id), max(hash) FROM control.audit_seal");
}

#define BROKEN "SELECT count(*) FROM control.audit_verify WHERE NOT intact"

static const json_t *
verified(const char *name)
{
	json_t *chain;

	assert_true(audit_verify(f.ctx, f.db, &chain));
	return json_object_get(chain, name);
}

/* As somebody with all rights of the database's owner would. */
static void
test_what_is_changed_behind_our_back_is_found(void **state)
{
	struct ctx *other = ctx_new("other", 0);
	struct pg *writer = stores_open(other);

	(void)state;
	write_one();
	assert_true(audit_seal(f.ctx, f.db));
	expect("SELECT max(id) = (SELECT max(last_id) FROM control.audit_seal) FROM control.audit", "t");
	assert_true(pg_begin(other, writer));
	assert_true(audit_write(other, writer, &(struct audit_entry){.action = "run.pause", .subject = "audit-slow"}));
	write_one();
	assert_true(audit_seal(f.ctx, f.db)); /* somebody writes: nothing is sealed behind whose back he would add */
	expect("SELECT count(*) > 0 FROM control.audit WHERE id > (SELECT max(last_id) FROM control.audit_seal)", "t");
	assert_int_equal(json_integer_value(verified("unsealed")), 1); /* what is not committed is not there yet */
	assert_true(json_is_string(verified("unsealed_since")) && json_is_true(verified("intact")));
	assert_true(pg_commit(other, writer));
	assert_true(audit_seal(f.ctx, f.db));
	expect("SELECT count(*) FROM control.audit WHERE id > (SELECT max(last_id) FROM control.audit_seal)", "0");
	expect(BROKEN, "0");
	assert_true(json_is_true(verified("intact")) && json_is_null(verified("broken_at")));
	assert_true(json_integer_value(verified("unsealed")) == 0 && json_is_null(verified("unsealed_since")));
	stores_do(f.ctx, f.db, "SET session_replication_role = replica");
	stores_do(f.ctx, f.db, "UPDATE control.audit SET subject = 'nobody' WHERE subject = 'audit-slow'");
	expect(BROKEN, "1");
	assert_true(json_is_false(verified("intact")));
	assert_int_equal(json_integer_value(verified("broken_at")), json_integer_value(verified("sealed_to")));
	stores_do(f.ctx, f.db, "UPDATE control.audit SET subject = 'audit-slow' WHERE subject = 'nobody'");
	expect(BROKEN, "0");
	stores_do(f.ctx, f.db, "BEGIN; DELETE FROM control.audit WHERE subject = 'audit-slow'");
	expect(BROKEN, "1");
	stores_do(f.ctx, f.db,
	    "ROLLBACK; BEGIN; DELETE FROM control.audit_seal WHERE last_id = (SELECT min(last_id) FROM control.audit_seal)");
	expect(BROKEN, "1");
	stores_do(f.ctx, f.db, "ROLLBACK; SET session_replication_role = origin");
	ctx_free(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    STORES_TEST(test_changes_of_a_run_are_written_with_them),
	    STORES_TEST(test_guards_that_were_passed),
	    STORES_TEST(test_an_entry_goes_with_its_transaction),
	    STORES_TEST(test_pages_and_filters),
	    STORES_TEST(test_it_is_only_added_to),
	    STORES_TEST(test_what_is_changed_behind_our_back_is_found),
	};

	return cmocka_run_group_tests_name("audit store", tests, NULL, NULL);
}
