/*
 * board: the picture of runs in memory, from which pollers are served.
 *
 * One thread of its own (board_start) tails the outbox: it is the board's only writer. Ids of an outbox row may appear out
 * of order (a later number commits first), so the tail remembers holes and asks for them again until they fill or no
 * transaction can fill them any more (DESIGN in board.c). The tail is hurried by NOTIFY and correct by polling alone. The
 * board holds unfinished runs and the most recently asked and changed finished ones, bounded in number; a miss, or a tail
 * that has not succeeded for 5 s, is answered `not here`, and the caller asks the database.
 */
#ifndef SQL_BOARD_H
#define SQL_BOARD_H

#include "sql/pool.h"

struct board;

/* A run's document as served: immutable, counted references. */
struct board_page {
	const char *run_id;
	const char *pipeline;
	const char *body; /* JSON */
	size_t length;
	char etag[48]; /* with its quotes */
	bool final;    /* the run is finished */
};

/* Called from the tail's thread, outside the board's lock, after a run changed or gained log lines. Must not block. */
typedef void board_listener(void *arg, const char *run_id);

struct board *board_start(struct pool *pool, board_listener *listener, void *arg);
void board_stop(struct board *board); /* joins the thread and frees */

/* The page, to be given back with board_release (or by ctx: board_take defers it). NULL: not here. */
const struct board_page *board_take(struct ctx *ctx, struct board *board, const char *run_id);

/* Reads the run from the database and puts it on the board unless the board knows a newer one. found false: no such run. */
bool board_load(struct ctx *ctx, struct board *board, struct pg *db, const char *run_id, const struct board_page **page,
    bool *found) MUST_CHECK;

/* The etag text for a run's version, e.g. "\"<id>-<version>\"" shortened: the one place that makes it. */
void board_etag(char etag[48], const char *run_id, int64_t version);

/* Seconds since the tail last succeeded. For readiness. */
double board_lag_seconds(const struct board *board);

#endif
