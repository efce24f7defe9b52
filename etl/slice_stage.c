/* slice_stage: the source's rows into staging, in a form that both sides read the same way. */
#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/generate.h"
#include "etl/slice_internal.h"

/* Types whose binary form is that of the declared type; a server casts nothing in a binary COPY. varchar travels as text. */
static bool
is_same_binary(enum type_kind kind, unsigned oid)
{
	static const unsigned oids[] = {[TYPE_TEXT] = 25,
	    [TYPE_SMALLINT] = 21,
	    [TYPE_INTEGER] = 23,
	    [TYPE_BIGINT] = 20,
	    [TYPE_BOOLEAN] = 16,
	    [TYPE_NUMERIC] = 1700,
	    [TYPE_DOUBLE] = 701,
	    [TYPE_DATE] = 1082,
	    [TYPE_TIMESTAMP] = 1114,
	    [TYPE_TIMESTAMPTZ] = 1184,
	    [TYPE_UUID] = 2950,
	    [TYPE_JSONB] = 3802};
	enum { OID_VARCHAR = 1043 };

	return oid == oids[kind] || (kind == TYPE_TEXT && oid == OID_VARCHAR);
}

static const struct pg_column *
find_column(const struct pg_column *columns, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (text_equal(columns[i].name, name))
			return &columns[i];
	return NULL;
}

/* The source's query, described: has it every declared column, and may the rows travel in binary? */
static bool
compare_columns(struct ctx *ctx, const struct spec_table *table, const struct pg_column *columns, int count,
    bool *binary)
{
	struct text missing, found;

	text_init(&missing, ctx);
	text_init(&found, ctx);
	*binary = true;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct pg_column *column = find_column(columns, count, table->columns[i].name);

		if (column == NULL)
			text_addf(&missing, "%s%s", missing.length == 0 ? "" : ", ", table->columns[i].name);
		else if (!is_same_binary(table->columns[i].type.kind, column->oid))
			*binary = false;
	}
	if (missing.length == 0)
		return true;
	for (int i = 0; i < count; i++)
		text_addf(&found, "%s%s", i == 0 ? "" : ", ", columns[i].name);
	return fail(ctx, FAIL_SOURCE_COLUMNS, "%s does not give %s; it gives %s", table->query_path, missing.data,
	    found.data);
}

/* What the source has against the query, told again with its place. */
static bool
blame(struct ctx *ctx, const struct slice_job *job)
{
	const int64_t slice_us[2] = {job->claim->from_us, job->claim->to_us};
	struct failure failure = *ctx_failure(ctx);
	struct spec_place place;

	if (failure.code != FAIL_SQL_ERROR)
		return false;
	place = generate_source_place(ctx, job->spec, job->table, slice_us, job->claim->params, failure.position);
	fail_clear(ctx);
	return fail_sql(ctx, failure.code, failure.sqlstate, "%s:%d:%d: %s", place.file, place.line, place.column,
	    failure.message);
}

/* The query as the run's parameters make it. It is described as written: the cut to the declared columns would hide what it has. */
static bool
describe_source(struct ctx *ctx, const struct loading *loading, struct pg *source, bool *binary)
{
	const struct spec_table *table = loading->job->table;
	struct pg_column *columns;
	char *whole;
	int count;

	if (!generate_source(ctx, loading->job->spec, table, loading->job->claim->from_us, loading->job->claim->to_us,
		loading->job->claim->params, &whole))
		return false;
	return pg_describe(ctx, source, whole, &columns, &count) ? compare_columns(ctx, table, columns, count, binary)
								 : blame(ctx, loading->job);
}

static bool
copy_rows(struct ctx *ctx, struct loading *loading, struct pg *source)
{
	const struct slice_job *job = loading->job;
	struct pg_copied copied;
	struct pg_rows rows;
	char *extract, *create, *copy_from;
	bool binary = false;

	if (!generate_extract(ctx, job->spec, job->table, job->claim->from_us, job->claim->to_us, job->claim->params,
		&extract) ||
	    !describe_source(ctx, loading, source, &binary) ||
	    !pg_query(ctx, source, warehouse_sql("source_time"), PG_NO_PARAMS, &rows))
		return false;
	loading->snapshot_at = clock_format(ctx, pg_time_us(&rows, 0, 0));
	generate_stage_table(ctx, job->table, &create, &copy_from);
	if (!pg_query(ctx, loading->warehouse, create, PG_NO_PARAMS, NULL) ||
	    !pg_copy(ctx, source, ctx_printf(ctx, "COPY (%s) TO STDOUT%s", extract, binary ? " (FORMAT binary)" : ""),
		loading->warehouse, ctx_printf(ctx, "%s%s", copy_from, binary ? " (FORMAT binary)" : ""), &copied))
		return false;
	loading->outcome->counts.read = copied.rows;
	loading->outcome->bytes_read = copied.bytes;
	return true;
}

static void
log_extracted(struct ctx *ctx, struct loading *loading)
{
	json_t *fields = json_new_object(ctx);

	json_put_string(ctx, fields, "table", loading->table);
	json_put_string(ctx, fields, "slice", loading->job->claim->slice);
	json_put_string(ctx, fields, "snapshot_at", loading->snapshot_at);
	json_put_int(fields, "rows", loading->outcome->counts.read);
	json_put_int(fields, "bytes", loading->outcome->bytes_read);
	json_put_int(fields, "ms", (clock_monotonic_us() - loading->since_us) / 1000);
	log_event(ctx, loading->job, LOG_INFO, "extracted", fields);
	loading->since_us = clock_monotonic_us();
}

static bool
extract(struct ctx *ctx, struct loading *loading)
{
	struct load_statements statements;
	struct pg *source;

	if (!stage_rejects(ctx, loading))
		return false;
	if (spec_table_is_fed_by_files(loading->job->table))
		return stage_files(ctx, loading);
	if (!note_input(ctx, loading) || !open_source(ctx, loading->job, &source) || !copy_rows(ctx, loading, source))
		return false;
	pg_close(source);
	log_extracted(ctx, loading);
	return note_source(ctx, loading) &&
	       generate_stage_checks(ctx, loading->job->spec, loading->job->table, &statements) &&
	       run_statements(ctx, loading, &statements);
}

bool
stage_slice(struct ctx *ctx, struct loading *loading)
{
	if (!extract(ctx, loading) || !check_staged(ctx, loading)) {
		keep_evidence(ctx, loading);
		keep_failed_files(ctx, loading);
		return false;
	}
	log_trace(ctx, loading, "staged");
	return true;
}
