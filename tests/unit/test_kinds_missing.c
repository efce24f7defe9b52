/* Rows whose lookup finds nothing: members that facts infer and dimensions complete, rows that go to the quarantine. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "tests/support/kinds.h"

#include <cmocka.h>

static int
setup(void **state)
{
	*state = loads_new_of(&kinds_pipeline);
	return 0;
}

static int
teardown(void **state)
{
	loads_free(*state);
	return 0;
}

static void
source(struct loads *loads, const char *table, const char *rows)
{
	loads_source(loads, ctx_printf(loads->ctx, "TRUNCATE %s; INSERT INTO %s VALUES %s", table, table, rows));
}

static const char *
members(struct loads *loads, const char *table, const char *surrogate)
{
	return loads_ask(loads,
	    ctx_printf(loads->ctx,
		"SELECT %s, id, name, note, is_inferred, is_current FROM %s WHERE %s > 0 ORDER BY id, effective_from",
		surrogate, table, surrogate));
}

static const char guesses[] = "SELECT id, first_key, now_key, list_key, past_key FROM fact_guess ORDER BY id";
static const char asked[] = "SELECT id, now_key, list_key, past_key FROM fact_ask ORDER BY id";

static void
test_infer(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	source(loads, "fact_guess", "(1, 7, 7, 7, 7, '2024-01-01 05:00Z'), (2, 7, NULL, 8, NULL, '2024-01-01 06:00Z')");
	outcome = loads_load(loads, "fact_guess", 0);
	assert_int_equal(outcome.counts.members_inferred, 5);
	assert_int_equal(outcome.counts.inserted, 2);
	assert_string_equal(members(loads, "dim_first", "first_key"), "1 7 - - t t");
	assert_string_equal(members(loads, "dim_now", "now_key"), "1 7 - unknown t t");
	assert_string_equal(
	    loads_ask(loads,
		"SELECT id, effective_from, effective_to::date, load_id > 0 FROM dim_list WHERE list_key > 0 ORDER BY id"),
	    "7 -infinity 9999-12-31 t\n8 -infinity 9999-12-31 t");
	assert_string_equal(
	    loads_ask(loads,
		"SELECT count(*) FROM fact_guess f JOIN dim_list d USING (list_key) WHERE f.list_id = d.id"),
	    "2");
	assert_string_equal(loads_ask(loads, "SELECT id, first_key, now_key, past_key FROM fact_guess ORDER BY id"),
	    "1 1 1 1\n2 1 -1 -1");
	outcome = loads_load(loads, "fact_guess", 0);
	assert_int_equal(outcome.counts.members_inferred, 0);
	assert_int_equal(outcome.counts.unchanged, 2);
}

/* A key of two columns is known as a whole or not at all. */
static void
test_infer_pairs(void **state)
{
	static const char pairs[] =
	    "SELECT pair_key, one, other, name, is_inferred FROM dim_pair WHERE pair_key > 0 ORDER BY 1";
	static const char facts[] = "SELECT id, pair_key FROM fact_pair ORDER BY id";
	struct loads *loads = *state;
	struct slice_outcome outcome;

	source(loads, "dim_pair", "('a', '2024-01-01', 'x')");
	(void)loads_load(loads, "dim_pair", -1);
	source(loads, "fact_pair",
	    "(1, '2024-01-01', 'a'), (2, '2024-01-02', 'a'), (3, NULL, 'a'), (4, '2024-01-01', NULL), (5, '2024-01-02', 'a')");
	outcome = loads_load(loads, "fact_pair", -1);
	assert_int_equal(outcome.counts.members_inferred, 1);
	assert_string_equal(loads_ask(loads, pairs), "1 a 2024-01-01 x f\n2 a 2024-01-02 - t");
	assert_string_equal(loads_ask(loads, facts), "1 1\n2 2\n3 -1\n4 -1\n5 2");
	source(loads, "dim_pair", "('a', '2024-01-02', 'y')");
	outcome = loads_load(loads, "dim_pair", -1);
	assert_int_equal(outcome.counts.updated, 1);
	assert_int_equal(outcome.counts.rows_deleted, 1);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	assert_string_equal(loads_ask(loads, pairs), "2 a 2024-01-02 y f");
	outcome = loads_load(loads, "fact_pair", -1);
	assert_int_equal(outcome.counts.members_inferred, 1);
	assert_string_equal(loads_ask(loads, pairs), "1 a 2024-01-01 - t\n2 a 2024-01-02 y f");
	assert_string_equal(loads_ask(loads, facts), "1 1\n2 2\n3 -1\n4 -1\n5 2");
}

