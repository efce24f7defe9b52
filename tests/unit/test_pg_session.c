/* Sessions against a real server: values, failures, cancel, COMMIT, COPY. */
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

static const struct pg_options plain = {.what = "warehouse"};

static int
setup(void **state)
{
	*state = ctx_new("test", 0);
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static void
test_values(void **state)
{
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "pg");
	struct pg_rows rows;
	int64_t at_us;

	assert_true(pg_query(ctx, db,
	    "SELECT $1::text, $2::bigint, $3::text, $4::boolean, '2024-01-31 09:15:00.5+02'::timestamptz, NULL::bigint,"
	    " '44-03-15 BC'::timestamptz, '12024-01-01'::timestamptz, interval '1 mon 2 days', 0.1::float8",
	    PG_PARAMS("it's", "-9223372036854775808", NULL, "true"), &rows));
	assert_int_equal(rows.count, 1);
	assert_int_equal(rows.columns, 10);
	assert_string_equal(pg_value(&rows, 0, 0), "it's");
	assert_true(pg_i64(&rows, 0, 1) == INT64_MIN);
	assert_null(pg_value(&rows, 0, 2));
	assert_true(pg_bool(&rows, 0, 3));
	assert_true(clock_parse("2024-01-31T07:15:00.5Z", &at_us));
	assert_true(pg_time_us(&rows, 0, 4) == at_us);
	assert_string_equal(pg_value(&rows, 0, 4), "2024-01-31 07:15:00.5+00");
	assert_true(pg_i64(&rows, 0, 5) == 0 && pg_time_us(&rows, 0, 5) == 0);
	assert_true(pg_time_us(&rows, 0, 6) == CLOCK_MINUS_INFINITY);
	assert_true(pg_time_us(&rows, 0, 7) == CLOCK_INFINITY);
	assert_string_equal(pg_value(&rows, 0, 8), "P1M2D");
	assert_string_equal(pg_value(&rows, 0, 9), "0.1");
	assert_string_equal(pg_column_name(&rows, 0), "text");
}

static void
test_settings(void **state)
{
	struct ctx *ctx = *state;
	struct secret url = pg_cluster_url(ctx, "pg");
	struct pg_options options = {.what = "source rds",
	    .application_name = "loadstar/run/step/1",
	    .time_zone = "Europe/Berlin",
	    .statement_timeout_ms = 1234,
	    .lock_timeout_ms = 56,
	    .idle_in_transaction_timeout_ms = 7000,
	    .read_only = true};
	static const char *const want[][2] = {{"application_name", "loadstar/run/step/1"},
	    {"TimeZone", "Europe/Berlin"}, {"statement_timeout", "1234ms"}, {"lock_timeout", "56ms"},
	    {"idle_in_transaction_session_timeout", "7s"}, {"default_transaction_read_only", "on"},
	    {"client_connection_check_interval", "1s"}, {"client_encoding", "UTF8"}, {"DateStyle", "ISO, YMD"},
	    {"IntervalStyle", "iso_8601"}};
	struct pg_rows rows;
	struct pg *db;

	assert_true(pg_open(ctx, &url, &options, &db));
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		assert_true(pg_query(ctx, db, "SELECT current_setting($1)", PG_PARAMS(want[i][0]), &rows));
		assert_string_equal(pg_value(&rows, 0, 0), want[i][1]);
	}
	assert_true(pg_query(ctx, db, "SELECT pg_backend_pid()", PG_NO_PARAMS, &rows));
	assert_int_equal(pg_i64(&rows, 0, 0), pg_backend_pid(db));
	assert_false(pg_run(ctx, db, "CREATE TABLE never (i int)"));
	assert_string_equal(ctx_failure(ctx)->sqlstate, "25006");
}

