/*
 * generate_fact: the difference between a slice of a fact table and what was staged for it; the other ways of writing are in
 * generate_fact_grain.c and generate_fact_content.c.
 *
 * A slice that holds nothing yet is written straight from staging. Otherwise the resolved rows are laid down once (loadstar_rows) and
 * compared: vanished rows go out, changed ones are updated, new ones come in; what is equal is not touched. A row that
 * sits in another slice moves and keeps its surrogate key: the unique index on the grain finds it during the insert, so
 * that nothing has to be searched for it.
 */
#include "etl/generate_fact.h"
#include "base/text.h"
#include "sql/pg.h"

struct load_statement *
fact_count(const struct fact *fact, enum load_when when, const char *name, char *sql)
{
	struct load_statement *statement = statement_add(fact->ctx, fact->out, name, sql);

	statement->counter = COUNT_ROW;
	statement->when = when;
	return statement;
}

char *
fact_resolved_rows(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	struct text select, joins;

	text_init(&select, ctx);
	text_init(&joins, ctx);
	text_add(&select, sql_list(ctx, fact->columns, "s"));
	for (size_t i = 0; i < fact->table->lookup_count; i++) {
		const struct spec_lookup *lookup = &fact->table->lookups[i];
		const char *alias = ctx_printf(ctx, "l%zu", i + 1);

		text_addf(&select, ", COALESCE(%s.loadstar_key, " UNKNOWN_KEY ") AS %s", alias,
		    pg_identifier(ctx, lookup->column));
		text_add(&joins, sql_lookup_join(ctx, fact->spec, lookup, alias, "s", ""));
	}
	return ctx_printf(ctx, "SELECT %s\n  FROM loadstar_stage s%s", select.data, joins.data);
}

/*
 * Slices of a table are extracted side by side. A row that another slice holds moves here, unless that slice was extracted after this
 * one: then it is we who read the row where it was before. Rows that are left there fail the attempt, and the next one extracts anew.
 * newer: the slices extracted after this one; fresher: whether the row t lies in one of them.
 */
const char *
fact_newer_slices(const struct fact *fact)
{
	return ctx_printf(fact->ctx,
	    "SELECT l.slice_from, l.slice_to %s\n       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at",
	    sql_loads(fact->ctx, fact->spec, fact->table));
}

bool
fact_may_move(const struct fact *fact)
{
	return text_equal(fact->scope, "time");
}

const char *
fact_touched(const struct fact *fact, const char *rows, const char *where)
{
	char *keys = sql_list(fact->ctx, fact->keys, NULL);

	if (!fact->referred)
		return "";
	return ctx_printf(fact->ctx, ",\ntouched AS (INSERT INTO loadstar_keys (%s) SELECT %s FROM %s%s)", keys, keys,
	    rows, where);
}

static void
check_moved(const struct fact *fact)
{
	struct load_statement *statement;

	if (!fact_may_move(fact))
		return;
	statement = statement_add(fact->ctx, fact->out, "look for rows that moved on",
	    ctx_printf(fact->ctx,
		"SELECT CASE WHEN EXISTS (%s) THEN (SELECT count(*) FROM loadstar_stage) - (SELECT count(*)\n"
		"      FROM %s t WHERE %s) ELSE 0 END AS n",
		fact_newer_slices(fact), fact->target, sql_slice(fact->ctx, fact->table, fact->scope, "t")));
	statement->counter = COUNT_MUST_BE_0;
	statement->code = FAIL_STALE_SNAPSHOT;
	statement->message = "rows are in slices that were extracted later";
}

