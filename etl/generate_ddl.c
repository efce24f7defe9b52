/* generate_ddl: tables with their bookkeeping. Every statement may run again; none takes a lock when there is nothing to do. */
#include "base/text.h"
#include "etl/generate_sql.h"
#include "sql/pg.h"

char *
ddl_columns(struct ctx *ctx, const struct spec_table *table, bool required)
{
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct spec_column *column = &table->columns[i];

		text_addf(&out, "%s    %s %s%s", i == 0 ? "" : ",\n", pg_identifier(ctx, column->name),
		    spec_type_name(ctx, &column->type),
		    required && (column->key || column->not_null) ? " NOT NULL" : "");
	}
	return out.data;
}

/* CREATE INDEX locks the table before it sees that the index is there; this asks first. suffix ends the index's name. */
void
ddl_index(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, bool unique, const char *suffix,
    const char *definition, struct load_statements *out)
{
	char *name = sql_bookkeeping(ctx, table, suffix);

	statement_add(ctx, out, "create index",
	    ctx_printf(ctx,
		"DO $ddl$ BEGIN IF to_regclass(%s) IS NULL THEN\n"
		"    CREATE %sINDEX %s ON %s %s;\n"
		"END IF; END $ddl$",
		pg_literal(ctx, ctx_printf(ctx, "%s.%s", pg_identifier(ctx, spec->schema), name)),
		unique ? "UNIQUE " : "", name, sql_table(ctx, spec, table), definition));
}

/* New columns of a table that exists already. A lookup's column starts at the unknown member. */
static void
add_columns(struct ctx *ctx, const struct spec_table *table, const char *target, bool bookkeeping,
    struct load_statements *out)
{
	struct text names, adds;

	text_init(&names, ctx);
	text_init(&adds, ctx);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct spec_column *column = &table->columns[i];

		text_addf(&names, "%s%s", i == 0 ? "" : ", ", pg_literal(ctx, column->name));
		text_addf(&adds, "%s\n        ADD COLUMN IF NOT EXISTS %s %s", i == 0 ? "" : ",",
		    pg_identifier(ctx, column->name), spec_type_name(ctx, &column->type));
	}
	for (size_t i = 0; bookkeeping && i < table->lookup_count; i++) {
		const char *column = table->lookups[i].column;

		text_addf(&names, ", %s", pg_literal(ctx, column));
		text_addf(&adds, ",\n        ADD COLUMN IF NOT EXISTS %s bigint NOT NULL DEFAULT " UNKNOWN_KEY,
		    pg_identifier(ctx, column));
	}
	if (bookkeeping && table->kind == TABLE_DIMENSION) {
		text_add(&names, ", 'is_inferred'");
		text_add(&adds, ",\n        ADD COLUMN IF NOT EXISTS is_inferred boolean NOT NULL DEFAULT false");
	}
	statement_add(ctx, out, "add new columns",
	    ctx_printf(ctx,
		"DO $ddl$ BEGIN IF EXISTS (SELECT FROM unnest(ARRAY[%s]) AS declared(name)\n"
		"        WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = %s::regclass\n"
		"            AND a.attname = declared.name AND NOT a.attisdropped)) THEN\n"
		"    ALTER TABLE %s%s;\n"
		"END IF; END $ddl$",
		names.data, pg_literal(ctx, target), target, adds.data));
}

/* Columns that are there with another type than declared. */
static void
check_types(struct ctx *ctx, const struct spec_table *table, const char *target, struct load_statements *out)
{
	struct load_statement *statement;
	struct text declared;

	text_init(&declared, ctx);
	for (size_t i = 0; i < table->column_count; i++)
		text_addf(&declared, "%s(%s, %s)", i == 0 ? "" : ", ", pg_literal(ctx, table->columns[i].name),
		    pg_literal(ctx, spec_type_name(ctx, &table->columns[i].type)));
	statement = statement_add(ctx, out, "compare column types",
	    ctx_printf(ctx,
		"SELECT count(*) AS n, string_agg(format('%%s is %%s, declared %%s', a.attname,\n"
		"           format_type(a.atttypid, a.atttypmod), declared.type), '; ') AS detail\n"
		"  FROM (VALUES %s) AS declared(name, type)\n"
		"  JOIN pg_attribute a ON a.attrelid = %s::regclass AND a.attname = declared.name\n"
		" WHERE format_type(a.atttypid, a.atttypmod) <> declared.type",
		declared.data, pg_literal(ctx, target)));
	statement->counter = COUNT_MUST_BE_0;
	statement->code = FAIL_DDL_MISMATCH;
	statement->message = ctx_printf(ctx, "columns of %s have another type", table->name);
}

/* Surrogate keys of deleted rows, so that a row that comes back gets its number again. */
static void
create_retired(struct ctx *ctx, const struct spec_table *table, struct load_statements *out)
{
	bool versions = table->kind == TABLE_DIMENSION;
	struct names keys = names_keys(table);
	struct text columns;

	text_init(&columns, ctx);
	for (size_t i = 0; i < keys.count; i++)
		text_addf(&columns, "    %s %s NOT NULL,\n", pg_identifier(ctx, keys.items[i]),
		    sql_column_type(ctx, table, keys.items[i]));
	statement_add(ctx, out, "create the table of retired keys",
	    ctx_printf(ctx,
		"CREATE TABLE IF NOT EXISTS loadstar.%s (\n%s%s    %s bigint NOT NULL,\n    PRIMARY KEY (%s%s)\n)",
		sql_bookkeeping(ctx, table, "retired"), columns.data,
		versions ? "    effective_from timestamptz NOT NULL,\n" : "", pg_identifier(ctx, table->surrogate),
		sql_list(ctx, keys, NULL), versions ? ", effective_from" : ""));
}

bool
generate_ddl(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, struct load_statements *out)
{
	const char *target = sql_table(ctx, spec, table);

	*out = (struct load_statements){0};
	statement_add(ctx, out, "create the schema",
	    ctx_printf(ctx, "CREATE SCHEMA IF NOT EXISTS %s", pg_identifier(ctx, spec->schema)));
	if (table->kind == TABLE_FACT)
		generate_ddl_fact(ctx, spec, table, out);
	else
		generate_ddl_dimension(ctx, spec, table, out);
	add_columns(ctx, table, target, true, out);
	if (table->kind == TABLE_DIMENSION && table->scd == 2)
		add_columns(ctx, table, ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, "log")), false, out);
	if (table_retires(table))
		create_retired(ctx, table, out);
	check_types(ctx, table, target, out);
	return !ctx_failed(ctx);
}
