/*
 * DESIGN: a claim never waits long and never gives one slice to two.
 *
 * Lock order, the same in every transaction of the control database: run rows (by id), claim locks of tables (only tried,
 * never waited for), step rows, attempts, log counters (by run id). Steps change only under their run's lock, so a claim
 * need not lock steps to choose them. It goes in three statements, each with a snapshot of its own:
 *
 *   1. step_candidates, outside any transaction: a picture of what could be claimed. An idle poll ends here.
 *   2. claim_lock: their runs, SKIP LOCKED (somebody is changing them), and an advisory lock for each table (another claim
 *      is choosing among the table's slices: both would pass the look for an overlap, and the exclusion constraint would make
 *      one wait for the other, crosswise in batches).
 *   3. step_claim: asks everything again under the locks, and takes.
 *
 * When every candidate was busy the second round waits for the run of the first one: a single run lock, with nothing held
 * yet, cannot be part of a deadlock. The exclusion constraint remains the law: a claim that breaks it (23P01) rolls back, and goes
 * on one step at a time without the candidates that failed. Rounds are bounded; what is left is there at the next poll.
 *
 * A step with end_as is claimed as a revocation: always, also when its old attempt still runs (it becomes superseded), when
 * the run is cancelling or paused, and beyond max_parallel; but not while another revocation of it runs.
 */
#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/log_store.h"
#include "sql/statement.h"
#include "sql/step_store.h"

enum {
	ROUNDS = 8,
	EXCLUDED = ROUNDS,
};

struct claiming {
	struct ctx *ctx;
	struct pg *db;
	const char *boot_id;
	bool revocations_only;
	int64_t limit;
	const char *excluded[EXCLUDED]; /* candidates that broke the constraint */
	size_t excluded_count;
	bool wait; /* for the run of the first candidate */
};

static bool
find_candidates(struct claiming *c, struct pg_rows *rows)
{
	return sql_run(c->ctx, c->db, SQL_STEP_CANDIDATES,
	    PG_PARAMS(c->boot_id, text_from_i64(c->ctx, c->limit),
		pg_text_array(c->ctx, c->excluded, c->excluded_count), text_from_bool(c->revocations_only)),
	    rows);
}

static const char *
ids_of(struct ctx *ctx, const struct pg_rows *rows)
{
	const char **ids = ctx_alloc_array(ctx, (size_t)rows->count + 1, sizeof(char *));

	for (int i = 0; i < rows->count; i++)
		ids[i] = pg_value(rows, i, 0);
	return pg_text_array(ctx, ids, (size_t)rows->count);
}

static void
read_run(struct ctx *ctx, const struct pg_rows *rows, int row, struct step_claim *claim)
{
	claim->run_type = pg_value(rows, row, 16);
	claim->mode = pg_value(rows, row, 17);
	claim->run_slice = pg_value(rows, row, 18);
	claim->spec_version = pg_value(rows, row, 19);
	claim->run_from_us = pg_time_us(rows, row, 20);
	claim->run_to_us = pg_time_us(rows, row, 21);
	claim->run_attempt = pg_i64(rows, row, 22);
	claim->tables = json_trusted(ctx, pg_value(rows, row, 23));
	claim->params = json_trusted(ctx, pg_value(rows, row, 24));
	claim->allow = json_trusted(ctx, pg_value(rows, row, 25));
	claim->descending = pg_bool(rows, row, 26);
	claim->run_created_us = pg_time_us(rows, row, 27);
	claim->files = json_trusted(ctx, pg_value(rows, row, 28));
	claim->epoch = pg_i64(rows, row, 29);
}

static void
read_claim(struct claiming *c, const struct pg_rows *rows, int row, struct step_claim *claim)
{
	*claim = (struct step_claim){
	    .id = pg_value(rows, row, 0),
	    .run_id = pg_value(rows, row, 1),
	    .pipeline = pg_value(rows, row, 2),
	    .kind = pg_value(rows, row, 3),
	    .table = pg_value(rows, row, 4),
	    .scope = pg_value(rows, row, 5),
	    .slice = pg_value(rows, row, 6),
	    .from_us = pg_time_us(rows, row, 7),
	    .to_us = pg_time_us(rows, row, 8),
	    .boot_id = c->boot_id,
	    .load_number = pg_i64(rows, row, 9),
	    .attempt = pg_i64(rows, row, 10),
	    .tries = pg_i64(rows, row, 11),
	    .end_as = pg_value(rows, row, 12),
	    .previous_boot_id = pg_value(rows, row, 13),
	    .ready_us = pg_time_us(rows, row, 14),
	};
	read_run(c->ctx, rows, row, claim);
}

