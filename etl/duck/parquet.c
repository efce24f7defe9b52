/*
 * parquet: one Parquet file by the names of its columns. It is looked at twice: for rows with a value that is none of the declared
 * type, which become rejects, and for the others.
 */
#include <string.h>

#include "base/text.h"
#include "etl/duck/child.h"

struct parquet {
	struct child *child;
	const struct scan *scan;
	size_t file;
	char *from; /* read_parquet(…) */
};

/* The file's types of the declared columns, in their order; fails for one that is not there. */
static bool
describe(struct parquet *parquet, duckdb_type *types)
{
	const struct duck_input *input = parquet->scan->input;
	struct ctx *ctx = parquet->child->ctx;
	duckdb_prepared_statement statement;

	if (duck.prepare(parquet->child->connection, ctx_printf(ctx, "SELECT * FROM %s", parquet->from), &statement) !=
	    DuckDBSuccess) {
		(void)events_error(parquet->child, "file_unreadable", "%s cannot be read: %s",
		    input->files[parquet->file].path, duck.prepare_error(statement));
		duck.destroy_prepare(&statement);
		return false;
	}
	for (size_t c = 0; c < input->column_count; c++) {
		const char *name = input->columns[c].from != NULL ? input->columns[c].from : input->columns[c].name;

		types[c] = DUCKDB_TYPE_INVALID;
		for (idx_t i = 0; i < duck.prepared_statement_column_count(statement); i++) {
			const char *found = duck.prepared_statement_column_name(statement, i);

			if (text_equal(found, name))
				types[c] = duck.prepared_statement_column_type(statement, i);
			duck.free((void *)(uintptr_t)found);
		}
		if (types[c] == DUCKDB_TYPE_INVALID)
			(void)events_error(parquet->child, "source_columns", "%s has no column %s",
			    input->files[parquet->file].path, name);
	}
	duck.destroy_prepare(&statement);
	return !parquet->child->failed;
}

/* The value as the declared type, or NULL where it is none. What DuckDB would round on the way to an integer is none. */
static char *
cast_of(struct ctx *ctx, const struct duck_column *column, duckdb_type from)
{
	const char *name = pg_identifier(ctx, column->from != NULL ? column->from : column->name);
	const char *type = database_type(ctx, &column->type);
	bool integer =
	    column->type.kind == TYPE_SMALLINT || column->type.kind == TYPE_INTEGER || column->type.kind == TYPE_BIGINT;

	if (column->type.kind == TYPE_TEXT)
		return ctx_printf(ctx,
		    "CASE WHEN NOT contains(CAST(%s AS VARCHAR), chr(0)) THEN CAST(%s AS VARCHAR) END", name, name);
	if (column->type.kind == TYPE_JSONB)
		return ctx_printf(ctx, "CAST(TRY_CAST(%s AS JSON) AS VARCHAR)", name);
	if (integer && from == DUCKDB_TYPE_VARCHAR)
		return ctx_printf(ctx, "CASE WHEN regexp_full_match(%s, '[+-]?[0-9]+') THEN TRY_CAST(%s AS %s) END",
		    name, name, type);
	if (integer && (from == DUCKDB_TYPE_FLOAT || from == DUCKDB_TYPE_DOUBLE || from == DUCKDB_TYPE_DECIMAL))
		return ctx_printf(ctx, "CASE WHEN %s = trunc(%s) THEN TRY_CAST(%s AS %s) END", name, name, name, type);
	if (value_is_text(&column->type))
		return ctx_printf(ctx, "CAST(CASE WHEN TRY_CAST(%s AS DOUBLE) IS NOT NULL THEN %s END AS VARCHAR)",
		    name, name);
	return ctx_printf(ctx, "TRY_CAST(%s AS %s)", name, type);
}

