/*
 * generate_fact_missing: what becomes of a row whose lookup finds nothing, before it is written (quarantine, infer) or after
 * (fail). What is left is the unknown member's.
 *
 * A member is inferred for a key that the dimension has never had, and for no other: NULL is no key, and a time when a member was
 * not there says nothing new of it. The dimension's lock is held exclusively, so two facts make one member; facts that met
 * the key before are pointed to it.
 */
#include "base/text.h"
#include "etl/generate_fact.h"
#include "sql/pg.h"

static struct names
match_of(const struct spec_lookup *lookup)
{
	return (struct names){.items = lookup->match, .count = lookup->dimension->key_count};
}

/* s."a" AS "k", … of a lookup's columns, named as the dimension's key; every one IS NOT NULL; and equal to those of d. */
static void
describe_keys(struct ctx *ctx, const struct spec_lookup *lookup, char **columns, char **present, char **same)
{
	struct text list, there, equal;

	text_init(&list, ctx);
	text_init(&there, ctx);
	text_init(&equal, ctx);
	for (size_t i = 0; i < lookup->dimension->key_count; i++) {
		const char *column = pg_identifier(ctx, lookup->match[i]);
		const char *key = pg_identifier(ctx, lookup->dimension->keys[i]);

		text_addf(&list, "%ss.%s AS %s", i == 0 ? "" : ", ", column, key);
		text_addf(&there, "%ss.%s IS NOT NULL", i == 0 ? "" : " AND ", column);
		text_addf(&equal, "%sd.%s = s.%s", i == 0 ? "" : " AND ", key, column);
	}
	*columns = list.data;
	*present = there.data;
	*same = equal.data;
}

/* Columns beside the key that cannot be NULL, and what they say of a member that nothing is known of. */
static void
describe_required(struct ctx *ctx, const struct spec_table *dimension, char **names, char **values)
{
	struct text columns, neutral;

	text_init(&columns, ctx);
	text_init(&neutral, ctx);
	for (size_t i = 0; i < dimension->column_count; i++) {
		const struct spec_column *column = &dimension->columns[i];

		if (column->key || !column->not_null)
			continue;
		text_addf(&columns, "%s, ", pg_identifier(ctx, column->name));
		text_addf(&neutral, "%s, ", sql_neutral_value(&column->type));
	}
	*names = columns.data;
	*values = neutral.data;
}

static void
make_members(const struct fact *fact, const struct spec_lookup *lookup)
{
	struct ctx *ctx = fact->ctx;
	const struct spec_table *dimension = lookup->dimension;
	const char *surrogate = pg_identifier(ctx, dimension->surrogate), *back = "", *key, *join = "", *logged = "";
	char *keys = sql_list(ctx, names_keys(dimension), NULL), *required, *neutral;

	describe_required(ctx, dimension, &required, &neutral);
	key = sql_next_key(ctx, fact->spec, dimension);
	if (table_retires(dimension)) {
		char *same = sql_equal(ctx, names_keys(dimension), "q", "k");

		back = ctx_printf(ctx,
		    "back AS (\n    DELETE FROM loadstar.%s q USING loadstar_keys k\n"
		    "     WHERE %s AND q.effective_from = '-infinity' RETURNING q.*),\n",
		    sql_bookkeeping(ctx, dimension, "retired"), same);
		key = ctx_printf(ctx, "COALESCE(q.%s, %s)", surrogate, key);
		join = ctx_printf(ctx, " LEFT JOIN back q ON %s", same);
	}
	if (dimension->scd == 2)
		logged = ctx_printf(ctx,
		    ",\nlogged AS (\n    INSERT INTO loadstar.%s (%s, at, op, load_id, row_number)\n"
		    "    SELECT %s, '-infinity', 'I', :load_id, 0 FROM loadstar_keys)",
		    sql_bookkeeping(ctx, dimension, "log"), keys, keys);
	fact_count(fact, WHEN_ALWAYS, ctx_printf(ctx, "infer members of %s", dimension->name),
	    ctx_printf(ctx,
		"WITH %smade AS (\n"
		"    INSERT INTO %s (%s, %s, %seffective_from, effective_to, is_current, is_inferred, load_id, loaded_at)\n"
		"    SELECT %s, %s, %s'-infinity', " OPEN_END ", true, true, :load_id, now()\n"
		"      FROM loadstar_keys k%s RETURNING 1)%s\n"
		"SELECT count(*) AS members_inferred, (SELECT count(*) FROM loadstar_keys) - count(*) AS missed FROM made",
		back, sql_table(ctx, fact->spec, dimension), surrogate, keys, required, key,
		sql_list(ctx, names_keys(dimension), "k"), neutral, join, logged));
}

