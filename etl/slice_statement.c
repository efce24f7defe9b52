/* slice_statement: generated statements, run and counted. */
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_internal.h"
#include "etl/template.h"

bool
fill_statement(struct ctx *ctx, const struct loading *loading, const struct load_statement *statement, char **sql)
{
	const struct step_claim *claim = loading->job->claim;
	const struct template_value values[] = {
	    {"load_id", NULL, loading->load_id},
	    {"step_id", "uuid", claim->id},
	    {"run_id", "uuid", claim->run_id},
	    {"from", "timestamp with time zone", loading->from},
	    {"to", "timestamp with time zone", loading->to},
	    {"file_ids", NULL,
		ctx_printf(ctx, "%s::bigint[]",
		    loading->file_ids == NULL ? "NULL" : pg_literal(ctx, loading->file_ids))},
	    {"snapshot_at", "timestamp with time zone", loading->snapshot_at},
	    {"now", "timestamp with time zone", loading->asked_at},
	    {"slice", "text", claim->slice},
	};

	return template_fill(ctx, statement->name, statement->sql, values, LENGTH_OF(values), sql);
}

static bool
count_row(struct ctx *ctx, struct loading *loading, const struct load_statement *statement, const struct pg_rows *rows)
{
	ASSERT(rows->count == 1);
	for (int i = 0; i < rows->columns; i++) {
		int64_t count = pg_i64(rows, 0, i);

		if (!text_equal(pg_column_name(rows, i), "missed"))
			ASSERT(add_count(&loading->outcome->counts, pg_column_name(rows, i), count));
		else if (count != 0)
			return fail(ctx, FAIL_ROW_LAW, "%s: %lld rows of %s %s", statement->name,
			    (long long)(count > 0 ? count : -count), loading->table,
			    count > 0 ? "were not written as they had to be" : "are more than there had to be");
	}
	return true;
}

static bool
count_result(struct ctx *ctx, struct loading *loading, const struct load_statement *statement,
    const struct pg_rows *rows)
{
	struct load_counts *counts = &loading->outcome->counts;
	const char *detail;

	switch (statement->counter) {
	case COUNT_NOTHING: return true;
	case COUNT_AFFECTED: ASSERT(add_count(counts, statement->field, rows->affected)); return true;
	case COUNT_ROW: return count_row(ctx, loading, statement, rows);
	case COUNT_MUST_BE_0:
		ASSERT(rows->count == 1);
		if (pg_i64(rows, 0, 0) == 0)
			return true;
		detail = rows->columns > 1 ? pg_value(rows, 0, 1) : NULL;
		return fail(ctx, statement->code, "%lld %s%s%s", (long long)pg_i64(rows, 0, 0), statement->message,
		    detail != NULL ? ": " : "", detail != NULL ? text_sanitize(ctx, detail) : "");
	}
	return true;
}

static bool
is_due(const struct loading *loading, const struct load_statement *statement)
{
	bool empty = loading->outcome->counts.rows_before == 0;

	return statement->when == WHEN_ALWAYS || (statement->when == WHEN_EMPTY) == empty;
}

void
trace_statement(struct ctx *ctx, struct loading *loading, const char *name, int64_t since_us, int64_t rows)
{
	json_t *item = json_new_object(ctx);

	json_put_string(ctx, item, "statement", name);
	json_put_int(item, "ms", (clock_monotonic_us() - since_us) / 1000);
	json_put_int(item, "rows", rows);
	json_add(loading->trace, item);
}

bool
run_statements(struct ctx *ctx, struct loading *loading, const struct load_statements *statements)
{
	for (size_t i = 0; i < statements->count; i++) {
		CTX_SCOPE(tmp, ctx);
		const struct load_statement *statement = &statements->items[i];
		int64_t since_us = clock_monotonic_us();
		struct pg_rows rows;
		char *sql;

		if (!is_due(loading, statement))
			continue;
		if (!fill_statement(tmp, loading, statement, &sql) ||
		    !pg_query(tmp, loading->warehouse, sql, PG_NO_PARAMS, &rows) ||
		    !count_result(tmp, loading, statement, &rows))
			return false;
		trace_statement(ctx, loading, statement->name, since_us, rows.affected);
	}
	return true;
}

void
log_event(struct ctx *ctx, const struct slice_job *job, enum log_level level, const char *message, json_t *fields)
{
	if (job->log.write != NULL)
		job->log.write(job->log.arg, ctx, level, message, fields);
}

void
log_trace(struct ctx *ctx, struct loading *loading, const char *message)
{
	json_t *fields = json_new_object(ctx);

	json_put_string(ctx, fields, "table", loading->table);
	json_put_string(ctx, fields, "slice", loading->job->claim->slice);
	json_put_string(ctx, fields, "backend_pid", loading->pid);
	json_put_int(fields, "ms", (clock_monotonic_us() - loading->since_us) / 1000);
	json_put(fields, "statements", loading->trace);
	log_event(ctx, loading->job, LOG_INFO, message, fields);
	loading->trace = json_new_array(ctx);
	loading->since_us = clock_monotonic_us();
}
