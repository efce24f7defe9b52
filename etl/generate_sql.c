#include "etl/generate_sql.h"

#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/text.h"
#include "sql/pg.h"

struct names
names_keys(const struct spec_table *table)
{
	return (struct names){.items = table->keys, .count = table->key_count};
}

static struct names
names_where(struct ctx *ctx, const struct spec_table *table, bool (*wanted)(const struct spec_column *column))
{
	struct names names = {.items = ctx_alloc_array(ctx, table->column_count + 1, sizeof(char *))};

	for (size_t i = 0; i < table->column_count; i++)
		if (wanted(&table->columns[i]))
			names.items[names.count++] = table->columns[i].name;
	return names;
}

static bool
is_any(const struct spec_column *column)
{
	return column->name != NULL;
}

static bool
is_value(const struct spec_column *column)
{
	return !column->key;
}

static bool
is_tracked(const struct spec_column *column)
{
	return column->tracked && !column->key;
}

struct names
names_columns(struct ctx *ctx, const struct spec_table *table)
{
	return names_where(ctx, table, is_any);
}

static bool
is_declared(const struct spec_column *column)
{
	return !column->implicit;
}

struct names
names_declared(struct ctx *ctx, const struct spec_table *table)
{
	return names_where(ctx, table, is_declared);
}

struct names
names_values(struct ctx *ctx, const struct spec_table *table)
{
	return names_where(ctx, table, is_value);
}

struct names
names_tracked(struct ctx *ctx, const struct spec_table *table)
{
	return names_where(ctx, table, is_tracked);
}

struct names
names_lookups(struct ctx *ctx, const struct spec_table *table)
{
	struct names names = {.items = ctx_alloc_array(ctx, table->lookup_count + 1, sizeof(char *))};

	for (size_t i = 0; i < table->lookup_count; i++)
		names.items[names.count++] = table->lookups[i].column;
	return names;
}

struct names
names_join(struct ctx *ctx, struct names a, struct names b)
{
	struct names names = {.items = ctx_alloc_array(ctx, a.count + b.count + 1, sizeof(char *))};

	for (size_t i = 0; i < a.count; i++)
		names.items[names.count++] = a.items[i];
	for (size_t i = 0; i < b.count; i++)
		names.items[names.count++] = b.items[i];
	return names;
}

static void
add_column(struct text *out, const char *alias, const char *name)
{
	if (alias != NULL)
		text_addf(out, "%s.", alias);
	text_add(out, pg_identifier(out->ctx, name));
}

char *
sql_list(struct ctx *ctx, struct names names, const char *alias)
{
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < names.count; i++) {
		text_add(&out, i == 0 ? "" : ", ");
		add_column(&out, alias, names.items[i]);
	}
	return out.data;
}

char *
sql_more(struct ctx *ctx, struct names names, const char *alias)
{
	return names.count == 0 ? ctx_strdup(ctx, "") : ctx_printf(ctx, ", %s", sql_list(ctx, names, alias));
}

char *
sql_equal(struct ctx *ctx, struct names names, const char *a, const char *b)
{
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < names.count; i++) {
		text_add(&out, i == 0 ? "" : " AND ");
		add_column(&out, a, names.items[i]);
		text_add(&out, " = ");
		add_column(&out, b, names.items[i]);
	}
	return out.data;
}

char *
sql_distinct(struct ctx *ctx, struct names names, const char *a, const char *b)
{
	if (names.count == 0)
		return ctx_strdup(ctx, "false");
	return ctx_printf(ctx, "ROW(%s) IS DISTINCT FROM ROW(%s)", sql_list(ctx, names, a), sql_list(ctx, names, b));
}

char *
sql_set(struct ctx *ctx, struct names names, const char *from)
{
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < names.count; i++) {
		text_add(&out, i == 0 ? "" : ", ");
		add_column(&out, NULL, names.items[i]);
		text_add(&out, " = ");
		add_column(&out, from, names.items[i]);
	}
	return out.data;
}

char *
sql_update_due(struct ctx *ctx, const struct sql_update *update)
{
	return ctx_printf(ctx,
	    "WITH due AS MATERIALIZED (\n%s),\n"
	    "written AS (\n"
	    "    UPDATE %s %s SET %s\n"
	    "      FROM due %s WHERE %s.ctid = %s.loadstar_row RETURNING 1)\n"
	    "SELECT %sd.n - w.n AS missed\n"
	    "  FROM (SELECT count(*) AS n FROM written) w, (SELECT count(DISTINCT loadstar_row) AS n FROM due) d",
	    update->due, update->target, update->alias, update->set, update->from, update->alias, update->from,
	    update->field == NULL ? "" : ctx_printf(ctx, "w.n AS %s, ", update->field));
}

