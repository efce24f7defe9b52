/*
 * slice_publish: one short transaction that makes a staged slice visible, or nothing.
 *
 * DESIGN. READ COMMITTED, all locks first: every look at ledger and fence comes after them and therefore sees what the last holder
 * committed. FOR SHARE on the registration makes a revocation wait for this transaction (or end its session), so that what it reads
 * afterwards is final. An answer to COMMIT that does not come is no failure yet: the old session is ended, the lock is
 * taken, and then the ledger tells.
 */
#include <stdlib.h>

#include "base/fail.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "etl/slice_internal.h"

static bool
lock_tables(struct ctx *ctx, struct loading *loading)
{
	struct load_lock *locks;
	size_t count;

	if (loading->job->script != NULL)
		return take_locks(ctx, loading, &(struct load_lock){.table = loading->table, .exclusive = true}, 1);
	generate_locks(ctx, loading->job->spec, loading->job->table, &locks, &count);
	return take_locks(ctx, loading, locks, count);
}

/* Am I still the one who may publish this slice? */
static bool
check_right(struct ctx *ctx, struct loading *loading)
{
	const struct slice_job *job = loading->job;
	const struct step_claim *claim = job->claim;
	struct pg *pg = loading->warehouse;
	struct pg_rows rows;

	if (!warehouse_query(ctx, pg, "control_check",
		PG_PARAMS(claim->pipeline, job->control_id, text_from_i64(ctx, job->epoch)), &rows))
		return false;
	if (rows.count != 1)
		return fail(ctx, FAIL_FOREIGN_OWNER,
		    "the tables of %s belong to another control database or epoch than %s, %lld", claim->pipeline,
		    job->control_id, (long long)job->epoch);
	if (!warehouse_query(ctx, pg, "fence_check", PG_PARAMS(loading->table, claim->slice, loading->load_id), &rows))
		return false;
	if (rows.count != 1)
		return fail(ctx, FAIL_FENCED, "load_id %s is not registered any more for %s %s", loading->load_id,
		    loading->table, claim->slice);
	if (!warehouse_query(ctx, pg, "conflict_check",
		PG_PARAMS(loading->table, claim->slice, loading->load_id, claim->scope, loading->from, loading->to),
		&rows))
		return false;
	if (pg_i64(&rows, 0, 0) != 0)
		return fail(ctx, FAIL_FENCED, "newer loads than %s are registered for slices of %s that overlap %s",
		    loading->load_id, loading->table, claim->slice);
	return true;
}

/* Which load each dimension was at that this slice was resolved with. Stable: their locks are held. */
static bool
find_inputs(struct ctx *ctx, struct loading *loading, const char **inputs)
{
	const struct spec_table *table = loading->job->table;
	const char **names = ctx_alloc_array(ctx, table->lookup_count + 1, sizeof(*names));
	size_t count = table->lookup_count;
	struct pg_rows rows;

	for (size_t i = 0; i < table->lookup_count; i++)
		names[i] = generate_table_name(ctx, loading->job->spec, table->lookups[i].dimension->name);
	if (table->stage != NULL)
		names[count++] = generate_table_name(ctx, loading->job->spec, table->stage->name);
	if (!warehouse_query(ctx, loading->warehouse, "ledger_inputs", PG_PARAMS(pg_text_array(ctx, names, count)),
		&rows))
		return false;
	*inputs = pg_value(&rows, 0, 0);
	return true;
}

static bool
hash_content(struct ctx *ctx, struct loading *loading, const char **hash)
{
	const struct slice_job *job = loading->job;
	struct load_statement statement = {.name = "hash the content",
	    .sql = generate_content_hash(ctx, job->spec, job->table, job->claim->scope)};
	struct pg_rows rows;
	char *sql;

	if (!fill_statement(ctx, loading, &statement, &sql) ||
	    !pg_query(ctx, loading->warehouse, sql, PG_NO_PARAMS, &rows))
		return false;
	*hash = pg_value(&rows, 0, 0);
	loading->outcome->counts.content_rows = strtoll(*hash, NULL, 10); /* "<rows>:<sum>" */
	return true;
}

