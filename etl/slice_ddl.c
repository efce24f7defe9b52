/* slice_ddl: bookkeeping and tables, in one transaction under one lock. */
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"

bool
slice_create_bookkeeping(struct ctx *ctx, struct pg *pg)
{
	static const char *const statements[] = {"bookkeeping_lock", "bookkeeping_schema", "bookkeeping_control",
	    "bookkeeping_fence", "bookkeeping_ledger", "bookkeeping_ledger_undo", "bookkeeping_ledger_undone",
	    "bookkeeping_quarantine", "bookkeeping_quarantine_states", "bookkeeping_quarantine_open",
	    "bookkeeping_quarantine_aborted", "bookkeeping_quarantine_run", "bookkeeping_quarantine_pipeline",
	    "bookkeeping_evidence", "bookkeeping_fence_files", "bookkeeping_file", "bookkeeping_file_ledger",
	    "bookkeeping_file_ledger_pipeline", "bookkeeping_ddl_log", "bookkeeping_view"};

	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++)
		if (!warehouse_query(ctx, pg, statements[i], PG_NO_PARAMS, NULL))
			return false;
	return true;
}

bool
claim_pipeline(struct ctx *ctx, const struct slice_job *job, struct pg *pg)
{
	const char *pipeline = job->spec->pipeline, *epoch = text_from_i64(ctx, job->epoch);
	struct pg_rows rows;

	if (!warehouse_query(ctx, pg, "control_claim", PG_PARAMS(pipeline, job->control_id, epoch), NULL) ||
	    !warehouse_query(ctx, pg, "control_owner", PG_PARAMS(pipeline), &rows))
		return false;
	if (rows.count == 1 && text_equal(pg_value(&rows, 0, 0), job->control_id) && pg_i64(&rows, 0, 1) == job->epoch)
		return true;
	return fail(ctx, FAIL_FOREIGN_OWNER,
	    "the tables of %s belong to control database %s, epoch %lld; this one is %s, %lld", pipeline,
	    rows.count == 1 ? pg_value(&rows, 0, 0) : "?", rows.count == 1 ? (long long)pg_i64(&rows, 0, 1) : 0,
	    job->control_id, (long long)job->epoch);
}

static bool
check_numbers(struct ctx *ctx, const struct slice_job *job, struct pg *pg)
{
	const struct spec *spec = job->spec;
	const char **names = ctx_alloc_array(ctx, spec->table_count + 1, sizeof(*names));
	struct pg_rows rows;
	int64_t highest;
	bool since;

	for (size_t i = 0; i < spec->table_count; i++)
		names[i] = generate_table_name(ctx, spec, spec->tables[i].name);
	if (!warehouse_query(ctx, pg, "fence_highest", PG_PARAMS(pg_text_array(ctx, names, spec->table_count)), &rows))
		return false;
	highest = pg_i64(&rows, 0, 0);
	if (highest <= job->load_id)
		return true;
	if (!is_claimed_since(ctx, job, highest, &since))
		return false;
	return since ||
	       fail(ctx, FAIL_FOREIGN_OWNER,
		   "a load of %s is registered as %lld, above every number of this control database: it is behind the one "
		   "that made it (`loadstar adopt`)",
		   spec->pipeline, (long long)highest);
}

/* Whatever a load of one of the tables locks, it reads or writes: a fact is resolved by its dimensions, a dimension re-points its
 * facts. */
static bool
is_wanted(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    const struct spec_table *const *tables, size_t count)
{
	CTX_SCOPE(tmp, ctx);
	const char *name = generate_table_name(tmp, spec, table->name);

	for (size_t i = 0; i < count; i++) {
		struct load_lock *locks;
		size_t lock_count;

		generate_locks(tmp, spec, tables[i], &locks, &lock_count);
		for (size_t k = 0; k < lock_count; k++)
			if (text_equal(locks[k].table, name))
				return true;
	}
	return false;
}

/* The tables of the run and those they need. Views may be made of any table. */
static bool
create_tables(struct ctx *ctx, struct loading *loading, const struct spec_table *const *tables, size_t count)
{
	const struct spec *spec = loading->job->spec;

	for (size_t i = 0; i < spec->table_count; i++)
		if ((spec->view_count > 0 || is_wanted(ctx, spec, &spec->tables[i], tables, count)) &&
		    !change_table(ctx, loading, &spec->tables[i]))
			return false;
	return loading->views_dropped == NULL ||
	       slice_create_views(ctx, loading->job, loading->warehouse, loading->views_dropped);
}

static void
log_changes(struct ctx *ctx, struct loading *loading)
{
	json_t *change;
	size_t i;

	json_array_foreach(loading->changes, i, change) {
		bool again = text_equal(json_string_or(change, "change", NULL), "made_again");

		log_event(ctx, loading->job, again ? LOG_WARN : LOG_INFO,
		    again ? "a table that was gone is made again" : "a table was changed", change);
	}
	log_trace(ctx, loading, "tables are as declared");
}

bool
slice_apply_ddl(struct ctx *ctx, const struct slice_job *job, const struct spec_table *const *tables, size_t count)
{
	CTX_SCOPE(own, ctx);
	struct slice_outcome outcome;
	struct loading loading;
	struct pg *pg;

	loading_init(own, &loading, job, &outcome);
	if (!open_warehouse(own, job, &loading.warehouse))
		return false;
	pg = loading.warehouse;
	if (pg_begin(own, pg) && slice_create_bookkeeping(own, pg) && claim_pipeline(own, job, pg) &&
	    check_numbers(own, job, pg) && create_tables(own, &loading, tables, count) && pg_commit(own, pg)) {
		log_changes(own, &loading);
		return true;
	}
	pg_rollback(pg);
	return false;
}
