/* The pool under many threads: never more sessions than its limit, never one session twice, broken
 * ones thrown away. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/pool.h"
#include "tests/support/pg_cluster.h"

#include <cmocka.h>

enum { LIMIT = 3, THREADS = 8, TURNS = 60 };

struct house {
	struct ctx *lasting; /* outlives the pool */
	struct ctx *ctx;     /* of the test: its sessions go back before the pool ends */
	struct secret url;
	struct pool *pool;
	atomic_int out; /* sessions in use */
};

static int
setup(void **state)
{
	static struct house the;
	struct house *house = &the;
	struct ctx *ctx = ctx_new("test", 0);

	house->lasting = ctx_new("test url", 0);
	house->ctx = ctx;
	house->url = pg_cluster_url(house->lasting, "pool");
	house->pool = pool_new(&house->url, LIMIT);
	*state = house;
	return 0;
}

static int
teardown(void **state)
{
	struct house *house = *state;

	ctx_free(house->ctx);
	pool_free(house->pool);
	ctx_free(house->lasting);
	return 0;
}

/* Each turn ends in one of the ways a piece of work can end. */
static void *
work(void *arg)
{
	struct house *house = arg;

	for (int turn = 0; turn < TURNS; turn++) {
		struct ctx *ctx = ctx_new("turn", 0);
		struct pg_rows rows;
		struct pg *db;

		assert_true(pool_take(ctx, house->pool, &db));
		assert_true(atomic_fetch_add(&house->out, 1) < LIMIT);
		assert_true(pg_query(ctx, db, "SELECT current_setting('loadstar.mark', true)", PG_NO_PARAMS, &rows));
		assert_false(text_equal(pg_value(&rows, 0, 0), "left in a transaction"));
		if (turn % 7 == 0)
			assert_true(pg_run(ctx, db,
			    "BEGIN; SELECT set_config('loadstar.mark', 'left in a transaction', true)"));
		else if (turn % 11 == 0)
			assert_false(pg_run(ctx, db, "SELECT pg_terminate_backend(pg_backend_pid())"));
		else if (turn % 5 == 0)
			pg_close(db);
		atomic_fetch_sub(&house->out, 1);
		ctx_free(ctx);
	}
	return NULL;
}

static int64_t
sessions(struct ctx *ctx)
{
	struct pg *db = pg_cluster_open(ctx, "postgres");
	struct pg_rows rows;

	assert_true(
	    pg_query(ctx, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'pool'", PG_NO_PARAMS, &rows));
	return pg_i64(&rows, 0, 0);
}

static void
test_many(void **state)
{
	struct house *house = *state;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, house), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&house->out), 0);
	assert_true(sessions(house->ctx) <= LIMIT);
}

static void
test_reuse(void **state)
{
	struct house *house = *state;
	int pid = 0;

	for (int i = 0; i < 3; i++) {
		CTX_SCOPE(tmp, house->ctx);
		struct pg *db;

		assert_true(pool_take(tmp, house->pool, &db));
		assert_true(pid == 0 || pid == pg_backend_pid(db));
		pid = pg_backend_pid(db);
		assert_true(pg_run(tmp, db, "SELECT 1"));
	}
}

static void
test_restart(void **state)
{
	struct house *house = *state;

	for (int i = 0; i < 3; i++) {
		CTX_SCOPE(tmp, house->ctx);
		struct pg *a, *b;

		assert_true(pool_take(tmp, house->pool, &a) && pool_take(tmp, house->pool, &b));
		assert_true(pg_run(tmp, a, "SELECT 1") && pg_run(tmp, b, "SELECT 1"));
		ctx_scope_end(&tmp);
		pg_cluster_restart();
	}
}

static void
test_exhausted(void **state)
{
	struct house *house = *state;
	struct ctx_cancel cancel = {CANCEL_REQUESTED};
	int64_t begin_us = clock_monotonic_us();
	struct pg *db;

	for (int i = 0; i < LIMIT; i++)
		assert_true(pool_take(house->ctx, house->pool, &db));
	ctx_watch_cancel(house->ctx, &cancel);
	assert_false(pool_take(house->ctx, house->pool, &db));
	assert_int_equal(ctx_failure(house->ctx)->code, FAIL_CANCELLED);
	ctx_watch_cancel(house->ctx, NULL);
	fail_clear(house->ctx);
	assert_true(clock_monotonic_us() - begin_us < 3000000);
	begin_us = clock_monotonic_us();
	assert_false(pool_take(house->ctx, house->pool, &db));
	assert_int_equal(ctx_failure(house->ctx)->code, FAIL_DATABASE_UNREACHABLE);
	assert_true(clock_monotonic_us() - begin_us >= 5000000);
}

static void
test_unreachable(void **state)
{
	struct ctx *ctx = ctx_new("test", 0);
	struct secret url = secret_make(ctx, "postgresql://u:c4n4ry@/nowhere?host=/nonexistent");
	struct pool *pool = pool_new(&url, 1);
	struct pg *db;

	(void)state;
	for (int i = 0; i < 3; i++) { /* a session that could not be opened takes no place */
		assert_false(pool_take(ctx, pool, &db));
		assert_int_equal(ctx_failure(ctx)->code, FAIL_DATABASE_UNREACHABLE);
		assert_null(strstr(ctx_failure(ctx)->message, "c4n4ry"));
		fail_clear(ctx);
	}
	pool_free(pool);
	ctx_free(ctx);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_reuse, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_exhausted, setup, teardown),
	    cmocka_unit_test(test_unreachable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
