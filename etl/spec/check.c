#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"

/* Columns that the engine or PostgreSQL keep for themselves. */
static const char *const reserved_columns[] = {
    "load_id",
    "loaded_at",
    "file_id",
    "effective_from",
    "effective_to",
    "is_current",
    "is_inferred",
    "row_hash",
    "stage_row",
    "ctid",
    "xmin",
    "xmax",
    "cmin",
    "cmax",
    "tableoid",
};

/* What a dimension's observation log has beside the declared columns. */
static const char *const log_columns[] = {"at", "sequence", "op", "row_number"};

static bool
is_of_log(const char *name)
{
	for (size_t i = 0; i < sizeof(log_columns) / sizeof(*log_columns); i++)
		if (strcmp(name, log_columns[i]) == 0)
			return true;
	return false;
}

static bool
is_reserved(const char *name)
{
	for (size_t i = 0; i < sizeof(reserved_columns) / sizeof(*reserved_columns); i++)
		if (strcmp(name, reserved_columns[i]) == 0)
			return true;
	return text_starts_with(name, "loadstar_");
}

static bool
is_temporal(const struct spec_column *column)
{
	return column->type.kind == TYPE_DATE || column->type.kind == TYPE_TIMESTAMP ||
	       column->type.kind == TYPE_TIMESTAMPTZ;
}

static struct spec_column *
find_column(struct parse *parse, struct spec_table *table, const char *name, const struct spec_place *place)
{
	const char **names = ctx_alloc_array(parse->findings.ctx, table->column_count + 1, sizeof(*names));
	const char *nearest;

	for (size_t i = 0; i < table->column_count; i++) {
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
		names[i] = table->columns[i].name;
	}
	nearest = text_nearest(name, names, table->column_count);
	if (nearest != NULL)
		(void)finding(&parse->findings, place, "'%s' has no column '%s'; did you mean '%s'?", table->name, name,
		    nearest);
	else
		(void)finding(&parse->findings, place, "'%s' has no column '%s'", table->name, name);
	return NULL;
}

/* The column that a key of a mapping names must be there and hold a time. */
static void
check_time_column(struct parse *parse, struct spec_table *table, const struct node *map, const char *key)
{
	const struct node *node = node_get(map, key);
	struct spec_column *column;

	if (node == NULL || node->kind != NODE_SCALAR || !text_is_name(node->text))
		return;
	column = find_column(parse, table, node->text, &node->place);
	if (column != NULL && !is_temporal(column))
		(void)finding(&parse->findings, &node->place,
		    "'%s' must be a date, timestamp or timestamptz to be '%s'", node->text, key);
}

static void
check_columns(struct parse *parse, const struct spec_table *table)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct spec_column *column = &table->columns[i];

		if (!text_is_name(column->name))
			(void)finding(&parse->findings, &column->place,
			    "'%s' must be a name: a to z, 0 to 9 and _, a letter first, at most 63", column->name);
		else if (is_reserved(column->name))
			(void)finding(&parse->findings, &column->place,
			    "the name '%s' is reserved; rename it in the query", column->name);
		else if (table->kind == TABLE_DIMENSION && table->scd == 2 && is_of_log(column->name))
			(void)finding(&parse->findings, &column->place,
			    "the name '%s' is the observation log's in a dimension with scd 2; rename it in the query",
			    column->name);
		else if (text_equal(column->name, table->surrogate))
			(void)finding(&parse->findings, &column->place, "'%s' is the surrogate key already",
			    column->name);
		if (column->default_text != NULL && !spec_type_accepts(&column->type, column->default_text))
			(void)finding(&parse->findings, &column->place, "the default of '%s' is no %s", column->name,
			    spec_type_name(parse->findings.ctx, &column->type));
	}
}

/* Each item of a list of names, or the one name there is. */
static const struct node *
items_of(const struct node *node)
{
	return node != NULL && node->kind == NODE_LIST ? node->first : node;
}

