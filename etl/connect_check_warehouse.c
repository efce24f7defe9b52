/* connect_check_warehouse: SQL of the pipeline tried against empty temporary tables of the declared shapes. */
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/connect_check_room.h"
#include "etl/generate_sql.h"
#include "etl/table_changes.h"
#include "etl/warehouse.h"

/* A table of the declared shape, empty, gone with the transaction; it hides the real one. */
static char *
temporary_table(struct connect_check *check, const struct spec_table *table)
{
	struct ctx *ctx = check->ctx;
	struct text out;

	text_init(&out, ctx);
	text_addf(&out, "CREATE TEMP TABLE %s (\n%s", pg_identifier(ctx, table->name), ddl_columns(ctx, table, false));
	if (table->surrogate != NULL)
		text_addf(&out, ",\n    %s bigint", pg_identifier(ctx, table->surrogate));
	for (size_t i = 0; i < table->lookup_count; i++)
		text_addf(&out, ",\n    %s bigint", pg_identifier(ctx, table->lookups[i].column));
	if (table->kind == TABLE_DIMENSION)
		text_add(&out,
		    ",\n    effective_from timestamptz, effective_to timestamptz, is_current boolean, is_inferred boolean, row_hash text");
	text_addf(&out, ",\n    load_id bigint, loaded_at timestamptz%s\n)",
	    spec_table_is_fed_by_files(table) && spec_find_column(table, "file_id") == NULL ? ", file_id bigint" : "");
	return out.data;
}

static struct spec_place
top_of(const char *path)
{
	return (struct spec_place){.file = path, .line = 1, .column = 1};
}

static const char *const nothing_around[] = {"", ""};

/* Whatever was tried is undone, so that the next can be. setup: SQL of ours; NULL: none. table: what must get its columns; NULL: nothing. */
static bool
try_text(struct connect_check *check, struct pg *pg, const char *setup, const struct connect_text *text,
    const char *const around[2], const struct spec_table *table)
{
	struct pg_column *columns;
	int count;

	if (!pg_run(check->ctx, pg, "SAVEPOINT before_text") || (setup != NULL && !pg_run(check->ctx, pg, setup)))
		return false;
	if (connect_describe(check, pg, text, around, &columns, &count) && table != NULL)
		connect_compare(check, table, columns, count);
	return pg_run(check->ctx, pg, "ROLLBACK TO SAVEPOINT before_text");
}

/* What others may be made of stays. */
static bool
try_view(struct connect_check *check, struct pg *pg, const struct spec_view *view)
{
	struct connect_text text = {.what = view->name, .place = view->place, .text = view->statement};

	if (!pg_run(check->ctx, pg, "SAVEPOINT before_view"))
		return false;
	if (pg_query(check->ctx, pg, view->statement, PG_NO_PARAMS, NULL))
		return true;
	connect_blame_text(check, &text, 0);
	return pg_run(check->ctx, pg, "ROLLBACK TO SAVEPOINT before_view");
}

static bool
try_staged(struct connect_check *check, struct pg *pg, const struct spec_table *table)
{
	struct connect_text text = {.what = table->name, .place = top_of(table->query_path), .text = table->query};

	return table->stage == NULL || try_text(check, pg, NULL, &text, nothing_around, table);
}

static bool
try_query(struct connect_check *check, struct pg *pg, const struct spec_query *query)
{
	struct connect_text text = {.what = query->name, .place = top_of(query->path), .text = query->text};

	return try_text(check, pg, NULL, &text, nothing_around, NULL);
}

/* The rows a check looks at: staged ones have the declared columns alone. */
static char *
rows_of(struct connect_check *check, const struct spec_check *of)
{
	struct ctx *ctx = check->ctx;

	if (of->gate != GATE_STAGING)
		return ctx_printf(ctx, "%s", pg_identifier(ctx, of->table->name));
	return ctx_printf(ctx, "(SELECT %s FROM %s)", sql_list(ctx, names_columns(ctx, of->table), NULL),
	    pg_identifier(ctx, of->table->name));
}