struct load_statement *
statement_add(struct ctx *ctx, struct load_statements *list, const char *name, char *sql)
{
	struct load_statement *items = list->items;
	size_t count = list->count;

	if (count % 8 == 0) {
		items = ctx_alloc_array(ctx, count + 8, sizeof(*items));
		if (count > 0)
			memcpy(items, list->items, count * sizeof(*items));
		list->items = items;
	}
	list->count++;
	items[count] = (struct load_statement){.name = name, .sql = sql};
	return &items[count];
}

char *
sql_column_type(struct ctx *ctx, const struct spec_table *table, const char *column)
{
	const struct spec_column *found = spec_find_column(table, column);

	ASSERT(found != NULL);
	return spec_type_name(ctx, &found->type);
}

char *
generate_table_identifier(struct ctx *ctx, const struct spec *spec, const char *table)
{
	return ctx_printf(ctx, "%s.%s", pg_identifier(ctx, spec->schema), pg_identifier(ctx, table));
}

char *
generate_table_name(struct ctx *ctx, const struct spec *spec, const char *table)
{
	return ctx_printf(ctx, "%s.%s", spec->schema, table);
}

char *
sql_table(struct ctx *ctx, const struct spec *spec, const struct spec_table *table)
{
	return generate_table_identifier(ctx, spec, table->name);
}

char *
sql_bookkeeping(struct ctx *ctx, const struct spec_table *table, const char *suffix)
{
	enum { NAME_LIMIT = 63, KEPT = 40, HASH = 12 };
	char *name = ctx_printf(ctx, "%s_%s", table->name, suffix);

	if (strlen(name) > NAME_LIMIT)
		name =
		    ctx_printf(ctx, "%.*s_%.*s_%.8s", KEPT, table->name, HASH, crypto_sha256_text(ctx, name), suffix);
	return pg_identifier(ctx, name);
}

const char *
sql_neutral_value(const struct spec_type *type)
{
	switch (type->kind) {
	case TYPE_TEXT: return "'unknown'";
	case TYPE_SMALLINT:
	case TYPE_INTEGER:
	case TYPE_BIGINT:
	case TYPE_DOUBLE: return "-1";
	case TYPE_NUMERIC: return type->precision > 0 && type->precision == type->scale ? "0" : "-1";
	case TYPE_BOOLEAN: return "false";
	case TYPE_DATE: return "DATE '0001-01-01'";
	case TYPE_TIMESTAMP: return "TIMESTAMP '0001-01-01 00:00:00'";
	case TYPE_TIMESTAMPTZ: return "TIMESTAMPTZ '0001-01-01 00:00:00+00'";
	case TYPE_UUID: return "UUID '00000000-0000-0000-0000-000000000000'";
	case TYPE_JSONB: return "JSONB '{}'";
	}
	ASSERT(!"a type without a neutral value");
	return "";
}

char *
sql_next_key(struct ctx *ctx, const struct spec *spec, const struct spec_table *table)
{
	return ctx_printf(ctx, "nextval((SELECT pg_get_serial_sequence(%s, %s)::regclass))",
	    pg_literal(ctx, sql_table(ctx, spec, table)), pg_literal(ctx, table->surrogate));
}

char *
sql_slice(struct ctx *ctx, const struct spec_table *table, const char *scope, const char *alias)
{
	const char *time;

	if (text_equal(scope, "files"))
		return ctx_printf(ctx, "%s.file_id = ANY (:file_ids)", alias);
	if (!text_equal(scope, "time"))
		return ctx_strdup(ctx, "true");
	ASSERT(table->time != NULL);
	time = pg_identifier(ctx, table->time);
	return ctx_printf(ctx, "%s.%s >= :from AND %s.%s < :to", alias, time, alias, time);
}

char *
sql_loads(struct ctx *ctx, const struct spec *spec, const struct spec_table *table)
{
	const char *name = pg_literal(ctx, generate_table_name(ctx, spec, table->name));

	return ctx_printf(ctx,
	    "FROM loadstar.slice_ledger l\n"
	    "     WHERE l.table_name = %s AND l.state <> 'undo'\n"
	    "       AND NOT EXISTS (SELECT FROM loadstar.slice_ledger u\n"
	    "                        WHERE u.table_name = %s AND u.state = 'undo' AND (u.result ->> 'undoes')::bigint = l.load_id)",
	    name, name);
}

char *
sql_observed_at(struct ctx *ctx, const struct spec_table *table, const char *alias)
{
	if (table->valid_from == NULL)
		return ctx_strdup(ctx, ":snapshot_at");
	return ctx_printf(ctx, "%s.%s::timestamptz", alias, pg_identifier(ctx, table->valid_from));
}

bool
table_retires(const struct spec_table *table)
{
	if (table->kind == TABLE_DIMENSION)
		return table->scd == 2 || table->dimension_write == DIMENSION_REPLACE;
	return table->surrogate != NULL && table->key_count > 0;
}