static json_t *
attempt_fields(struct ctx *ctx, const struct step_claim *claim)
{
	json_t *fields = json_new_object(ctx);

	json_put_string(ctx, fields, "kind", claim->kind);
	json_put_string(ctx, fields, "table", claim->table);
	json_put_string(ctx, fields, "slice", claim->slice);
	json_put_int(fields, "attempt", claim->attempt);
	json_put_int(fields, "load_number", claim->load_number);
	json_put_string(ctx, fields, "replica", claim->boot_id);
	return fields;
}

/* Two lines at most for each claimed step: the run's start with its first one, and the attempt's start. */
static bool
write_lines(struct claiming *c, const struct step_claims *claims, const struct pg_rows *rows)
{
	struct log_entry *lines = ctx_alloc_array(c->ctx, claims->count * 2, sizeof(*lines));
	const char **run_ids = ctx_alloc_array(c->ctx, claims->count * 2, sizeof(char *));
	const char *started = NULL;
	size_t n = 0;

	for (size_t i = 0; i < claims->count; i++) {
		const struct step_claim *claim = &claims->items[i];

		if (text_equal(pg_value(rows, (int)i, 15), "queued") && !text_equal(started, claim->run_id)) {
			started = claim->run_id;
			run_ids[n] = started;
			lines[n++] = (struct log_entry){.level = LOG_INFO, .message = "run started"};
		}
		run_ids[n] = claim->run_id;
		lines[n++] = (struct log_entry){
		    .level = LOG_INFO,
		    .step_id = claim->id,
		    .message = claim->end_as == NULL ? "attempt started" : "revocation started",
		    .fields = attempt_fields(c->ctx, claim),
		};
	}
	return log_write_runs(c->ctx, c->db, run_ids, lines, n, false);
}

/* Within the transaction. */
static bool
take(struct claiming *c, const struct pg_rows *candidates, struct step_claims *claims)
{
	struct pg_rows rows;

	if (c->wait && !sql_run(c->ctx, c->db, SQL_RUN_LOCK, PG_PARAMS(pg_value(candidates, 0, 1)), &rows))
		return false;
	if (!sql_run(c->ctx, c->db, SQL_CLAIM_LOCK, PG_PARAMS(ids_of(c->ctx, candidates)), &rows))
		return false;
	if (rows.count == 0)
		return true;
	if (!sql_run(c->ctx, c->db, SQL_STEP_CLAIM, PG_PARAMS(ids_of(c->ctx, &rows), c->boot_id), &rows))
		return false;
	claims->count = (size_t)rows.count;
	claims->items = ctx_alloc_array(c->ctx, claims->count + 1, sizeof(*claims->items));
	for (int i = 0; i < rows.count; i++)
		read_claim(c, &rows, i, &claims->items[i]);
	return write_lines(c, claims, &rows);
}

/* Somebody else was faster: a deadlock, or the constraint on overlapping steps (exclusion_violation, of class 23 with the data
 * errors). */
static bool
is_conflict(const struct failure *failure)
{
	return failure->code == FAIL_SQL_CONFLICT || text_equal(failure->sqlstate, "23P01");
}

/* One round. A conflict is no failure: the next round goes one step at a time without the candidate that had it. */
static bool
claim_round(struct claiming *c, const struct pg_rows *candidates, struct step_claims *claims)
{
	if (!pg_begin(c->ctx, c->db))
		return false;
	if (take(c, candidates, claims))
		return pg_commit(c->ctx, c->db);
	pg_rollback(c->db);
	claims->count = 0;
	if (!is_conflict(ctx_failure(c->ctx)))
		return false;
	fail_clear(c->ctx);
	if (c->limit == 1)
		c->excluded[c->excluded_count++] = pg_value(candidates, 0, 0);
	c->limit = 1;
	return true;
}

bool
step_claim(struct ctx *ctx, struct pg *db, const char *boot_id, bool revocations_only, int limit,
    struct step_claims *claims)
{
	struct claiming c = {.ctx = ctx,
	    .db = db,
	    .boot_id = boot_id,
	    .revocations_only = revocations_only,
	    .limit = limit};
	struct pg_rows candidates;

	*claims = (struct step_claims){0};
	for (int i = 0; i < ROUNDS; i++) {
		if (!find_candidates(&c, &candidates))
			return false;
		if (candidates.count == 0)
			return true;
		if (!claim_round(&c, &candidates, claims))
			return false;
		if (claims->count > 0)
			return true;
		c.wait = true;
	}
	return true;
}
