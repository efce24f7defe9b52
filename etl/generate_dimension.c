/* generate_dimension: a dimension without versions: scd 0 and 1, and replaced whole. */
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
		"SELECT count(*) AS n, max(l.result ->> 'snapshot_at') AS detail\n"
		"      %s\n       AND (l.result ->> 'snapshot_at')::timestamptz > :snapshot_at",
		sql_loads(ctx, spec, table)));

	statement->counter = COUNT_MUST_BE_0;
	statement->code = FAIL_STALE_SNAPSHOT;
	statement->message = "newer snapshots are loaded";
}

/* A dimension without versions: a key has one row, valid always. Rows of the table are counted by the keys staged; of one that is
 * replaced, all. */
struct current {
	struct ctx *ctx;
	const struct spec *spec;
	const struct spec_table *table;
	const char *target, *surrogate, *retired;
	struct names keys, columns, values;
	char *same;    /* d is the row of s */
	bool replaces; /* what is not in the source goes */
	struct load_statements *out;
};

/* A row that a fact made is no news of the source: it stays until the source has it. */
static char *
counted_rows(const struct current *c)
{
	if (c->replaces)
		return ctx_printf(c->ctx, "%s d LEFT JOIN loadstar_stage s ON %s\n WHERE d.%s <> " UNKNOWN_KEY,
		    c->target, c->same, c->surrogate);
	return ctx_printf(c->ctx, "%s d JOIN loadstar_stage s ON %s", c->target, c->same);
}

/* New keys, and those that go: what facts may have to be pointed to anew. */
static void
collect_keys(const struct current *c)
{
	struct ctx *ctx = c->ctx;
	char *keys = sql_list(ctx, c->keys, NULL);

	add(ctx, c->out, "collect new keys", COUNT_NOTHING,
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS\n"
		"SELECT %s FROM loadstar_stage s WHERE NOT EXISTS (SELECT FROM %s d WHERE %s)",
		sql_list(ctx, c->keys, "s"), c->target, c->same));
	add(ctx, c->out, "analyze new keys", COUNT_NOTHING, ctx_strdup(ctx, "ANALYZE loadstar_keys"));
	if (c->replaces)
		add(ctx, c->out, "delete vanished rows", COUNT_ROW,
		    ctx_printf(ctx,
			"WITH gone AS (\n"
			"    DELETE FROM %s d\n"
			"     WHERE d.%s <> " UNKNOWN_KEY " AND NOT d.is_inferred\n"
			"       AND NOT EXISTS (SELECT FROM loadstar_stage s WHERE %s)\n"
			"    RETURNING %s, d.effective_from, d.%s),\n"
			"kept AS (INSERT INTO %s (%s, effective_from, %s) SELECT %s, effective_from, %s FROM gone),\n"
			"touched AS (INSERT INTO loadstar_keys (%s) SELECT %s FROM gone)\n"
			"SELECT count(*) AS rows_deleted FROM gone",
			c->target, c->surrogate, c->same, sql_list(ctx, c->keys, "d"), c->surrogate, c->retired, keys,
			c->surrogate, keys, c->surrogate, keys, keys));
}

/* scd 0 keeps a row as it was first seen, which for one that a fact made is now. */
static void
update_current(const struct current *c)
{
	struct ctx *ctx = c->ctx;
	char *changed = c->table->scd == 0
			    ? ctx_strdup(ctx, "d.is_inferred")
			    : ctx_printf(ctx, "(d.is_inferred OR %s)", sql_distinct(ctx, c->values, "d", "s"));

	struct sql_update update = {.target = c->target, .alias = "d", .from = "s", .field = "updated"};

	update.due = ctx_printf(ctx,
	    "    SELECT d.ctid AS loadstar_row, s.*\n      FROM %s d JOIN loadstar_stage s ON %s\n     WHERE %s",
	    c->target, c->same, changed);
	update.set = ctx_printf(ctx,
	    "%s%sis_inferred = false, row_hash = md5(ROW(%s)::text), load_id = :load_id, loaded_at = now()",
	    sql_set(ctx, c->values, "s"), c->values.count > 0 ? ", " : "", sql_list(ctx, c->values, "s"));
	add(ctx, c->out, "update changed rows", COUNT_ROW, sql_update_due(ctx, &update));
}