static void
write_rows(const struct fact *fact, enum load_when when, const char *name, const char *rows, const char *where)
{
	struct ctx *ctx = fact->ctx;
	char *list = sql_list(ctx, fact->written, NULL), *values = sql_list(ctx, fact->written, "r");
	const char *key_column = "", *key = "", *returning = "", *newer = "", *stays = "";

	if (fact->surrogate != NULL) {
		key_column = ctx_printf(ctx, "%s, ", fact->surrogate);
		key = ctx_printf(ctx, "COALESCE(q.%s, %s), ", fact->surrogate,
		    sql_next_key(ctx, fact->spec, fact->table));
		returning = ctx_printf(ctx, "\n      LEFT JOIN %s q ON %s", fact->retired,
		    sql_equal(ctx, fact->keys, "q", "r"));
	}
	if (fact_may_move(fact)) {
		const char *time = pg_identifier(ctx, fact->table->time);

		newer = ctx_printf(ctx, "newer AS MATERIALIZED (\n    %s),\n", fact_newer_slices(fact));
		stays = ctx_printf(ctx,
		    "\n     WHERE NOT EXISTS (SELECT FROM newer n WHERE t.%s >= n.slice_from AND t.%s < n.slice_to)",
		    time, time);
	} else if (text_equal(fact->scope, "files")) {
		stays = ctx_printf(ctx, "\n     WHERE NOT %s",
		    sql_newer_file(ctx, fact->spec, fact->table, "t", "excluded"));
	}
	fact_count(fact, when, name,
	    ctx_printf(ctx,
		"WITH %swritten AS (\n"
		"    INSERT INTO %s AS t (%s%s, load_id, loaded_at)\n"
		"    SELECT %s%s, :load_id, now()\n"
		"      FROM %s r%s%s\n"
		"    ON CONFLICT (%s) DO UPDATE SET %s, load_id = excluded.load_id, loaded_at = excluded.loaded_at%s\n"
		"    RETURNING t.xmax = 0 AS loadstar_fresh%s)%s\n"
		"SELECT count(*) FILTER (WHERE loadstar_fresh) AS inserted, count(*) FILTER (WHERE NOT loadstar_fresh) AS updated,\n"
		"       count(*) FILTER (WHERE NOT loadstar_fresh) AS rows_moved, count(*) AS rows_opened\n"
		"  FROM written",
		newer, fact->target, key_column, list, key, values, rows, returning, where,
		sql_list(ctx, fact->keys, NULL), sql_set(ctx, fact->written, "excluded"), stays,
		fact->referred ? sql_more(ctx, fact->keys, "t") : "",
		fact_touched(fact, "written", " WHERE loadstar_fresh")));
}

void
fact_update(const struct fact *fact, enum load_when when, struct names values, const char *same)
{
	struct ctx *ctx = fact->ctx;
	struct sql_update update = {.target = fact->target, .alias = "t", .from = "r", .field = "updated"};

	update.due = ctx_printf(ctx,
	    "    SELECT t.ctid AS loadstar_row, %s\n      FROM %s t JOIN loadstar_rows r ON %s\n     WHERE %s",
	    sql_list(ctx, values, "r"), fact->target, same, sql_distinct(ctx, values, "t", "r"));
	update.set = ctx_printf(ctx, "%s, load_id = :load_id, loaded_at = now()", sql_set(ctx, values, "r"));
	fact_count(fact, when, "update changed rows", sql_update_due(ctx, &update));
}

static void
delete_vanished(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	const char *returned = "1", *keep = "";

	if (fact->surrogate != NULL) {
		char *keys = sql_list(ctx, fact->keys, NULL);

		returned = ctx_printf(ctx, "%s, t.%s", sql_list(ctx, fact->keys, "t"), fact->surrogate);
		keep = ctx_printf(ctx, ",\nkept AS (INSERT INTO %s (%s, %s) SELECT %s, %s FROM gone)", fact->retired,
		    keys, fact->surrogate, keys, fact->surrogate);
	}
	fact_count(fact, WHEN_FILLED, "delete vanished rows",
	    ctx_printf(ctx,
		"WITH gone AS (\n"
		"    DELETE FROM %s t\n"
		"     WHERE %s\n"
		"       AND NOT EXISTS (SELECT FROM loadstar_rows r WHERE %s)\n"
		"    RETURNING %s)%s%s\n"
		"SELECT count(*) AS rows_deleted FROM gone",
		fact->target, sql_slice(ctx, fact->table, fact->scope, "t"), sql_equal(ctx, fact->keys, "r", "t"),
		returned, keep, fact_touched(fact, "gone", "")));
}

static void
update_changed(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	struct names values = names_join(ctx, names_values(ctx, fact->table), names_lookups(ctx, fact->table));

	if (values.count > 0)
		fact_update(fact, WHEN_FILLED, values,
		    ctx_printf(ctx, "%s AND %s", sql_equal(ctx, fact->keys, "t", "r"),
			sql_slice(ctx, fact->table, fact->scope, "t")));
}