/* Each statement fails as the table of classes says, and the session goes on. */
static void
test_classes(void **state)
{
	static const struct {
		const char *sql;
		enum fail_code code;
		const char *sqlstate;
	} cases[] = {
	    {"SELECT 1/0", FAIL_SQL_DATA, "22012"},
	    {"SELECT * FROM nowhere", FAIL_SQL_ERROR, "42P01"},
	    {"DO $$ BEGIN RAISE SQLSTATE '23P01'; END $$", FAIL_SQL_DATA, "23P01"},
	    {"DO $$ BEGIN RAISE SQLSTATE '40001'; END $$", FAIL_SQL_CONFLICT, "40001"},
	    {"DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", FAIL_SQL_CONFLICT, "40P01"},
	    {"DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", FAIL_DISK_FULL, "53100"},
	    {"DO $$ BEGIN RAISE SQLSTATE '53200'; END $$", FAIL_SQL_RESOURCES, "53200"},
	    {"DO $$ BEGIN RAISE '1023 serializable isolation violation' USING ERRCODE = 'XX000'; END $$",
		FAIL_SQL_CONFLICT, "XX000"},
	    {"DO $$ BEGIN RAISE 'other' USING ERRCODE = 'XX000'; END $$", FAIL_SQL_ERROR, "XX000"},
	    {"SET statement_timeout = 20; SELECT pg_sleep(5)", FAIL_STATEMENT_TIMEOUT, "57014"},
	    {"SET statement_timeout = 0; COPY pg_class TO STDOUT", FAIL_SQL_ERROR, ""},
	};
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "pg");

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(pg_is_open(db));
		assert_false(pg_run(ctx, db, cases[i].sql));
		assert_int_equal(ctx_failure(ctx)->code, cases[i].code);
		assert_string_equal(ctx_failure(ctx)->sqlstate, cases[i].sqlstate);
		fail_clear(ctx);
	}
	assert_false(pg_is_open(db)); /* after the COPY that nobody can answer */
	pg_close(db);
	pg_close(db);
	assert_false(pg_run(ctx, db, "SELECT 1"));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_CONNECTION_LOST);
}

/* What a server says of a value goes to all who may look at runs: not the value. */
static void
test_values_are_kept_back(void **state)
{
	static const char *const cases[] = {
	    "SELECT 'c4n4ry'::int",
	    "SELECT E'c4n4ry\" c4n4ry\n\"c4n4ry'::bigint",
	    "SELECT 'c4n4ry'::timestamptz",
	    "SELECT '{c4n4ry'::text[]",
	    "SELECT '\"c4n4ry'::jsonb",
	    "SELECT to_date('c4n4ry', 'YYYY')",
	    "SELECT 'c4n4ry'::uuid",
	    "CREATE TEMP TABLE one (i text PRIMARY KEY); INSERT INTO one VALUES ('c4n4ry'), ('c4n4ry')",
	    "CREATE TEMP TABLE two (i text CHECK (i = 'x')); INSERT INTO two VALUES ('c4n4ry')",
	    "CREATE TEMP TABLE three (a text, i int NOT NULL); INSERT INTO three VALUES ('c4n4ry', NULL)",
	    "CREATE TEMP TABLE four (i varchar(3)); INSERT INTO four VALUES ('c4n4ry')",
	};
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "pg");

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_false(pg_run(ctx, db, cases[i]));
		assert_int_equal(ctx_failure(ctx)->code, FAIL_SQL_DATA);
		assert_null(strstr(ctx_failure(ctx)->message, "c4n4ry"));
		fail_clear(ctx);
	}
}

static void
test_lock_timeout(void **state)
{
	struct ctx *ctx = *state;
	struct pg *a = pg_cluster_open(ctx, "pg"), *b = pg_cluster_open(ctx, "pg");

	assert_true(pg_run(ctx, a, "SELECT pg_advisory_lock(1)"));
	assert_false(pg_run(ctx, b, "SET lock_timeout = 20; SELECT pg_advisory_lock(1)"));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_LOCK_TIMEOUT);
}

