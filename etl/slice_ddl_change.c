/* slice_ddl_change: one table becomes as it is declared, within the ddl step's transaction; each change that was made is recorded. */
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"
#include "etl/table_changes.h"

static const char used_by_view[] = "0A000"; /* feature_not_supported: cannot alter type of a column used by a view */

static bool
record(struct ctx *ctx, struct loading *loading, const struct spec_table *table, const struct table_change *change)
{
	const struct slice_job *job = loading->job;
	const char *name = generate_table_name(ctx, job->spec, table->name);

	return warehouse_query(ctx, loading->warehouse, "ddl_log_insert",
	    PG_PARAMS(job->spec->pipeline, name, change->column, change->change, change->before, change->after,
		job->claim->run_id, job->claim->id, job->spec->hash, change->sql),
	    NULL);
}

/* The failure, told again with the column it is about. */
static bool
blame(struct ctx *ctx, const struct spec_table *table, const struct table_change *change)
{
	struct failure failure = *ctx_failure(ctx);

	if (failure.code != FAIL_SQL_ERROR && failure.code != FAIL_SQL_DATA)
		return false;
	fail_clear(ctx);
	return fail_sql(ctx, FAIL_DDL_MISMATCH, failure.sqlstate, "%s.%s cannot become %s: %s%s", table->name,
	    change->column, change->after != NULL ? change->after : change->change, failure.message,
	    text_equal(failure.sqlstate, used_by_view) ? "; a view that the pipeline does not declare holds it" : "");
}

/* Views on a column hold its type: the declared ones are made again at the end of the step. */
static bool
run_change(struct ctx *ctx, struct loading *loading, const struct spec_table *table, const struct table_change *change)
{
	struct pg *pg = loading->warehouse;

	if (!text_equal(change->change, "widened") || loading->views_dropped != NULL)
		return pg_query(ctx, pg, change->sql, PG_NO_PARAMS, NULL) || blame(ctx, table, change);
	if (!pg_run(ctx, pg, "SAVEPOINT before_change"))
		return false;
	if (pg_query(ctx, pg, change->sql, PG_NO_PARAMS, NULL))
		return pg_run(ctx, pg, "RELEASE SAVEPOINT before_change");
	if (!text_equal(ctx_failure(ctx)->sqlstate, used_by_view))
		return blame(ctx, table, change);
	fail_clear(ctx);
	if (!pg_run(ctx, pg, "ROLLBACK TO SAVEPOINT before_change") ||
	    !slice_drop_views(ctx, loading->job, pg, &loading->views_dropped))
		return false;
	return pg_query(ctx, pg, change->sql, PG_NO_PARAMS, NULL) || blame(ctx, table, change);
}

static bool
make_changes(struct ctx *ctx, struct loading *loading, const struct table_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++)
		if (changes->items[i].refused != NULL)
			return fail(ctx, FAIL_DDL_MISMATCH, "%s",
			    table_change_refusal(ctx, changes, &changes->items[i]));
	for (size_t i = 0; i < changes->count; i++) {
		const struct table_change *change = &changes->items[i];

		if (!run_change(ctx, loading, changes->table, change) ||
		    (change->change != NULL && !record(ctx, loading, changes->table, change)))
			return false;
		json_add(loading->changes, table_change_to_json(ctx, changes, change));
	}
	return true;
}

/* What CREATE TABLE cannot say: comments. They belong to the creation, which is recorded as a whole. */
static bool
complete(struct ctx *ctx, struct loading *loading, const struct spec_table *table)
{
	const struct table_change created = {.change = "created"};
	struct table_changes changes;

	if (!table_changes_find(ctx, loading->warehouse, loading->job->spec, table, &changes))
		return false;
	for (size_t i = 0; i < changes.count; i++)
		if (!run_change(ctx, loading, table, &changes.items[i]))
			return false;
	return record(ctx, loading, table, &created);
}

/* Somebody dropped it: the ledger goes on telling what was loaded, and the run says what to do. */
static bool
note_made_again(struct ctx *ctx, struct loading *loading, const struct spec_table *table)
{
	const char *names[] = {generate_table_name(ctx, loading->job->spec, table->name)};
	struct pg_rows rows;
	json_t *said;

	if (!warehouse_query(ctx, loading->warehouse, "ledger_tables", PG_PARAMS(pg_text_array(ctx, names, 1)), &rows))
		return false;
	if (pg_value(&rows, 0, 0) == NULL)
		return true;
	said = json_new_object(ctx);
	json_put_string(ctx, said, "table", table->name);
	json_put_string(ctx, said, "change", "made_again");
	json_put_string(ctx, said, "hint",
	    "it is empty, though the ledger has loads of it: a run with mode all fills it");
	json_add(loading->changes, said);
	return true;
}

bool
change_table(struct ctx *ctx, struct loading *loading, const struct spec_table *table)
{
	struct load_statements statements;
	struct table_changes changes;

	return table_changes_find(ctx, loading->warehouse, loading->job->spec, table, &changes) &&
	       make_changes(ctx, loading, &changes) && generate_ddl(ctx, loading->job->spec, table, &statements) &&
	       run_statements(ctx, loading, &statements) &&
	       (changes.exists || (complete(ctx, loading, table) && note_made_again(ctx, loading, table)));
}
