#include "etl/trace.h"

#include "base/text.h"
#include "etl/generate_sql.h"
#include "etl/warehouse.h"

enum { FIRST_KEY = 3, MOST_VERSIONS = 1000 };

/* t."k" = $3::type AND … */
static char *
key_condition(struct ctx *ctx, const struct spec_table *table)
{
	struct text out;

	text_init(&out, ctx);
	text_add(&out, "$2::text IS NOT NULL"); /* where no file is asked for, it would have no type */
	for (size_t i = 0; i < table->key_count; i++)
		text_addf(&out, " AND t.%s = $%zu::%s", pg_identifier(ctx, table->keys[i]), FIRST_KEY + i,
		    sql_column_type(ctx, table, table->keys[i]));
	return out.data;
}

/* The load that a row carries, and what the ledger says of it. A member that a fact inferred carries the fact's load. */
static const char load_of[] =
    "jsonb_build_object('load_id', t.load_id::text, 'run_id', l.run_id, 'table', split_part(l.table_name, '.', 2),\n"
    "       'slice', l.slice, 'committed_at', l.committed_at, 'spec_version', l.spec_hash,\n"
    "       'rows', l.result -> 'rows', 'checks', COALESCE(l.result -> 'checks', '[]'),\n"
    "       'undone_at', (SELECT u.committed_at FROM loadstar.slice_ledger u WHERE u.table_name = l.table_name\n"
    "                        AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id))";

static const char ledger_join[] =
    "  LEFT JOIN loadstar.slice_ledger l ON l.load_id = t.load_id AND l.table_name = ANY ($1::text[])\n";

char *
trace_versions_sql(struct ctx *ctx, const struct spec *spec, const struct spec_table *table)
{
	bool dimension = table->kind == TABLE_DIMENSION, files = spec_table_is_fed_by_files(table);
	struct text shown;

	text_init(&shown, ctx);
	if (table->surrogate != NULL)
		text_addf(&shown, "t.%s, ", pg_identifier(ctx, table->surrogate));
	text_add(&shown, sql_list(ctx, names_declared(ctx, table), "t"));
	for (size_t i = 0; i < table->lookup_count; i++)
		text_addf(&shown, ", t.%s", pg_identifier(ctx, table->lookups[i].column));
	if (dimension)
		text_add(&shown, ", t.effective_from, t.effective_to, t.is_current, t.is_inferred");
	text_add(&shown, ", t.loaded_at");
	return ctx_printf(ctx,
	    "SELECT (SELECT row_to_json(v) FROM (SELECT %s) v),\n       %s,\n       %s\n"
	    "  FROM %s t\n%s%s WHERE %s\n ORDER BY %s\n LIMIT %d",
	    shown.data, load_of, files ? "to_json(f)" : "NULL", sql_table(ctx, spec, table), ledger_join,
	    files ? "  LEFT JOIN LATERAL (SELECT path, etag, size, arrived_at FROM loadstar.file_ledger f\n"
		    "              WHERE f.file_id = t.file_id AND f.table_name = $2 AND f.load_id <= t.load_id\n"
		    "              ORDER BY f.load_id DESC LIMIT 1) f ON true\n"
		  : "",
	    key_condition(ctx, table), dimension ? "t.effective_from" : "t.load_id", MOST_VERSIONS);
}

/* The log has no times of loading of its own: those of its loads. */
static char *
observations_sql(struct ctx *ctx, const struct spec_table *table)
{
	return ctx_printf(ctx,
	    "SELECT jsonb_build_object('at', t.at, 'op', t.op), %s, NULL\n  FROM loadstar.%s t\n%s WHERE %s\n"
	    " ORDER BY t.at, t.load_id, t.row_number\n LIMIT %d",
	    load_of, sql_bookkeeping(ctx, table, "log"), ledger_join, key_condition(ctx, table), MOST_VERSIONS);
}

static json_t *
rows_to_json(struct ctx *ctx, const struct pg_rows *rows, const char *what)
{
	json_t *list = json_new_array(ctx);

	for (int i = 0; i < rows->count; i++) {
		json_t *item = json_new_object(ctx);

		json_put(item, what, json_trusted(ctx, pg_value(rows, i, 0)));
		json_put(item, "load", json_trusted(ctx, pg_value(rows, i, 1)));
		json_put(item, "file", json_trusted(ctx, pg_value(rows, i, 2)));
		json_add(list, item);
	}
	return list;
}

static bool
ask(struct ctx *ctx, struct pg *warehouse, const char *sql, struct pg_params params, const char *what, json_t **list)
{
	struct pg_rows rows = {0};

	if (!pg_query(ctx, warehouse, sql, params, &rows) && !warehouse_has_none_yet(ctx))
		return false;
	*list = rows_to_json(ctx, &rows, what);
	return true;
}

bool
trace_row(struct ctx *ctx, struct pg *warehouse, const struct spec *spec, const struct spec_table *table,
    const char *const *values, json_t **answer)
{
	const char **names = ctx_alloc_array(ctx, spec->table_count, sizeof(*names));
	const char **params = ctx_alloc_array(ctx, table->key_count + FIRST_KEY - 1, sizeof(*params));
	json_t *key = json_new_object(ctx), *versions, *observations = json_null();

	for (size_t i = 0; i < spec->table_count; i++)
		names[i] = generate_table_name(ctx, spec, spec->tables[i].name);
	params[0] = pg_text_array(ctx, names, spec->table_count);
	params[1] = generate_table_name(ctx, spec, table->name);
	for (size_t i = 0; i < table->key_count; i++) {
		params[FIRST_KEY - 1 + i] = values[i];
		json_put_string(ctx, key, table->keys[i], values[i]);
	}
	if (!ask(ctx, warehouse, trace_versions_sql(ctx, spec, table),
		(struct pg_params){params, (int)table->key_count + FIRST_KEY - 1}, "row", &versions) ||
	    (table->kind == TABLE_DIMENSION && table->scd == 2 &&
		!ask(ctx, warehouse, observations_sql(ctx, table),
		    (struct pg_params){params, (int)table->key_count + FIRST_KEY - 1}, "observation", &observations)))
		return false;
	*answer = json_new_object(ctx);
	json_put_string(ctx, *answer, "pipeline", spec->pipeline);
	json_put_string(ctx, *answer, "table", table->name);
	json_put(*answer, "key", key);
	json_put(*answer, "versions", versions);
	json_put(*answer, "observations", observations);
	return true;
}
