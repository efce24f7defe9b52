#include "etl/table_changes.h"

#include <string.h>

#include "base/text.h"
#include "etl/difference.h"
#include "etl/generate_sql.h"
#include "etl/spec/parse.h"
#include "etl/warehouse.h"

struct work {
	struct ctx *ctx;
	const struct spec_table *table;
	const char *target; /* quoted */
	enum table_part part;
	const struct table_column *columns;
	size_t count;
	struct table_changes *out;
};

static struct table_change *
add(struct work *work, const char *column, const char *change)
{
	struct table_changes *out = work->out;
	struct table_change *items = ctx_alloc_array(work->ctx, out->count + 1, sizeof(*items));

	if (out->count > 0)
		memcpy(items, out->items, out->count * sizeof(*items));
	out->items = items;
	items[out->count] = (struct table_change){.column = column, .change = work->part == PART_TABLE ? change : NULL};
	return &items[out->count++];
}

static char *
alter(struct work *work, const char *what, const char *column, const char *rest)
{
	return ctx_printf(work->ctx, "ALTER TABLE %s %s %s%s", work->target, what, pg_identifier(work->ctx, column),
	    rest);
}

static const struct table_column *
find(const struct work *work, const char *name)
{
	for (size_t i = 0; i < work->count; i++)
		if (strcmp(work->columns[i].name, name) == 0)
			return &work->columns[i];
	return NULL;
}

/* DEFAULT fills the rows that are there; a table that has none yet needs none to be NOT NULL. */
static void
add_column(struct work *work, const struct spec_column *column)
{
	const char *type = spec_type_name(work->ctx, &column->type);
	struct table_change *change = add(work, column->name, "added");
	bool required = work->part == PART_TABLE && column->not_null;
	const char *filled = column->default_text;

	change->after = type;
	change->sql = alter(work, "ADD COLUMN IF NOT EXISTS", column->name,
	    ctx_printf(work->ctx, " %s%s%s%s", type, filled != NULL ? " DEFAULT " : "",
		filled != NULL ? pg_literal(work->ctx, filled) : "", required && filled != NULL ? " NOT NULL" : ""));
}

/* The unknown member has a neutral value where others must have one. */
static void
require(struct work *work, const struct spec_column *column)
{
	struct table_change *change;

	if (work->table->kind == TABLE_DIMENSION) {
		change = add(work, column->name, NULL);
		change->sql = ctx_printf(work->ctx, "UPDATE %s SET %s = %s WHERE %s = " UNKNOWN_KEY " AND %s IS NULL",
		    work->target, pg_identifier(work->ctx, column->name), sql_neutral_value(&column->type),
		    pg_identifier(work->ctx, work->table->surrogate), pg_identifier(work->ctx, column->name));
	}
	change = add(work, column->name, "not_null");
	change->before = "NULL";
	change->after = "NOT NULL";
	change->sql = alter(work, "ALTER COLUMN", column->name, " SET NOT NULL");
}

static void
allow_null(struct work *work, const char *name)
{
	struct table_change *change = add(work, name, "nullable");

	change->before = "NOT NULL";
	change->after = "NULL";
	change->sql = alter(work, "ALTER COLUMN", name, " DROP NOT NULL");
}

static void
compare_type(struct work *work, const struct spec_column *column, const struct table_column *actual)
{
	const char *type = spec_type_name(work->ctx, &column->type);
	struct table_change *change;
	struct spec_type is;
	bool known = spec_type_parse(actual->type, &is);

	if (strcmp(actual->type, type) == 0 || (known && type_widens(&column->type, &is)))
		return;
	change = add(work, column->name, "widened");
	change->before = actual->type;
	change->after = type;
	if (known && type_widens(&is, &column->type))
		change->sql = alter(work, "ALTER COLUMN", column->name, ctx_printf(work->ctx, " TYPE %s", type));
	else
		change->refused =
		    ctx_printf(work->ctx, "%s is %s, declared %s: types only widen", column->name, actual->type, type);
}

static void
compare_comment(struct work *work, const struct spec_column *column, const struct table_column *actual)
{
	const char *before = actual != NULL ? actual->comment : NULL;
	struct table_change *change;

	if (column->comment == NULL || text_equal(column->comment, before))
		return;
	change = add(work, column->name, "comment");
	change->before = before;
	change->after = column->comment;
	change->sql = ctx_printf(work->ctx, "COMMENT ON COLUMN %s.%s IS %s", work->target,
	    pg_identifier(work->ctx, column->name), pg_literal(work->ctx, column->comment));
}

static void
compare_column(struct work *work, const struct spec_column *column)
{
	const struct table_column *actual = find(work, column->name);
	bool required = column->key || column->not_null;

	if (work->part == PART_RETIRED && !column->key)
		return;
	if (actual == NULL)
		add_column(work, column);
	else
		compare_type(work, column, actual);
	if (work->part != PART_TABLE)
		return;
	if (required && (actual == NULL ? column->default_text == NULL : !actual->not_null))
		require(work, column);
	else if (!required && actual != NULL && actual->not_null)
		allow_null(work, column->name);
	compare_comment(work, column, actual);
}

