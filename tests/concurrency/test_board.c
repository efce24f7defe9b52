/* The board against the database: what it shows is what was committed, whatever the order of
 * commits and reads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "sql/board.h"
#include "sql/run_store.h"
#include "tests/support/pg_cluster.h"

#include <cmocka.h>

enum { PATIENCE_MS = 15000 };

struct house {
	struct ctx *lasting; /* outlives the pool */
	struct ctx *ctx;     /* of the test: its sessions go back before the pool ends */
	struct secret url;
	struct pool *pool;
	struct board *board;
	atomic_int heard;
};

static void
on_change(void *arg, const char *run_id)
{
	struct house *house = arg;

	assert_int_equal(strlen(run_id), 36);
	atomic_fetch_add(&house->heard, 1);
}

static int
setup(void **state)
{
	static struct house the;
	struct house *house = &the;
	struct ctx *ctx = ctx_new("test", 0);

	house->lasting = ctx_new("test url", 0);
	house->ctx = ctx;
	house->url = pg_cluster_control(house->lasting, "board");
	house->pool = pool_new(&house->url, 8);
	house->board = board_start(house->pool, on_change, house);
	/* Its first round begins with an empty board: what is put there before is gone, and a finished run does not come back. */
	for (int ms = 0; ms < PATIENCE_MS && board_lag_seconds(house->board) > 1; ms += 5)
		clock_sleep_ms(5);
	*state = house;
	return board_lag_seconds(house->board) > 1;
}

static int
teardown(void **state)
{
	struct house *house = *state;

	ctx_free(house->ctx);
	board_stop(house->board);
	pool_free(house->pool);
	ctx_free(house->lasting);
	return 0;
}

static const char *
accept_run(struct ctx *ctx, struct pg *db)
{
	struct run want = {.pipeline = "p",
	    .type = "full",
	    .mode = "auto",
	    .requested_by = "tester",
	    .trigger_kind = "api",
	    .spec_version = "sha256:1"};
	struct run_acceptance how = {.fingerprint = "f", .on_duplicate = "queue"};
	struct run run;
	bool existed;

	assert_true(run_accept(ctx, db, &want, &how, &run, &existed));
	return run.id;
}

static struct pg *
take(struct ctx *ctx, struct house *house)
{
	struct pg *db;

	assert_true(pool_take(ctx, house->pool, &db));
	return db;
}

/* What the board has to say, "" when it has nothing. */
static const char *
status_on_board(struct ctx *ctx, struct house *house, const char *run_id)
{
	const struct board_page *page = board_take(ctx, house->board, run_id);

	return page == NULL ? "" : json_string_or(json_trusted(ctx, page->body), "status", "?");
}

static bool
comes_true(struct house *house, const char *run_id, const char *status)
{
	for (int ms = 0; ms < PATIENCE_MS; ms += 5) {
		CTX_SCOPE(tmp, house->ctx);

		if (text_equal(status_on_board(tmp, house, run_id), status))
			return true;
		clock_sleep_ms(5);
	}
	return false;
}

static void
test_follows(void **state)
{
	struct house *house = *state;
	struct ctx *ctx = house->ctx;
	const struct board_page *first, *second;
	struct pg *db = take(ctx, house);
	const char *id = accept_run(ctx, db);
	int64_t begin_us = clock_monotonic_us();
	char etag[48];
	struct run run;

	assert_true(comes_true(house, id, "queued"));
	first = board_take(ctx, house->board, id);
	assert_string_equal(first->run_id, id);
	assert_string_equal(first->pipeline, "p");
	assert_false(first->final);
	assert_int_equal(first->length, strlen(first->body));
	assert_true(run_cancel(ctx, db, id, "tester", &run));
	assert_true(comes_true(house, id, run_status_name(run.status)));
	assert_true(clock_monotonic_us() - begin_us < 4000000);
	second = board_take(ctx, house->board, id);
	board_etag(etag, id, run.version);
	assert_string_equal(second->etag, etag);
	assert_string_not_equal(second->etag, first->etag);
	assert_true(strstr(first->body, "\"queued\"") != NULL); /* an old page stays as it was */
	assert_true(atomic_load(&house->heard) > 0);
	assert_true(board_lag_seconds(house->board) < 5);
}

