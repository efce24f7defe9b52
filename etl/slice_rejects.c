/*
 * slice_rejects: rows that a load refuses, kept in loadstar.quarantine.
 *
 * They gather in the session's loadstar_rejects: from the reader of files while it stages, from lookups while it publishes. PUBLISH
 * moves them to the quarantine together with the slice. A slice that is not published rolls them back with everything else; what
 * they show about why is then written by itself.
 */
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"

enum { EVIDENCE_ROWS = 1000 };

bool
stage_rejects(struct ctx *ctx, struct loading *loading)
{
	return warehouse_query(ctx, loading->warehouse, "rejects_stage", PG_NO_PARAMS, NULL);
}

bool
publish_rejects(struct ctx *ctx, struct loading *loading)
{
	const struct step_claim *claim = loading->job->claim;
	struct pg_rows rows;

	if (!warehouse_query(ctx, loading->warehouse, "rejects_publish",
		PG_PARAMS(claim->pipeline, loading->table, claim->slice, claim->run_id, claim->id, loading->load_id,
		    claim->scope, loading->from, loading->to, loading->file_ids),
		&rows))
		return false;
	loading->outcome->counts.rejected += pg_i64(&rows, 0, 0);
	return true;
}

/* Only failures that the rows themselves made; a broken session or a newer attempt says nothing about them. */
static bool
shows_something(const struct failure *failure)
{
	enum fail_class class = fail_kind(failure->code)->class;

	return class == FAIL_CLASS_DATA || class == FAIL_CLASS_QUALITY;
}

/* What PUBLISH refused is only to be seen before its rollback, unless the server has given the transaction up: then what STAGE
 * refused is left. */
static bool
read_rejects(struct ctx *ctx, struct loading *loading, const char **rejects)
{
	struct pg_params most = PG_PARAMS(text_from_i64(ctx, EVIDENCE_ROWS));
	bool ok;
	struct pg_rows rows;

	ok = warehouse_query(ctx, loading->warehouse, "rejects_read", most, &rows);
	pg_rollback(loading->warehouse);
	if (!ok) {
		fail_clear(ctx);
		ok = warehouse_query(ctx, loading->warehouse, "rejects_read", most, &rows);
	}
	*rejects = ok ? pg_value(&rows, 0, 0) : NULL;
	return ok;
}

void
keep_evidence(struct ctx *ctx, struct loading *loading)
{
	const struct step_claim *claim = loading->job->claim;
	struct ctx *own;
	const char *rejects;

	if (!shows_something(ctx_failure(ctx)) || !pg_is_open(loading->warehouse)) {
		pg_rollback(loading->warehouse);
		return;
	}
	own = ctx_new("evidence", 0); /* the failure stays the ctx's */
	ctx_set_tags(own, ctx_get_tags(ctx));
	if (!read_rejects(own, loading, &rejects) ||
	    (rejects != NULL && !warehouse_query(own, loading->warehouse, "rejects_evidence",
				    PG_PARAMS(claim->pipeline, loading->table, claim->slice, claim->run_id, claim->id,
					loading->load_id, rejects, ctx_failure(ctx)->message),
				    NULL)))
		log_failure(own, "the rejects of a failed slice could not be kept");
	ctx_free(own);
}
