/* COPY from one session into another: all rows or none, and the side that failed first is named. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/pg.h"
#include "tests/support/pg_cluster.h"

#include <cmocka.h>

struct pair {
	struct ctx *ctx;
	struct pg *from, *to;
};

static struct pg *
open_as(struct ctx *ctx, const char *what)
{
	struct pg_options options = {.what = what};
	struct secret url = pg_cluster_url(ctx, "copy");
	struct pg *db;

	assert_true(pg_open(ctx, &url, &options, &db));
	return db;
}

static int
setup(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct pair *pair = ctx_alloc(ctx, sizeof(*pair));

	pair->ctx = ctx;
	pair->from = open_as(ctx, "source rds");
	pair->to = open_as(ctx, "warehouse");
	assert_true(pg_run(ctx, pair->to, "DROP TABLE IF EXISTS t; CREATE TABLE t (i bigint, s text)"));
	*state = pair;
	return 0;
}

static int
teardown(void **state)
{
	struct pair *pair = *state;

	ctx_free(pair->ctx);
	return 0;
}

static int64_t
ask(struct ctx *ctx, struct pg *db, const char *sql)
{
	struct pg_rows rows;

	assert_true(pg_query(ctx, db, sql, PG_NO_PARAMS, &rows));
	return pg_i64(&rows, 0, 0);
}

static void
copies(struct pair *pair, const char *select, const char *format, int64_t rows)
{
	struct pg_copied copied;
	char *out = ctx_printf(pair->ctx, "COPY (%s) TO STDOUT (FORMAT %s)", select, format);
	char *in = ctx_printf(pair->ctx, "COPY t FROM STDIN (FORMAT %s)", format);

	assert_true(pg_run(pair->ctx, pair->to, "DELETE FROM t"));
	assert_true(pg_copy(pair->ctx, pair->from, out, pair->to, in, &copied));
	assert_true(copied.rows == rows);
	assert_true(rows == 0 || copied.bytes > rows);
	assert_true(ask(pair->ctx, pair->to, "SELECT count(*) FROM t") == rows);
	assert_true(
	    ask(pair->ctx, pair->to,
		ctx_printf(pair->ctx, "SELECT count(*) FROM (SELECT * FROM t EXCEPT ALL (%s)) d", select)) == 0);
	assert_true(ask(pair->ctx, pair->from, "SELECT 1") == 1);
}

static void
test_rows(void **state)
{
	copies(*state, "SELECT i::bigint, repeat('x', (i % 100)::int) FROM generate_series(1, 200000) i", "text",
	    200000);
	copies(*state, "SELECT i::bigint, E'tab\\t\\\\ \\n' FROM generate_series(1, 100000) i", "binary", 100000);
	copies(*state, "SELECT i::bigint, repeat('y', 300000) FROM generate_series(1, 20) i", "csv", 20);
	copies(*state, "SELECT 1::bigint, ''::text WHERE false", "text", 0);
	copies(*state, "SELECT 1::bigint, ''::text WHERE false", "binary", 0);
}

/* Fails as wanted, with nothing in the table and the target's session as good as before. */
static void
copy_fails(struct pair *pair, const char *select, enum fail_code code, const char *side)
{
	struct pg_copied copied;
	int64_t begin_us = clock_monotonic_us();

	assert_false(pg_copy(pair->ctx, pair->from, ctx_printf(pair->ctx, "COPY (%s) TO STDOUT", select), pair->to,
	    "COPY t FROM STDIN", &copied));
	assert_int_equal(ctx_failure(pair->ctx)->code, code);
	assert_true(text_starts_with(ctx_failure(pair->ctx)->message, side));
	assert_true(copied.rows == 0);
	assert_true(clock_monotonic_us() - begin_us < 8000000);
	fail_clear(pair->ctx);
	if (pg_is_open(pair->to))
		assert_true(ask(pair->ctx, pair->to, "SELECT count(*) FROM t") == 0);
}

static void
test_source_fails(void **state)
{
	struct pair *pair = *state;

	copy_fails(pair, "SELECT broken", FAIL_SQL_ERROR, "source rds");
	copy_fails(pair, "SELECT 1 / (150000 - i), '' FROM generate_series(1, 200000) i", FAIL_SQL_DATA, "source rds");
	assert_true(pg_is_open(pair->from) && pg_is_open(pair->to));
	copy_fails(pair,
	    "SELECT i, pg_terminate_backend(CASE i WHEN 100000 THEN pg_backend_pid() END)::text"
	    " FROM generate_series(1, 200000) i",
	    FAIL_CONNECTION_LOST, "source rds");
	assert_false(pg_is_open(pair->from));
	assert_true(pg_is_open(pair->to));
}