static void
test_prepared(void **state)
{
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "pg");
	struct pg_rows rows;

	for (int i = 0; i < 3; i++) {
		assert_true(pg_query_prepared(ctx, db, "add", "SELECT $1::int + 1", PG_PARAMS("41"), &rows));
		assert_int_equal(pg_i64(&rows, 0, 0), 42);
	}
	assert_true(pg_query(ctx, db, "SELECT count(*) FROM pg_prepared_statements", PG_NO_PARAMS, &rows));
	assert_int_equal(pg_i64(&rows, 0, 0), 1);
	/* A changed table makes a plan useless: the session ends, so that the next one prepares
	 * anew. */
	assert_true(pg_run(ctx, db, "DROP TABLE IF EXISTS changing; CREATE TABLE changing (a int)"));
	assert_true(pg_query_prepared(ctx, db, "star", "SELECT * FROM changing", PG_NO_PARAMS, &rows));
	assert_true(pg_run(ctx, db, "ALTER TABLE changing ADD b int"));
	assert_false(pg_query_prepared(ctx, db, "star", "SELECT * FROM changing", PG_NO_PARAMS, &rows));
	assert_false(pg_is_open(db));
}

/* Cancels after a while, from another thread. */
struct canceller {
	struct ctx_cancel cancel;
	enum cancel_reason reason;
	pthread_t thread;
};

static void *
cancel_soon(void *arg)
{
	struct canceller *c = arg;

	clock_sleep_ms(50);
	assert_true(ctx_cancel_set(&c->cancel, c->reason));
	return NULL;
}

static void
begin_cancel(struct canceller *c, enum cancel_reason reason)
{
	*c = (struct canceller){.reason = reason};
	assert_int_equal(pthread_create(&c->thread, NULL, cancel_soon, c), 0);
}

static void
test_cancel(void **state)
{
	static const enum fail_code codes[] = {[CANCEL_REQUESTED] = FAIL_CANCELLED,
	    [CANCEL_DEADLINE] = FAIL_STEP_DEADLINE,
	    [CANCEL_SUPERSEDED] = FAIL_FENCED,
	    [CANCEL_SHUTDOWN] = FAIL_HANDED_BACK};
	struct pg *watcher = pg_cluster_open(*state, "pg");

	for (int reason = CANCEL_REQUESTED; reason <= CANCEL_SHUTDOWN; reason++) {
		struct ctx *ctx = ctx_new("cancelled", 0);
		struct pg *db = pg_cluster_open(ctx, "pg");
		int64_t begin_us = clock_monotonic_us();
		struct canceller c;
		struct pg_rows rows;
		bool gone = false;

		begin_cancel(&c, (enum cancel_reason)reason);
		ctx_watch_cancel(ctx, &c.cancel);
		assert_false(pg_run(ctx, db, "SELECT pg_sleep(30)"));
		assert_true(clock_monotonic_us() - begin_us < 1000000);
		assert_int_equal(ctx_failure(ctx)->code, codes[reason]);
		assert_false(pg_is_open(db));
		/* The server notices within a second that its client is gone. */
		for (int i = 0; i < 300 && !gone; i++) {
			assert_true(pg_query(*state, watcher, "SELECT 1 FROM pg_stat_activity WHERE pid = $1",
			    PG_PARAMS(text_from_i64(ctx, pg_backend_pid(db))), &rows));
			gone = rows.count == 0;
			clock_sleep_ms(10);
		}
		assert_true(gone);
		pthread_join(c.thread, NULL);
		ctx_free(ctx);
	}
}

/* The server ends a session: the failure is connection_lost, and commit_unknown when it happens
 * inside a COMMIT. */
