#include "etl/slice.h"

#include "base/fail.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "etl/slice_internal.h"

bool
slice_load(struct ctx *ctx, const struct slice_job *job, struct slice_outcome *outcome)
{
	CTX_SCOPE(own, ctx);
	struct loading loading;
	bool found;

	loading_init(own, &loading, job, outcome);
	outcome->checks = json_new_array(ctx);
	outcome->guards = json_new_array(ctx);
	return open_warehouse(own, job, &loading.warehouse) && register_slice(own, &loading) &&
	       failpoint(own, "after_open") && find_committed(own, &loading, &found) &&
	       (found || (stage_slice(own, &loading) && failpoint(own, "after_stage") && publish_slice(own, &loading)));
}

bool
slice_run_script(struct ctx *ctx, const struct slice_job *job, struct slice_outcome *outcome)
{
	CTX_SCOPE(own, ctx);
	struct loading loading;
	bool found;

	loading_init(own, &loading, job, outcome);
	outcome->checks = json_new_array(ctx);
	outcome->guards = json_new_array(ctx);
	return open_warehouse(own, job, &loading.warehouse) && register_slice(own, &loading) &&
	       find_committed(own, &loading, &found) &&
	       (found || (stage_rejects(own, &loading) && publish_slice(own, &loading)));
}

/* Reads which session is registered and registers above it, in one transaction: what was read is what is replaced. */
static bool
register_above(struct ctx *ctx, struct loading *loading, const char **pid, const char **started)
{
	const struct step_claim *claim = loading->job->claim;
	struct pg *pg = loading->warehouse;
	struct pg_rows rows;
	bool ok;

	*pid = *started = NULL;
	ok = pg_begin(ctx, pg) &&
	     warehouse_query(ctx, pg, "fence_session_lock", PG_PARAMS(loading->table, claim->slice, claim->id), &rows);
	if (ok && rows.count > 0) {
		*pid = pg_value(&rows, 0, 0);
		*started = pg_value(&rows, 0, 1);
	}
	if (ok && register_slice(ctx, loading) && pg_commit(ctx, pg))
		return true;
	pg_rollback(pg);
	return false;
}

/* A publish in flight holds its registration. It is given a moment to end by itself; then its session is ended. */
static bool
register_or_end(struct ctx *ctx, struct loading *loading, const char **pid, const char **started)
{
	struct pg *pg = loading->warehouse;
	struct pg_rows rows;

	if (!pg_run(ctx, pg, "SET lock_timeout = '2s'"))
		return false;
	if (!register_above(ctx, loading, pid, started)) {
		if (ctx_failure(ctx)->code != FAIL_LOCK_TIMEOUT)
			return false;
		fail_clear(ctx);
		if (!warehouse_query(ctx, pg, "fence_session",
			PG_PARAMS(loading->table, loading->job->claim->slice, loading->job->claim->id), &rows) ||
		    (rows.count > 0 && !end_session(ctx, pg, pg_value(&rows, 0, 0), pg_value(&rows, 0, 1))) ||
		    !register_above(ctx, loading, pid, started))
			return false;
	}
	return pg_run(ctx, pg,
	    ctx_printf(ctx, "SET lock_timeout = %lld", (long long)slice_timeouts(loading->job)->lock_ms));
}

bool
slice_revoke(struct ctx *ctx, const struct slice_job *job, struct slice_outcome *outcome, bool *committed)
{
	CTX_SCOPE(own, ctx);
	struct loading loading;
	const char *pid, *started;
	bool exists;

	*committed = false;
	loading_init(own, &loading, job, outcome);
	outcome->checks = json_new_array(ctx);
	outcome->guards = json_new_array(ctx);
	if (!open_warehouse(own, job, &loading.warehouse) || !bookkeeping_exists(own, loading.warehouse, &exists))
		return false;
	if (!exists)
		return true; /* nothing was ever registered in this warehouse, and nothing can be without the tables */
	if (!register_or_end(own, &loading, &pid, &started)) {
		enum fail_code code = ctx_failure(own)->code;

		if ((code != FAIL_FENCED && code != FAIL_FOREIGN_OWNER) || ctx_cancelled(own) != CANCEL_NONE)
			return false;
		fail_clear(
		    own); /* who registered above me is above every older attempt, too: leave that one its session */
		pid = started = NULL;
	}
	return failpoint(own, "after_revoke") && end_session(own, loading.warehouse, pid, started) &&
	       read_under_lock(own, &loading, committed);
}

static bool
end_orphans(struct ctx *ctx, struct pg *pg, const struct step_claim *claim, int64_t *ended)
{
	struct pg_rows rows;

	if (!warehouse_query(ctx, pg, "orphans_end",
		PG_PARAMS(application_prefix(ctx, claim), text_from_i64(ctx, claim->attempt)), &rows))
		return false;
	*ended += pg_i64(&rows, 0, 0);
	return true;
}

bool
slice_end_orphans(struct ctx *ctx, const struct slice_job *job, int64_t *ended)
{
	CTX_SCOPE(own, ctx);
	struct pg *warehouse, *source;

	*ended = 0;
	if (!open_warehouse(own, job, &warehouse) || !end_orphans(own, warehouse, job->claim, ended))
		return false;
	if (job->table == NULL || spec_table_is_fed_by_files(job->table))
		return true;
	return open_source(own, job, &source) && end_orphans(own, source, job->claim, ended);
}
