#include "etl/connect_check.h"

#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/difference.h"
#include "etl/generate_sql.h"
#include "etl/spec/parse.h"
#include "etl/warehouse.h"
#include "sql/pg.h"

enum { STATEMENT_MS = 30 * 1000 };

/* January 2000: what :from and :to stand for. */
static const int64_t SAMPLE_FROM_US = INT64_C(946684800) * 1000 * 1000, SAMPLE_TO_US = INT64_C(949363200) * 1000 * 1000;

struct check {
	struct ctx *ctx;
	const struct config *config;
	const struct spec *spec;
	struct findings findings;
	json_t *params;
};

/* What a database said, as a finding. */
static void
take_failure(struct check *check, const struct spec_place *place, const char *what)
{
	(void)finding(&check->findings, place, "%s: %s", what, ctx_failure(check->ctx)->message);
	fail_clear(check->ctx);
}

static struct spec_place
top_of(const char *path)
{
	return (struct spec_place){.file = path, .line = 1, .column = 1};
}

/* A value of each parameter without a default: a query is only described, so any will do. */
static json_t *
sample_params(struct check *check)
{
	static const char *const samples[] = {"x", "0", "0", "0", "true", "0", "0", "2000-01-01", "2000-01-01",
	    "2000-01-01", "00000000-0000-0000-0000-000000000000", "{}"};
	json_t *params = json_new_object(check->ctx);

	for (size_t i = 0; i < check->spec->param_count; i++) {
		const struct spec_param *param = &check->spec->params[i];

		json_put_string(check->ctx, params, param->name,
		    param->default_text != NULL ? param->default_text : samples[param->type.kind]);
	}
	return params;
}

static bool
is_one_of(const char *type, const char *const *types)
{
	for (; *types != NULL; types++)
		if (text_equal(type, *types))
			return true;
	return false;
}

/* Whether a column can hold what a query gives: every value is one of the type, or becomes one without a loss. */
static bool
holds(const struct spec_type *declared, const char *given)
{
	static const char *const floats[] = {"real", "double precision", "smallint", "integer", NULL};
	static const char *const times[] = {"date", "timestamp without time zone", "timestamp with time zone", NULL};
	static const char *const documents[] = {"json", "jsonb", NULL};
	struct spec_type type;
	bool known = spec_type_parse(given, &type);

	switch (declared->kind) {
	case TYPE_TEXT: return true;
	case TYPE_DOUBLE: return is_one_of(given, floats);
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return is_one_of(given, times);
	case TYPE_JSONB: return is_one_of(given, documents);
	case TYPE_NUMERIC: return known && (type.kind == TYPE_NUMERIC || type_widens(&type, declared));
	default: return known && (type.kind == declared->kind || type_widens(&type, declared));
	}
}

static void
compare_columns(struct check *check, const struct spec_table *table, const struct pg_column *given, int count)
{
	const char **names = ctx_alloc_array(check->ctx, (size_t)count + 1, sizeof(*names));

	for (int i = 0; i < count; i++)
		names[i] = given[i].name;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct spec_column *column = &table->columns[i];
		const char *nearest;
		int found = 0;

		while (found < count && !text_equal(names[found], column->name))
			found++;
		if (found < count && !holds(&column->type, given[found].type))
			(void)finding(&check->findings, &column->place, "%s gives '%s' as %s, which is declared %s",
			    table->query_path, column->name, given[found].type,
			    spec_type_name(check->ctx, &column->type));
		if (found < count)
			continue;
		nearest = text_nearest(column->name, names, (size_t)count);
		(void)finding(&check->findings, &column->place, "%s gives no column '%s'%s%s%s", table->query_path,
		    column->name, nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
		    nearest != NULL ? "'?" : "");
	}
}

static void
check_extracts(struct check *check, const struct spec_source *source, struct pg *pg)
{
	for (size_t i = 0; i < check->spec->table_count; i++) {
		const struct spec_table *table = &check->spec->tables[i];
		struct spec_place place = top_of(table->query_path);
		struct pg_column *columns;
		char *sql;
		int count;

		if (table->source != source || table->query == NULL || table->stage != NULL)
			continue;
		if (!generate_source(check->ctx, check->spec, table, SAMPLE_FROM_US, SAMPLE_TO_US, check->params,
			&sql) ||
		    !pg_describe(check->ctx, pg, sql, &columns, &count))
			take_failure(check, &place, table->name);
		else
			compare_columns(check, table, columns, count);
	}
}

