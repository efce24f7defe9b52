/*
 * DESIGN: one run per key. The key's row goes in first; a rival with the same key waits for this transaction and then finds
 * the row, which it locks, so that the run it stands for is not swept meanwhile. `return` and `reject` hold the pipeline's
 * accept lock from the look for an equal run to COMMIT. The order is always key, then accept lock, so rivals cannot wait for
 * each other.
 */
#include "base/fail.h"
#include "base/text.h"
#include "base/uuid.h"
#include "sql/change.h"
#include "sql/run_row.h"
#include "sql/statement.h"

struct acceptance {
	struct ctx *ctx;
	struct pg *db;
	const struct run *want;
	const struct run_acceptance *how;
	const char *run_id; /* of the run as it will be known */
	bool existed;
};

/* Inserts the key for run_id, or finds whose it is: then rows has that. */
static bool
claim_key(struct acceptance *a, bool *taken, struct pg_rows *rows)
{
	const char *subject = a->want->requested_by, *key = a->how->idempotency_key;

	/* Between the two the sweep of old runs may take the key away: then it is free. */
	for (;;) {
		if (!sql_run(a->ctx, a->db, SQL_IDEMPOTENCY_INSERT,
			PG_PARAMS(subject, key, a->how->fingerprint, a->run_id), rows))
			return false;
		*taken = rows->count > 0;
		if (*taken)
			return true;
		if (!sql_run(a->ctx, a->db, SQL_IDEMPOTENCY_FIND, PG_PARAMS(subject, key), rows))
			return false;
		if (rows->count > 0)
			return true;
	}
}

/* Takes the key for run_id, or learns whose it is. */
static bool
take_key(struct acceptance *a)
{
	struct pg_rows rows;
	bool taken;

	if (a->how->idempotency_key == NULL)
		return true;
	if (!claim_key(a, &taken, &rows))
		return false;
	if (taken)
		return true;
	if (!text_equal(pg_value(&rows, 0, 0), a->how->fingerprint))
		return fail(a->ctx, FAIL_IDEMPOTENCY_MISMATCH, "this Idempotency-Key came with another request before");
	a->run_id = pg_value(&rows, 0, 1);
	a->existed = true;
	return true;
}

/* on_duplicate: an equal run that is not finished stands for this one, or forbids it. */
static bool
look_for_equal(struct acceptance *a)
{
	const struct run *want = a->want;
	struct pg_rows rows;

	if (a->existed || a->how->on_duplicate == NULL || text_equal(a->how->on_duplicate, "queue"))
		return true;
	if (!sql_run(a->ctx, a->db, SQL_ACCEPT_LOCK, PG_PARAMS(want->pipeline), &rows) ||
	    !sql_run(a->ctx, a->db, SQL_RUN_EQUAL,
		PG_PARAMS(want->pipeline, want->type, run_row_json(a->ctx, want->tables),
		    run_row_time(a->ctx, want->from_us), run_row_time(a->ctx, want->to_us), want->mode, want->slice,
		    run_row_json(a->ctx, want->params), want->spec_version),
		&rows))
		return false;
	if (rows.count == 0)
		return true;
	if (text_equal(a->how->on_duplicate, "reject"))
		return fail(a->ctx, FAIL_RUN_DUPLICATE, "run %s asks for the same and is not finished",
		    pg_value(&rows, 0, 0));
	a->run_id = pg_value(&rows, 0, 0);
	a->existed = true;
	return a->how->idempotency_key == NULL ||
	       sql_run(a->ctx, a->db, SQL_IDEMPOTENCY_POINT,
		   PG_PARAMS(want->requested_by, a->how->idempotency_key, a->run_id), NULL);
}

static bool
find(struct acceptance *a, struct run *run)
{
	bool found;

	if (!run_find(a->ctx, a->db, a->run_id, run, &found))
		return false;
	return found || fail(a->ctx, FAIL_NOT_FOUND, "run %s of this Idempotency-Key was removed", a->run_id);
}

static bool
make(struct acceptance *a, struct run *run)
{
	struct change change;

	if (!change_new_run(a->ctx, a->db, a->run_id, a->want, &change)) {
		pg_rollback(a->db);
		return false;
	}
	if (!change_end(&change, true))
		return false;
	*run = change.run;
	return true;
}

bool
run_accept(struct ctx *ctx, struct pg *db, const struct run *want, const struct run_acceptance *how, struct run *run,
    bool *existed)
{
	struct acceptance a = {.ctx = ctx, .db = db, .want = want, .how = how};

	a.run_id = want->id != NULL ? want->id : uuid_make(ctx);
	if (!pg_begin(ctx, db))
		return false;
	if (!take_key(&a) || !look_for_equal(&a)) {
		pg_rollback(db);
		return false;
	}
	*existed = a.existed;
	if (!a.existed)
		return make(&a, run);
	if (find(&a, run))
		return pg_commit(ctx, db);
	pg_rollback(db);
	return false;
}
