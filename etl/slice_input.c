/*
 * slice_input: tables that are fed by shared staging.
 *
 * The query is asked in another session than the one that loads, without any lock. Which load the staging holds is noted before, and
 * compared in PUBLISH under its lock: what was read is then what that load wrote, and nothing between two.
 */
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"

static bool
ask(struct ctx *ctx, struct loading *loading, const char **load)
{
	const struct slice_job *job = loading->job;
	const char *names[] = {generate_table_name(ctx, job->spec, job->table->stage->name)};
	struct pg_rows rows;

	if (!warehouse_query(ctx, loading->warehouse, "ledger_inputs", PG_PARAMS(pg_text_array(ctx, names, 1)), &rows))
		return false;
	*load = pg_value(&rows, 0, 0);
	return true;
}

bool
note_input(struct ctx *ctx, struct loading *loading)
{
	return loading->job->table->stage == NULL || ask(ctx, loading, &loading->input_load);
}

bool
check_input(struct ctx *ctx, struct loading *loading)
{
	const char *now;

	if (loading->input_load == NULL)
		return true;
	if (!ask(ctx, loading, &now))
		return false;
	return text_equal(now, loading->input_load) ||
	       fail(ctx, FAIL_STALE_SNAPSHOT, "the staging %s was loaded again since it was asked",
		   loading->job->table->stage->name);
}
