/* The board's one writer; DESIGN in board.c. */
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "sql/board_internal.h"
#include "sql/run_store.h"
#include "sql/statement.h"

enum {
	PAGE_ROWS = 1000,
	UNFINISHED_ROWS = 500,
	HOLES_MAX = 4096,
	WINDOW_IDS = 4096, /* looked at for holes after a connection */
	POLL_MS = 1000,
	RETRY_MS = 1000,
};
#define HOLE_LIFE_US (INT64_C(60) * 1000 * 1000)

static const struct pg_options options = {
    .what = "control database",
    .application_name = "loadstar/board",
    .statement_timeout_ms = 10 * 1000,
    .idle_in_transaction_timeout_ms = 10 * 1000,
};

struct hole {
	int64_t id;
	int64_t missed_us; /* when first missed, monotonic */
};

/* What lives as long as one connection. */
struct tail {
	struct board *board;
	struct pg *db;
	int64_t after;     /* the highest id seen */
	bool fresh;        /* no row was read yet */
	int64_t reload_us; /* when to read everything anew, monotonic; 0: no need */
	struct hole holes[HOLES_MAX];
	size_t hole_count;
};

struct touch {
	const char *run_id;
	bool changed; /* more than log lines */
};

/* Runs that the rows of a round name. */
struct touches {
	struct touch *items;
	size_t count;
};

static void
miss(struct tail *tail, int64_t id, int64_t now_us)
{
	if (tail->hole_count < HOLES_MAX) {
		tail->holes[tail->hole_count++] = (struct hole){id, now_us};
		return;
	}
	/* Too many to remember one by one: by then they all have appeared or never will. */
	tail->reload_us = now_us + HOLE_LIFE_US;
}

/* Steps on to a row's id, over the ids in between. */
static void
advance(struct tail *tail, int64_t id, int64_t now_us)
{
	int64_t first = tail->after + 1;

	if (id - first > HOLES_MAX) { /* a sequence may jump */
		tail->reload_us = now_us + HOLE_LIFE_US;
		first = id - HOLES_MAX;
	}
	for (; first < id; first++)
		miss(tail, first, now_us);
	tail->after = id;
}

static void
add_touches(struct ctx *ctx, const struct pg_rows *rows, struct touches *touches)
{
	touches->items = ctx_alloc_array(ctx, (size_t)rows->count + 1, sizeof(*touches->items));
	touches->count = (size_t)rows->count;
	for (int i = 0; i < rows->count; i++) {
		touches->items[i].run_id = pg_value(rows, i, 1);
		touches->items[i].changed = !text_equal(pg_value(rows, i, 2), "log");
	}
}

static int
by_run(const void *a, const void *b)
{
	return strcmp(((const struct touch *)a)->run_id, ((const struct touch *)b)->run_id);
}

static void
tell(const struct board *board, const char *run_id)
{
	if (board->listener != NULL)
		board->listener(board->arg, run_id);
}

/* Reads each touched run once and tells the listener. */
static bool
apply(struct ctx *ctx, struct tail *tail, struct touches *touches)
{
	struct board *board = tail->board;
	int64_t generation = board_generation(board);
	bool changed = false, found;

	qsort(touches->items, touches->count, sizeof(*touches->items), by_run);
	for (size_t i = 0; i < touches->count; i++) {
		const struct touch *touch = &touches->items[i];

		changed = changed || touch->changed;
		if (i + 1 < touches->count && strcmp(touch->run_id, touch[1].run_id) == 0)
			continue;
		if (changed && !board_read(ctx, board, tail->db, touch->run_id, generation, NULL, &found))
			return false;
		tell(board, touch->run_id);
		changed = false;
	}
	return true;
}

/* The holes as an array parameter. */
static char *
hole_ids(struct ctx *ctx, const struct tail *tail)
{
	struct text ids;

	text_init(&ids, ctx);
	for (size_t i = 0; i < tail->hole_count; i++)
		text_addf(&ids, "%c%lld", i == 0 ? '{' : ',', (long long)tail->holes[i].id);
	text_add(&ids, "}");
	return ids.data;
}

static bool
has_appeared(const struct pg_rows *rows, int64_t id)
{
	for (int i = 0; i < rows->count; i++)
		if (pg_i64(rows, i, 0) == id)
			return true;
	return false;
}

static bool
ask_for_holes(struct ctx *ctx, struct tail *tail)
{
	int64_t now_us = clock_monotonic_us();
	struct touches touches;
	struct pg_rows rows;
	size_t kept = 0;

	if (tail->hole_count == 0)
		return true;
	if (!sql_run(ctx, tail->db, SQL_BOARD_HOLES, PG_PARAMS(hole_ids(ctx, tail)), &rows))
		return false;
	for (size_t i = 0; i < tail->hole_count; i++)
		if (now_us - tail->holes[i].missed_us < HOLE_LIFE_US && !has_appeared(&rows, tail->holes[i].id))
			tail->holes[kept++] = tail->holes[i];
	tail->hole_count = kept;
	add_touches(ctx, &rows, &touches);
	return apply(ctx, tail, &touches);
}