bool
table_is_bookkeeping(const struct spec_table *table, const char *column)
{
	static const char *const names[] = {"load_id", "loaded_at", "file_id", "effective_from", "effective_to",
	    "is_current", "is_inferred", "row_hash"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], column) == 0)
			return true;
	for (size_t i = 0; i < table->lookup_count; i++)
		if (strcmp(table->lookups[i].column, column) == 0)
			return true;
	return text_equal(table->surrogate, column);
}

/* What was declared once, and must have a value, would be in the way of rows that have none. */
static void
let_go(struct work *work)
{
	for (size_t i = 0; i < work->count; i++) {
		const struct table_column *column = &work->columns[i];

		if (column->not_null && !column->fills_itself && spec_find_column(work->table, column->name) == NULL &&
		    !table_is_bookkeeping(work->table, column->name))
			allow_null(work, column->name);
	}
}

static void
add_bookkeeping(struct work *work, const char *name, const char *definition)
{
	struct table_change *change;

	if (find(work, name) != NULL)
		return;
	change = add(work, name, "added");
	change->after = definition;
	change->sql = alter(work, "ADD COLUMN IF NOT EXISTS", name, ctx_printf(work->ctx, " %s", definition));
}

void
table_changes_of(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, enum table_part part,
    const struct table_column *columns, size_t count, struct table_changes *changes)
{
	static const char *const suffixes[] = {NULL, "log", "retired"};
	struct work work =
	    {.ctx = ctx, .table = table, .part = part, .columns = columns, .count = count, .out = changes};

	if (count == 0)
		return;
	work.target = part == PART_TABLE ? sql_table(ctx, spec, table)
					 : ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, suffixes[part]));
	for (size_t i = 0; i < table->column_count; i++)
		compare_column(&work, &table->columns[i]);
	if (part != PART_TABLE)
		return;
	for (size_t i = 0; i < table->lookup_count; i++)
		add_bookkeeping(&work, table->lookups[i].column, "bigint NOT NULL DEFAULT " UNKNOWN_KEY);
	if (table->kind == TABLE_DIMENSION)
		add_bookkeeping(&work, "is_inferred", "boolean NOT NULL DEFAULT false");
	add_bookkeeping(&work, "load_id", "bigint NOT NULL DEFAULT 0");
	add_bookkeeping(&work, "loaded_at", "timestamp with time zone NOT NULL DEFAULT now()");
	let_go(&work);
}

bool
table_columns_find(struct ctx *ctx, struct pg *pg, const char *identifier, struct table_column **columns, size_t *count)
{
	struct pg_rows rows;

	if (!warehouse_query(ctx, pg, "table_columns", PG_PARAMS(identifier), &rows))
		return false;
	*count = (size_t)rows.count;
	*columns = ctx_alloc_array(ctx, *count + 1, sizeof(**columns));
	for (int i = 0; i < rows.count; i++)
		(*columns)[i] = (struct table_column){
		    .name = pg_value(&rows, i, 0),
		    .type = pg_value(&rows, i, 1),
		    .not_null = pg_bool(&rows, i, 2),
		    .fills_itself = pg_bool(&rows, i, 3),
		    .comment = pg_value(&rows, i, 4),
		};
	return true;
}

bool
table_changes_find(struct ctx *ctx, struct pg *pg, const struct spec *spec, const struct spec_table *table,
    struct table_changes *changes)
{
	const char *parts[PART_COUNT] = {
	    sql_table(ctx, spec, table),
	    ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, "log")),
	    ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, "retired")),
	};
	struct table_column *columns;
	size_t count;

	*changes = (struct table_changes){.table = table};
	for (int part = 0; part < PART_COUNT; part++) {
		if (!table_columns_find(ctx, pg, parts[part], &columns, &count))
			return false;
		if (part == PART_TABLE)
			changes->exists = count > 0;
		table_changes_of(ctx, spec, table, (enum table_part)part, columns, count, changes);
	}
	return table_shape_find(ctx, pg, spec, table, changes);
}

struct spec_place
table_change_place(const struct table_changes *changes, const struct table_change *change)
{
	const struct spec_column *column =
	    change->column != NULL ? spec_find_column(changes->table, change->column) : NULL;

	if (change->place.file != NULL)
		return change->place;
	return column != NULL && column->place.file != NULL ? column->place : changes->table->place;
}

char *
table_change_refusal(struct ctx *ctx, const struct table_changes *changes, const struct table_change *change)
{
	struct spec_place place = table_change_place(changes, change);

	return ctx_printf(ctx, "%s:%d:%d: %s%s%s", place.file, place.line, place.column, changes->table->name,
	    change->column != NULL ? "." : ": ", change->refused);
}

json_t *
table_change_to_json(struct ctx *ctx, const struct table_changes *changes, const struct table_change *change)
{
	struct spec_place place = table_change_place(changes, change);
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "table", changes->table->name);
	json_put_string(ctx, object, "column", change->column);
	json_put_string(ctx, object, "at", ctx_printf(ctx, "%s:%d:%d", place.file, place.line, place.column));
	json_put_string(ctx, object, "change", change->change != NULL ? change->change : "bookkeeping");
	json_put_string(ctx, object, "before", change->before);
	json_put_string(ctx, object, "after", change->after);
	json_put_string(ctx, object, "statement", change->sql);
	json_put_bool(object, "allowed", change->refused == NULL);
	json_put_string(ctx, object, "reason", change->refused);
	return object;
}