static bool
open_session(struct check *check, const char *connection, bool read_only, struct pg **pg)
{
	struct pg_options options = {.what = connection,
	    .application_name = "loadstar/check",
	    .time_zone = check->spec->timezone,
	    .statement_timeout_ms = STATEMENT_MS,
	    .lock_timeout_ms = STATEMENT_MS,
	    .read_only = read_only};
	struct secret url;

	return config_connection(check->ctx, check->config, connection, &url) &&
	       pg_open(check->ctx, &url, &options, pg);
}

static void
check_sources(struct check *check)
{
	for (size_t i = 0; i < check->spec->source_count; i++) {
		const struct spec_source *source = &check->spec->sources[i];
		struct pg *pg;

		if (source->kind != SOURCE_POSTGRES)
			continue;
		if (!open_session(check, source->connection, true, &pg)) {
			take_failure(check, &source->place, source->name);
			continue;
		}
		check_extracts(check, source, pg);
		pg_close(pg);
	}
}

/* A table of the declared shape, empty, gone with the transaction; it hides the real one. */
static char *
temporary_table(struct check *check, const struct spec_table *table)
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

/* Whatever fails is undone to go on with the next. */
static bool
try_view(struct check *check, struct pg *pg, const struct spec_view *view)
{
	if (!pg_run(check->ctx, pg, "SAVEPOINT before_view"))
		return false;
	if (pg_query(check->ctx, pg, view->statement, PG_NO_PARAMS, NULL))
		return true;
	take_failure(check, &view->place, view->name);
	return pg_run(check->ctx, pg, "ROLLBACK TO SAVEPOINT before_view");
}

static bool
try_query(struct check *check, struct pg *pg, const struct spec_query *query)
{
	struct spec_place place = top_of(query->path);
	struct pg_column *columns;
	int count;

	if (!pg_run(check->ctx, pg, "SAVEPOINT before_query"))
		return false;
	if (pg_describe(check->ctx, pg, query->text, &columns, &count))
		return true;
	take_failure(check, &place, query->name);
	return pg_run(check->ctx, pg, "ROLLBACK TO SAVEPOINT before_query");
}

static bool
try_all(struct check *check, struct pg *pg)
{
	const struct spec *spec = check->spec;
	const char *path = ctx_printf(check->ctx, "pg_temp, %s", pg_identifier(check->ctx, spec->schema));

	if (!pg_begin(check->ctx, pg))
		return false;
	for (size_t i = 0; i < spec->table_count; i++)
		if (!pg_query(check->ctx, pg, temporary_table(check, &spec->tables[i]), PG_NO_PARAMS, NULL))
			return false;
	if (!warehouse_query(check->ctx, pg, "view_search_path", PG_PARAMS(path), NULL))
		return false;
	for (size_t i = 0; i < spec->view_count; i++)
		if (!try_view(check, pg, &spec->views[i]))
			return false;
	for (size_t i = 0; i < spec->query_count; i++)
		if (!try_query(check, pg, &spec->queries[i]))
			return false;
	return true;
}

bool
connect_check(struct ctx *ctx, const struct config *config, const struct spec *spec, struct spec_error **errors)
{
	struct check check = {.ctx = ctx, .config = config, .spec = spec, .findings = {.ctx = ctx}};
	struct spec_place place = top_of("pipeline.yaml");
	struct pg *pg;

	check.params = sample_params(&check);
	check_sources(&check);
	if (!open_session(&check, spec->warehouse, false, &pg)) {
		take_failure(&check, &place, "warehouse");
	} else {
		if (!try_all(&check, pg))
			take_failure(&check, &place, "warehouse");
		pg_rollback(pg);
		pg_close(pg);
	}
	*errors = findings_sorted(&check.findings);
	return !ctx_failed(ctx);
}