static void
check_keys(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const char *what = table->kind == TABLE_DIMENSION ? "key" : "grain";

	for (const struct node *item = items_of(node_get(map, what)); item != NULL; item = item->next) {
		struct spec_column *column;

		if (item->kind == NODE_SCALAR && text_is_name(item->text)) {
			column = find_column(parse, table, item->text, &item->place);
			if (column == NULL)
				continue;
			column->key = column->not_null = true;
			if (column->type.kind == TYPE_JSONB)
				(void)finding(&parse->findings, &item->place, "a jsonb column cannot be part of the %s",
				    what);
		}
		if (node_get(map, what)->kind != NODE_LIST)
			break;
	}
}

static void
check_track(struct parse *parse, struct spec_table *table, const struct node *history)
{
	static const char *const of_versions[] = {"track", "ties"};
	const struct node *track = node_get(history, "track");
	bool all = track == NULL || (track->kind == NODE_SCALAR && strcmp(track->text, "all") == 0);
	const char **names;
	size_t count = 0;

	if (table->scd != 2) {
		for (size_t i = 0; i < sizeof(of_versions) / sizeof(*of_versions); i++)
			if (node_get(history, of_versions[i]) != NULL)
				(void)finding(&parse->findings, &node_get(history, of_versions[i])->key_place,
				    "'%s' needs scd 2", of_versions[i]);
		return;
	}
	if (!all && !read_names(parse, track, &names, &count))
		return;
	for (size_t i = 0; all && i < table->column_count; i++)
		table->columns[i].tracked =
		    !table->columns[i].key && !text_equal(table->columns[i].name, table->valid_from);
	for (const struct node *item = items_of(track); !all && count > 0; item = item->next, count--) {
		struct spec_column *column = find_column(parse, table, item->text, &item->place);

		if (column != NULL && column->key)
			(void)finding(&parse->findings, &item->place, "'%s' is part of the key: it cannot be tracked",
			    item->text);
		else if (column != NULL)
			column->tracked = true;
	}
}

/* write: append and scd 0 are two names of one thing. */
static void
check_dimension_write(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *write = node_get(map, "write"), *scd = node_get(node_get(map, "history"), "scd");

	if (table->dimension_write == DIMENSION_APPEND && scd != NULL && table->scd != 0)
		(void)finding(&parse->findings, &write->place, "'write: append' is scd 0; 'history' says scd %d",
		    table->scd);
	if (table->dimension_write == DIMENSION_REPLACE && table->scd != 1)
		(void)finding(&parse->findings, &write->place, "'write: replace' needs scd 1%s",
		    table->scd == 2 ? "; with scd 2 'deletes: close' ends what is gone" : "");
	if (table->dimension_write == DIMENSION_APPEND)
		table->scd = 0;
	else if (table->scd == 0)
		table->dimension_write = DIMENSION_APPEND;
}

static void
check_dimension(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *history = node_get(map, "history"), *deletes = node_get(history, "deletes");

	check_time_column(parse, table, history, "valid_from");
	check_track(parse, table, history);
	check_dimension_write(parse, table, map);
	if (table->deletes == DELETES_CLOSE && table->scd != 2)
		(void)finding(&parse->findings, &deletes->place,
		    "'deletes: close' needs scd 2: without versions there is none to close");
	table->slice_text = NULL;
	table->slice = (struct period){0};
}

static void
check_fact_write(struct parse *parse, const struct spec_table *table, const struct node *map)
{
	if (table->write != WRITE_APPEND && node_get(map, "grain") == NULL)
		(void)finding(&parse->findings, node_blame(map), "'%s' lacks the key 'grain'", table->name);
	if (table->write == WRITE_REPLACE_ALL && node_get(map, "time") != NULL)
		(void)finding(&parse->findings, &node_get(map, "time")->key_place,
		    "'time' cuts a table into slices; 'write: replace_all' has one slice, the whole table");
}