static void
compare_and_write(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	struct load_statement *statement;

	statement = statement_add(ctx, fact->out, "resolve staged rows",
	    ctx_printf(ctx, "CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS\n%s", fact_resolved_rows(fact)));
	statement->when = WHEN_FILLED;
	statement = statement_add(ctx, fact->out, "analyze resolved rows",
	    ctx_printf(ctx, "ANALYZE loadstar_rows (%s)", sql_list(ctx, fact->keys, NULL)));
	statement->when = WHEN_FILLED;
	delete_vanished(fact);
	update_changed(fact);
	write_rows(fact, WHEN_FILLED, "insert new rows", "loadstar_rows",
	    ctx_printf(ctx, "\n     WHERE NOT EXISTS (SELECT FROM %s o WHERE %s AND %s)", fact->target,
		sql_equal(ctx, fact->keys, "o", "r"), sql_slice(ctx, fact->table, fact->scope, "o")));
}

static struct fact
describe(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope,
    struct load_statements *out)
{
	struct fact fact = {.ctx = ctx, .spec = spec, .table = table, .scope = scope, .out = out};

	fact.target = sql_table(ctx, spec, table);
	fact.retired = ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, "retired"));
	fact.keys = names_keys(table);
	fact.columns = names_columns(ctx, table);
	fact.written = names_join(ctx, fact.columns, names_lookups(ctx, table));
	for (size_t i = 0; i < spec->table_count; i++)
		for (size_t k = 0; k < spec->tables[i].lookup_count; k++)
			fact.referred =
			    fact.referred || text_equal(spec->tables[i].lookups[k].dimension->name, table->name);
	fact.surrogate = table->surrogate == NULL ? NULL : pg_identifier(ctx, table->surrogate);
	return fact;
}

/* replace_range and replace_all: the slice becomes what was staged. */
static void
generate_fact_by_slice(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	char *slice = sql_slice(ctx, fact->table, fact->scope, "t");

	fact_count(fact, WHEN_ALWAYS, "count rows before",
	    ctx_printf(ctx, "SELECT count(*) AS rows_before FROM %s t WHERE %s", fact->target, slice));
	write_rows(fact, WHEN_EMPTY, "insert rows into the empty slice",
	    ctx_printf(ctx, "(%s)", fact_resolved_rows(fact)), "");
	compare_and_write(fact);
	check_moved(fact);
	fact_count(fact, WHEN_ALWAYS, "count rows after",
	    ctx_printf(ctx,
		"SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged%s\n  FROM %s t\n WHERE %s",
		text_equal(fact->scope, "files")
		    ? ",\n       (SELECT count(*) FROM loadstar_stage) - count(*) AS deduplicated" /* left to later files */
		    : "",
		fact->target, slice));
}

bool
generate_publish_fact(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, const char *scope,
    struct load_statements *out)
{
	struct fact fact = describe(ctx, spec, table, scope, out);

	generate_fact_missing(&fact);
	if (fact.referred)
		statement_add(ctx, out, "make room for the keys",
		    ctx_printf(ctx, "CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS SELECT %s FROM %s LIMIT 0",
			sql_list(ctx, fact.keys, NULL), fact.target));
	if (table->write == WRITE_REPLACE_RANGE || table->write == WRITE_REPLACE_ALL)
		generate_fact_by_slice(&fact);
	else if (table->key_count > 0)
		generate_fact_by_grain(&fact);
	else
		generate_fact_by_content(&fact);
	if (fact.referred) {
		statement_add(ctx, out, "analyze the keys", ctx_strdup(ctx, "ANALYZE loadstar_keys"));
		generate_repoint(ctx, spec, table, out);
	}
	if (table_retires(table))
		statement_add(ctx, out, "forget retired keys that came back",
		    ctx_printf(ctx, "DELETE FROM %s q USING loadstar_stage s WHERE %s", fact.retired,
			sql_equal(ctx, fact.keys, "q", "s")));
	generate_fact_check_missing(&fact);
	return !ctx_failed(ctx);
}