static void *
terminate_soon(void *arg)
{
	struct ctx *ctx = ctx_new("terminate", 0);
	struct pg *db = pg_cluster_open(ctx, "pg");

	clock_sleep_ms(100);
	assert_true(
	    pg_query(ctx, db, "SELECT pg_terminate_backend($1)", PG_PARAMS(text_from_i64(ctx, *(int *)arg)), NULL));
	ctx_free(ctx);
	return NULL;
}

static void
test_terminated(void **state)
{
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "pg");
	int pid = pg_backend_pid(db);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, terminate_soon, &pid), 0);
	assert_false(pg_run(ctx, db, "SELECT pg_sleep(30)"));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_CONNECTION_LOST);
	assert_string_equal(ctx_failure(ctx)->sqlstate, "57P01");
	assert_false(pg_is_open(db));
	pg_rollback(db);
	pthread_join(thread, NULL);
}

static const char slow_commit[] =
    "CREATE OR REPLACE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); RETURN NULL; END $$;"
    "DROP TABLE IF EXISTS deferred; CREATE TABLE deferred (i int);"
    "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()";

static void
test_commit_unknown(void **state)
{
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "pg");
	int pid = pg_backend_pid(db);
	struct canceller c;
	pthread_t thread;

	assert_true(pg_run(ctx, db, slow_commit));
	assert_true(pg_begin(ctx, db) && pg_run(ctx, db, "INSERT INTO deferred VALUES (1)"));
	assert_int_equal(pthread_create(&thread, NULL, terminate_soon, &pid), 0);
	assert_false(pg_commit(ctx, db));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_COMMIT_UNKNOWN);
	assert_false(pg_is_open(db));
	pthread_join(thread, NULL);
	fail_clear(ctx);

	db = pg_cluster_open(ctx, "pg");
	assert_true(pg_begin(ctx, db) && pg_run(ctx, db, "INSERT INTO deferred VALUES (1)"));
	begin_cancel(&c, CANCEL_SHUTDOWN);
	ctx_watch_cancel(ctx, &c.cancel);
	assert_false(pg_commit(ctx, db));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_COMMIT_UNKNOWN);
	pthread_join(c.thread, NULL);
	ctx_watch_cancel(ctx, NULL);
	fail_clear(ctx);

	/* Not sent at all: an ordinary loss. */
	db = pg_cluster_open(ctx, "pg");
	assert_true(pg_begin(ctx, db));
	ctx_watch_cancel(ctx, &c.cancel);
	assert_false(pg_commit(ctx, db));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_HANDED_BACK);
	ctx_watch_cancel(ctx, NULL);
}

static void
test_commit_refused(void **state)
{
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "pg");
	struct pg_rows rows;

	assert_true(pg_run(ctx, db,
	    "DROP TABLE IF EXISTS child, parent; CREATE TABLE parent (i int PRIMARY KEY);"
	    "CREATE TABLE child (i int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"));
	assert_true(pg_begin(ctx, db) && pg_run(ctx, db, "INSERT INTO child VALUES (1)"));
	assert_false(pg_commit(ctx, db));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_SQL_DATA);
	assert_string_equal(ctx_failure(ctx)->sqlstate, "23503");
	assert_true(pg_is_open(db));
	fail_clear(ctx);

	/* COMMIT of a failed transaction is answered with success, but rolls back. */
	assert_true(pg_begin(ctx, db));
	assert_false(pg_run(ctx, db, "SELECT 1/0"));
	fail_clear(ctx);
	assert_false(pg_commit(ctx, db));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_SQL_ERROR);
	assert_true(pg_is_open(db));
	fail_clear(ctx);

	assert_true(pg_begin(ctx, db) && pg_run(ctx, db, "INSERT INTO parent VALUES (1)"));
	pg_rollback(db);
	pg_rollback(db);
	assert_true(pg_query(ctx, db, "SELECT 1 FROM parent", PG_NO_PARAMS, &rows));
	assert_int_equal(rows.count, 0);
	assert_true(pg_begin(ctx, db) && pg_run(ctx, db, "INSERT INTO parent VALUES (1)") && pg_commit(ctx, db));
	assert_true(pg_query(ctx, db, "UPDATE parent SET i = i", PG_NO_PARAMS, &rows));
	assert_int_equal(rows.affected, 1);
}