/* The dimension's load makes an inferred member whole: same row, same key, whatever kind it is. */
static void
test_complete(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;
	const char *before;

	source(loads, "fact_guess", "(1, 7, 7, 7, 7, '2024-01-01 05:00Z')");
	(void)loads_load(loads, "fact_guess", 0);
	before = loads_ask(loads, guesses);
	/* loads that do not have the key leave the member alone */
	source(loads, "dim_list", "(1, 'a', 'x')");
	outcome = loads_load(loads, "dim_list", -1);
	assert_int_equal(outcome.counts.rows_deleted, 0);
	assert_string_equal(members(loads, "dim_list", "list_key"), "2 1 a x f t\n1 7 - - t t");
	source(loads, "dim_first", "(7, 'a', 'x')");
	source(loads, "dim_now", "(7, NULL, 'unknown')"); /* says no more than was guessed */
	source(loads, "dim_list", "(7, 'a', 'x')");
	source(loads, "dim_past", "(7, 'a', 'x', '2024-02-01')"); /* later than the fact */
	for (size_t i = 0; i < 4; i++) {
		static const char *const tables[] = {"dim_first", "dim_now", "dim_list", "dim_past"};

		outcome = loads_load(loads, tables[i], -1);
		assert_int_equal(outcome.counts.updated, 1);
		assert_int_equal(outcome.counts.versions_opened, 0);
		outcome = loads_load(loads, tables[i], -1);
		assert_int_equal(outcome.counts.unchanged, 1);
	}
	assert_string_equal(members(loads, "dim_first", "first_key"), "1 7 a x f t");
	assert_string_equal(members(loads, "dim_now", "now_key"), "1 7 - unknown f t");
	assert_string_equal(members(loads, "dim_list", "list_key"), "1 7 a x f t");
	assert_string_equal(members(loads, "dim_past", "past_key"), "1 7 a x f t");
	assert_string_equal(loads_ask(loads, guesses), before);
	/* from now on scd 0 keeps it, and replace takes it away */
	source(loads, "dim_first", "(7, 'other', 'x')");
	source(loads, "dim_list", "(1, 'a', 'x')");
	(void)loads_load(loads, "dim_first", -1);
	outcome = loads_load(loads, "dim_list", -1);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	assert_string_equal(members(loads, "dim_first", "first_key"), "1 7 a x f t");
	/* and the fact infers it again, under the key it had */
	outcome = loads_load(loads, "fact_guess", 0);
	assert_int_equal(outcome.counts.members_inferred, 1);
	assert_string_equal(loads_ask(loads, guesses), before);
}

