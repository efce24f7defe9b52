/* Statements and transactions of a session. */
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/pg_internal.h"

enum { ROLLBACK_TIMEOUT_US = 5 * 1000 * 1000 };

bool
pg_may_send(struct ctx *ctx, struct pg *pg)
{
	if (pg->conn == NULL)
		return pg_fail_closed(ctx, pg);
	if (ctx_cancelled(ctx) != CANCEL_NONE)
		return pg_fail_cancelled(ctx, pg);
	if (PQstatus(pg->conn) != CONNECTION_OK)
		return pg_fail_lost(ctx, pg);
	return true;
}

/* libpq refused to send. A broken connection and a bug (a statement while another runs) look the
 * same: either way the session is of no more use. */
static bool
sent(struct ctx *ctx, struct pg *pg, int accepted)
{
	return accepted != 0 || pg_fail_lost(ctx, pg);
}

static void
describe(const PGresult *result, struct pg_rows *rows)
{
	const char *affected = PQcmdTuples((PGresult *)(uintptr_t)result);

	rows->result = (void *)(uintptr_t)result;
	rows->count = PQntuples(result);
	rows->columns = PQnfields(result);
	rows->affected = *affected != '\0' ? strtoll(affected, NULL, 10) : 0;
}

/* Reads the answer into rows, or into nothing. */
static bool
answer(struct ctx *ctx, struct pg *pg, struct pg_rows *rows)
{
	CTX_SCOPE(tmp, ctx);
	PGresult *last;

	if (!pg_finish(rows != NULL ? ctx : tmp, pg, &last))
		return false;
	ASSERT(rows == NULL || last != NULL);
	if (rows != NULL)
		describe(last, rows);
	return true;
}

bool
pg_query(struct ctx *ctx, struct pg *pg, const char *sql, struct pg_params params, struct pg_rows *rows)
{
	if (!pg_may_send(ctx, pg))
		return false;
	return sent(ctx, pg, PQsendQueryParams(pg->conn, sql, params.count, NULL, params.values, NULL, NULL, 0)) &&
	       answer(ctx, pg, rows);
}

static bool
prepare(struct ctx *ctx, struct pg *pg, const char *name, const char *sql)
{
	struct pg_prepared *known;

	for (known = pg->prepared; known != NULL; known = known->next)
		if (strcmp(known->name, name) == 0)
			return true;
	if (!sent(ctx, pg, PQsendPrepare(pg->conn, name, sql, 0, NULL)) || !answer(ctx, pg, NULL))
		return false;
	known = ctx_alloc(pg->owner, sizeof(*known));
	known->name = ctx_strdup(pg->owner, name);
	known->next = pg->prepared;
	pg->prepared = known;
	return true;
}

bool
pg_query_prepared(struct ctx *ctx, struct pg *pg, const char *name, const char *sql, struct pg_params params,
    struct pg_rows *rows)
{
	const char *sqlstate = ctx_failure(ctx)->sqlstate;

	if (!pg_may_send(ctx, pg) || !prepare(ctx, pg, name, sql))
		return false;
	if (sent(ctx, pg, PQsendQueryPrepared(pg->conn, name, params.count, params.values, NULL, NULL, 0)) &&
	    answer(ctx, pg, rows))
		return true;
	/* "cached plan must not change result type", "prepared statement does not exist": a
	 * migration or a pooler in between. A new session prepares anew. */
	if (strcmp(sqlstate, "0A000") == 0 || strcmp(sqlstate, "26000") == 0)
		pg_close(pg);
	return false;
}

bool
pg_run(struct ctx *ctx, struct pg *pg, const char *sql)
{
	return pg_may_send(ctx, pg) && sent(ctx, pg, PQsendQuery(pg->conn, sql)) && answer(ctx, pg, NULL);
}

bool
pg_begin(struct ctx *ctx, struct pg *pg)
{
	return pg_run(ctx, pg, "BEGIN");
}

/* COMMIT was answered well. What happens to the session after that is no failure of the COMMIT. */
static bool
committed(struct pg *pg)
{
	struct ctx *own = ctx_new("after commit", 0);

	if (!answer(own, pg, NULL))
		pg_close(pg);
	ctx_free(own);
	return true;
}

/* From the first byte of COMMIT on, every end of the session but an answer means that nobody knows
 * (see `committing`). A transaction in which a statement had failed is answered with success and
 * the tag ROLLBACK. */
