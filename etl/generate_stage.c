/* generate_stage: from the source's query to clean rows in loadstar_stage. Needs no lock and no look at the target. */
#include <string.h>

#include "base/text.h"
#include "etl/generate_sql.h"
#include "etl/template.h"
#include "sql/pg.h"

/* What a run's parameter is: given with the run, else declared. */
static const char *
param_value(struct ctx *ctx, const struct spec_param *param, const json_t *params)
{
	const json_t *given = json_object_get(params, param->name);

	if (given == NULL || json_is_null(given))
		return param->default_text;
	return json_is_string(given) ? json_string_value(given) : json_text(ctx, given);
}

void
generate_params(struct ctx *ctx, const struct spec *spec, const json_t *params, struct template_value *values)
{
	for (size_t i = 0; i < spec->param_count; i++)
		values[i] = (struct template_value){spec->params[i].name, spec_type_name(ctx, &spec->params[i].type),
		    param_value(ctx, &spec->params[i], params)};
}

/* The slice and the run's parameters. */
static struct template_value *
source_values(struct ctx *ctx, const struct spec *spec, int64_t from_us, int64_t to_us, const json_t *params,
    size_t *count)
{
	struct template_value *values = ctx_alloc_array(ctx, spec->param_count + 2, sizeof(*values));

	values[0] = (struct template_value){"from", "timestamp with time zone", clock_format(ctx, from_us)};
	values[1] = (struct template_value){"to", "timestamp with time zone", clock_format(ctx, to_us)};
	generate_params(ctx, spec, params, values + 2);
	*count = spec->param_count + 2;
	return values;
}

bool
generate_source(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const json_t *params, char **sql)
{
	size_t count;
	struct template_value *values = source_values(ctx, spec, from_us, to_us, params, &count);

	return template_fill(ctx, table->query_path, table->query, values, count, sql);
}

struct spec_place
generate_source_place(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    const int64_t slice_us[2], const json_t *params, int position)
{
	struct spec_place place = {.file = table->query_path, .line = 1, .column = 1};
	size_t count;
	struct template_value *values = source_values(ctx, spec, slice_us[0], slice_us[1], params, &count);

	if (position > 0)
		(void)template_place(ctx, table->query, values, count, position, &place.line, &place.column);
	return place;
}

bool
generate_extract(struct ctx *ctx, const struct spec *spec, const struct spec_table *table, int64_t from_us,
    int64_t to_us, const json_t *params, char **sql)
{
	char *query;

	if (!generate_source(ctx, spec, table, from_us, to_us, params, &query))
		return false;
	*sql = ctx_printf(ctx, "SELECT %s\n  FROM (\n%s\n) AS loadstar_source",
	    sql_list(ctx, names_columns(ctx, table), NULL), query);
	return true;
}

void
generate_stage_table(struct ctx *ctx, const struct spec_table *table, char **create, char **copy_from)
{
	bool files = spec_table_is_fed_by_files(table),
	     lines = files && (table->transform == NULL || table->transform_lines);

	*create = ctx_printf(ctx,
	    "CREATE TEMP TABLE loadstar_stage (\n%s,\n%s    stage_row bigint GENERATED ALWAYS AS IDENTITY\n)",
	    ddl_columns(ctx, table, false), files ? "    loadstar_line bigint,\n" : "");
	*copy_from = ctx_printf(ctx, "COPY loadstar_stage (%s%s) FROM STDIN",
	    sql_list(ctx, names_columns(ctx, table), NULL), lines ? ", loadstar_line" : "");
}

/* Columns no row may leave empty: the key, and the time by which it belongs to a slice or to history. */
static struct names
required_columns(struct ctx *ctx, const struct spec_table *table)
{
	const char *time = table->kind == TABLE_FACT ? table->time : table->scd == 2 ? table->valid_from : NULL;
	struct names keys = names_keys(table), more = {.items = &time, .count = 1};

	for (size_t i = 0; i < keys.count; i++)
		if (text_equal(keys.items[i], time))
			time = NULL;
	return time == NULL ? keys : names_join(ctx, keys, more);
}

static void
check_required(struct ctx *ctx, const struct spec_table *table, struct load_statements *out)
{
	struct names names = required_columns(ctx, table);
	struct load_statement *statement;
	struct text any, which;

	if (spec_table_is_fed_by_files(table)) {
		generate_reject_incomplete(ctx, table, "null_key", names, out);
		generate_reject_incomplete(ctx, table, "not_null", names_not_null(ctx, table), out);
		return;
	}
	text_init(&any, ctx);
	text_init(&which, ctx);
	for (size_t i = 0; i < names.count; i++) {
		const char *column = pg_identifier(ctx, names.items[i]);

		text_addf(&any, "%s%s IS NULL", i == 0 ? "" : " OR ", column);
		text_addf(&which, ",\n           CASE WHEN bool_or(%s IS NULL) THEN %s END", column,
		    pg_literal(ctx, names.items[i]));
	}
	if (names.count == 0)
		return;
	statement = statement_add(ctx, out, "look for rows without a key",
	    ctx_printf(ctx, "SELECT count(*) AS n, concat_ws(', '%s) AS detail\n  FROM loadstar_stage\n WHERE %s",
		which.data, any.data));
	statement->counter = COUNT_MUST_BE_0;
	statement->code = FAIL_NULL_KEY;
	statement->message = "rows have no value in";
}

