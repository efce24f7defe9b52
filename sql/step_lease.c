/* step_lease: what replicas hold, and what becomes of it when their lease is over. */
#include <stdio.h>

#include "base/fail.h"
#include "base/text.h"
#include "sql/change.h"
#include "sql/statement.h"
#include "sql/step_json.h"
#include "sql/step_store.h"

enum { LOSSES_LIMIT = 3 };

bool
step_holdings(struct ctx *ctx, struct pg *db, const char *boot_id, struct step_holding **items, size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_STEP_HOLDINGS, PG_PARAMS(boot_id), &rows))
		return false;
	*count = (size_t)rows.count;
	*items = ctx_alloc_array(ctx, *count + 1, sizeof(**items));
	for (int i = 0; i < rows.count; i++)
		(*items)[i] = (struct step_holding){
		    .id = pg_value(&rows, i, 0),
		    .run_id = pg_value(&rows, i, 1),
		    .load_number = pg_i64(&rows, i, 2),
		    .wanted = pg_bool(&rows, i, 3),
		};
	return true;
}

bool
step_wait_for(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *kind, const char *detail)
{
	struct pg_rows rows;
	struct change change;

	if (!change_begin(ctx, db, claim->run_id, &change))
		return false;
	change.step_id = claim->id;
	return change_end(&change,
	    sql_run(ctx, db, SQL_STEP_WAIT_FOR,
		PG_PARAMS(claim->id, claim->boot_id, text_from_i64(ctx, claim->load_number), kind, detail), &rows));
}

/* The third loss: the step is to fail, after a revocation. */
static bool
doom(struct change *change, const struct pg_rows *lost, int row)
{
	struct failure failure = {.code = FAIL_WORKER_LOST};
	struct ctx *ctx = change->ctx;
	json_t *error, *reason = json_new_object(ctx), *slice = step_json_slice(ctx, lost, row, 6);
	const char *files = pg_value(lost, row, 10);

	if (files != NULL)
		slice = step_json_files(ctx, json_trusted(ctx, files));
	(void)snprintf(failure.message, sizeof(failure.message), "its worker was lost %s times",
	    pg_value(lost, row, 2));
	error = error_to_json(ctx, &failure, pg_value(lost, row, 0), pg_value(lost, row, 5), slice);
	json_put_string(ctx, reason, "code", "worker_lost");
	json_put_string(ctx, reason, "detail", failure.message);
	return sql_run(ctx, change->db, SQL_STEP_DOOM,
	    PG_PARAMS(pg_value(lost, row, 0), json_text(ctx, reason), json_text(ctx, error)), NULL);
}

static bool
take_back(struct change *change, int64_t *taken)
{
	struct ctx *ctx = change->ctx;
	struct pg_rows rows;

	if (!sql_run(ctx, change->db, SQL_STEPS_LOST, PG_PARAMS(change->run.id), &rows))
		return false;
	for (int i = 0; i < rows.count; i++) {
		json_t *fields = json_new_object(ctx);

		json_put_int(fields, "attempt", pg_i64(&rows, i, 1));
		json_put_string(ctx, fields, "replica", pg_value(&rows, i, 4));
		change_log(change, LOG_WARN, pg_value(&rows, i, 0), "attempt lost: its replica's lease is over",
		    fields);
		if (pg_i64(&rows, i, 2) >= LOSSES_LIMIT && pg_value(&rows, i, 3) == NULL && !doom(change, &rows, i))
			return false;
	}
	*taken = rows.count;
	return true;
}

static bool
expire_run(struct ctx *ctx, struct pg *db, const char *run_id, int64_t *taken)
{
	struct change change;
	bool ok;

	if (!change_begin(ctx, db, run_id, &change))
		return false;
	ok = take_back(&change, taken);
	if (ok && *taken == 0) {
		change_drop(&change);
		return true;
	}
	change.work = true;
	return change_end(&change, ok);
}

bool
step_expire_leases(struct ctx *ctx, struct pg *db, int64_t *lost)
{
	struct pg_rows rows;

	*lost = 0;
	if (!sql_run(ctx, db, SQL_REPLICA_EXPIRE, PG_NO_PARAMS, &rows) ||
	    !sql_run(ctx, db, SQL_ORPHAN_RUNS, PG_NO_PARAMS, &rows))
		return false;
	for (int i = 0; i < rows.count; i++) {
		int64_t taken = 0;

		if (!expire_run(ctx, db, pg_value(&rows, i, 0), &taken))
			return false;
		*lost += taken;
	}
	return true;
}