static void
test_load(void **state)
{
	struct house *house = *state;
	struct ctx *ctx = house->ctx;
	struct pg *db = take(ctx, house);
	const struct board_page *page;
	bool found;

	assert_true(board_load(ctx, house->board, db, accept_run(ctx, db), &page, &found));
	assert_true(found && strstr(page->body, "\"queued\"") != NULL);
	assert_true(board_load(ctx, house->board, db, "018f0000-0000-7000-8000-000000000000", &page, &found));
	assert_false(found);
	assert_null(page);
}

/* A lower id that commits after a higher one was seen. */
static void
test_hole(void **state)
{
	struct house *house = *state;
	struct ctx *ctx = house->ctx;
	struct pg *early = pg_cluster_open(ctx, "board"), *late = take(ctx, house);
	const char *held = accept_run(ctx, late), *other = accept_run(ctx, late);
	struct run run;

	assert_true(comes_true(house, held, "queued") && comes_true(house, other, "queued"));
	assert_true(pg_begin(ctx, early));
	assert_true(pg_query(ctx, early, "UPDATE control.run SET note = 'held', version = version + 1 WHERE id = $1",
	    PG_PARAMS(held), NULL));
	assert_true(pg_query(ctx, early, "INSERT INTO control.outbox (run_id, kind) VALUES ($1, 'run')",
	    PG_PARAMS(held), NULL));
	assert_true(run_cancel(ctx, late, other, "tester", &run));
	assert_true(comes_true(house, other, run_status_name(run.status)));
	clock_sleep_ms(1500); /* rounds that look in vain */
	assert_true(pg_commit(ctx, early));
	for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
		CTX_SCOPE(tmp, ctx);
		const struct board_page *page = board_take(tmp, house->board, held);

		if (page != NULL && strstr(page->body, "held") != NULL)
			return;
		clock_sleep_ms(10);
	}
	assert_true(!"the late commit shows");
}

/* After a restart of the server the board shows what happened meanwhile. */
static void
test_restart(void **state)
{
	struct house *house = *state;
	struct ctx *ctx = house->ctx;
	const char *id;
	struct pg *db;
	struct run run;

	{
		CTX_SCOPE(tmp, ctx);

		id = ctx_strdup(ctx, accept_run(tmp, take(tmp, house)));
	}
	assert_true(comes_true(house, id, "queued"));
	pg_cluster_restart();
	db = take(ctx, house);
	assert_true(run_cancel(ctx, db, id, "tester", &run));
	for (int ms = 0; ms < PATIENCE_MS; ms += 10) {
		CTX_SCOPE(tmp, ctx);
		const char *status = status_on_board(tmp, house, id);

		/* A finished run may be missing after a reload; it is never wrong for long. */
		if (*status != '\0' ? text_equal(status, run_status_name(run.status))
				    : board_lag_seconds(house->board) < 0.5)
			return;
		clock_sleep_ms(10);
	}
	assert_true(!"the board came back");
}

/* Writers, the tail and readers who load by themselves: in the end everybody sees the end. */
struct writer {
	struct house *house;
	pthread_t thread;
	const char *ids[20];
	struct ctx *ctx;
};

static void *
write_runs(void *arg)
{
	struct writer *writer = arg;
	struct house *house = writer->house;
	const struct board_page *page;
	struct run run;
	bool found;

	for (size_t i = 0; i < 20; i++) {
		struct ctx *ctx = ctx_new("writer", 0);
		struct pg *db = take(ctx, house);

		writer->ids[i] = ctx_strdup(writer->ctx, accept_run(ctx, db));
		assert_true(board_load(ctx, house->board, db, writer->ids[i], &page, &found));
		assert_true(run_cancel(ctx, db, writer->ids[i], "tester", &run));
		assert_true(board_load(ctx, house->board, db, writer->ids[i], &page, &found));
		assert_true(page->final);
		ctx_free(ctx);
	}
	return NULL;
}

static void
test_many(void **state)
{
	struct writer writers[4];

	for (size_t i = 0; i < 4; i++) {
		writers[i] = (struct writer){.house = *state, .ctx = ctx_new("writer", 0)};
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_runs, &writers[i]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(writers[i].thread, NULL);
		for (size_t n = 0; n < 20; n++)
			assert_true(comes_true(*state, writers[i].ids[n], "cancelled"));
		ctx_free(writers[i].ctx);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_follows, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_load, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_hole, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_many, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
