#include "etl/adopt.h"

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "base/text.h"
#include "base/uuid.h"
#include "etl/plan.h"
#include "etl/slice_internal.h"
#include "sql/audit_store.h"
#include "sql/pipeline_store.h"
#include "sql/replica_store.h"

enum { EPOCH_SHIFT = 40, HIGHEST_EPOCH = 4194303 };

static bool
open_writer(struct ctx *ctx, const struct adoption *adoption, struct pg **pg)
{
	const struct spec_timeouts *timeouts = &adoption->spec->timeouts;
	struct pg_options options = {
	    .what = "warehouse",
	    .application_name = "loadstar/adopt",
	    .time_zone = adoption->spec->timezone,
	    .statement_timeout_ms = timeouts->statement_ms,
	    .lock_timeout_ms = timeouts->lock_ms,
	};
	struct secret url;

	return config_connection_of(ctx, adoption->config, adoption->spec->pipeline, adoption->spec->warehouse, &url) &&
	       pg_open(ctx, &url, &options, pg);
}

static char *
table_names(struct ctx *ctx, const struct spec *spec)
{
	const char **names = ctx_alloc_array(ctx, spec->table_count + 1, sizeof(*names));

	for (size_t i = 0; i < spec->table_count; i++)
		names[i] = generate_table_name(ctx, spec, spec->tables[i].name);
	return pg_text_array(ctx, names, spec->table_count);
}

/* Who owns the tables, and whether a number of ours is above every load of theirs. */
static bool
look(struct ctx *ctx, const struct adoption *adoption, struct pg *pg, struct adopted *adopted, int64_t *highest)
{
	int64_t epoch, number;
	struct pg_rows rows;

	*adopted = (struct adopted){0};
	if (!warehouse_query(ctx, pg, "control_owner", PG_PARAMS(adoption->spec->pipeline), &rows))
		return false;
	if (rows.count > 0) {
		adopted->before_id = pg_value(&rows, 0, 0);
		adopted->before_epoch = pg_i64(&rows, 0, 1);
	}
	if (!warehouse_query(ctx, pg, "fence_highest", PG_PARAMS(table_names(ctx, adoption->spec)), &rows) ||
	    !pipeline_epoch(ctx, adoption->control, adoption->spec->pipeline, &epoch) ||
	    !control_next_load_number(ctx, adoption->control, &number))
		return false;
	*highest = pg_i64(&rows, 0, 0);
	adopted->epoch = epoch;
	adopted->changed = !text_equal(adopted->before_id, adoption->control_id) || adopted->before_epoch != epoch ||
			   *highest >= (epoch << EPOCH_SHIFT) + number;
	return true;
}

static bool
end_sessions(struct ctx *ctx, const struct adoption *adoption, struct pg *pg, struct adopted *adopted)
{
	struct pg_rows rows;

	if (!warehouse_query(ctx, pg, "fence_sessions", PG_PARAMS(table_names(ctx, adoption->spec)), &rows))
		return false;
	if (rows.count > 0 && !adoption->force)
		return fail(ctx, FAIL_CONFLICT,
		    "%d sessions of the owner are alive, such as %s: end its service first, or adopt with force",
		    rows.count, pg_value(&rows, 0, 2));
	for (int i = 0; i < rows.count; i++, adopted->sessions_ended++)
		if (!end_session(ctx, pg, pg_value(&rows, i, 0), pg_value(&rows, i, 1)))
			return false;
	return true;
}

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* The epoch in the control database, and who raised it. */
static bool
note(struct ctx *ctx, const struct adoption *adoption, const struct adopted *adopted)
{
	struct audit_entry entry = {.action = "pipeline.adopt",
	    .pipeline = adoption->spec->pipeline,
	    .subject = adoption->by};
	json_t *detail = json_new_object(ctx);

	json_put_string(ctx, detail, "before", adopted->before_id);
	json_put_int(detail, "before_epoch", adopted->before_epoch);
	json_put_int(detail, "epoch", adopted->epoch);
	json_put_int(detail, "sessions_ended", adopted->sessions_ended);
	entry.detail = detail;
	if (!pg_begin(ctx, adoption->control))
		return false;
	if (pipeline_set_epoch(ctx, adoption->control, entry.pipeline, adopted->epoch) &&
	    audit_write(ctx, adoption->control, &entry))
		return pg_commit(ctx, adoption->control);
	pg_rollback(adoption->control);
	return false;
}

/* The control database first: when the warehouse's COMMIT is lost, adopting again raises once more. */
static bool
raise_epoch(struct ctx *ctx, const struct adoption *adoption, struct pg *pg, struct adopted *adopted, int64_t highest)
{
	const char *pipeline = adoption->spec->pipeline;

	adopted->epoch = larger(larger(adopted->epoch, adopted->before_epoch), highest >> EPOCH_SHIFT) + 1;
	if (adopted->epoch > HIGHEST_EPOCH)
		return fail(ctx, FAIL_CONFLICT, "there is no epoch above %d", HIGHEST_EPOCH);
	return note(ctx, adoption, adopted) &&
	       warehouse_query(ctx, pg, "control_adopt",
		   PG_PARAMS(pipeline, adoption->control_id, text_from_i64(ctx, adopted->epoch)), NULL);
}

