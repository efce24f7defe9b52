/* generate_check: what a declared check asks. What a person wrote stands in parentheses on lines of its own, so that a comment at its
 * end ends there. */
#include "etl/generate_check.h"

#include <string.h>

#include "base/text.h"
#include "etl/generate_sql.h"
#include "etl/template.h"
#include "sql/pg.h"

enum { SAMPLE_TEXT = 200 };

static struct names
names_of(const struct spec_check *check)
{
	return (struct names){.items = check->columns, .count = check->column_count};
}

/* The rows t of a check's gate, without its `where`. */
static char *
gate_rows(struct ctx *ctx, const struct spec *spec, const struct spec_check *check, const char *scope)
{
	const struct spec_table *table = check->table;
	const char *where;

	if (check->gate == GATE_STAGING)
		return ctx_strdup(ctx, "loadstar_stage t");
	if (table->kind == TABLE_DIMENSION)
		where = ctx_printf(ctx, "t.is_current AND t.%s <> " UNKNOWN_KEY, pg_identifier(ctx, table->surrogate));
	else if (check->gate == GATE_PUBLISHED && !text_equal(scope, "table"))
		where = sql_slice(ctx, table, scope, "t");
	else
		return ctx_printf(ctx, "%s t", sql_table(ctx, spec, table));
	return ctx_printf(ctx, "(SELECT * FROM %s t WHERE %s) t", sql_table(ctx, spec, table), where);
}

/* The rows t that a check looks at. */
static char *
checked_rows(struct ctx *ctx, const struct spec *spec, const struct spec_check *check, const char *scope)
{
	char *rows = gate_rows(ctx, spec, check, scope);

	if (check->where == NULL)
		return rows;
	return ctx_printf(ctx, "(SELECT * FROM %s\n WHERE (\n%s\n)) t", rows, check->where);
}

/* a IS NULL OR b IS NULL, or all of them not. */
static char *
null_test(struct ctx *ctx, struct names names, const char *test, const char *link)
{
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < names.count; i++)
		text_addf(&out, "%st.%s %s", i == 0 ? "" : link, pg_identifier(ctx, names.items[i]), test);
	return out.data;
}

/* Whether a row fails. NULL of a rule is no failure, as in CHECK constraints. */
static char *
row_fails(struct ctx *ctx, const struct spec_check *check)
{
	if (check->kind == CHECK_COMPLETENESS)
		return ctx_printf(ctx, "(%s)", null_test(ctx, names_of(check), "IS NULL", " OR "));
	return ctx_printf(ctx, "((\n%s\n) IS FALSE)", check->rule);
}

/* Every row of a group of equals fails. Rows with a NULL in the columns are equal to none, as in UNIQUE constraints. */
static char *
uniqueness(struct ctx *ctx, const struct spec *spec, const struct spec_check *check, const char *scope)
{
	return ctx_printf(ctx,
	    "SELECT COALESCE(sum(n), 0)::bigint AS rows_checked, COALESCE(sum(n) FILTER (WHERE n > 1), 0)::bigint AS rows_failed\n"
	    "  FROM (SELECT count(*) AS n FROM %s\n         WHERE %s\n         GROUP BY %s) g",
	    checked_rows(ctx, spec, check, scope), null_test(ctx, names_of(check), "IS NOT NULL", " AND "),
	    sql_list(ctx, names_of(check), "t"));
}

/* What rows refer to, joined to them: <alias>.loadstar_key_1 … is empty where that is missing. At most one row for each, and no column of
 * it has the name of one of theirs. */
static char *
referred(struct ctx *ctx, const struct spec *spec, const struct spec_check *check, const char *alias)
{
	const struct spec_table *other = check->references;
	bool surrogate = text_equal(check->referenced[0], other->surrogate);
	const char *known = "";
	struct text keys, on;

	text_init(&keys, ctx);
	text_init(&on, ctx);
	for (size_t i = 0; i < check->column_count; i++) {
		text_addf(&keys, "%s%s AS loadstar_key_%zu", i == 0 ? "" : ", ",
		    pg_identifier(ctx, check->referenced[i]), i + 1);
		text_addf(&on, "%s%s.loadstar_key_%zu = t.%s", i == 0 ? "" : " AND ", alias, i + 1,
		    pg_identifier(ctx, check->columns[i]));
	}
	if (other->kind == TABLE_FACT) /* has no unknown member; -1 stands for no row */
		known = surrogate && check->allow_unknown ? " UNION SELECT " UNKNOWN_KEY : "";
	else if (!(surrogate && check->allow_unknown))
		known = ctx_printf(ctx, " WHERE %s <> " UNKNOWN_KEY, pg_identifier(ctx, other->surrogate));
	return ctx_printf(ctx, "\n  LEFT JOIN (SELECT DISTINCT %s FROM %s%s) %s ON %s", keys.data,
	    sql_table(ctx, spec, other), known, alias, on.data);
}

