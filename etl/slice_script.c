/*
 * slice_script: the statements of a post_load file, within PUBLISH.
 *
 * Names stand for the pipeline's schema. The file may not begin or end transactions (the specification is refused), so that its effect
 * and its ledger row commit together: whoever finds the row finds the work done.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"
#include "etl/template.h"

struct running {
	struct ctx *ctx;
	struct loading *loading;
	const struct template_value *values;
	size_t value_count;
};

/* The failure, told again with its place. */
static bool
blame(struct running *running, const struct template_statement *statement)
{
	struct ctx *ctx = running->ctx;
	struct failure failure = *ctx_failure(ctx);
	int line = 1, column = 1;

	if (failure.code != FAIL_SQL_ERROR && failure.code != FAIL_SQL_DATA)
		return false;
	fail_clear(ctx);
	if (failure.position > 0)
		(void)template_place(ctx, ctx_strndup(ctx, statement->at, statement->length), running->values,
		    running->value_count, failure.position, &line, &column);
	return fail_sql(ctx, failure.code, failure.sqlstate, "%s:%d:%d: %s", running->loading->job->script->path,
	    statement->line + line - 1, line == 1 ? statement->column + column - 1 : column, failure.message);
}

static bool
run_statement(void *arg, const struct template_statement *statement)
{
	struct running *running = arg;
	struct loading *loading = running->loading;
	const struct spec_script *script = loading->job->script;
	int64_t since_us = clock_monotonic_us();
	CTX_SCOPE(tmp, running->ctx);
	struct pg_rows rows;
	char *sql;

	if (!template_fill(tmp, script->path, ctx_strndup(tmp, statement->at, statement->length), running->values,
		running->value_count, &sql))
		return false;
	if (!pg_query(tmp, loading->warehouse, sql, PG_NO_PARAMS, &rows))
		return blame(running, statement);
	trace_statement(running->ctx, loading, ctx_printf(running->ctx, "%s:%d", script->path, statement->line),
	    since_us, rows.affected);
	return true;
}

bool
write_script(struct ctx *ctx, struct loading *loading)
{
	const struct slice_job *job = loading->job;
	const struct spec *spec = job->spec;
	struct template_value *values = ctx_alloc_array(ctx, spec->param_count + 2, sizeof(*values));
	struct running running = {.ctx = ctx, .loading = loading, .values = values};

	values[running.value_count++] = (struct template_value){"run_id", "uuid", job->claim->run_id};
	values[running.value_count++] = (struct template_value){"load_id", "bigint", loading->load_id};
	generate_params(ctx, spec, job->claim->params, values + running.value_count);
	running.value_count += spec->param_count;
	return warehouse_query(ctx, loading->warehouse, "view_search_path", PG_PARAMS(pg_identifier(ctx, spec->schema)),
		   NULL) &&
	       template_split(job->script->text, run_statement, &running);
}