/* The source would go on for ever: the refusal must be heard while it does. */
static void
test_target_refuses(void **state)
{
	struct pair *pair = *state;

	copy_fails(pair, "SELECT 'no number', generate_series(1, 1000000000000)", FAIL_SQL_DATA, "warehouse");
	assert_false(pg_is_open(pair->from)); /* it was still sending */
	pair->from = open_as(pair->ctx, "source rds");
	assert_true(pg_run(pair->ctx, pair->to, "ALTER TABLE t ADD CHECK (i < 100000)"));
	copy_fails(pair, "SELECT generate_series(1, 1000000000000), ''", FAIL_SQL_DATA, "warehouse");
	pair->from = open_as(pair->ctx, "source rds");
	assert_true(pg_run(pair->ctx, pair->to, "DROP TABLE t"));
	assert_false(pg_copy(pair->ctx, pair->from, "COPY (SELECT 1) TO STDOUT", pair->to, "COPY t FROM STDIN",
	    &(struct pg_copied){0}));
	assert_string_equal(ctx_failure(pair->ctx)->sqlstate, "42P01");
	assert_true(pg_is_open(pair->from)); /* it was not asked yet */
}

/* Says where in the file, not what is there: the value may be somebody's secret. */
static void
test_no_values(void **state)
{
	struct pair *pair = *state;

	assert_true(pg_run(pair->ctx, pair->to, "ALTER TABLE t ADD CHECK (s <> 'c4n4ry')"));
	assert_false(pg_copy_text(pair->ctx, pair->to, "COPY t FROM STDIN", "1\ta\n2\tc4n4ry\n", 13));
	assert_non_null(strstr(ctx_failure(pair->ctx)->message, "line 2"));
	assert_null(strstr(ctx_failure(pair->ctx)->message, "c4n4ry"));
	fail_clear(pair->ctx);
	assert_true(pg_copy_text(pair->ctx, pair->to, "COPY t FROM STDIN", "1\ta\n2\tb\n", 8));
	assert_true(ask(pair->ctx, pair->to, "SELECT sum(i) FROM t") == 3);
	assert_true(pg_copy_text(pair->ctx, pair->to, "COPY t FROM STDIN", "", 0));
}

static const char slow_rows[] = "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
				" RAISE NOTICE 'row % of a table that talks', NEW.i;"
				" IF NEW.i % 5000 = 0 THEN PERFORM pg_sleep(0.4); END IF; RETURN NEW; END $$;"
				"CREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION slow()";

/* Notices are no refusal, and a slow target is waited for. */
static void
test_talkative_target(void **state)
{
	struct pair *pair = *state;

	assert_true(pg_run(pair->ctx, pair->to, slow_rows));
	copies(pair, "SELECT i::bigint, repeat('z', 200) FROM generate_series(1, 20000) i", "text", 20000);
}

static void *
cancel_soon(void *arg)
{
	clock_sleep_ms(300);
	(void)ctx_cancel_set(arg, CANCEL_SUPERSEDED);
	return NULL;
}

static void
test_cancel(void **state)
{
	struct pair *pair = *state;
	struct ctx_cancel cancel = {CANCEL_NONE};
	struct pg_copied copied;
	int64_t begin_us = clock_monotonic_us();
	pthread_t thread;

	assert_true(pg_run(pair->ctx, pair->to, slow_rows));
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
	ctx_watch_cancel(pair->ctx, &cancel);
	assert_false(pg_copy(pair->ctx, pair->from,
	    "COPY (SELECT 5000, repeat('x', 1000) FROM generate_series(1, 1000000)) TO STDOUT", pair->to,
	    "COPY t FROM STDIN", &copied));
	assert_int_equal(ctx_failure(pair->ctx)->code, FAIL_FENCED);
	assert_false(pg_is_open(pair->from) || pg_is_open(pair->to));
	assert_true(clock_monotonic_us() - begin_us < 2000000);
	pthread_join(thread, NULL);
	ctx_watch_cancel(pair->ctx, NULL);
}

static void
test_wrong_statement(void **state)
{
	struct pair *pair = *state;
	struct pg_copied copied;

	assert_false(pg_copy(pair->ctx, pair->from, "SELECT 1", pair->to, "COPY t FROM STDIN", &copied));
	assert_true(pg_is_open(pair->from) && pg_is_open(pair->to));
	fail_clear(pair->ctx);
	assert_false(pg_copy(pair->ctx, pair->from, "COPY t FROM STDIN", pair->to, "COPY t FROM STDIN", &copied));
	fail_clear(pair->ctx);
	assert_true(ask(pair->ctx, pair->to, "SELECT count(*) FROM t") == 0);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_source_fails, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_target_refuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_no_values, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_talkative_target, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_wrong_statement, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