static void
insert_current(const struct current *c)
{
	struct ctx *ctx = c->ctx;
	const char *back = "", *key_column = "", *key = "", *join = "";

	if (c->replaces) {
		back =
		    ctx_printf(ctx, "back AS (\n    DELETE FROM %s q USING loadstar_stage s WHERE %s RETURNING q.*),\n",
			c->retired, sql_equal(ctx, c->keys, "q", "s"));
		key_column = ctx_printf(ctx, "%s, ", c->surrogate);
		key = ctx_printf(ctx, "COALESCE(q.%s, %s), ", c->surrogate, sql_next_key(ctx, c->spec, c->table));
		join = ctx_printf(ctx, "\n      LEFT JOIN back q ON %s", sql_equal(ctx, c->keys, "q", "s"));
	} else if (c->table->calendar.kind != CALENDAR_NONE) {
		key_column = ctx_printf(ctx, "%s, ", c->surrogate);
		key = ctx_printf(ctx, "%s, ", sql_calendar_key(ctx, c->table, "s"));
	}
	add(ctx, c->out, "insert new rows", COUNT_ROW,
	    ctx_printf(ctx,
		"WITH %sopened AS (\n"
		"    INSERT INTO %s (%s%s, effective_from, effective_to, is_current, row_hash, load_id, loaded_at)\n"
		"    SELECT %s%s, '-infinity', " OPEN_END ", true, md5(ROW(%s)::text), :load_id, now()\n"
		"      FROM loadstar_stage s JOIN loadstar_keys k ON %s%s\n"
		"     ORDER BY s.stage_row\n"
		"    RETURNING 1)\n"
		"SELECT count(*) AS inserted, count(*) AS versions_opened, count(*) AS rows_opened FROM opened",
		back, c->target, key_column, sql_list(ctx, c->columns, NULL), key, sql_list(ctx, c->columns, "s"),
		sql_list(ctx, c->values, "s"), sql_equal(ctx, c->keys, "k", "s"), join));
}

void
generate_publish_current(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out)
{
	struct current c = {.ctx = ctx, .spec = spec, .table = table, .out = out};

	c.target = sql_table(ctx, spec, table);
	c.surrogate = pg_identifier(ctx, table->surrogate);
	c.retired = ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, "retired"));
	c.keys = names_keys(table);
	c.columns = names_columns(ctx, table);
	c.values = names_values(ctx, table);
	c.same = ctx_printf(ctx, "%s AND d.%s <> " UNKNOWN_KEY, sql_equal(ctx, c.keys, "d", "s"), c.surrogate);
	c.replaces = table->dimension_write == DIMENSION_REPLACE;
	if (spec_table_is_fed_by_files(table))
		generate_yield(ctx, spec, table, out);
	else
		generate_check_stale(ctx, spec, table, out);
	add(ctx, out, "count rows before", COUNT_ROW,
	    ctx_printf(ctx, "SELECT count(*) AS rows_before FROM %s", counted_rows(&c)));
	collect_keys(&c);
	update_current(&c);
	insert_current(&c);
	generate_repoint(ctx, spec, table, out);
	add(ctx, out, "count rows after", COUNT_ROW,
	    ctx_printf(ctx,
		"SELECT count(*) AS rows_after, count(*) FILTER (WHERE d.load_id <> :load_id%s) AS unchanged\n  FROM %s",
		c.replaces ? " AND (s.stage_row IS NOT NULL OR NOT d.is_inferred)" : "", counted_rows(&c)));
}