static void
infer(const struct fact *fact, const struct spec_lookup *lookup)
{
	struct ctx *ctx = fact->ctx;
	char *columns, *present, *same;

	describe_keys(ctx, lookup, &columns, &present, &same);
	statement_add(ctx, fact->out, ctx_printf(ctx, "find keys unknown to %s", lookup->dimension->name),
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_keys ON COMMIT DROP AS\n"
		"SELECT DISTINCT %s FROM loadstar_stage s\n"
		" WHERE %s\n"
		"   AND NOT EXISTS (SELECT FROM %s d WHERE %s AND d.%s <> " UNKNOWN_KEY ")",
		columns, present, sql_table(ctx, fact->spec, lookup->dimension), same,
		pg_identifier(ctx, lookup->dimension->surrogate)));
	statement_add(ctx, fact->out, "analyze the keys", ctx_strdup(ctx, "ANALYZE loadstar_keys"));
	make_members(fact, lookup);
	generate_repoint(ctx, fact->spec, lookup->dimension, fact->out);
	statement_add(ctx, fact->out, "forget the keys", ctx_strdup(ctx, "DROP TABLE loadstar_keys"));
}

/* The row goes to the quarantine, out of what is written. Unlike infer, this asks what `fail` asks: nothing was found. */
static void
quarantine(const struct fact *fact, const struct spec_lookup *lookup)
{
	struct ctx *ctx = fact->ctx;
	const char *time = fact->table->time, *place = "", *place_of = "";

	if (spec_table_is_fed_by_files(fact->table)) {
		place = ", file_id, file, line";
		place_of =
		    ", t.file_id, (SELECT f.path FROM loadstar_files f WHERE f.file_id = t.file_id), t.loadstar_line";
	}
	statement_add(ctx, fact->out, ctx_printf(ctx, "reject rows without %s", lookup->column),
	    ctx_printf(ctx,
		"WITH missing AS (\n"
		"    SELECT s.stage_row FROM loadstar_stage s%s\n"
		"     WHERE l.loadstar_key IS NULL),\n"
		"taken AS (\n"
		"    DELETE FROM loadstar_stage s USING missing m WHERE s.stage_row = m.stage_row RETURNING s.*)\n"
		"INSERT INTO loadstar_rejects (stage_row%s, column_name, rule, raw_text, row_time)\n"
		"SELECT t.stage_row%s, %s, 'lookup_missing',\n"
		"       (to_jsonb(t) - '{stage_row,loadstar_line,file_id}'::text[])::text, %s FROM taken t",
		sql_lookup_join(ctx, fact->spec, lookup, "l", "s", ""), place, place_of,
		pg_literal(ctx, lookup->column),
		time == NULL ? "NULL" : ctx_printf(ctx, "t.%s::timestamptz", pg_identifier(ctx, time))));
}

void
generate_fact_missing(const struct fact *fact)
{
	const struct spec_table *table = fact->table;

	for (size_t i = 0; i < table->lookup_count; i++)
		if (table->lookups[i].missing == MISSING_QUARANTINE)
			quarantine(fact, &table->lookups[i]);
	for (size_t i = 0; i < table->lookup_count; i++)
		if (table->lookups[i].missing == MISSING_INFER)
			infer(fact, &table->lookups[i]);
}

/* The rows of the table that this load answers for: its slice; where rows stay that were not staged, those that were. */
static char *
answered_rows(const struct fact *fact)
{
	char *slice = sql_slice(fact->ctx, fact->table, fact->scope, "t");

	if (fact->keys.count == 0 || (fact->table->write != WRITE_APPEND && fact->table->write != WRITE_UPSERT))
		return slice;
	return ctx_printf(fact->ctx, "EXISTS (SELECT FROM loadstar_stage s WHERE %s)",
	    sql_equal(fact->ctx, fact->keys, "s", "t"));
}

/* missing: fail. Asked of what was written, which is what readers would see. */
static void
check_missing(const struct fact *fact, const struct spec_lookup *lookup)
{
	struct ctx *ctx = fact->ctx;
	char *keys = sql_list(ctx, match_of(lookup), "t");
	struct load_statement *statement = statement_add(ctx, fact->out, ctx_printf(ctx, "check %s", lookup->column),
	    ctx_printf(ctx,
		"SELECT COALESCE(sum(n), 0) AS n, string_agg(key, ', ' ORDER BY key) FILTER (WHERE place <= 5) AS detail\n"
		"  FROM (SELECT concat_ws('/', %s) AS key, count(*) AS n, row_number() OVER (ORDER BY concat_ws('/', %s)) AS place\n"
		"          FROM %s t\n"
		"         WHERE t.%s = " UNKNOWN_KEY " AND %s\n"
		"         GROUP BY %s) missing",
		keys, keys, fact->target, pg_identifier(ctx, lookup->column), answered_rows(fact), keys));

	statement->counter = COUNT_MUST_BE_0;
	statement->code = FAIL_LOOKUP_MISSING;
	statement->message =
	    ctx_printf(ctx, "rows of %s have no member in %s", fact->table->name, lookup->dimension->name);
}

void
generate_fact_check_missing(const struct fact *fact)
{
	for (size_t i = 0; i < fact->table->lookup_count; i++)
		if (fact->table->lookups[i].missing == MISSING_FAIL)
			check_missing(fact, &fact->table->lookups[i]);
}