/* One page of new rows; applied unless a reload follows anyway. */
static bool
read_page(struct ctx *ctx, struct tail *tail, bool use, bool *more)
{
	int64_t now_us = clock_monotonic_us();
	struct touches touches;
	struct pg_rows rows;

	if (!sql_run(ctx, tail->db, SQL_BOARD_TAIL,
		PG_PARAMS(text_from_i64(ctx, tail->after), text_from_i64(ctx, PAGE_ROWS)), &rows))
		return false;
	*more = rows.count == PAGE_ROWS;
	/* What was swept away before the first row that is there is no hole. */
	if (tail->fresh && rows.count > 0)
		tail->after = pg_i64(&rows, 0, 0) - 1;
	tail->fresh = false;
	for (int i = 0; i < rows.count; i++)
		advance(tail, pg_i64(&rows, i, 0), now_us);
	add_touches(ctx, &rows, &touches);
	return !use || apply(ctx, tail, &touches);
}

static bool
read_new(struct ctx *ctx, struct tail *tail, bool use)
{
	bool more = true;

	while (more) {
		CTX_SCOPE(tmp, ctx);

		if (!read_page(tmp, tail, use, &more))
			return false;
	}
	return true;
}

static void
unfinished_statuses(const char *statuses[RUN_STATUS_COUNT + 1])
{
	size_t n = 0;

	for (int status = 0; status < RUN_STATUS_COUNT; status++)
		if (!run_status_is_final((enum run_status)status))
			statuses[n++] = run_status_name((enum run_status)status);
	statuses[n] = NULL;
}

static bool
read_unfinished(struct ctx *ctx, struct tail *tail)
{
	const char *statuses[RUN_STATUS_COUNT + 1];
	struct run_filter filter = {.statuses = statuses, .limit = UNFINISHED_ROWS};
	int64_t generation = board_generation(tail->board);
	struct run_list list = {.more = true};

	unfinished_statuses(statuses);
	while (list.more) {
		CTX_SCOPE(tmp, ctx);

		if (!run_list(tmp, tail->db, &filter, &list))
			return false;
		for (size_t i = 0; i < list.count; i++) {
			board_put_run(tmp, tail->board, &list.items[i], generation, NULL);
			tell(tail->board, list.items[i].id);
		}
		filter.before_us = list.next_us;
		filter.before_id = list.next_id != NULL ? ctx_strdup(ctx, list.next_id) : NULL;
	}
	return true;
}

/* The board as the database is now. Whoever waits for a run is told to look again. */
static bool
reload(struct ctx *ctx, struct tail *tail)
{
	const char **run_ids;
	size_t count;
	bool good;

	tail->reload_us = 0;
	board_empty(ctx, tail->board, &run_ids, &count);
	good = read_unfinished(ctx, tail);
	for (size_t i = 0; i < count; i++)
		tell(tail->board, run_ids[i]);
	return good;
}

static bool
begin(struct ctx *ctx, struct tail *tail)
{
	CTX_SCOPE(tmp, ctx);
	struct pg_rows rows;
	int64_t end;

	if (!pg_open(ctx, pool_url(tail->board->pool), &options, &tail->db) ||
	    !pg_run(tmp, tail->db, "LISTEN loadstar_outbox") ||
	    !sql_run(tmp, tail->db, SQL_BOARD_START, PG_NO_PARAMS, &rows))
		return false;
	end = pg_i64(&rows, 0, 0);
	tail->fresh = true;
	tail->after = end > WINDOW_IDS ? end - WINDOW_IDS : 0;
	if (!read_new(tmp, tail, false) || !reload(tmp, tail))
		return false;
	if (tail->after < end)
		tail->after = end; /* every row was swept away */
	tail->reload_us = clock_monotonic_us() + HOLE_LIFE_US;
	return true;
}

static bool
go_round(struct ctx *ctx, struct tail *tail)
{
	CTX_SCOPE(tmp, ctx);
	bool notified;

	if (!ask_for_holes(tmp, tail) || !read_new(tmp, tail, true))
		return false;
	if (tail->reload_us != 0 && clock_monotonic_us() >= tail->reload_us && !reload(tmp, tail))
		return false;
	atomic_store(&tail->board->succeeded_us, clock_monotonic_us());
	return pg_wait_notify(tmp, tail->db, POLL_MS, &notified);
}

static void
pause_before_retry(struct board *board)
{
	for (int ms = 0; ms < RETRY_MS && atomic_load(&board->stop.reason) == CANCEL_NONE; ms += 50)
		clock_sleep_ms(50);
}

void *
board_tail(void *arg)
{
	struct board *board = arg;

	while (atomic_load(&board->stop.reason) == CANCEL_NONE) {
		struct ctx *ctx = ctx_new("board tail", 0);
		struct tail *tail = ctx_alloc(ctx, sizeof(*tail));
		bool good;

		tail->board = board;
		ctx_watch_cancel(ctx, &board->stop);
		good = begin(ctx, tail);
		while (good)
			good = go_round(ctx, tail);
		if (ctx_cancelled(ctx) == CANCEL_NONE) {
			log_failure(ctx, "the board lost its database and starts again");
			pause_before_retry(board);
		}
		ctx_free(ctx);
	}
	return NULL;
}