/* Several versions complete an inferred member: the first has its key, and the table is what it were without it. */
static void
test_complete_with_versions(void **state)
{
	static const char versions[] =
	    "SELECT id, name, effective_from::date, effective_to::date, is_current, is_inferred, row_hash IS NULL "
	    "FROM dim_past WHERE past_key > 0 ORDER BY id, effective_from";
	struct loads *loads = *state;
	const char *expected;

	source(loads, "dim_past",
	    "(7, 'a', 'x', '2024-01-02'), (7, 'b', 'x', '2024-01-05'), (7, 'c', 'x', '2024-01-09')");
	(void)loads_load(loads, "dim_past", -1);
	expected = loads_ask(loads, versions);
	loads_do(loads,
	    "TRUNCATE loadstar.dim_past_log, loadstar.dim_past_retired; DELETE FROM dim_past WHERE past_key > 0;"
	    "ALTER TABLE dim_past ALTER past_key RESTART; DELETE FROM loadstar.slice_ledger");
	source(loads, "fact_guess", "(1, 1, 1, 1, 7, '2024-01-01 05:00Z'), (2, 1, 1, 1, 7, '2024-01-01 07:00Z')");
	(void)loads_load(loads, "fact_guess", 0);
	source(loads, "fact_guess", "(3, 1, 1, 1, 7, '2024-01-06 05:00Z')");
	(void)loads_load(loads, "fact_guess", 5);
	source(loads, "dim_past", "(7, 'b', 'x', '2024-01-05'), (7, 'c', 'x', '2024-01-09')");
	(void)loads_load(loads, "dim_past", -1);
	assert_string_equal(loads_ask(loads,
				"SELECT past_key, name FROM dim_past WHERE id = 7 ORDER BY effective_from"),
	    "1 b\n2 c");
	source(loads, "dim_past", "(7, 'a', 'x', '2024-01-02')");
	(void)loads_load(loads, "dim_past", -1);
	assert_string_equal(loads_ask(loads, versions), expected);
	assert_string_equal(loads_ask(loads,
				"SELECT f.id, name FROM fact_guess f JOIN dim_past USING (past_key) ORDER BY 1"),
	    "1 a\n2 a\n3 b");
	/* the dimension is lost: it is a function of its log */
	source(loads, "fact_guess", "(4, 1, 1, 1, 8, '2024-01-04 05:00Z')");
	(void)loads_load(loads, "fact_guess", 3);
	expected = loads_ask(loads, versions);
	loads_do(loads, "DELETE FROM dim_past WHERE past_key > 0");
	(void)loads_load(loads, "dim_past", -1);
	assert_string_equal(loads_ask(loads, versions), expected);
	assert_string_equal(
	    loads_ask(loads,
		"SELECT count(*) FROM fact_guess f JOIN dim_past d ON d.past_key = f.past_key AND d.id = f.past_id"),
	    "4");
}

/* A member that one fact makes is the member of another that met the key before. */
static void
test_others_follow(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	source(loads, "dim_list", "(7, 'a', 'x')");
	(void)loads_load(loads, "dim_list", -1);
	source(loads, "fact_ask", "(1, 7, 7, 7, '2024-01-01 05:00Z'), (2, NULL, 7, NULL, '2024-01-01 05:00Z')");
	(void)loads_load(loads, "fact_ask", 0);
	assert_string_equal(loads_ask(loads, asked), "1 -1 1 -1\n2 -1 1 -1");
	source(loads, "fact_guess", "(1, 7, 7, 7, 7, '2024-01-01 05:00Z')");
	outcome = loads_load(loads, "fact_guess", 0);
	assert_int_equal(outcome.counts.rows_repointed, 2);
	assert_string_equal(loads_ask(loads, asked), "1 1 1 1\n2 -1 1 -1");
	/* complete, it was not there yet in the eyes of who says so (before_first: missing) */
	source(loads, "dim_past", "(7, 'a', 'x', '2024-02-01')");
	outcome = loads_load(loads, "dim_past", -1);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	assert_string_equal(loads_ask(loads, asked), "1 1 1 -1\n2 -1 1 -1");
	outcome = loads_load(loads, "fact_ask", 0);
	assert_int_equal(outcome.counts.unchanged, 2);
}

/* Each kind of dimension points its facts to what is there now, in its own load. */
static void
test_repoint(void **state)
{
	struct loads *loads = *state;
	struct slice_outcome outcome;

	source(loads, "dim_list", "(7, 'a', 'x'), (8, 'b', 'y')");
	(void)loads_load(loads, "dim_list", -1);
	source(loads, "fact_ask", "(1, 7, 7, 7, '2024-01-01 05:00Z'), (2, 8, 8, 8, '2024-01-01 06:00Z')");
	(void)loads_load(loads, "fact_ask", 0);
	source(loads, "dim_now", "(8, 'b', 'y')");
	outcome = loads_load(loads, "dim_now", -1);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	source(loads, "dim_past", "(7, 'a', 'x', '2023-01-01'), (8, 'b', 'x', '2024-01-01 12:00Z')");
	outcome = loads_load(loads, "dim_past", -1);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	source(loads, "dim_list", "(7, 'a', 'x')");
	outcome = loads_load(loads, "dim_list", -1);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	assert_string_equal(loads_ask(loads, asked), "1 -1 1 1\n2 1 -1 -1");
	source(loads, "dim_list", "(7, 'a', 'x'), (8, 'b', 'y')");
	outcome = loads_load(loads, "dim_list", -1);
	assert_int_equal(outcome.counts.rows_repointed, 1);
	assert_string_equal(loads_ask(loads, asked), "1 -1 1 1\n2 1 2 -1");
}

