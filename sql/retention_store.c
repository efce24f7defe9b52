#include "sql/retention_store.h"

#include "base/text.h"
#include "sql/audit_store.h"
#include "sql/statement.h"

/* A batch is some tens of milliseconds: nobody waits for its rows, but its transaction holds back the vacuum. */
enum { MOST_LINES = 5000, MOST_RESULTS = 2000, MOST_RUNS = 200, MOST_STEPS = 2000, MOST_ENTRIES = 5000 };

static const char *const names[RETENTION_KIND_COUNT] = {
    [RETENTION_LOGS] = "logs",
    [RETENTION_QUALITY] = "quality",
    [RETENTION_RUNS] = "runs",
    [RETENTION_OUTBOX] = "outbox",
    [RETENTION_AUDIT] = "audit",
    [RETENTION_AUDIT_SEALS] = "audit_seals",
};

const char *
retention_kind_name(enum retention_kind kind)
{
	return names[kind];
}

/* A run's lines and results go with it at the latest. */
static int64_t
age_of(const struct retention *keep, enum retention_kind kind)
{
	int64_t own_ms = kind == RETENTION_LOGS      ? keep->logs_ms
			 : kind == RETENTION_QUALITY ? keep->quality_ms
			 : kind == RETENTION_RUNS    ? keep->runs_ms
						     : keep->audit_ms;
	bool of_run = kind == RETENTION_LOGS || kind == RETENTION_QUALITY;

	return of_run && keep->runs_ms != 0 && (own_ms == 0 || keep->runs_ms < own_ms) ? keep->runs_ms : own_ms;
}

bool
retention_lock(struct ctx *ctx, struct pg *db, bool *mine)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_SWEEP_LOCK, PG_NO_PARAMS, &rows))
		return false;
	*mine = pg_bool(&rows, 0, 0);
	return true;
}

static bool
sweep_aged(struct ctx *ctx, struct pg *db, enum retention_kind kind, int64_t age_ms, struct pg_rows *rows)
{
	const char *age = text_from_i64(ctx, age_ms);

	if (kind == RETENTION_LOGS)
		return sql_run(ctx, db, SQL_SWEEP_LOGS, PG_PARAMS(age, text_from_i64(ctx, MOST_LINES)), rows);
	if (kind == RETENTION_QUALITY)
		return sql_run(ctx, db, SQL_SWEEP_QUALITY, PG_PARAMS(age, text_from_i64(ctx, MOST_RESULTS)), rows);
	return sql_run(ctx, db, SQL_SWEEP_RUNS,
	    PG_PARAMS(age, text_from_i64(ctx, MOST_RUNS), text_from_i64(ctx, MOST_STEPS)), rows);
}

static bool
sweep_settled(struct ctx *ctx, struct pg *db, enum retention_kind kind, struct pg_rows *rows)
{
	enum statement statement = kind == RETENTION_OUTBOX  ? SQL_SWEEP_OUTBOX
				   : kind == RETENTION_AUDIT ? SQL_SWEEP_AUDIT
							     : SQL_SWEEP_AUDIT_SEALS;

	return sql_run(ctx, db, statement, PG_PARAMS(text_from_i64(ctx, MOST_ENTRIES)), rows);
}

bool
retention_sweep(struct ctx *ctx, struct pg *db, enum retention_kind kind, const struct retention *keep, int64_t *swept)
{
	CTX_SCOPE(tmp, ctx);
	int64_t age_ms = age_of(keep, kind);
	struct pg_rows rows;
	bool ok;

	*swept = 0;
	if (kind <= RETENTION_RUNS && age_ms == 0)
		return true;
	ok = kind <= RETENTION_RUNS ? sweep_aged(tmp, db, kind, age_ms, &rows) : sweep_settled(tmp, db, kind, &rows);
	if (!ok)
		return false;
	for (int i = 0; i < rows.columns; i++)
		*swept += pg_i64(&rows, 0, i);
	return true;
}

static bool
move(struct ctx *ctx, struct pg *db, int64_t age_ms, bool *moved)
{
	struct audit_entry entry = {.action = "audit.sweep"};
	struct pg_rows rows;
	json_t *detail = json_new_object(ctx);

	if (!sql_run(ctx, db, SQL_SWEEP_AUDIT_ANCHOR, PG_PARAMS(text_from_i64(ctx, age_ms)), &rows))
		return false;
	*moved = rows.count > 0;
	if (!*moved)
		return true;
	json_put_int(detail, "last_id", pg_i64(&rows, 0, 0));
	json_put_string(ctx, detail, "hash", pg_value(&rows, 0, 1));
	entry.detail = detail;
	return audit_write(ctx, db, &entry);
}

bool
retention_move_audit(struct ctx *ctx, struct pg *db, const struct retention *keep, bool *moved)
{
	CTX_SCOPE(tmp, ctx);

	*moved = false;
	if (keep->audit_ms == 0)
		return true;
	if (!pg_begin(tmp, db))
		return false;
	if (move(tmp, db, keep->audit_ms, moved))
		return pg_commit(tmp, db);
	pg_rollback(db);
	return false;
}
