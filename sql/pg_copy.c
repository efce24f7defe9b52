/*
 * DESIGN. Rows go from the source's socket to the target's through one piece of memory. The target
 * is the brake: while libpq still holds bytes for it, nothing is read from the source. The source's
 * last word is read before the target's COPY is ended well, so that a source that fails at its last
 * row leaves nothing behind.
 *
 * A server that refuses a row says so at once and then swallows the rest; libpq shows the error
 * only after the end of the COPY. So bytes that arrive from the target and are no notice are taken
 * for that error when they stay unread for a second, and the COPY is ended early. (Should they have
 * been something else, the attempt fails and is tried again.)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "sql/pg_internal.h"

enum {
	PIECE_BYTES = 64 * 1024,
	SUSPICION_US = 1000 * 1000,
};

struct pump {
	struct ctx *ctx;
	struct pg *from, *to;
	char *piece;
	size_t length;         /* bytes in piece */
	int64_t bytes;         /* handed to the target */
	int64_t suspicious_us; /* since when the target has said something unread; 0: not */
	bool refused;          /* the target has most likely failed: end its COPY and read why */
	bool ended;            /* the source has no more rows */
};

/* Reads what the target says meanwhile. */
static bool
hear_target(struct pump *pump)
{
	struct pg *to = pump->to;
	struct pollfd fd = {.fd = PQsocket(to->conn), .events = POLLIN};
	int64_t notices = to->notices, now_us = clock_monotonic_us();
	PGnotify *notify;

	if (pump->suspicious_us != 0 && now_us - pump->suspicious_us > SUSPICION_US)
		pump->refused = true;
	if (poll(&fd, 1, 0) <= 0)
		return true;
	if (PQconsumeInput(to->conn) == 0)
		return pg_fail_lost(pump->ctx, to);
	while ((notify = PQnotifies(to->conn)) != NULL) /* this also hands notices to their reader */
		PQfreemem(notify);
	if (to->notices != notices)
		pump->suspicious_us = 0;
	else if (pump->suspicious_us == 0)
		pump->suspicious_us = now_us;
	return true;
}

/* Waits until libpq has handed everything to the target's socket. */
static bool
push(struct pump *pump)
{
	struct pg *to = pump->to;
	int left;

	while ((left = PQflush(to->conn)) > 0) {
		if (!hear_target(pump))
			return false;
		if (pump->refused)
			return true;
		if (!pg_wait_socket(pump->ctx, to, POLLIN | POLLOUT, clock_monotonic_us() + PG_TICK_MS * 1000, NULL))
			return false;
	}
	return left == 0 || pg_fail_lost(pump->ctx, to);
}

static bool
put(struct pump *pump, const char *bytes, size_t length)
{
	while (length > 0 && !pump->refused) {
		size_t part = length < PIECE_BYTES ? length : PIECE_BYTES;
		int taken = PQputCopyData(pump->to->conn, bytes, (int)part);

		if (taken < 0)
			return pg_fail_lost(pump->ctx, pump->to);
		if (!push(pump))
			return false;
		if (taken > 0) {
			bytes += part;
			length -= part;
			pump->bytes += (int64_t)part;
		}
	}
	return true;
}

static bool
put_piece(struct pump *pump)
{
	size_t length = pump->length;

	pump->length = 0;
	return put(pump, pump->piece, length);
}

/* One row (or message) into the piece, or straight on when it is larger than that. */
static bool
add_row(struct pump *pump, char *row, size_t length)
{
	bool good = true;

	if (pump->length + length > PIECE_BYTES)
		good = put_piece(pump);
	if (good && length > PIECE_BYTES) {
		good = put(pump, row, length);
	} else if (good) {
		memcpy(pump->piece + pump->length, row, length);
		pump->length += length;
	}
	PQfreemem(row);
	return good;
}

/* Everything the source has ready, at most one piece of it. */
static bool
fill(struct pump *pump, bool *wait)
{
	*wait = false;
	while (!pump->ended && pump->length < PIECE_BYTES / 2) {
		char *row = NULL;
		int length = PQgetCopyData(pump->from->conn, &row, 1);

		if (length == -2)
			return pg_fail_lost(pump->ctx, pump->from);
		if (length > 0 && !add_row(pump, row, (size_t)length))
			return false;
		pump->ended = length == -1;
		if (length == 0) {
			*wait = true;
			return true;
		}
	}
	return true;
}

static bool
wait_source(struct pump *pump)
{
	struct pg *from = pump->from;

	if (!pg_wait_socket(pump->ctx, from, POLLIN, clock_monotonic_us() + PG_TICK_MS * 1000, NULL))
		return false;
	return PQconsumeInput(from->conn) != 0 || pg_fail_lost(pump->ctx, from);
}