/* A date is midnight: all rows of a day would fall into its first slice. */
static void
check_slice_of_dates(struct parse *parse, const struct spec_table *table, const struct node *map)
{
	const struct spec_column *time = table->time != NULL ? spec_find_column(table, table->time) : NULL;
	const struct node *slice = node_get(map, "slice");

	if (time != NULL && time->type.kind == TYPE_DATE && table->slice.us > 0)
		(void)finding(&parse->findings, slice != NULL ? &slice->place : &node_get(map, "time")->place,
		    "'%s' is a date, which slices of %s do not divide: P1D is the shortest", table->time,
		    table->slice_text);
}

static void
check_fact(struct parse *parse, struct spec_table *table, const struct node *map)
{
	static const char *const need_time[] = {"begin", "slice", "lag", "lookback", "changed_by", "reconcile"};

	check_time_column(parse, table, map, "time");
	check_time_column(parse, table, map, "changed_by");
	check_fact_write(parse, table, map);
	if (node_get(map, "time") != NULL && spec_table_is_fed_by_files(table)) {
		table->slice_text = NULL;
		table->slice = (struct period){0};
		return;
	}
	if (node_get(map, "time") != NULL) {
		if (node_get(map, "begin") == NULL)
			(void)finding(&parse->findings, node_blame(map), "'%s' has 'time' and so needs 'begin'",
			    table->name);
		if (node_get(map, "slice") == NULL && table->slice_text == NULL)
			(void)finding(&parse->findings, node_blame(map),
			    "'%s' has 'time' and so needs 'slice', here or in defaults", table->name);
		check_slice_of_dates(parse, table, map);
		return;
	}
	for (size_t i = 0; i < sizeof(need_time) / sizeof(*need_time); i++)
		if (node_get(map, need_time[i]) != NULL)
			(void)finding(&parse->findings, &node_get(map, need_time[i])->key_place, "'%s' needs 'time'",
			    need_time[i]);
	table->slice_text = NULL;
	table->slice = (struct period){0};
}

static void
check_source(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *from = node_get(node_get(map, "source"), "from");
	const struct spec *spec = parse->spec;
	const char **names = ctx_alloc_array(parse->findings.ctx, spec->source_count + 1, sizeof(*names));
	const char *nearest;

	if (check_stage_source(parse, table, map))
		return;
	if (from == NULL || from->kind != NODE_SCALAR || !text_is_name(from->text))
		return;
	for (size_t i = 0; i < spec->source_count; i++) {
		names[i] = spec->sources[i].name;
		if (strcmp(names[i], from->text) == 0)
			table->source = &spec->sources[i];
	}
	if (table->source != NULL)
		return;
	nearest = text_nearest(from->text, names, spec->source_count);
	(void)finding(&parse->findings, &from->place, "there is no source '%s'%s%s%s", from->text,
	    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

void
check_table(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *run = node_get(node_get(map, "timeouts"), "run");
	const struct node *surrogate = node_get(map, "surrogate");

	if (text_starts_with(table->name, "loadstar_"))
		(void)finding(&parse->findings, &table->place, "names that begin with loadstar_ are reserved");
	if (table->surrogate != NULL && is_reserved(table->surrogate))
		(void)finding(&parse->findings, surrogate != NULL ? &surrogate->place : &table->place,
		    "the name '%s' is reserved", table->surrogate);
	if (run != NULL)
		(void)finding(&parse->findings, &run->key_place, "'run' belongs to the timeouts in defaults");
	check_source(parse, table, map);
	check_guards(parse, table, map);
	if (table->column_count == 0)
		return;
	check_columns(parse, table);
	check_keys(parse, table, map);
	if (table->is_stage)
		check_stage(parse, table, map);
	else if (table->kind == TABLE_DIMENSION)
		check_dimension(parse, table, map);
	else
		check_fact(parse, table, map);
}
