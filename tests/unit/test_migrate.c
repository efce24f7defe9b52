/* Migrations: once, by whoever is first, and never over another history. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/embed.h"
#include "base/fail.h"
#include "sql/migrate.h"
#include "tests/support/pg_cluster.h"

#include <cmocka.h>

static int
setup(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct pg *db = pg_cluster_open(ctx, "postgres");

	assert_true(pg_run(ctx, db, "DROP DATABASE IF EXISTS migrate WITH (FORCE)"));
	*state = ctx;
	return 0;
}

static int
teardown(void **state)
{
	ctx_free(*state);
	return 0;
}

static void
test_twice(void **state)
{
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "migrate");
	struct pg_rows rows;
	int applied;

	assert_true(pg_run(ctx, db, "SET statement_timeout = '7s'"));
	assert_true(migrate_run(ctx, db, &applied));
	assert_int_equal(applied, embedded_migrations_count);
	assert_true(migrate_run(ctx, db, &applied));
	assert_int_equal(applied, 0);
	assert_true(pg_query(ctx, db,
	    "SELECT current_setting('statement_timeout'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')",
	    PG_NO_PARAMS, &rows));
	assert_string_equal(pg_value(&rows, 0, 0), "7s");
	assert_int_equal(pg_i64(&rows, 0, 1), 0);
}

struct racer {
	pthread_t thread;
	int applied;
};

static void *
race(void *arg)
{
	struct racer *racer = arg;
	struct ctx *ctx = ctx_new("racer", 0);
	struct pg *db = pg_cluster_open(ctx, "migrate");

	assert_true(migrate_run(ctx, db, &racer->applied));
	ctx_free(ctx);
	return NULL;
}

static void
test_race(void **state)
{
	struct racer racers[6];
	int applied = 0;

	(void)pg_cluster_open(*state, "migrate");
	for (int i = 0; i < 6; i++)
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	for (int i = 0; i < 6; i++) {
		pthread_join(racers[i].thread, NULL);
		applied += racers[i].applied;
	}
	assert_int_equal(applied, embedded_migrations_count);
}

static void
refused(struct ctx *ctx, const char *change, const char *says)
{
	struct pg *db = pg_cluster_open(ctx, "migrate");
	int applied;

	assert_true(pg_run(ctx, db, change));
	assert_false(migrate_run(ctx, db, &applied));
	assert_int_equal(ctx_failure(ctx)->code, FAIL_CONFIG_INVALID);
	assert_non_null(strstr(ctx_failure(ctx)->message, says));
	assert_int_equal(applied, 0);
	assert_false(pg_is_open(db));
	fail_clear(ctx);
}

static void
test_refuses(void **state)
{
	struct ctx *ctx = *state;
	struct pg *db = pg_cluster_open(ctx, "migrate");
	int applied;

	assert_true(migrate_run(ctx, db, &applied));
	refused(ctx, "INSERT INTO control.schema_migration VALUES (9999, '9999_future', 'x')", "9999_future");
	refused(ctx,
	    "DELETE FROM control.schema_migration WHERE version = 9999;"
	    "UPDATE control.schema_migration SET checksum = 'other' WHERE version = 1",
	    "another text");
	refused(ctx,
	    "DELETE FROM control.schema_migration WHERE version > 1;"
	    "UPDATE control.schema_migration SET version = 77, name = '077_else' WHERE version = 1",
	    "077_else");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_race, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