bool
pg_commit(struct ctx *ctx, struct pg *pg)
{
	CTX_SCOPE(tmp, ctx);
	PGresult *result;

	if (!pg_may_send(ctx, pg))
		return false;
	pg->committing = true;
	if (!sent(ctx, pg, PQsendQuery(pg->conn, "COMMIT")) || !pg_next(tmp, pg, &result))
		return false;
	if (result == NULL)
		return pg_fail_lost(ctx, pg);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		(void)pg_fail_result(ctx, pg, result);
	pg->committing = false;
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		return pg_drain(tmp, pg);
	if (strcmp(PQcmdStatus(result), "COMMIT") == 0)
		return committed(pg);
	(void)fail(ctx, FAIL_SQL_ERROR, "%s at %s: COMMIT rolled back, for a statement before it had failed", pg->what,
	    pg->place);
	return pg_drain(tmp, pg);
}

bool
pg_commit_and_drop(struct ctx *ctx, struct pg *pg)
{
	if (!pg_may_send(ctx, pg))
		return false;
	pg->committing = true;
	return sent(ctx, pg, PQsendQuery(pg->conn, "COMMIT")) && pg_flush(ctx, pg) && pg_fail_lost(ctx, pg);
}

void
pg_rollback(struct pg *pg)
{
	struct ctx *own;
	int64_t deadline_us = clock_monotonic_us() + ROLLBACK_TIMEOUT_US;
	PGTransactionStatusType status;
	bool ready = true;

	if (pg->conn == NULL)
		return;
	status = PQtransactionStatus(pg->conn);
	if (status == PQTRANS_IDLE)
		return;
	own = ctx_new("rollback", 0); /* the caller's failure stays as it is, its cancel flag is not looked at */
	if ((status != PQTRANS_INTRANS && status != PQTRANS_INERROR) || PQsendQuery(pg->conn, "ROLLBACK") == 0)
		ready = false;
	while (ready && pg->conn != NULL && (PQflush(pg->conn) > 0 || PQisBusy(pg->conn))) {
		if (!pg_wait_socket(own, pg, POLLIN, deadline_us, &ready) || PQconsumeInput(pg->conn) == 0)
			ready = false;
	}
	if (!ready || pg->conn == NULL || !answer(own, pg, NULL))
		pg_close(pg);
	ctx_free(own);
}

/* "SELECT format_type(23, -1), …": one row, so that it also runs on Redshift, which has no arrays.
 * */
static bool
name_types(struct ctx *ctx, struct pg *pg, const PGresult *result, struct pg_column *columns, int count)
{
	struct pg_rows rows;
	struct text sql;

	if (count == 0)
		return true;
	text_init(&sql, ctx);
	for (int i = 0; i < count; i++)
		text_addf(&sql, "%s pg_catalog.format_type(%u, %d)", i == 0 ? "SELECT" : ",", PQftype(result, i),
		    PQfmod(result, i));
	if (!pg_query(ctx, pg, sql.data, PG_NO_PARAMS, &rows))
		return false;
	for (int i = 0; i < count; i++)
		columns[i].type = pg_value(&rows, 0, i);
	return true;
}

bool
pg_describe(struct ctx *ctx, struct pg *pg, const char *sql, struct pg_column **columns, int *count)
{
	PGresult *result;

	if (!pg_may_send(ctx, pg) || !sent(ctx, pg, PQsendPrepare(pg->conn, "", sql, 0, NULL)) ||
	    !answer(ctx, pg, NULL))
		return false;
	if (!sent(ctx, pg, PQsendDescribePrepared(pg->conn, "")) || !pg_finish(ctx, pg, &result))
		return false;
	*count = PQnfields(result);
	*columns = ctx_alloc_array(ctx, (size_t)*count, sizeof(**columns));
	for (int i = 0; i < *count; i++) {
		(*columns)[i].name = PQfname(result, i);
		(*columns)[i].oid = PQftype(result, i);
	}
	return name_types(ctx, pg, result, *columns, *count);
}

static bool
drain_notifies(struct pg *pg)
{
	PGnotify *notify;
	bool any = false;

	while ((notify = PQnotifies(pg->conn)) != NULL) {
		PQfreemem(notify);
		any = true;
	}
	return any;
}

bool
pg_wait_notify(struct ctx *ctx, struct pg *pg, int64_t timeout_ms, bool *notified)
{
	int64_t deadline_us = clock_monotonic_us() + timeout_ms * 1000;
	bool ready = true;

	*notified = false;
	if (!pg_may_send(ctx, pg))
		return false;
	while (ready) {
		if (PQconsumeInput(pg->conn) == 0)
			return pg_fail_lost(ctx, pg);
		*notified = drain_notifies(pg);
		if (*notified)
			return true;
		if (!pg_wait_socket(ctx, pg, POLLIN, deadline_us, &ready))
			return false;
	}
	return true;
}