/* A version begins before it ends, and the current one ends at infinity. */
static void
check_endless(struct ctx *ctx, const struct spec_table *table, struct load_statements *out)
{
	struct load_statement *statement = statement_add(ctx, out, "look for versions that never begin",
	    ctx_printf(ctx, "SELECT count(*) AS n, %s AS detail FROM loadstar_stage WHERE %s = 'infinity'",
		pg_literal(ctx, table->valid_from), pg_identifier(ctx, table->valid_from)));

	statement->counter = COUNT_MUST_BE_0;
	statement->code = FAIL_SQL_DATA;
	statement->message = "rows have infinity, so that they would never begin to hold, in";
}

/* Of rows that are one row of the table the newest stays (with `ties: first` the first): by time of change, then by order of arrival. The rows are only
 * sorted where there are any of that kind. */
static void
drop_duplicates(struct ctx *ctx, const struct spec_table *table, struct load_statements *out)
{
	bool history = table->kind == TABLE_DIMENSION && table->scd == 2;
	const char *newest = table->kind == TABLE_FACT ? table->changed_by : history ? NULL : table->valid_from;
	struct names names = history ? required_columns(ctx, table) : names_keys(table);
	struct load_statement *statement;
	char *order = newest == NULL ? "" : ctx_printf(ctx, "d.%s DESC NULLS LAST, ", pg_identifier(ctx, newest));

	if (spec_table_is_fed_by_files(table)) /* readers go side by side: how rows arrive says nothing */
		order =
		    "(SELECT f.place FROM loadstar_files f WHERE f.file_id = d.file_id) DESC, d.loadstar_line DESC NULLS LAST, ";
	statement_add(ctx, out, "find duplicates",
	    ctx_printf(ctx,
		"CREATE TEMP TABLE loadstar_duplicates AS\nSELECT %s FROM loadstar_stage GROUP BY %s HAVING count(*) > 1",
		sql_list(ctx, names, NULL), sql_list(ctx, names, NULL)));
	statement_add(ctx, out, "analyze duplicates", ctx_strdup(ctx, "ANALYZE loadstar_duplicates"));
	statement = statement_add(ctx, out, "drop duplicates",
	    ctx_printf(ctx,
		"DELETE FROM loadstar_stage s\n"
		" USING (SELECT d.stage_row, row_number() OVER (PARTITION BY %s ORDER BY %sd.stage_row%s) AS place\n"
		"          FROM loadstar_stage d JOIN loadstar_duplicates u ON %s) ranked\n"
		" WHERE ranked.place > 1 AND s.stage_row = ranked.stage_row",
		sql_list(ctx, names, "d"), order, history && table->ties_first ? "" : " DESC",
		sql_equal(ctx, names, "d", "u")));
	statement->counter = COUNT_AFFECTED;
	statement->field = "deduplicated";
}

static void
names_add(struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (text_equal(names->items[i], name))
			return;
	names->items[names->count++] = name;
}

/* Columns that statements join, group or restrict by. The planner needs to know these; sampling all of a wide table costs more
 * than the checks do. */
static struct names
searched_columns(struct ctx *ctx, const struct spec_table *table)
{
	struct names names = {.items = ctx_alloc_array(ctx, table->column_count, sizeof(char *))};
	struct names required = required_columns(ctx, table);

	for (size_t i = 0; i < required.count; i++)
		names_add(&names, required.items[i]);
	for (size_t i = 0; i < table->lookup_count; i++) {
		const struct spec_lookup *lookup = &table->lookups[i];

		for (size_t k = 0; k < lookup->dimension->key_count; k++)
			names_add(&names, lookup->match[k]);
		if (lookup->as_of != NULL)
			names_add(&names, lookup->as_of);
	}
	return names;
}

bool
generate_stage_checks(struct ctx *ctx, const struct spec *spec, const struct spec_table *table,
    struct load_statements *out)
{
	struct load_statement *statement;
	struct names searched;

	(void)spec;
	*out = (struct load_statements){0};
	searched = searched_columns(ctx, table);
	if (searched.count > 0)
		statement_add(ctx, out, "analyze staging",
		    ctx_printf(ctx, "ANALYZE loadstar_stage (%s)", sql_list(ctx, searched, NULL)));
	check_required(ctx, table, out);
	if (table->kind == TABLE_DIMENSION && table->scd == 2 && table->valid_from != NULL)
		check_endless(ctx, table, out);
	if (table->kind == TABLE_FACT && table->time != NULL && !spec_table_is_fed_by_files(table)) {
		const char *time = pg_identifier(ctx, table->time);

		statement = statement_add(ctx, out, "drop rows of other slices",
		    ctx_printf(ctx, "DELETE FROM loadstar_stage WHERE %s < :from OR %s >= :to", time, time));
		statement->counter = COUNT_AFFECTED;
		statement->field = "filtered";
	}
	if (table->key_count > 0)
		drop_duplicates(ctx, table, out);
	return !ctx_failed(ctx);
}
