#include <errno.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "sql/pg_internal.h"

bool
pg_wait_socket(struct ctx *ctx, struct pg *pg, short events, int64_t deadline_us, bool *ready)
{
	struct pollfd fd = {.fd = PQsocket(pg->conn), .events = events};

	if (fd.fd < 0)
		return pg_fail_lost(ctx, pg);
	for (;;) {
		int64_t left_ms = PG_TICK_MS;
		int n;

		if (ctx_cancelled(ctx) != CANCEL_NONE)
			return pg_fail_cancelled(ctx, pg);
		if (deadline_us != PG_NEVER) {
			int64_t left_us = deadline_us - clock_monotonic_us();

			left_ms = left_us <= 0 ? 0 : left_us / 1000 + 1;
		}
		n = poll(&fd, 1, left_ms < PG_TICK_MS ? (int)left_ms : PG_TICK_MS);
		ASSERT(n >= 0 || errno == EINTR || errno == ENOMEM);
		if (n > 0 || left_ms == 0) {
			if (ready != NULL)
				*ready = n > 0;
			return true;
		}
	}
}

bool
pg_flush(struct ctx *ctx, struct pg *pg)
{
	for (;;) {
		int left = PQflush(pg->conn);

		if (left == 0)
			return true;
		if (left < 0)
			return pg_fail_lost(ctx, pg);
		if (!pg_wait_socket(ctx, pg, POLLIN | POLLOUT, PG_NEVER, NULL))
			return false;
		if (PQconsumeInput(pg->conn) == 0)
			return pg_fail_lost(ctx, pg);
	}
}

static void
release_result(void *handle)
{
	PQclear(handle);
}

/* A flush that fails while sending may leave the server's last words unread: those are the better
 * message. */
static void
flush_some(struct pg *pg, short *events)
{
	*events = PQflush(pg->conn) > 0 ? POLLIN | POLLOUT : POLLIN;
}

/* Looks again each tick even when the socket is silent: TLS may have read ahead of it. A server that is silent beyond its
 * own statement timeout hangs, or is behind a network that does. */
static bool
wait_for_answer(struct ctx *ctx, struct pg *pg, short events, int64_t since_us)
{
	bool ready = false;

	if (!pg_wait_socket(ctx, pg, events, clock_monotonic_us() + PG_TICK_MS * 1000, &ready))
		return false;
	if (!ready && pg->answer_limit_us > 0 && clock_monotonic_us() - since_us > pg->answer_limit_us)
		return pg_fail_silent(ctx, pg);
	return true;
}

bool
pg_next(struct ctx *ctx, struct pg *pg, PGresult **result)
{
	int64_t since_us = clock_monotonic_us();
	short events;

	*result = NULL;
	if (pg->conn == NULL)
		return pg_fail_closed(ctx, pg);
	flush_some(pg, &events);
	while (PQisBusy(pg->conn)) {
		if (!wait_for_answer(ctx, pg, events, since_us))
			return false;
		if (PQconsumeInput(pg->conn) == 0 && PQisBusy(pg->conn))
			return pg_fail_lost(ctx, pg);
		flush_some(pg, &events);
	}
	*result = PQgetResult(pg->conn);
	if (*result != NULL)
		ctx_defer(ctx, release_result, *result);
	return true;
}

/* A COPY that nobody asked for cannot be answered: the session ends. */
static bool
fail_unexpected_copy(struct ctx *ctx, struct pg *pg)
{
	(void)fail(ctx, FAIL_SQL_ERROR, "%s at %s: COPY through this session is not allowed here", pg->what, pg->place);
	pg_close(pg);
	return false;
}

bool
pg_finish(struct ctx *ctx, struct pg *pg, PGresult **last)
{
	bool good = true;
	PGresult *result;

	*last = NULL;
	for (;;) {
		if (!pg_next(ctx, pg, &result))
			return false;
		if (result == NULL)
			return good;
		*last = result;
		switch (PQresultStatus(result)) {
		case PGRES_COMMAND_OK:
		case PGRES_TUPLES_OK:
		case PGRES_EMPTY_QUERY: break;
		case PGRES_COPY_IN:
		case PGRES_COPY_OUT:
		case PGRES_COPY_BOTH: return fail_unexpected_copy(ctx, pg);
		default:
			good = pg_fail_result(ctx, pg, result);
			if (pg->conn == NULL)
				return false;
		}
	}
}

bool
pg_drain(struct ctx *ctx, struct pg *pg)
{
	PGresult *rest;

	if (pg->conn != NULL && !pg_finish(ctx, pg, &rest))
		return false; /* the first failure is recorded already */
	return false;
}

bool
pg_enter_copy(struct ctx *ctx, struct pg *pg, const char *sql, ExecStatusType want)
{
	PGresult *result;

	if (!pg_may_send(ctx, pg))
		return false;
	if (PQsendQuery(pg->conn, sql) == 0)
		return pg_fail_lost(ctx, pg);
	if (!pg_next(ctx, pg, &result))
		return false;
	if (result != NULL && PQresultStatus(result) == want)
		return true;
	if (result != NULL && PQresultStatus(result) == PGRES_FATAL_ERROR)
		(void)pg_fail_result(ctx, pg, result);
	else
		(void)fail(ctx, FAIL_SQL_ERROR, "%s at %s: the statement is not the COPY it must be", pg->what,
		    pg->place);
	return pg_drain(ctx, pg);
}