/* Each step of it in a transaction of its own: who is alive is only seen anew outside of one. */
static bool
adopt(struct ctx *ctx, const struct adoption *adoption, struct pg *pg, struct adopted *adopted)
{
	int64_t highest;

	if (!pg_begin(ctx, pg) || !slice_create_bookkeeping(ctx, pg) || !look(ctx, adoption, pg, adopted, &highest) ||
	    !pg_commit(ctx, pg))
		return false;
	if (!adopted->changed)
		return true;
	return end_sessions(ctx, adoption, pg, adopted) && pg_begin(ctx, pg) &&
	       raise_epoch(ctx, adoption, pg, adopted, highest) && pg_commit(ctx, pg);
}

bool
adopt_pipeline(struct ctx *ctx, const struct adoption *adoption, struct adopted *adopted)
{
	struct pg *pg;

	if (!open_writer(ctx, adoption, &pg))
		return false;
	if (!adopt(ctx, adoption, pg, adopted)) {
		pg_rollback(pg);
		return false;
	}
	if (adopted->changed)
		log_line(ctx, LOG_WARN, "pipeline adopted", "pipeline", adoption->spec->pipeline, "by", adoption->by,
		    "before", adopted->before_id, "before_epoch", text_from_i64(ctx, adopted->before_epoch), "epoch",
		    text_from_i64(ctx, adopted->epoch), "sessions_ended", text_from_i64(ctx, adopted->sessions_ended),
		    NULL);
	return true;
}

/* The row of the ledger that a load would have left, without counts. */
static bool
write_mark(struct ctx *ctx, struct loading *loading, const char *by, const char **state)
{
	const struct slice_job *job = loading->job;
	const struct step_claim *claim = job->claim;
	const char *now = clock_format(ctx, clock_now_us());
	json_t *result = json_new_object(ctx);
	struct pg_rows rows;

	json_put_string(ctx, result, "snapshot_at", now);
	json_put_string(ctx, result, "marked_by", by);
	if (!warehouse_query(ctx, loading->warehouse, "ledger_insert",
		PG_PARAMS(claim->id, claim->run_id, claim->pipeline, loading->table, claim->slice, claim->scope,
		    loading->from, loading->to, loading->load_id, job->spec->hash, json_text(ctx, result), NULL, now,
		    text_from_i64(ctx, job->table->lag_ms)),
		&rows))
		return false;
	*state = pg_value(&rows, 0, 0);
	return true;
}

static bool
find_table(struct ctx *ctx, struct loading *loading)
{
	const struct slice_job *job = loading->job;
	const char *names[] = {job->table->name};
	struct pg_rows rows;

	if (!warehouse_query(ctx, loading->warehouse, "tables_existing",
		PG_PARAMS(job->spec->schema, pg_text_array(ctx, names, 1)), &rows))
		return false;
	return rows.count > 0 || fail(ctx, FAIL_CONFLICT, "the warehouse has no table %s", loading->table);
}

static bool
mark(struct ctx *ctx, struct loading *loading, const char *by, const char **state)
{
	struct load_lock lock = {.table = loading->table, .exclusive = true};

	return slice_create_bookkeeping(ctx, loading->warehouse) &&
	       claim_pipeline(ctx, loading->job, loading->warehouse) && find_table(ctx, loading) &&
	       take_locks(ctx, loading, &lock, 1) && register_slice(ctx, loading) &&
	       write_mark(ctx, loading, by, state);
}

bool
adopt_mark(struct ctx *ctx, const struct adoption *adoption, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const char **state)
{
	struct step_claim claim = {.id = uuid_make(ctx),
	    .run_id = uuid_make(ctx),
	    .pipeline = adoption->spec->pipeline,
	    .kind = "fact",
	    .table = table->name,
	    .scope = "time",
	    .slice = plan_slice_name(ctx, from_us, to_us),
	    .from_us = from_us,
	    .to_us = to_us};
	struct slice_job job = {.config = adoption->config,
	    .spec = adoption->spec,
	    .table = table,
	    .claim = &claim,
	    .control_id = adoption->control_id};
	json_t *detail = json_new_object(ctx);
	struct slice_outcome outcome;
	struct loading loading;
	int64_t number;

	json_put_string(ctx, detail, "slice", claim.slice);
	if (!pipeline_epoch(ctx, adoption->control, claim.pipeline, &job.epoch) ||
	    !control_next_load_number(ctx, adoption->control, &number))
		return false;
	job.load_id = (job.epoch << EPOCH_SHIFT) + number;
	loading_init(ctx, &loading, &job, &outcome);
	if (!open_writer(ctx, adoption, &loading.warehouse))
		return false;
	if (!pg_begin(ctx, loading.warehouse) || !mark(ctx, &loading, adoption->by, state) ||
	    !pg_commit(ctx, loading.warehouse)) {
		pg_rollback(loading.warehouse);
		return false;
	}
	log_line(ctx, LOG_WARN, "interval marked as loaded", "pipeline", claim.pipeline, "table", loading.table,
	    "slice", claim.slice, "state", *state, "by", adoption->by, NULL);
	return audit_write(ctx, adoption->control,
	    &(struct audit_entry){.action = "pipeline.mark",
		.pipeline = claim.pipeline,
		.target = loading.table,
		.subject = adoption->by,
		.detail = detail});
}
