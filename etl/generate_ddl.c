/* generate_ddl: tables with their bookkeeping, as they are made; table_changes.c extends what is there. Every statement may run again; none takes a lock when there is nothing to do. */
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
	*out = (struct load_statements){0};
	statement_add(ctx, out, "create the schema",
	    ctx_printf(ctx, "CREATE SCHEMA IF NOT EXISTS %s", pg_identifier(ctx, spec->schema)));
	if (table->kind == TABLE_FACT)
		generate_ddl_fact(ctx, spec, table, out);
	else
		generate_ddl_dimension(ctx, spec, table, out);
	if (table_retires(table))
		create_retired(ctx, table, out);
	return !ctx_failed(ctx);
}
