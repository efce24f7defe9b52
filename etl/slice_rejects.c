/*
 * slice_rejects: rows that a load refuses, kept in loadstar.quarantine.
 *
 * They gather in the session's loadstar_rejects: from the reader of files while it stages, from lookups while it publishes. PUBLISH
 * moves them to the quarantine together with the slice. A slice that is not published rolls them back with everything else; what
 * they show about why is then written by itself (slice_evidence.c).
 */
#include "base/text.h"
#include "etl/slice_internal.h"

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
