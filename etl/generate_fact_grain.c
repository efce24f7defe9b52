/*
 * generate_fact_grain: rows by their grain, wherever they are. append leaves what is there as it is, upsert makes it what was staged;
 * neither takes anything away. Rows are counted by the grains staged.
 */
#include "etl/generate_fact.h"
#include "sql/pg.h"

/* Slices are extracted side by side: what one that was extracted later holds is newer than what is staged here. */
static void
check_newer(const struct fact *fact, const char *same, struct names values)
{
	struct ctx *ctx = fact->ctx;
	const char *time = pg_identifier(ctx, fact->table->time);
	struct load_statement *statement = statement_add(ctx, fact->out, "look for rows that moved on",
	    ctx_printf(ctx,
		"WITH newer AS MATERIALIZED (\n    %s)\n"
		"SELECT count(*) AS n FROM %s t JOIN loadstar_rows r ON %s\n"
		" WHERE EXISTS (SELECT FROM newer n WHERE t.%s >= n.slice_from AND t.%s < n.slice_to)\n"
		"   AND NOT (t.%s >= :from AND t.%s < :to) AND %s",
		fact_newer_slices(fact), fact->target, same, time, time, time, time,
		sql_distinct(ctx, values, "t", "r")));

	statement->counter = COUNT_MUST_BE_0;
	statement->code = FAIL_STALE_SNAPSHOT;
	statement->message = "rows are in slices that were extracted later";
}

static void
insert_new(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	const char *key_column = "", *key = "", *join = "";

	if (fact->surrogate != NULL) {
		key_column = ctx_printf(ctx, "%s, ", fact->surrogate);
		key = ctx_printf(ctx, "COALESCE(q.%s, %s), ", fact->surrogate,
		    sql_next_key(ctx, fact->spec, fact->table));
		join = ctx_printf(ctx, "\n      LEFT JOIN %s q ON %s", fact->retired,
		    sql_equal(ctx, fact->keys, "q", "r"));
	}
	fact_count(fact, WHEN_ALWAYS, "insert new rows",
	    ctx_printf(ctx,
		"WITH written AS (\n"
		"    INSERT INTO %s AS t (%s%s, load_id, loaded_at)\n"
		"    SELECT %s%s, :load_id, now()\n"
		"      FROM loadstar_rows r%s\n"
		"     WHERE NOT EXISTS (SELECT FROM %s o WHERE %s)\n"
		"    RETURNING %s)%s\n"
		"SELECT count(*) AS inserted, count(*) AS rows_opened FROM written",
		fact->target, key_column, sql_list(ctx, fact->written, NULL), key, sql_list(ctx, fact->written, "r"),
		join, fact->target, sql_equal(ctx, fact->keys, "o", "r"), sql_list(ctx, fact->keys, "t"),
		fact_touched(fact, "written", "")));
}

void
generate_fact_by_grain(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	struct names values = names_join(ctx, names_values(ctx, fact->table), names_lookups(ctx, fact->table));
	const char *same = sql_equal(ctx, fact->keys, "t", "r");

	statement_add(ctx, fact->out, "resolve staged rows",
	    ctx_printf(ctx, "CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS\n%s", fact_resolved_rows(fact)));
	statement_add(ctx, fact->out, "analyze resolved rows",
	    ctx_printf(ctx, "ANALYZE loadstar_rows (%s)", sql_list(ctx, fact->keys, NULL)));
	fact_count(fact, WHEN_ALWAYS, "count rows before",
	    ctx_printf(ctx, "SELECT count(*) AS rows_before FROM %s t JOIN loadstar_rows r ON %s", fact->target, same));
	if (fact->table->write == WRITE_UPSERT) {
		if (fact_may_move(fact))
			check_newer(fact, same, values);
		if (values.count > 0)
			fact_update(fact, WHEN_ALWAYS, values, same);
	}
	insert_new(fact);
	fact_count(fact, WHEN_ALWAYS, "count rows after",
	    ctx_printf(ctx,
		"SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged\n"
		"  FROM %s t JOIN loadstar_rows r ON %s",
		fact->target, same));
}