static void
test_quarantine(void **state)
{
	static const char rejects[] =
	    "SELECT column_name, rule, raw_text::jsonb ->> 'id', row_time, state FROM loadstar.quarantine ORDER BY id";
	struct loads *loads = *state;
	struct slice_outcome outcome;

	source(loads, "dim_list", "(1, 'a', 'x')");
	(void)loads_load(loads, "dim_list", -1);
	source(loads, "fact_ask",
	    "(1, 1, 1, 1, '2024-01-01 05:00Z'), (2, 1, 9, 1, '2024-01-01 06:00Z'), (3, 1, NULL, 1, '2024-01-01 07:00Z')");
	outcome = loads_load(loads, "fact_ask", 0);
	assert_int_equal(outcome.counts.read, 3);
	assert_int_equal(outcome.counts.inserted, 1);
	assert_int_equal(outcome.counts.rejected, 2);
	assert_string_equal(loads_ask(loads, rejects), "list_key lookup_missing 2 2024-01-01 06:00:00+00 open\n"
						       "list_key lookup_missing 3 2024-01-01 07:00:00+00 open");
	outcome = loads_load(loads, "fact_ask", 0);
	assert_int_equal(outcome.counts.unchanged, 1);
	assert_int_equal(outcome.counts.rejected, 2);
	source(loads, "dim_list", "(1, 'a', 'x'), (9, 'b', 'y')");
	(void)loads_load(loads, "dim_list", -1);
	outcome = loads_load(loads, "fact_ask", 0);
	assert_int_equal(outcome.counts.inserted, 1);
	assert_int_equal(outcome.counts.rejected, 1);
	assert_string_equal(loads_ask(loads, "SELECT string_agg(state, ' ' ORDER BY id) FROM loadstar.quarantine"),
	    "superseded open");
	/* a row that was written goes when its reference does not hold any more */
	source(loads, "fact_ask", "(1, 1, 8, 1, '2024-01-01 05:00Z'), (2, 1, 9, 1, '2024-01-01 06:00Z')");
	outcome = loads_load(loads, "fact_ask", 0);
	assert_int_equal(outcome.counts.rows_deleted, 1);
	assert_int_equal(outcome.counts.rejected, 1);
	assert_string_equal(loads_ask(loads, "SELECT id FROM fact_ask"), "2");
}

