/*
 * generate_guards: what guards compare with each other: how much the table or the slice held before, and how much of it the difference
 * closed and changed. Where the difference counts the same anyway, nothing is asked twice.
 */
#include "base/text.h"
#include "etl/generate_sql.h"
#include "sql/pg.h"

static bool
asks_anything(const struct spec_table *table)
{
	const struct spec_guards *guards = &table->guards;

	return table->calendar.kind == CALENDAR_NONE &&
	       (guards->empty != GUARD_OFF || guards->shrink >= 0 || guards->close >= 0 || guards->change >= 0);
}

static void
add_count(struct ctx *ctx, struct load_statements *out, const char *name, char *sql)
{
	statement_add(ctx, out, name, sql)->counter = COUNT_ROW;
}

void
generate_guards_before(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope,
    struct load_statements *out)
{
	const char *target = sql_table(ctx, spec, table);

	if (!asks_anything(table))
		return;
	if (table->kind == TABLE_DIMENSION)
		add_count(ctx, out, "count members before",
		    ctx_printf(ctx,
			"SELECT count(*) AS held FROM %s d WHERE d.is_current AND NOT d.is_inferred AND d.%s <> " UNKNOWN_KEY,
			target, pg_identifier(ctx, table->surrogate)));
	else if (!table_counts_its_slice(table))
		add_count(ctx, out, "count what the slice holds",
		    ctx_printf(ctx, "SELECT count(*) AS held FROM %s t WHERE %s", target,
			sql_slice(ctx, table, scope, "t")));
}

void
generate_guards_after(struct ctx *ctx, const struct spec_table *table, struct load_statements *out)
{
	if (!asks_anything(table) || table->kind != TABLE_DIMENSION || table->scd != 2)
		return;
	add_count(ctx, out, "count members closed and changed",
	    ctx_printf(ctx, "SELECT gone AS members_closed, known - gone AS members_changed\n"
			    "  FROM (SELECT count(*) AS gone FROM loadstar_observations WHERE op = 'D') o,\n"
			    "       (SELECT count(*) AS known FROM loadstar_keys WHERE loadstar_known) k"));
}

bool
table_counts_its_slice(const struct spec_table *table)
{
	return table->kind == TABLE_FACT &&
	       (table->write == WRITE_REPLACE_RANGE || table->write == WRITE_REPLACE_ALL || table->key_count == 0);
}
