/* schema: tables as the warehouse has them, beside what is declared, and how they became so. */
#include "base/fail.h"
#include "base/text.h"
#include "etl/generate.h"
#include "etl/table_changes.h"
#include "etl/warehouse.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"

/* The lines of loadstar.ddl_log about a column, or about the table itself. */
static json_t *
history_of(struct ctx *ctx, const struct pg_rows *log, const char *table, const char *column)
{
	json_t *array = json_new_array(ctx);

	for (int i = 0; i < log->count; i++)
		if (text_equal(pg_value(log, i, 0), table) && text_equal(pg_value(log, i, 1), column))
			json_add(array, json_trusted(ctx, pg_value(log, i, 2)));
	return array;
}

static const char *
status_of(const struct spec_table *table, const char *name)
{
	if (spec_find_column(table, name) != NULL)
		return "declared";
	return table_is_bookkeeping(table, name) ? "bookkeeping" : "deprecated";
}

static json_t *
column_to_json(struct ctx *ctx, const struct spec_column *declared, const char *name, const char *status,
    const struct table_column *column)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "name", name);
	json_put_string(ctx, object, "status", status);
	json_put_string(ctx, object, "type", column != NULL ? column->type : NULL);
	json_put_string(ctx, object, "declared_type", declared != NULL ? spec_type_name(ctx, &declared->type) : NULL);
	json_put_bool(object, "not_null", column != NULL ? column->not_null : declared->key || declared->not_null);
	json_put_string(ctx, object, "comment", column != NULL ? column->comment : declared->comment);
	return object;
}

static bool
has_column(const struct table_column *columns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(columns[i].name, name))
			return true;
	return false;
}

/* The columns that are there in the table's order, then those that the next ddl step will add. */
static bool
add_table(struct ctx *ctx, struct pg *pg, const struct spec *spec, const struct spec_table *table,
    const struct pg_rows *log, json_t *items)
{
	const char *name = generate_table_name(ctx, spec, table->name);
	json_t *object = json_new_object(ctx), *list = json_new_array(ctx), *item;
	struct table_column *columns;
	size_t count;

	if (!table_columns_find(ctx, pg, generate_table_identifier(ctx, spec, table->name), &columns, &count))
		return false;
	for (size_t i = 0; i < count; i++) {
		item = column_to_json(ctx, spec_find_column(table, columns[i].name), columns[i].name,
		    status_of(table, columns[i].name), &columns[i]);
		json_put(item, "history", history_of(ctx, log, name, columns[i].name));
		json_add(list, item);
	}
	for (size_t i = 0; i < table->column_count; i++) {
		if (has_column(columns, count, table->columns[i].name))
			continue;
		item = column_to_json(ctx, &table->columns[i], table->columns[i].name, "pending", NULL);
		json_put(item, "history", history_of(ctx, log, name, table->columns[i].name));
		json_add(list, item);
	}
	json_put_string(ctx, object, "table", table->name);
	json_put_bool(object, "exists", count > 0);
	json_put(object, "columns", list);
	json_put(object, "history", history_of(ctx, log, name, NULL));
	json_add(items, object);
	return true;
}

static bool
read_log(struct ctx *ctx, struct pg *pg, const struct spec *spec, struct pg_rows *log)
{
	const char **names = ctx_alloc_array(ctx, spec->table_count + 1, sizeof(*names));

	for (size_t i = 0; i < spec->table_count; i++)
		names[i] = generate_table_name(ctx, spec, spec->tables[i].name);
	*log = (struct pg_rows){0};
	return warehouse_query(ctx, pg, "ddl_log_read", PG_PARAMS(pg_text_array(ctx, names, spec->table_count)), log) ||
	       warehouse_has_none_yet(ctx);
}

/* GET /v1/pipelines/{pipeline}/schema: all tables of the active version, or one. */
bool
schema_get(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *pipeline = request->path_values[0], *only = param_one(ctx, request, "table", text_is_name);
	json_t *items = json_new_array(ctx);
	const struct spec *spec;
	struct pg_rows log;
	struct pg *pg;

	if (ctx_failed(ctx))
		return false;
	if (!text_is_name(pipeline))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (!access_pipeline(ctx, request, SCOPE_RUNS_READ, pipeline) || !access_spec(ctx, app, pipeline, &spec))
		return false;
	if (only != NULL && spec_find_table(spec, only) == NULL)
		return fail_field(ctx, "?table", "%s declares no table %s", pipeline, only);
	if (!warehouse_open_reader(ctx, app->config, spec, "schema", &pg) || !read_log(ctx, pg, spec, &log))
		return false;
	for (size_t i = 0; i < spec->table_count; i++)
		if ((only == NULL || text_equal(only, spec->tables[i].name)) &&
		    !add_table(ctx, pg, spec, &spec->tables[i], &log, items))
			return false;
	return reply_page(ctx, reply, items, NULL);
}