/* Tells the rejects of one chunk: line, column, row as JSON. */
static bool
tell_chunk(struct parquet *parquet, duckdb_data_chunk chunk)
{
	int64_t *lines = duck.vector_get_data(duck.data_chunk_get_vector(chunk, 0));
	int32_t *columns = duck.vector_get_data(duck.data_chunk_get_vector(chunk, 1));
	duckdb_string_t *raws = duck.vector_get_data(duck.data_chunk_get_vector(chunk, 2));
	const struct duck_input *input = parquet->scan->input;

	for (idx_t row = 0; row < duck.data_chunk_get_size(chunk); row++) {
		const duckdb_string_t *raw = &raws[row];
		bool inlined = raw->value.inlined.length <= sizeof(raw->value.inlined.inlined);

		if (!events_reject(parquet->child,
			&(struct record){.file = parquet->scan->first_file + parquet->file,
			    .line = lines[row],
			    .column = input->columns[columns[row]].name,
			    .rule = rule_word(RULE_TYPE),
			    .raw = inlined ? raw->value.inlined.inlined : raw->value.pointer.ptr,
			    .raw_length = raw->value.inlined.length},
			input->hide_raw))
			return false;
	}
	return true;
}

static bool
tell_rejects(struct parquet *parquet, const char *sql, int64_t *rejected)
{
	duckdb_result result;
	duckdb_data_chunk chunk;
	bool good = true;

	*rejected = 0;
	if (duck.query(parquet->child->connection, sql, &result) != DuckDBSuccess)
		return database_fail(parquet->child, &result);
	while (good && (chunk = duck.fetch_chunk(result)) != NULL) {
		*rejected += (int64_t)duck.data_chunk_get_size(chunk);
		good = tell_chunk(parquet, chunk);
		duck.destroy_data_chunk(&chunk);
	}
	duck.destroy_result(&result);
	return good;
}

static bool
count_rows(struct parquet *parquet, int64_t *rows)
{
	duckdb_result result;
	duckdb_data_chunk chunk;

	if (duck.query(parquet->child->connection,
		ctx_printf(parquet->child->ctx, "SELECT count(*) FROM %s", parquet->from), &result) != DuckDBSuccess)
		return database_fail(parquet->child, &result);
	chunk = duck.fetch_chunk(result);
	*rows = chunk != NULL ? *(int64_t *)duck.vector_get_data(duck.data_chunk_get_vector(chunk, 0)) : 0;
	duck.destroy_data_chunk(&chunk);
	duck.destroy_result(&result);
	return true;
}

/* "NULL which bad column": 0-based, the first one; and the good rows' SELECT. */
static char *
write_queries(struct parquet *parquet, const duckdb_type *types, char **select)
{
	const struct duck_input *input = parquet->scan->input;
	struct ctx *ctx = parquet->child->ctx;
	struct text cases, list;

	text_init(&cases, ctx);
	text_init(&list, ctx);
	for (size_t c = 0; c < input->column_count; c++) {
		const struct duck_column *column = &input->columns[c];
		const char *cast = cast_of(ctx, column, types[c]);

		text_addf(&cases, " WHEN %s IS NOT NULL AND (%s) IS NULL THEN %zu",
		    pg_identifier(ctx, column->from != NULL ? column->from : column->name), cast, c);
		text_addf(&list, "%s AS %s, ", cast, pg_identifier(ctx, column->name));
	}
	*select = ctx_printf(ctx,
	    "SELECT %s%lld::BIGINT AS loadstar_file, file_row_number + 1 AS loadstar_line FROM %s WHERE CASE%s END IS NULL",
	    list.data, (long long)input->files[parquet->file].id, parquet->from, cases.data);
	return ctx_printf(ctx,
	    "SELECT file_row_number + 1, bad::INTEGER, left(raw, 4096) FROM (SELECT file_row_number, CASE%s END AS bad,"
	    " CAST(to_json(loadstar_row) AS VARCHAR) AS raw FROM %s AS loadstar_row) WHERE bad IS NOT NULL",
	    cases.data, parquet->from);
}

bool
parquet_reject(struct child *child, const struct scan *scan, size_t file, char **select)
{
	struct parquet parquet = {.child = child, .scan = scan, .file = file};
	duckdb_type *types = ctx_alloc_array(child->ctx, scan->input->column_count + 1, sizeof(*types));
	struct duck_counts counts = {0};
	char *rejects;

	parquet.from = ctx_printf(child->ctx, "read_parquet(%s, file_row_number = true, binary_as_string = true)",
	    pg_literal(child->ctx, scan->input->files[file].path));
	if (!describe(&parquet, types))
		return false;
	rejects = write_queries(&parquet, types, select);
	if (!count_rows(&parquet, &counts.lines) || !tell_rejects(&parquet, rejects, &counts.rejected))
		return false;
	counts.rows = counts.lines - counts.rejected;
	events_file(child, scan->first_file + file, &counts);
	return true;
}