/* Whatever came first, and whenever a fact infers in between: the versions are those of the observations alone. */
static void
test_any_order(void **state)
{
	enum { ROUNDS = 6, DAYS = 6 };
	static const char versions[] =
	    "SELECT id, name, note, since, effective_from, effective_to, is_current, row_hash FROM dim_past "
	    "WHERE past_key > 0 AND NOT is_inferred ORDER BY id, effective_from";
	struct loads *loads = *state;

	loads_source(loads,
	    "INSERT INTO fact_guess SELECT d * 10 + k, 1, 1, 1, k, timestamptz '2024-01-01 12:00Z' + d * interval '1 day'"
	    " FROM generate_series(1, 4) k, generate_series(0, 5) d; SELECT setseed(0.3)");
	for (int round = 0; round < ROUNDS; round++) {
		const char *expected;

		loads_source(loads,
		    "DROP TABLE IF EXISTS every; CREATE TABLE every AS SELECT k AS id, 'n' || (random() * 2)::int AS name, 'x' AS note,"
		    " timestamptz '2024-01-01' + d * interval '1 day' AS since, random() AS place, NULL::int AS batch"
		    " FROM generate_series(1, 3) k, generate_series(0, 5) d WHERE random() < 0.7;"
		    "UPDATE every SET batch = (place * 5)::int;"
		    "TRUNCATE dim_past; INSERT INTO dim_past SELECT id, name, note, since FROM every");
		loads_do(loads, "TRUNCATE loadstar.dim_past_log, loadstar.dim_past_retired, loadstar.slice_ledger;"
				"DELETE FROM dim_past WHERE past_key > 0; DELETE FROM fact_guess");
		(void)loads_load(loads, "dim_past", -1);
		expected = loads_ask(loads, versions);
		loads_do(loads, "TRUNCATE loadstar.dim_past_log, loadstar.dim_past_retired, loadstar.slice_ledger;"
				"DELETE FROM dim_past WHERE past_key > 0");
		for (int batch = 0; batch <= 5; batch++) {
			(void)loads_load(loads, "fact_guess", (batch + round) % DAYS);
			loads_source(loads,
			    ctx_printf(loads->ctx,
				"TRUNCATE dim_past; INSERT INTO dim_past SELECT id, name, note, since FROM every WHERE batch = %d",
				batch));
			(void)loads_load(loads, "dim_past", -1);
			assert_string_equal(
			    loads_ask(loads, "SELECT count(*) FROM fact_guess f LEFT JOIN dim_past d USING (past_key) "
					     "WHERE d.id IS DISTINCT FROM f.past_id"),
			    "0");
		}
		assert_string_equal(loads_ask(loads, versions), expected);
		assert_string_equal(loads_ask(loads, "SELECT count(*) FROM dim_past WHERE is_inferred AND id = 4"),
		    "1");
	}
}

/* A load in a thread of its own. */
struct attempt {
	struct slice_job job;
	pthread_t thread;
	struct slice_outcome outcome;
	enum fail_code code;
};

static void *
run(void *arg)
{
	struct attempt *attempt = arg;
	struct ctx *ctx = ctx_new("attempt", 0);

	attempt->code = slice_load(ctx, &attempt->job, &attempt->outcome) ? FAIL_NONE : ctx_failure(ctx)->code;
	ctx_free(ctx);
	return NULL;
}

/* Slices that meet the same new keys at once make each member once. */
static void
test_at_once(void **state)
{
	enum { DAYS = 4, KEYS = 50 };
	struct loads *loads = *state;
	struct attempt attempts[DAYS];
	int64_t inferred = 0;

	loads_source(loads,
	    "INSERT INTO fact_guess SELECT d * 1000 + n, n, n, n, n, timestamptz '2024-01-01 00:00Z' + d * interval '1 day'"
	    " FROM generate_series(1, 50) n, generate_series(0, 3) d");
	for (int day = 0; day < DAYS; day++) {
		attempts[day] = (struct attempt){.job = loads_job(loads, "fact_guess", day)};
		assert_int_equal(pthread_create(&attempts[day].thread, NULL, run, &attempts[day]), 0);
	}
	for (int day = 0; day < DAYS; day++) {
		(void)pthread_join(attempts[day].thread, NULL);
		assert_int_equal(attempts[day].code, FAIL_NONE);
		inferred += attempts[day].outcome.counts.members_inferred;
	}
	assert_int_equal(inferred, 4 * KEYS);
	assert_string_equal(loads_ask(loads, "SELECT count(*), count(DISTINCT id) FROM dim_past WHERE past_key > 0"),
	    "50 50");
	assert_string_equal(
	    loads_ask(loads,
		"SELECT count(*) FROM fact_guess f JOIN dim_now n ON n.now_key = f.now_key AND n.id = f.now_id "
		"JOIN dim_past p ON p.past_key = f.past_key AND p.id = f.past_id"),
	    "200");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_infer, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_infer_pairs, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_complete, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_complete_with_versions, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_others_follow, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_repoint, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_quarantine, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_any_order, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_at_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
