/*
 * generate_fact_content: append without a grain. Nothing says which row is which, so rows are the same when all their columns are, and
 * two equal ones are two. A slice becomes what was staged for it, as a difference: equal content touches nothing; what its last
 * load wrote and this one does not have goes out first.
 */
#include "base/text.h"
#include "etl/generate_fact.h"
#include "sql/pg.h"

/* A number among equal rows; the hash finds them, because records of many columns do not hash in a join. */
static char *
numbered(const struct fact *fact, const char *alias)
{
	char *columns = sql_list(fact->ctx, fact->columns, alias);

	return ctx_printf(fact->ctx,
	    "hash_record_extended(ROW(%s), 0) AS loadstar_hash,\n"
	    "       row_number() OVER (PARTITION BY %s) AS loadstar_place",
	    columns, columns);
}

static void
match_rows(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	struct load_statement *statement;

	statement = statement_add(ctx, fact->out, "resolve staged rows",
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_rows ON COMMIT DROP AS\n"
		"SELECT r.*, row_number() OVER () AS loadstar_number,\n       %s\n  FROM (%s) r",
		numbered(fact, "r"), fact_resolved_rows(fact)));
	statement->when = WHEN_FILLED;
	statement = statement_add(ctx, fact->out, "analyze resolved rows",
	    ctx_strdup(ctx, "ANALYZE loadstar_rows (loadstar_hash, loadstar_place)"));
	statement->when = WHEN_FILLED;
	statement = statement_add(ctx, fact->out, "match rows by content",
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_there ON COMMIT DROP AS\n"
		"SELECT h.loadstar_row, r.loadstar_number\n"
		"  FROM (SELECT t.ctid AS loadstar_row, %s,\n       %s\n          FROM %s t WHERE %s) h\n"
		"  LEFT JOIN loadstar_rows r ON r.loadstar_hash = h.loadstar_hash AND r.loadstar_place = h.loadstar_place\n"
		"       AND NOT (%s)",
		sql_list(ctx, fact->columns, "t"), numbered(fact, "t"), fact->target,
		sql_slice(ctx, fact->table, fact->scope, "t"), sql_distinct(ctx, fact->columns, "h", "r")));
	statement->when = WHEN_FILLED;
}

/* Equal rows that refer to other members now. */
static void
update_lookups(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	struct names lookups = names_lookups(ctx, fact->table);
	struct sql_update update = {.target = fact->target, .alias = "t", .from = "r", .field = "updated"};

	if (lookups.count == 0)
		return;
	update.due = ctx_printf(ctx,
	    "    SELECT h.loadstar_row, %s\n      FROM loadstar_there h JOIN loadstar_rows r ON r.loadstar_number = h.loadstar_number\n"
	    "      JOIN %s t ON t.ctid = h.loadstar_row\n     WHERE %s",
	    sql_list(ctx, lookups, "r"), fact->target, sql_distinct(ctx, lookups, "t", "r"));
	update.set = ctx_printf(ctx, "%s, load_id = :load_id, loaded_at = now()", sql_set(ctx, lookups, "r"));
	fact_count(fact, WHEN_FILLED, "update changed rows", sql_update_due(ctx, &update));
}

static void
insert_rows(const struct fact *fact, enum load_when when, const char *name, const char *rows, const char *where)
{
	struct ctx *ctx = fact->ctx;

	fact_count(fact, when, name,
	    ctx_printf(ctx,
		"WITH written AS (\n"
		"    INSERT INTO %s (%s, load_id, loaded_at)\n"
		"    SELECT %s, :load_id, now()\n"
		"      FROM %s r%s\n"
		"    RETURNING 1)\n"
		"SELECT count(*) AS inserted, count(*) AS rows_opened FROM written",
		fact->target, sql_list(ctx, fact->written, NULL), sql_list(ctx, fact->written, "r"), rows, where));
}

void
generate_fact_by_content(const struct fact *fact)
{
	struct ctx *ctx = fact->ctx;
	char *slice = sql_slice(ctx, fact->table, fact->scope, "t");

	fact_count(fact, WHEN_ALWAYS, "count rows before",
	    ctx_printf(ctx, "SELECT count(*) AS rows_before FROM %s t WHERE %s", fact->target, slice));
	insert_rows(fact, WHEN_EMPTY, "insert rows into the empty slice",
	    ctx_printf(ctx, "(%s)", fact_resolved_rows(fact)), "");
	match_rows(fact);
	fact_count(fact, WHEN_FILLED, "delete rows that are not there any more",
	    ctx_printf(ctx,
		"WITH gone AS (\n"
		"    DELETE FROM %s t USING loadstar_there h\n"
		"     WHERE t.ctid = h.loadstar_row AND h.loadstar_number IS NULL RETURNING 1)\n"
		"SELECT count(*) AS rows_deleted FROM gone",
		fact->target));
	update_lookups(fact);
	insert_rows(fact, WHEN_FILLED, "insert new rows", "loadstar_rows",
	    "\n     WHERE NOT EXISTS (SELECT FROM loadstar_there h WHERE h.loadstar_number = r.loadstar_number)");
	fact_count(fact, WHEN_ALWAYS, "count rows after",
	    ctx_printf(ctx,
		"SELECT count(*) AS rows_after, count(*) FILTER (WHERE t.load_id <> :load_id) AS unchanged\n  FROM %s t\n WHERE %s",
		fact->target, slice));
}