static bool
try_expressions(struct connect_check *check, struct pg *pg, const struct spec_check *of)
{
	struct ctx *ctx = check->ctx;
	struct connect_text rule = {.what = ctx_printf(ctx, "%s, rule", of->name),
				.place = of->rule_place,
				.text = of->rule},
			    where = {.what = ctx_printf(ctx, "%s, where", of->name),
				.place = of->where_place,
				.text = of->where};
	const char *rows = of->rule != NULL || of->where != NULL ? rows_of(check, of) : NULL;
	const char *of_rule[] = {"SELECT (\n", ctx_printf(ctx, "\n) IS FALSE FROM %s t", rows)};
	const char *of_where[] = {ctx_printf(ctx, "SELECT FROM %s t WHERE (\n", rows), "\n)"};

	rule.in_document = where.in_document = true;
	return (of->rule == NULL || try_text(check, pg, NULL, &rule, of_rule, NULL)) &&
	       (of->where == NULL || try_text(check, pg, NULL, &where, of_where, NULL));
}

static bool
try_check(struct connect_check *check, struct pg *pg, const struct spec_check *of)
{
	static const char *const one_value[] = {"SELECT (\n", "\n)"};
	struct connect_text text = {.what = of->name, .place = of->place, .text = of->query, .in_document = true};
	const char *staged = NULL;

	if (of->query == NULL)
		return try_expressions(check, pg, of);
	if (of->query_path != NULL) {
		text.place = top_of(of->query_path);
		text.in_document = false;
	}
	if (of->gate == GATE_STAGING)
		staged =
		    ctx_printf(check->ctx, "CREATE TEMP VIEW loadstar_stage AS SELECT * FROM %s t", rows_of(check, of));
	return try_text(check, pg, staged, &text, one_value, NULL);
}

struct trying {
	struct connect_check *check;
	struct pg *pg;
	const struct spec_script *script;
};

/* A statement may stand on what the ones before it made. */
static bool
try_statement(void *arg, const struct template_statement *statement)
{
	struct trying *trying = arg;
	struct connect_text text = {.what = trying->script->name,
	    .place = {trying->script->path, statement->line, statement->column},
	    .text = ctx_strndup(trying->check->ctx, statement->at, statement->length),
	    .makes_tables = true};

	return try_text(trying->check, trying->pg, NULL, &text, nothing_around, NULL);
}

static bool
make_tables(struct connect_check *check, struct pg *pg)
{
	const struct spec *spec = check->spec;
	const char *path = ctx_printf(check->ctx, "pg_temp, %s", pg_identifier(check->ctx, spec->schema));

	for (size_t i = 0; i < spec->table_count; i++)
		if (!pg_query(check->ctx, pg, temporary_table(check, &spec->tables[i]), PG_NO_PARAMS, NULL))
			return false;
	return warehouse_query(check->ctx, pg, "view_search_path", PG_PARAMS(path), NULL);
}

/* What the tables that are there cannot become. */
static bool
compare_tables(struct connect_check *check, struct pg *pg)
{
	for (size_t i = 0; i < check->spec->table_count; i++) {
		struct table_changes changes;

		if (!table_changes_find(check->ctx, pg, check->spec, &check->spec->tables[i], &changes))
			return false;
		for (size_t k = 0; k < changes.count; k++) {
			const struct table_change *change = &changes.items[k];
			struct spec_place place = table_change_place(&changes, change);

			if (change->refused != NULL)
				(void)finding(&check->findings, &place, "%s%s%s", changes.table->name,
				    change->column != NULL ? "." : ": ", change->refused);
		}
	}
	return true;
}

bool
connect_try_warehouse(struct connect_check *check, struct pg *pg)
{
	const struct spec *spec = check->spec;
	bool ok = compare_tables(check, pg) && pg_begin(check->ctx, pg) && make_tables(check, pg);

	for (size_t i = 0; ok && i < spec->table_count; i++)
		ok = try_staged(check, pg, &spec->tables[i]);
	for (size_t i = 0; ok && i < spec->script_count; i++)
		ok = template_split(spec->scripts[i].text, try_statement,
		    &(struct trying){check, pg, &spec->scripts[i]});
	for (size_t i = 0; ok && i < spec->view_count; i++)
		ok = try_view(check, pg, &spec->views[i]);
	for (size_t i = 0; ok && i < spec->check_count; i++)
		ok = try_check(check, pg, &spec->checks[i]);
	for (size_t i = 0; ok && i < spec->query_count; i++)
		ok = try_query(check, pg, &spec->queries[i]);
	return ok;
}