/* The rows the slice's last load staged, or left in the slice. */
static char *
previous_rows(struct ctx *ctx, const struct spec *spec, const struct spec_check *check)
{
	const char *rows = "(l.result #>> '{slice,rows_after}')::bigint";

	if (check->least_of_previous_ppm < 0 && check->most_of_previous_ppm < 0)
		return ctx_strdup(ctx, "NULL::bigint");
	if (check->gate == GATE_STAGING)
		rows =
		    "(l.result #>> '{rows,read}')::bigint - (l.result #>> '{rows,deduplicated}')::bigint\n"
		    "           - (l.result #>> '{rows,filtered}')::bigint - (l.result #>> '{rows,rejected}')::bigint";
	return ctx_printf(ctx,
	    "(SELECT %s\n      %s\n       AND l.slice = :slice\n     ORDER BY l.load_id DESC LIMIT 1)", rows,
	    sql_loads(ctx, spec, check->table));
}

static char *
compare(struct ctx *ctx, const struct spec_check *check)
{
	struct text out;

	switch (check->expect) {
	case EXPECT_NULL: return ctx_strdup(ctx, "value IS NULL");
	case EXPECT_NUMBER:
		return ctx_printf(ctx, "abs(value::numeric - (%s)::numeric) <= %s", check->expected,
		    check->tolerance != NULL ? check->tolerance : "0");
	case EXPECT_BOOLEAN: return ctx_printf(ctx, "value::text::boolean = %s", check->expected);
	case EXPECT_TEXT: return ctx_printf(ctx, "value::text = %s", pg_literal(ctx, check->expected));
	case EXPECT_RANGE: break;
	}
	text_init(&out, ctx);
	if (check->expected_min != NULL)
		text_addf(&out, "value::numeric >= (%s)::numeric", check->expected_min);
	if (check->expected_max != NULL)
		text_addf(&out, "%svalue::numeric <= (%s)::numeric", out.length > 0 ? " AND " : "",
		    check->expected_max);
	return out.data;
}

static char *
scalar(struct ctx *ctx, const struct spec_check *check)
{
	return ctx_printf(ctx,
	    "SELECT left(value::text, %d) AS observed, COALESCE(%s, false) AS passed\n  FROM (SELECT (\n%s\n) AS value) q",
	    SAMPLE_TEXT, compare(ctx, check), check->query);
}

/* A part of a scan that answers several checks: two columns for each, and what has to be joined for them. */
struct scan {
	struct ctx *ctx;
	const struct spec *spec;
	struct text columns, joins;
};

/* FILTER (WHERE …) of the rows that the check looks at and that are so; both may be NULL: all rows. */
static char *
filter(struct ctx *ctx, const struct spec_check *check, const char *so)
{
	if (check->where == NULL)
		return so == NULL ? ctx_strdup(ctx, "") : ctx_printf(ctx, " FILTER (WHERE %s)", so);
	if (so == NULL)
		return ctx_printf(ctx, " FILTER (WHERE (\n%s\n))", check->where);
	return ctx_printf(ctx, " FILTER (WHERE (\n%s\n) AND %s)", check->where, so);
}

static void
scan_rows(struct scan *scan, const struct spec_check *check, const char *looked_at, const char *fails)
{
	text_addf(&scan->columns, "count(*)%s AS rows_checked, count(*)%s AS rows_failed",
	    filter(scan->ctx, check, looked_at), filter(scan->ctx, check, fails));
}

/* Rows without a reference are left out, as in foreign keys. */
static void
scan_references(struct scan *scan, const struct spec_check *check, size_t place)
{
	const char *alias = ctx_printf(scan->ctx, "r%zu", place + 1);
	char *present = null_test(scan->ctx, names_of(check), "IS NOT NULL", " AND ");

	text_add(&scan->joins, referred(scan->ctx, scan->spec, check, alias));
	scan_rows(scan, check, present, ctx_printf(scan->ctx, "%s AND %s.loadstar_key_1 IS NULL", present, alias));
}

/* Of the whole table: a slice of the past says nothing about how fresh the table is. */
static void
scan_newest(struct scan *scan, const struct spec_check *check)
{
	char *newest = ctx_printf(scan->ctx, "(max(t.%s)%s)::timestamptz", pg_identifier(scan->ctx, check->column),
	    filter(scan->ctx, check, NULL));

	text_addf(&scan->columns,
	    "%s AS observed,\n       COALESCE(%s >= :now - interval '%lld milliseconds', false) AS passed", newest,
	    newest, (long long)check->max_age_ms);
}

static void
scan_add(struct scan *scan, const struct spec_check *check, size_t place)
{
	text_add(&scan->columns, place == 0 ? "SELECT " : ",\n       ");
	switch (check->kind) {
	case CHECK_COMPLETENESS:
	case CHECK_VALIDITY: scan_rows(scan, check, NULL, row_fails(scan->ctx, check)); return;
	case CHECK_REFERENTIAL: scan_references(scan, check, place); return;
	case CHECK_FRESHNESS: scan_newest(scan, check); return;
	case CHECK_VOLUME:
		text_addf(&scan->columns, "count(*)%s AS rows_checked,\n       %s AS previous",
		    filter(scan->ctx, check, NULL), previous_rows(scan->ctx, scan->spec, check));
		return;
	case CHECK_UNIQUENESS:
	case CHECK_SQL: return;
	}
}

