/* generate_dimension: a dimension without history (SCD 1). */
#include "etl/generate_sql.h"
#include "sql/pg.h"

static struct load_statement *
add(struct ctx *ctx, struct load_statements *out, const char *name, enum load_counter counter, char *sql)
{
	struct load_statement *statement = statement_add(ctx, out, name, sql);

	statement->counter = counter;
	return statement;
}

/* An older snapshot would bring back what is no longer so. The next attempt extracts again. */
void
generate_check_stale(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out)
{
	struct load_statement *statement = statement_add(ctx, out, "look for a newer snapshot",
	    ctx_printf(ctx,
		"SELECT count(*) AS n, max(result ->> 'snapshot_at') AS detail\n"
		"  FROM loadstar.slice_ledger\n"
		" WHERE table_name = %s AND (result ->> 'snapshot_at')::timestamptz > :snapshot_at",
		pg_literal(ctx, generate_table_name(ctx, spec, table->name))));

	statement->counter = COUNT_MUST_BE_0;
	statement->code = FAIL_STALE_SNAPSHOT;
	statement->message = "newer snapshots are loaded";
}

/* SCD 1: a key has one row, valid always; the newest snapshot overwrites it. Rows of the table are counted by the keys staged. */
void
generate_publish_current(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out)
{
	const char *target = sql_table(ctx, spec, table), *surrogate = pg_identifier(ctx, table->surrogate);
	struct names keys = names_keys(table), declared = names_columns(ctx, table),
		     compared = names_values(ctx, table);
	char *columns = sql_list(ctx, declared, NULL), *values = sql_list(ctx, compared, "s");
	char *same = ctx_printf(ctx, "%s AND d.%s <> " UNKNOWN_KEY, sql_equal(ctx, keys, "d", "s"), surrogate);

	generate_check_stale(ctx, spec, table, out);
	add(ctx, out, "count rows before", COUNT_ROW,
	    ctx_printf(ctx, "SELECT count(*) AS rows_before FROM %s d JOIN loadstar_stage s ON %s", target, same));
	add(ctx, out, "collect new keys", COUNT_NOTHING,
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS\n"
		"SELECT %s FROM loadstar_stage s WHERE NOT EXISTS (SELECT FROM %s d WHERE %s)",
		sql_list(ctx, keys, "s"), target, same));
	add(ctx, out, "analyze new keys", COUNT_NOTHING, ctx_strdup(ctx, "ANALYZE loadstar_keys"));
	if (compared.count > 0)
		add(ctx, out, "update changed rows", COUNT_AFFECTED,
		    ctx_printf(ctx,
			"UPDATE %s d SET %s, row_hash = md5(ROW(%s)::text), load_id = :load_id, loaded_at = now()\n"
			"  FROM loadstar_stage s\n WHERE %s\n   AND %s",
			target, sql_set(ctx, compared, "s"), values, same, sql_distinct(ctx, compared, "d", "s")))
		    ->field = "updated";
	add(ctx, out, "insert new rows", COUNT_ROW,
	    ctx_printf(ctx,
		"WITH opened AS (\n"
		"    INSERT INTO %s (%s, effective_from, effective_to, is_current, row_hash, load_id, loaded_at)\n"
		"    SELECT %s, '-infinity', " OPEN_END ", true, md5(ROW(%s)::text), :load_id, now()\n"
		"      FROM loadstar_stage s JOIN loadstar_keys k ON %s\n"
		"    RETURNING 1)\n"
		"SELECT count(*) AS inserted, count(*) AS versions_opened, count(*) AS rows_opened FROM opened",
		target, columns, sql_list(ctx, declared, "s"), values, sql_equal(ctx, keys, "k", "s")));
	generate_repoint(ctx, spec, table, out);
	add(ctx, out, "count rows after", COUNT_ROW,
	    ctx_printf(ctx,
		"SELECT count(*) AS rows_after, count(*) FILTER (WHERE d.load_id <> :load_id) AS unchanged\n"
		"  FROM %s d JOIN loadstar_stage s ON %s",
		target, same));
}
