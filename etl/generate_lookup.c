/*
 * generate_lookup: from business keys to surrogate keys, and back again when a dimension changes.
 *
 * A version is valid from its effective_from until its effective_to. Before a key's first version the first one counts (unless
 * before_first says otherwise), which is why that one is made to begin at -infinity here. In a gap that a delete made, and for
 * unknown keys, nothing is found. The unknown member never is. A fact is looked up by its grain alone.
 */
#include "base/text.h"
#include "etl/generate_sql.h"
#include "sql/pg.h"

const char *
sql_calendar_key(struct ctx *ctx, const struct spec_table *calendar, const char *alias)
{
	if (calendar->calendar.kind == CALENDAR_DATE)
		return ctx_printf(ctx, "to_char(%s.full_date, 'YYYYMMDD')::bigint", alias);
	return ctx_printf(ctx, "%s.minute_of_day / 60 * 100 + %s.minute_of_day %% 60", alias, alias);
}

/* What a row's column says in terms of the i-th key column of what is looked up: itself, or its day or minute. */
static const char *
match_value(struct ctx *ctx, const struct spec *spec, const struct spec_lookup *lookup, size_t i, const char *alias)
{
	const struct spec_column *column = spec_find_column(lookup->table, lookup->match[i]);
	const char *value = ctx_printf(ctx, "%s.%s", alias, pg_identifier(ctx, lookup->match[i]));

	if (lookup->dimension->calendar.kind == CALENDAR_NONE)
		return value;
	if (column->type.kind == TYPE_TIMESTAMPTZ)
		value = ctx_printf(ctx, "(%s AT TIME ZONE %s)", value, pg_literal(ctx, spec->timezone));
	if (lookup->dimension->calendar.kind == CALENDAR_DATE)
		return ctx_printf(ctx, "%s::date", value);
	/* EXTRACT would give numerics, which take twice as long. */
	return ctx_printf(ctx, "floor(date_part('epoch', %s::time) / 60)::integer", value);
}

/* <alias>.<key of the dimension> = <what the rows' columns say>, AND … */
static char *
matches(struct ctx *ctx, const struct spec *spec, const struct spec_lookup *lookup, const char *alias, const char *rows)
{
	const struct spec_table *dimension = lookup->dimension;
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < dimension->key_count; i++)
		text_addf(&out, "%s%s.%s = %s", i == 0 ? "" : " AND ", alias, pg_identifier(ctx, dimension->keys[i]),
		    match_value(ctx, spec, lookup, i, rows));
	return out.data;
}

/* The dimension as the lookup sees it: its key, loadstar_key, and the time loadstar_from, loadstar_to of each version. */
static char *
lookup_versions(struct ctx *ctx, const struct spec *spec, const struct spec_lookup *lookup, const char *restrict_join)
{
	const struct spec_table *dimension = lookup->dimension;
	const char *surrogate = pg_identifier(ctx, dimension->surrogate), *from = "d.effective_from";
	char *keys = sql_list(ctx, names_keys(dimension), "d");

	if (dimension->kind == TABLE_FACT)
		return ctx_printf(ctx, "SELECT %s, d.%s AS loadstar_key FROM %s d%s", keys, surrogate,
		    sql_table(ctx, spec, dimension), restrict_join);
	if (lookup->as_of != NULL && dimension->scd == 2 && !lookup->before_first_missing)
		from = ctx_printf(ctx,
		    "CASE WHEN lag(d.effective_from) OVER (PARTITION BY %s ORDER BY d.effective_from) IS NULL\n"
		    "                     THEN '-infinity' ELSE d.effective_from END",
		    keys);
	return ctx_printf(ctx,
	    "SELECT %s, d.%s AS loadstar_key, d.is_current,\n"
	    "               %s AS loadstar_from, d.effective_to AS loadstar_to\n"
	    "          FROM %s d%s\n"
	    "         WHERE d.%s <> " UNKNOWN_KEY "%s",
	    keys, surrogate, from, sql_table(ctx, spec, dimension), restrict_join, surrogate,
	    lookup->as_of == NULL ? " AND d.is_current" : "");
}

char *
sql_lookup_join(struct ctx *ctx, const struct spec *spec, const struct spec_lookup *lookup, const char *alias,
    const char *rows, const char *restrict_join)
{
	struct text out;

	text_init(&out, ctx);
	text_addf(&out, "\n  LEFT JOIN (%s) %s\n         ON ", lookup_versions(ctx, spec, lookup, restrict_join),
	    alias);
	text_add(&out, matches(ctx, spec, lookup, alias, rows));
	if (lookup->as_of != NULL) {
		const char *at = ctx_printf(ctx, "%s.%s", rows, pg_identifier(ctx, lookup->as_of));

		text_addf(&out,
		    "\n        AND (%s >= %s.loadstar_from AND %s < %s.loadstar_to OR %s IS NULL AND %s.is_current)",
		    at, alias, at, alias, at, alias);
	}
	return out.data;
}

static void
repoint_fact(struct ctx *ctx, const struct spec *spec, const struct spec_table *fact, const struct spec_lookup *lookup,
    struct load_statements *out)
{
	const char *target = sql_table(ctx, spec, fact), *column = pg_identifier(ctx, lookup->column);
	/* A calendar only grows, and no index finds the rows of a day. */
	const char *outside = lookup->dimension->calendar.kind == CALENDAR_NONE
				  ? ""
				  : ctx_printf(ctx, " AND f.%s = " UNKNOWN_KEY, column);
	const char *only_keys = ctx_printf(ctx, "\n          JOIN loadstar_keys k ON %s",
	    sql_equal(ctx, names_keys(lookup->dimension), "d", "k"));
	struct sql_update update = {.target = target, .alias = "f", .from = "r", .field = "rows_repointed"};

	update.due = ctx_printf(ctx,
	    "SELECT f.ctid AS loadstar_row, COALESCE(l.loadstar_key, " UNKNOWN_KEY ") AS loadstar_key\n"
	    "  FROM %s f JOIN loadstar_keys k ON %s%s\n WHERE f.%s <> COALESCE(l.loadstar_key, " UNKNOWN_KEY ")%s",
	    target, matches(ctx, spec, lookup, "k", "f"), sql_lookup_join(ctx, spec, lookup, "l", "f", only_keys),
	    column, outside);
	update.set = ctx_printf(ctx, "%s = r.loadstar_key", column);
	statement_add(ctx, out, ctx_printf(ctx, "re-point %s.%s", fact->name, lookup->column),
	    sql_update_due(ctx, &update))
	    ->counter = COUNT_ROW;
}

void
generate_repoint(struct ctx *ctx, const struct spec *spec, const struct spec_table *dimension,
    struct load_statements *out)
{
	for (size_t i = 0; i < spec->table_count; i++)
		for (size_t k = 0; k < spec->tables[i].lookup_count; k++)
			if (text_equal(spec->tables[i].lookups[k].dimension->name, dimension->name))
				repoint_fact(ctx, spec, &spec->tables[i], &spec->tables[i].lookups[k], out);
}