bool
check_shares_scan(const struct spec_check *check)
{
	return check->kind != CHECK_UNIQUENESS && check->kind != CHECK_SQL;
}

char *
generate_check(struct ctx *ctx, const struct spec *spec, const struct spec_check *const *checks, size_t count,
    const char *scope)
{
	struct scan scan = {.ctx = ctx, .spec = spec};

	if (checks[0]->kind == CHECK_UNIQUENESS)
		return uniqueness(ctx, spec, checks[0], scope);
	if (checks[0]->kind == CHECK_SQL)
		return scalar(ctx, checks[0]);
	text_init(&scan.columns, ctx);
	text_init(&scan.joins, ctx);
	for (size_t i = 0; i < count; i++)
		scan_add(&scan, checks[i], i);
	return ctx_printf(ctx, "%s\n  FROM %s%s", scan.columns.data, gate_rows(ctx, spec, checks[0], scope),
	    scan.joins.data);
}

/* Columns to be shown. */
struct shown {
	struct ctx *ctx;
	const struct spec_table *table;
	struct names names;
};

static void
show(struct shown *shown, const char *name)
{
	for (size_t i = 0; i < shown->names.count; i++)
		if (text_equal(shown->names.items[i], name))
			return;
	shown->names.items[shown->names.count++] = name;
}

static bool
show_word(void *arg, const struct template_word *word)
{
	struct shown *shown = arg;
	const struct spec_column *column =
	    spec_find_column(shown->table, ctx_strndup(shown->ctx, word->at, word->length));

	if (column != NULL)
		show(shown, column->name);
	return true;
}

/* The key, then what the check names. */
static struct names
shown_columns(struct ctx *ctx, const struct spec_check *check)
{
	const struct spec_table *table = check->table;
	struct shown shown = {.ctx = ctx, .table = table};

	shown.names.items =
	    ctx_alloc_array(ctx, table->column_count + table->lookup_count + table->key_count + 2, sizeof(char *));
	for (size_t i = 0; i < table->key_count; i++)
		show(&shown, table->keys[i]);
	for (size_t i = 0; i < check->column_count; i++)
		show(&shown, check->columns[i]);
	if (check->rule != NULL)
		(void)template_words(check->rule, show_word, &shown);
	return shown.names;
}

/* As text, cut: what may be long, and numbers that JSON's readers would round. */
static bool
is_shown_as_text(const struct spec_column *column)
{
	return column != NULL && (column->type.kind == TYPE_TEXT || column->type.kind == TYPE_JSONB ||
				     column->type.kind == TYPE_NUMERIC || column->type.kind == TYPE_DOUBLE);
}

static char *
shown_list(struct ctx *ctx, const struct spec_check *check)
{
	struct names names = shown_columns(ctx, check);
	struct text out;

	text_init(&out, ctx);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = pg_identifier(ctx, names.items[i]);

		text_add(&out, i == 0 ? "" : ", ");
		if (is_shown_as_text(spec_find_column(check->table, names.items[i])))
			text_addf(&out, "left(t.%s::text, %d) AS %s", name, SAMPLE_TEXT, name);
		else
			text_addf(&out, "t.%s", name);
	}
	return out.data;
}

char *
generate_check_sample(struct ctx *ctx, const struct spec *spec, const struct spec_check *check, const char *scope)
{
	const char *order;
	char *rows;

	switch (check->kind) {
	case CHECK_COMPLETENESS:
	case CHECK_VALIDITY:
		rows = ctx_printf(ctx, "%s\n         WHERE %s", checked_rows(ctx, spec, check, scope),
		    row_fails(ctx, check));
		break;
	case CHECK_UNIQUENESS:
		rows = ctx_printf(ctx, "%s\n          JOIN (SELECT %s FROM %s GROUP BY %s HAVING count(*) > 1) d ON %s",
		    checked_rows(ctx, spec, check, scope), sql_list(ctx, names_of(check), "t"),
		    checked_rows(ctx, spec, check, scope), sql_list(ctx, names_of(check), "t"),
		    sql_equal(ctx, names_of(check), "t", "d"));
		break;
	case CHECK_REFERENTIAL:
		rows = ctx_printf(ctx, "%s%s\n         WHERE %s AND r.loadstar_key_1 IS NULL",
		    checked_rows(ctx, spec, check, scope), referred(ctx, spec, check, "r"),
		    null_test(ctx, names_of(check), "IS NOT NULL", " AND "));
		break;
	default: return NULL;
	}
	order = check->table->key_count == 0
		    ? ""
		    : ctx_printf(ctx, "\n         ORDER BY %s", sql_list(ctx, names_keys(check->table), "t"));
	return ctx_printf(ctx,
	    "SELECT COALESCE(json_agg(s), '[]')\n  FROM (SELECT %s\n          FROM %s%s\n         LIMIT %d) s",
	    shown_list(ctx, check), rows, order, CHECK_SAMPLE_ROWS);
}