static bool
write_ledger(struct ctx *ctx, struct loading *loading, const char *inputs, const char *hash)
{
	const struct slice_job *job = loading->job;
	const struct step_claim *claim = job->claim;
	const char *result = json_text(ctx, result_to_json(ctx, loading, inputs));
	struct pg_rows rows;

	if (!warehouse_query(ctx, loading->warehouse, "ledger_insert",
		PG_PARAMS(claim->id, claim->run_id, claim->pipeline, loading->table, claim->slice, claim->scope,
		    loading->from, loading->to, loading->load_id, job->spec->hash, result, hash, loading->snapshot_at,
		    text_from_i64(ctx, job->table != NULL ? job->table->lag_ms : 0)),
		&rows))
		return false;
	loading->outcome->committed_us = pg_time_us(&rows, 0, 1);
	return true;
}

static bool
write_rows(struct ctx *ctx, struct loading *loading)
{
	const struct slice_job *job = loading->job;
	struct load_statements statements;
	const char *inputs, *hash;

	return generate_publish(ctx, job->spec, job->table, job->claim->scope, &statements) &&
	       run_statements(ctx, loading, &statements) && publish_rejects(ctx, loading) &&
	       supersede_evidence(ctx, loading) && check_laws(ctx, &loading->outcome->counts) &&
	       ask_guards(ctx, loading) && check_published(ctx, loading) && publish_files(ctx, loading) &&
	       hash_content(ctx, loading, &hash) && find_inputs(ctx, loading, &inputs) &&
	       write_ledger(ctx, loading, inputs, hash);
}

static bool
write_slice(struct ctx *ctx, struct loading *loading)
{
	if (loading->job->script != NULL)
		return write_script(ctx, loading) && supersede_evidence(ctx, loading) &&
		       write_ledger(ctx, loading, "{}", NULL) && failpoint(ctx, "before_commit");
	return write_rows(ctx, loading) && failpoint(ctx, "before_commit");
}

/* Rule 11. The answer to COMMIT was lost: with the old session gone and the lock in hand, the ledger knows. */
static bool
resolve_commit(struct ctx *ctx, struct loading *loading)
{
	struct slice_outcome written = *loading->outcome;
	bool found;

	fail_clear(ctx);
	pg_close(loading->warehouse);
	log_event(ctx, loading->job, LOG_WARN, "the answer to COMMIT was lost: asking the ledger",
	    json_new_object(ctx));
	if (!open_warehouse(ctx, loading->job, &loading->warehouse) ||
	    !end_session(ctx, loading->warehouse, loading->pid, loading->started) ||
	    !read_under_lock(ctx, loading, &found))
		return false;
	if (!found)
		return fail(ctx, FAIL_CONNECTION_LOST, "the warehouse session broke before its COMMIT took effect");
	written.committed_us = loading->outcome->committed_us;
	*loading->outcome = written;
	return true;
}

static bool
commit(struct ctx *ctx, struct loading *loading)
{
	bool ok = failpoint_drops("lose_commit") ? pg_commit_and_drop(ctx, loading->warehouse)
						 : pg_commit(ctx, loading->warehouse);

	if (!ok && ctx_failure(ctx)->code == FAIL_COMMIT_UNKNOWN)
		ok = resolve_commit(ctx, loading);
	return ok && failpoint(ctx, "after_commit");
}

bool
publish_slice(struct ctx *ctx, struct loading *loading)
{
	bool found = false;
	bool ok = pg_begin(ctx, loading->warehouse) && lock_tables(ctx, loading) &&
		  find_committed(ctx, loading, &found) &&
		  (found || (check_right(ctx, loading) && check_files(ctx, loading) && check_input(ctx, loading) &&
				write_slice(ctx, loading)));

	if (!ok) {
		keep_evidence(ctx, loading);
		keep_failed_files(ctx, loading);
		return false;
	}
	if (found) {
		pg_rollback(loading->warehouse);
		return true;
	}
	if (!commit(ctx, loading))
		return false;
	log_trace(ctx, loading, "published");
	log_guards(ctx, loading);
	return true;
}
