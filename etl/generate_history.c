/*
 * generate_history: a dimension with versions (SCD 2) as a pure function of what was observed.
 *
 * Versions cannot be put right from versions: an observation that comes late would need what an earlier merge has thrown away. So
 * observations are kept (loadstar.<dimension>_log, append-only) and the versions of the keys that were observed anew are made from
 * all of theirs: whatever the order of arrival, the result is the same.
 *
 *  - One observation counts per key and time: by sequence, then load_id, then row number, the last one. With `ties: first` a second
 *    one is not taken up.
 *  - Equal consecutive tracked values are one version. D ends a version. Columns that are not tracked have their latest value in
 *    every version; valid_from has, in each version, that of its last observation.
 *  - The current version therefore equals its key's last observation, so a staged row that equals it is nothing new. Only
 *    the others are looked up in the log.
 *  - A member that a fact inferred is an observation without values, before all time, that counts until there is another one.
 *  - deletes: close. The source is a whole snapshot: a current key that is missing in it gets a D at the time of the
 *    snapshot; a key that is there although its last observation is a later D gets an R (seen again) at the time of the snapshot.
 *
 * Then the difference: versions are the same by key and effective_from, and keep their surrogate key by that.
 */
#include "base/text.h"
#include "etl/generate_sql.h"
#include "sql/pg.h"

struct history {
	struct ctx *ctx;
	const struct spec *spec;
	const struct spec_table *table;
	const char *target, *log, *retired, *surrogate;
	struct names keys, columns, values, tracked;
	struct load_statements *out;
};

static struct load_statement *
add(const struct history *h, const char *name, enum load_counter counter, char *sql)
{
	struct load_statement *statement = statement_add(h->ctx, h->out, name, sql);

	statement->counter = counter;
	return statement;
}

/* The order in which observations of a key are taken, newest first. */
static char *
newest_first(struct ctx *ctx, const char *alias)
{
	return ctx_printf(ctx, "%s.sequence DESC NULLS LAST, %s.load_id DESC, %s.row_number DESC", alias, alias, alias);
}

static void
find_observations(const struct history *h)
{
	struct ctx *ctx = h->ctx;
	char *at = sql_observed_at(ctx, h->table, "s");

	add(h, "find rows that differ from the current version", COUNT_NOTHING,
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_changed ON COMMIT DROP AS\n"
		"SELECT %s, %s AS at, s.stage_row\n"
		"  FROM loadstar_stage s\n"
		" WHERE NOT EXISTS (SELECT FROM %s d WHERE d.is_current AND NOT d.is_inferred AND d.%s <> " UNKNOWN_KEY
		"\n"
		"                      AND %s AND NOT %s)",
		sql_list(ctx, h->columns, "s"), at, h->target, h->surrogate, sql_equal(ctx, h->keys, "d", "s"),
		h->values.count == 0 ? "false" : ctx_printf(ctx, "(%s)", sql_distinct(ctx, h->values, "d", "s"))));
	add(h, "find new observations", COUNT_NOTHING,
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_observations ON COMMIT DROP AS\n"
		"SELECT %s, c.at, 'U'::\"char\" AS op, c.stage_row\n"
		"  FROM loadstar_changed c\n"
		"  LEFT JOIN LATERAL (SELECT l.* FROM %s l WHERE %s AND l.at = c.at AND l.op <> 'I'\n"
		"                      ORDER BY %s LIMIT 1) seen ON true\n"
		" WHERE seen.op IS NULL OR seen.op = 'D'%s",
		sql_list(ctx, h->columns, "c"), h->log, sql_equal(ctx, h->keys, "l", "c"), newest_first(ctx, "l"),
		h->table->ties_first ? "" : ctx_printf(ctx, " OR %s", sql_distinct(ctx, h->values, "c", "seen"))));
}

