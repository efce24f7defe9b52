/*
 * slice_evidence: what a slice that failed leaves behind, so that somebody can see why.
 *
 * Its transaction is rolled back with everything it refused and counted. What is to be seen of that only before the rollback is read
 * first; afterwards a transaction of its own writes it: rejects to the quarantine, counts and checks with their samples to
 * loadstar.slice_evidence, all bounded. It is no part of the slice: who dies in between leaves nothing, and nothing depends on it. The next
 * failure of the slice takes its place, the next success makes it `superseded`.
 */
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"

enum { EVIDENCE_ROWS = 1000, EVIDENCE_CHECKS = 100 };

/* Failures that the rows themselves made; a broken session or a newer attempt says nothing about them. */
static bool
shows_something(const struct failure *failure)
{
	enum fail_class class = fail_kind(failure->code)->class;

	return class == FAIL_CLASS_DATA || class == FAIL_CLASS_QUALITY || failure->code == FAIL_ROW_LAW ||
	       failure->code == FAIL_CHECK_ERROR;
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
	*rejects = ok && pg_value(&rows, 0, 0) != NULL ? pg_value(&rows, 0, 0) : "[]";
	return ok;
}

/* As far as the attempt came. */
static const char *
counts_so_far(struct ctx *ctx, const struct loading *loading)
{
	static const char *const sections[] = {"rows", "effects", "slice"};
	json_t *counts = json_new_object(ctx);

	for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++)
		json_put(counts, sections[i], slice_counts_to_json(ctx, &loading->outcome->counts, sections[i]));
	return json_text(ctx, counts);
}

/* Those that did not pass, with their samples. */
static const char *
checks_to_show(struct ctx *ctx, const struct loading *loading)
{
	json_t *shown = json_new_array(ctx), *check;
	size_t i;

	json_array_foreach(loading->outcome->checks, i, check) {
		if (json_array_size(shown) < EVIDENCE_CHECKS &&
		    !text_equal(json_string_or(check, "status", ""), "passed"))
			json_add(shown, check);
	}
	return json_text(ctx, shown);
}

static bool
write_evidence(struct ctx *ctx, struct loading *loading, const struct failure *failure, const char *rejects)
{
	const struct step_claim *claim = loading->job->claim;
	struct pg *pg = loading->warehouse;
	bool ok =
	    pg_begin(ctx, pg) &&
	    warehouse_query(ctx, pg, "rejects_evidence",
		PG_PARAMS(claim->pipeline, loading->table, claim->slice, claim->run_id, claim->id, loading->load_id,
		    rejects, failure->message, loading->file_ids),
		NULL) &&
	    warehouse_query(ctx, pg, "evidence_write",
		PG_PARAMS(claim->pipeline, loading->table, claim->slice, claim->run_id, claim->id, loading->load_id,
		    claim->scope, loading->from, loading->to, loading->file_ids, fail_kind(failure->code)->name,
		    failure->message, counts_so_far(ctx, loading), checks_to_show(ctx, loading)),
		NULL) &&
	    pg_commit(ctx, pg);

	if (!ok)
		pg_rollback(pg);
	return ok;
}

void
keep_evidence(struct ctx *ctx, struct loading *loading)
{
	struct ctx *own;
	const char *rejects;

	if (!shows_something(ctx_failure(ctx)) || !pg_is_open(loading->warehouse)) {
		pg_rollback(loading->warehouse);
		return;
	}
	own = ctx_new("evidence", 0); /* the failure stays the ctx's */
	ctx_set_tags(own, ctx_get_tags(ctx));
	if (!read_rejects(own, loading, &rejects) || !write_evidence(own, loading, ctx_failure(ctx), rejects))
		log_failure(own, "the evidence of a failed slice could not be kept");
	ctx_free(own);
}

bool
supersede_evidence(struct ctx *ctx, struct loading *loading)
{
	const struct step_claim *claim = loading->job->claim;

	return warehouse_query(ctx, loading->warehouse, "evidence_supersede",
	    PG_PARAMS(loading->table, claim->slice, loading->load_id, claim->scope, loading->from, loading->to,
		loading->file_ids),
	    NULL);
}