/* Ends the target's COPY, with an error text or well, and reads its answer. */
static bool
end_target(struct pump *pump, const char *error, int64_t *rows)
{
	struct pg *to = pump->to;
	PGresult *last;
	int accepted;

	while ((accepted = PQputCopyEnd(to->conn, error)) == 0)
		if (!pg_flush(pump->ctx, to))
			return false;
	if (accepted < 0)
		return pg_fail_lost(pump->ctx, to);
	if (!pg_finish(pump->ctx, to, &last))
		return false;
	if (rows != NULL && last != NULL)
		*rows = strtoll(PQcmdTuples(last), NULL, 10);
	return true;
}

/* The COPY does not end well: the target is told, if it still listens. Always false. */
static bool
abandon(struct pump *pump, const char *why)
{
	bool ended = pump->to->conn != NULL && end_target(pump, why, NULL);

	return fail(pump->ctx, FAIL_SQL_ERROR, "%s: COPY %s", pump->to->what, ended ? "stopped" : "broke off");
}

/* From COPY on both sides to the source's end, everything put. */
static bool
run_pump(struct pump *pump)
{
	bool wait;

	while (!pump->refused && (!pump->ended || pump->length > 0)) {
		if (ctx_cancelled(pump->ctx) != CANCEL_NONE)
			return pg_fail_cancelled(pump->ctx, pump->to);
		if (!fill(pump, &wait) || !hear_target(pump))
			return false;
		if (pump->length > 0 && !put_piece(pump))
			return false;
		if (wait && !pump->refused && !wait_source(pump))
			return false;
	}
	return !pump->refused;
}

bool
pg_copy(struct ctx *ctx, struct pg *from, const char *copy_to, struct pg *to, const char *copy_from,
    struct pg_copied *copied)
{
	CTX_SCOPE(tmp, ctx);
	struct pump pump = {.ctx = tmp, .from = from, .to = to, .piece = ctx_alloc(tmp, PIECE_BYTES)};
	PGresult *last;

	*copied = (struct pg_copied){0};
	if (!pg_enter_copy(tmp, to, copy_from, PGRES_COPY_IN))
		return false;
	if (!pg_enter_copy(tmp, from, copy_to, PGRES_COPY_OUT))
		return abandon(&pump, "the source of the rows failed");
	if (!run_pump(&pump)) {
		(void)abandon(&pump, "stopped before the end");
		pg_close(from); /* it may still be sending */
		return false;
	}
	if (!pg_finish(tmp, from, &last))
		return abandon(&pump, "the source of the rows failed");
	copied->bytes = pump.bytes;
	return end_target(&pump, NULL, &copied->rows);
}

bool
pg_copy_text(struct ctx *ctx, struct pg *to, const char *copy_from, const char *bytes, size_t length)
{
	CTX_SCOPE(tmp, ctx);
	struct pump pump = {.ctx = tmp, .to = to};

	if (!pg_enter_copy(tmp, to, copy_from, PGRES_COPY_IN) || !put(&pump, bytes, length))
		return false;
	return pump.refused ? abandon(&pump, "stopped before the end") : end_target(&pump, NULL, NULL);
}

/* From COPY to the feed's end, everything put. */
static bool
run_feed(struct pump *pump, const struct pg_feed *feed)
{
	while (!pump->ended) {
		struct pg_fed fed = {0};

		if (ctx_cancelled(pump->ctx) != CANCEL_NONE)
			return pg_fail_cancelled(pump->ctx, pump->to);
		if (!feed->read(pump->ctx, feed->arg, pump->piece, PIECE_BYTES, &fed) || !hear_target(pump))
			return false;
		pump->length = fed.length;
		pump->ended = fed.ended;
		if (!put_piece(pump) || pump->refused)
			return false;
	}
	return true;
}

bool
pg_copy_from(struct ctx *ctx, struct pg *to, const char *copy_from, const struct pg_feed *feed,
    struct pg_copied *copied)
{
	CTX_SCOPE(tmp, ctx);
	struct pump pump = {.ctx = tmp, .to = to, .piece = ctx_alloc(tmp, PIECE_BYTES)};

	*copied = (struct pg_copied){0};
	if (!pg_enter_copy(tmp, to, copy_from, PGRES_COPY_IN))
		return false;
	if (!run_feed(&pump, feed))
		return abandon(&pump, ctx_printf(tmp, "%s stopped before their end", feed->what));
	copied->bytes = pump.bytes;
	return end_target(&pump, NULL, &copied->rows);
}