/* deletes: close. What is gone, and what is back. */
static void
find_deletes(const struct history *h)
{
	struct ctx *ctx = h->ctx;
	char *columns = sql_list(ctx, h->columns, NULL), *same = sql_equal(ctx, h->keys, "l", "c");

	add(h, "find keys that are back", COUNT_NOTHING,
	    ctx_printf(ctx,
		"INSERT INTO loadstar_observations (%s, at, op, stage_row)\n"
		"SELECT %s, GREATEST(:snapshot_at, last.at), 'R', c.stage_row\n"
		"  FROM loadstar_changed c\n"
		" CROSS JOIN LATERAL (SELECT l.* FROM %s l WHERE %s AND l.op <> 'I'\n"
		"                      ORDER BY l.at DESC, %s LIMIT 1) last\n"
		" WHERE last.at > c.at AND (last.op = 'D' OR last.op = 'R' AND %s)\n"
		"   AND NOT EXISTS (SELECT FROM loadstar_stage s WHERE %s AND %s > c.at)",
		columns, sql_list(ctx, h->columns, "c"), h->log, same, newest_first(ctx, "l"),
		sql_distinct(ctx, h->values, "c", "last"), sql_equal(ctx, h->keys, "s", "c"),
		sql_observed_at(ctx, h->table, "s")));
	add(h, "find keys that are gone", COUNT_NOTHING,
	    ctx_printf(ctx,
		"INSERT INTO loadstar_observations (%s, at, op)\n"
		"SELECT %s, GREATEST(:snapshot_at, (SELECT max(l.at) FROM %s l WHERE %s)), 'D'\n"
		"  FROM %s d\n"
		" WHERE d.is_current AND NOT d.is_inferred AND d.%s <> " UNKNOWN_KEY "\n"
		"   AND NOT EXISTS (SELECT FROM loadstar_stage s WHERE %s)",
		sql_list(ctx, h->keys, NULL), sql_list(ctx, h->keys, "d"), h->log, sql_equal(ctx, h->keys, "l", "d"),
		h->target, h->surrogate, sql_equal(ctx, h->keys, "s", "d")));
}

/* The keys with new observations; all of the log's when the dimension was lost and made anew: it is a function of the log. */
static void
keep_observations(const struct history *h)
{
	struct ctx *ctx = h->ctx;
	char *columns = sql_list(ctx, h->columns, NULL);

	add(h, "collect the keys", COUNT_NOTHING,
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS\n"
		"SELECT %s, EXISTS (SELECT FROM %s l WHERE %s) AS loadstar_known\n"
		"  FROM (SELECT %s FROM loadstar_observations\n"
		"         UNION\n"
		"        SELECT %s FROM %s\n"
		"         WHERE NOT EXISTS (SELECT FROM %s WHERE NOT is_inferred AND %s <> " UNKNOWN_KEY ")) o",
		sql_list(ctx, h->keys, "o"), h->log, sql_equal(ctx, h->keys, "l", "o"), sql_list(ctx, h->keys, NULL),
		sql_list(ctx, h->keys, NULL), h->log, h->target, h->surrogate));
	add(h, "analyze the keys", COUNT_NOTHING, ctx_strdup(ctx, "ANALYZE loadstar_keys"));
	add(h, "classify the rows", COUNT_ROW,
	    ctx_printf(ctx,
		"SELECT (SELECT count(*) FROM loadstar_stage) - count(*) AS unchanged,\n"
		"       count(*) FILTER (WHERE NOT loadstar_known) AS inserted, count(*) FILTER (WHERE loadstar_known) AS updated\n"
		"  FROM (SELECT DISTINCT o.stage_row, k.loadstar_known FROM loadstar_observations o\n"
		"          JOIN loadstar_keys k ON %s WHERE o.stage_row IS NOT NULL) rows",
		sql_equal(ctx, h->keys, "k", "o")));
	add(h, "count versions before", COUNT_ROW,
	    ctx_printf(ctx,
		"SELECT count(*) AS rows_before FROM %s d JOIN loadstar_keys k ON %s WHERE d.%s <> " UNKNOWN_KEY,
		h->target, sql_equal(ctx, h->keys, "d", "k"), h->surrogate));
	add(h, "log the observations", COUNT_NOTHING,
	    ctx_printf(ctx,
		"INSERT INTO %s (%s, at, op, load_id, row_number)\n"
		"SELECT %s, at, op, :load_id, COALESCE(stage_row, 0) FROM loadstar_observations",
		h->log, columns, columns));
}

/* Columns whose latest value stands in every version. */
static bool
is_overwritten(const struct history *h, const struct spec_column *column)
{
	return !column->key && !column->tracked && !text_equal(column->name, h->table->valid_from);
}

/* What a version says: in each column its own value, or the latest of the key. */
static char *
version_columns(const struct history *h)
{
	struct text out;

	text_init(&out, h->ctx);
	for (size_t i = 0; i < h->table->column_count; i++) {
		const char *column = pg_identifier(h->ctx, h->table->columns[i].name);

		text_add(&out, i == 0 ? "" : ", ");
		if (is_overwritten(h, &h->table->columns[i]))
			text_addf(&out, "first_value(m.%s) OVER newest AS %s", column, column);
		else
			text_addf(&out, "m.%s", column);
	}
	return out.data;
}

static char *
differs_from_previous(const struct history *h)
{
	struct text before;

	if (h->tracked.count == 0)
		return ctx_strdup(h->ctx, "false");
	text_init(&before, h->ctx);
	for (size_t i = 0; i < h->tracked.count; i++)
		text_addf(&before, "%slag(w.%s) OVER line", i == 0 ? "" : ", ",
		    pg_identifier(h->ctx, h->tracked.items[i]));
	return ctx_printf(h->ctx, "ROW(%s) IS DISTINCT FROM ROW(%s)", sql_list(h->ctx, h->tracked, "w"), before.data);
}