static void
test_describe(void **state)
{
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "pg");
	struct pg_column *columns;
	int count;

	assert_true(pg_describe(ctx, db,
	    "SELECT 1::numeric(10,2) AS amount, 'x'::varchar(7) AS \"Code\", now(), ARRAY[1]", &columns, &count));
	assert_int_equal(count, 4);
	assert_string_equal(columns[0].name, "amount");
	assert_string_equal(columns[0].type, "numeric(10,2)");
	assert_int_equal(columns[0].oid, 1700);
	assert_string_equal(columns[1].name, "Code");
	assert_string_equal(columns[1].type, "character varying(7)");
	assert_string_equal(columns[2].type, "timestamp with time zone");
	assert_string_equal(columns[3].type, "integer[]");
	assert_false(pg_describe(ctx, db, "SELECT broken", &columns, &count));
	assert_string_equal(ctx_failure(ctx)->sqlstate, "42703");
}

static void
test_notify(void **state)
{
	struct ctx *ctx = *state;
	struct pg *listener = pg_cluster_open(ctx, "pg"), *speaker = pg_cluster_open(ctx, "pg");
	int64_t begin_us = clock_monotonic_us();
	bool notified;

	assert_true(pg_run(ctx, listener, "LISTEN here"));
	assert_true(pg_wait_notify(ctx, listener, 30, &notified));
	assert_false(notified);
	assert_true(clock_monotonic_us() - begin_us >= 30000);
	assert_true(pg_run(ctx, speaker, "NOTIFY here"));
	assert_true(pg_wait_notify(ctx, listener, 5000, &notified));
	assert_true(notified);
	assert_true(clock_monotonic_us() - begin_us < 3000000);
}

/* No text of an unreachable database holds the password, however the URL is broken. */
static void
test_unreachable(void **state)
{
	static const char *const urls[] = {
	    "postgresql://u:c4n4ry@127.0.0.1:1/db",
	    "postgresql://u:c4n4ry@/db?host=/nonexistent",
	    "postgresql://u:c4n4ry@nowhere.invalid/db",
	    "postgresql://u:c4n4ry@[::1/db",
	    "postgresql://u:x@c4n4ry@127.0.0.1:1/db",
	    "postgresql://u:x/c4n4ry@127.0.0.1:1/db",
	    "postgresql://u:x?c4n4ry@127.0.0.1:1/db",
	    "postgresql://u:c4n4ry@127.0.0.1:1/db?nonsense=1",
	    "postgresql://u@127.0.0.1:1/db?password=c4n4ry",
	    "postgresql://u@127.0.0.1:1/db?passwrod=c4n4ry",
	    "host=127.0.0.1 port=1 password=c4n4ry",
	    "host=127.0.0.1 port=1 password='c4n4ry",
	    "c4n4ry",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		struct ctx *ctx = ctx_new("unreachable", 0);
		struct secret url = secret_make(ctx, urls[i]);
		struct pg *db;

		assert_false(pg_open(ctx, &url, &plain, &db));
		assert_false(pg_is_open(db));
		assert_null(strstr(ctx_failure(ctx)->message, "c4n4ry"));
		assert_non_null(strstr(ctx_failure(ctx)->message, "warehouse"));
		if (i == 0) {
			assert_int_equal(ctx_failure(ctx)->code, FAIL_DATABASE_UNREACHABLE);
			assert_non_null(strstr(ctx_failure(ctx)->message, "127.0.0.1:1/db"));
		}
		ctx_free(ctx);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_values, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_classes, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_values_are_kept_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_lock_timeout, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_prepared, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_terminated, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_commit_unknown, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_commit_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_describe, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_notify, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_unreachable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