/* winners: one observation per key and time. marked: which begin something. spans: what belongs together. folded: one row each. */
static void
make_versions(const struct history *h)
{
	struct ctx *ctx = h->ctx;
	char *keys = sql_list(ctx, h->keys, NULL), *columns = sql_list(ctx, h->columns, NULL);

	add(h, "make versions from the log", COUNT_NOTHING,
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_versions ON COMMIT DROP AS\n"
		"WITH winners AS (\n"
		"    SELECT DISTINCT ON (%s, l.at) l.*\n"
		"      FROM %s l JOIN loadstar_keys k ON %s\n"
		"     WHERE l.op <> 'I' OR NOT EXISTS (SELECT FROM %s o WHERE %s AND o.op <> 'I')\n"
		"     ORDER BY %s, l.at, %s),\n"
		"marked AS (\n"
		"    SELECT w.*, CASE WHEN w.op = 'D' THEN COALESCE(lag(w.op) OVER line <> 'D', false)\n"
		"                     ELSE COALESCE(lag(w.op) OVER line = 'D', true)\n"
		"                          OR %s END AS loadstar_starts\n"
		"      FROM winners w WINDOW line AS (PARTITION BY %s ORDER BY w.at)),\n"
		"spans AS (\n"
		"    SELECT %s, m.at, m.op,\n"
		"           count(*) FILTER (WHERE m.loadstar_starts) OVER (PARTITION BY %s ORDER BY m.at) AS loadstar_span\n"
		"      FROM marked m WINDOW newest AS (PARTITION BY %s ORDER BY m.op = 'D', m.at DESC)),\n"
		"folded AS (\n"
		"    SELECT DISTINCT ON (%s, loadstar_span) %s, op, min(at) OVER (PARTITION BY %s, loadstar_span) AS effective_from\n"
		"      FROM spans ORDER BY %s, loadstar_span, at DESC),\n"
		"bounded AS (\n"
		"    SELECT *, lead(effective_from) OVER (PARTITION BY %s ORDER BY effective_from) AS loadstar_ends FROM folded)\n"
		"SELECT %s, effective_from, COALESCE(loadstar_ends, " OPEN_END ") AS effective_to,\n"
		"       loadstar_ends IS NULL AS is_current, op = 'I' AS is_inferred,\n"
		"       CASE WHEN op <> 'I' THEN md5(ROW(%s)::text) END AS row_hash\n"
		"  FROM bounded WHERE op <> 'D'",
		sql_list(ctx, h->keys, "l"), h->log, sql_equal(ctx, h->keys, "l", "k"), h->log,
		sql_equal(ctx, h->keys, "o", "l"), sql_list(ctx, h->keys, "l"), newest_first(ctx, "l"),
		differs_from_previous(h), sql_list(ctx, h->keys, "w"), version_columns(h), sql_list(ctx, h->keys, "m"),
		sql_list(ctx, h->keys, "m"), keys, columns, keys, keys, keys, columns,
		sql_list(ctx, h->tracked, NULL)));
	add(h, "analyze versions", COUNT_NOTHING, ctx_strdup(ctx, "ANALYZE loadstar_versions"));
}

/* A member that a fact made becomes the first version of what was observed since, and keeps its surrogate key by that. */
static void
complete_inferred(const struct history *h)
{
	struct ctx *ctx = h->ctx;
	char *keys = sql_list(ctx, h->keys, NULL);

	add(h, "complete inferred members", COUNT_NOTHING,
	    ctx_printf(ctx,
		"UPDATE %s d SET effective_from = v.loadstar_first\n"
		"  FROM (SELECT %s, min(effective_from) AS loadstar_first\n"
		"          FROM loadstar_versions WHERE NOT is_inferred GROUP BY %s) v\n"
		" WHERE d.is_inferred AND %s",
		h->target, keys, keys, sql_equal(ctx, h->keys, "d", "v")));
}

static void
delete_vanished(const struct history *h)
{
	struct ctx *ctx = h->ctx;
	char *keys = sql_list(ctx, h->keys, NULL);

	add(h, "delete vanished versions", COUNT_ROW,
	    ctx_printf(ctx,
		"WITH gone AS (\n"
		"    DELETE FROM %s d USING loadstar_keys k\n"
		"     WHERE %s AND d.%s <> " UNKNOWN_KEY "\n"
		"       AND NOT EXISTS (SELECT FROM loadstar_versions v WHERE %s AND v.effective_from = d.effective_from)\n"
		"    RETURNING %s, d.effective_from, d.%s),\n"
		"kept AS (INSERT INTO %s (%s, effective_from, %s) SELECT %s, effective_from, %s FROM gone)\n"
		"SELECT count(*) AS rows_deleted FROM gone",
		h->target, sql_equal(ctx, h->keys, "d", "k"), h->surrogate, sql_equal(ctx, h->keys, "v", "d"),
		sql_list(ctx, h->keys, "d"), h->surrogate, h->retired, keys, h->surrogate, keys, h->surrogate));
}

static void
update_changed(const struct history *h)
{
	struct ctx *ctx = h->ctx;
	static const char *bookkeeping[] = {"effective_to", "is_current", "is_inferred", "row_hash"};
	struct names compared = names_join(ctx, h->values, (struct names){.items = bookkeeping, .count = 4});
	struct sql_update update = {.target = h->target, .alias = "d", .from = "v"};
	char *same = ctx_printf(ctx, "%s AND d.effective_from = v.effective_from AND d.%s <> " UNKNOWN_KEY,
	    sql_equal(ctx, h->keys, "d", "v"), h->surrogate);

	add(h, "count versions to close", COUNT_ROW,
	    ctx_printf(ctx,
		"SELECT count(*) AS versions_closed FROM %s d JOIN loadstar_versions v ON %s\n"
		" WHERE d.is_current AND NOT v.is_current",
		h->target, same));
	update.due = ctx_printf(ctx,
	    "    SELECT d.ctid AS loadstar_row, %s\n      FROM %s d JOIN loadstar_versions v ON %s\n     WHERE %s",
	    sql_list(ctx, compared, "v"), h->target, same, sql_distinct(ctx, compared, "d", "v"));
	update.set = ctx_printf(ctx, "%s, load_id = :load_id, loaded_at = now()", sql_set(ctx, compared, "v"));
	add(h, "update changed versions", COUNT_ROW, sql_update_due(ctx, &update));
}

static void
insert_new(const struct history *h)
{
	struct ctx *ctx = h->ctx;
	char *columns = sql_list(ctx, h->columns, NULL), *keys = sql_equal(ctx, h->keys, "q", "v");

	add(h, "insert new versions", COUNT_ROW,
	    ctx_printf(ctx,
		"WITH back AS (\n"
		"    DELETE FROM %s q USING loadstar_versions v\n"
		"     WHERE %s AND q.effective_from = v.effective_from RETURNING q.*),\n"
		"opened AS (\n"
		"    INSERT INTO %s (%s, %s, effective_from, effective_to, is_current, is_inferred, row_hash, load_id, loaded_at)\n"
		"    SELECT COALESCE(q.%s, %s),\n"
		"           %s, v.effective_from, v.effective_to, v.is_current, v.is_inferred, v.row_hash, :load_id, now()\n"
		"      FROM loadstar_versions v LEFT JOIN back q ON %s AND q.effective_from = v.effective_from\n"
		"     WHERE NOT EXISTS (SELECT FROM %s d WHERE %s AND d.effective_from = v.effective_from AND d.%s <> " UNKNOWN_KEY
		")\n"
		"    RETURNING 1)\n"
		"SELECT count(*) AS versions_opened, count(*) AS rows_opened FROM opened",
		h->retired, keys, h->target, h->surrogate, columns, h->surrogate, sql_next_key(ctx, h->spec, h->table),
		sql_list(ctx, h->columns, "v"), keys, h->target, sql_equal(ctx, h->keys, "d", "v"), h->surrogate));
}

static struct history
describe(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, struct load_statements *out)
{
	return (struct history){.ctx = ctx,
	    .spec = spec,
	    .table = table,
	    .out = out,
	    .target = sql_table(ctx, spec, table),
	    .log = ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, "log")),
	    .retired = ctx_printf(ctx, "loadstar.%s", sql_bookkeeping(ctx, table, "retired")),
	    .surrogate = pg_identifier(ctx, table->surrogate),
	    .keys = names_keys(table),
	    .columns = names_columns(ctx, table),
	    .values = names_values(ctx, table),
	    .tracked = names_tracked(ctx, table)};
}

void
generate_publish_history(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out)
{
	struct history h = describe(ctx, spec, table, out);

	generate_check_stale(ctx, spec, table, out);
	find_observations(&h);
	if (table->deletes == DELETES_CLOSE)
		find_deletes(&h);
	keep_observations(&h);
	make_versions(&h);
	complete_inferred(&h);
	delete_vanished(&h);
	update_changed(&h);
	insert_new(&h);
	generate_repoint(ctx, spec, table, out);
	add(&h, "count versions after", COUNT_ROW,
	    ctx_printf(ctx,
		"SELECT count(*) AS rows_after, (SELECT count(*) FROM loadstar_versions) - count(*) AS missed\n"
		"  FROM %s d JOIN loadstar_keys k ON %s WHERE d.%s <> " UNKNOWN_KEY,
		h.target, sql_equal(ctx, h.keys, "d", "k"), h.surrogate));
}
