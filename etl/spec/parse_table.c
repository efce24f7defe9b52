#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"

/* begin may lie this far back. */
enum { LONGEST_BEGIN_MONTHS = 2400, LONGEST_BEGIN_DAYS = 73000, MOST_COLUMNS = 1000 };

static void
read_columns(struct parse *parse, struct spec_table *table, const struct node *map)
{
	struct spec_column *column;

	if (map == NULL || map->kind != NODE_MAP)
		return;
	if (map->count == 0 || map->count > MOST_COLUMNS) {
		(void)finding(&parse->findings, &map->key_place, "a table has 1 to %d columns", MOST_COLUMNS);
		return;
	}
	table->column_count = map->count;
	table->columns = column = ctx_alloc_array(parse->findings.ctx, map->count, sizeof(*column));
	for (const struct node *child = map->first; child != NULL; child = child->next, column++) {
		column->name = child->key;
		column->place = child->key_place;
		if (child->kind != NODE_SCALAR) {
			(void)read_section(parse, IN(COLUMN), child, column);
			continue;
		}
		if (!spec_type_parse(child->text, &column->type)) {
			const char *nearest = text_nearest(child->text, spec_type_words, spec_type_words_count);

			(void)finding(&parse->findings, &child->place, "'%s' is no type; %s%s", child->text,
			    nearest != NULL ? "did you mean " : "they are text, integer, numeric(p,s), timestamptz, …",
			    nearest != NULL ? nearest : "");
		}
	}
}

static void
read_keys(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *node = node_get(map, table->kind == TABLE_DIMENSION ? "key" : "grain");

	if (node != NULL && !node_is_null(node))
		(void)read_names(parse, node, &table->keys, &table->key_count);
}

static void
read_history(struct parse *parse, struct spec_table *table, const struct node *map)
{
	int64_t scd;

	table->scd = 1;
	if (map == NULL || map->kind != NODE_MAP || table->kind != TABLE_DIMENSION)
		return;
	(void)read_section(parse, IN(HISTORY), map, table);
	if (node_text(map, "scd") != NULL && text_to_i64(node_text(map, "scd"), &scd))
		table->scd = scd >= 0 && scd <= 2 ? (int)scd : 1;
}

/* "-P25M": as a span back from today. */
static bool
read_begin_before(const char *text, struct period *period)
{
	return text[0] == '-' && period_parse(text + 1, period) && !period_is_zero(period) &&
	       period->months <= LONGEST_BEGIN_MONTHS && period->days <= LONGEST_BEGIN_DAYS &&
	       period->us <= LONGEST_BEGIN_DAYS * CLOCK_DAY_US;
}

static void
read_begin(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *node = node_get(map, "begin");

	if (node == NULL || node->kind != NODE_SCALAR || node_is_null(node))
		return;
	if (clock_is_date(node->text) && clock_parse(node->text, &table->begin_us))
		return;
	if (!read_begin_before(node->text, &table->begin_before))
		(void)finding(&parse->findings, &node->place,
		    "'begin' is '%s', but must be a date such as 2023-01-01 or a period before today such as -P25M, "
		    "at most 200 years",
		    node->text);
}

static void
read_lookups(struct parse *parse, struct spec_table *table, const struct node *map)
{
	struct spec_lookup *lookup;

	if (map == NULL || map->kind != NODE_MAP || map->count == 0)
		return;
	table->lookup_count = map->count;
	table->lookups = lookup = ctx_alloc_array(parse->findings.ctx, map->count, sizeof(*lookup));
	for (const struct node *child = map->first; child != NULL; child = child->next, lookup++) {
		const struct node *match;
		size_t count;

		lookup->table = table;
		lookup->column = child->key;
		lookup->place = child->key_place;
		if (!read_section(parse, IN(LOOKUP), child, lookup) && child->kind != NODE_MAP)
			continue;
		match = node_get(child, "match");
		if (match != NULL && !node_is_null(match) && !read_names(parse, match, &lookup->match, &count))
			lookup->match = NULL;
	}
}

static void
read_source(struct parse *parse, const struct node *map)
{
	static const char *const of_calendars[] = {"start", "years", "fiscal_year_start"};
	const struct node *node = node_get(map, "source");
	struct spec_calendar ignored;

	for (size_t i = 0; node != NULL && i < 3; i++)
		if (node_get(node, of_calendars[i]) != NULL)
			(void)finding(&parse->findings, &node_get(node, of_calendars[i])->key_place,
			    "'%s' needs 'generate: date'", of_calendars[i]);
	if (node != NULL && node->kind == NODE_MAP)
		(void)read_section(parse, IN(TABLE_SOURCE), node, &ignored);
}

/* The sections of a table's keys; 0, with a finding, when its kind is not clear. */
static unsigned
sections_of(struct parse *parse, const struct node *node)
{
	const struct node *kind = node_get(node, "kind");
	const char *text = node_text(node, "kind");

	if (text != NULL && strcmp(text, "dimension") == 0)
		return IN(TABLE) | IN(DIMENSION);
	if (text != NULL && strcmp(text, "fact") == 0)
		return IN(TABLE) | IN(FACT);
	if (text != NULL && strcmp(text, "stage") == 0)
		return IN(TABLE) | IN(STAGE);
	if (node->kind != NODE_MAP)
		(void)finding(&parse->findings, &node->place, "'%s' must be a mapping (key: value)", node->key);
	else if (kind == NULL)
		(void)finding(&parse->findings, &node->key_place, "'%s' lacks the key 'kind'", node->key);
	else
		(void)finding(&parse->findings, &kind->place, "'kind' must be dimension, fact or stage");
	return 0;
}

/* What every table but a calendar has to say. */
static void
check_present(struct parse *parse, const struct spec_table *table, const struct node *node)
{
	const struct node *source = node_get(node, "source");

	if (node_get(node, "columns") == NULL)
		(void)finding(&parse->findings, node_blame(node), "'%s' lacks the key 'columns'", table->name);
	if (table->kind == TABLE_DIMENSION && node_get(node, "key") == NULL)
		(void)finding(&parse->findings, node_blame(node), "'%s' lacks the key 'key'", table->name);
	if (source != NULL && source->kind == NODE_MAP && node_get(source, "from") == NULL &&
	    node_get(source, "stage") == NULL)
		(void)finding(&parse->findings, node_blame(source), "'source' lacks the key 'from'");
}

/* False when the table cannot be read: nothing more is said of it. */
static bool
read_table(struct parse *parse, struct spec_table *table, const struct node *node)
{
	unsigned sections = sections_of(parse, node);

	*table = parse->defaults;
	table->name = node->key;
	table->place = node->key_place;
	table->fail_run = true;
	if (sections == 0)
		return false;
	(void)read_section(parse, sections, node, table);
	table->kind = (sections & IN(DIMENSION)) != 0 ? TABLE_DIMENSION : TABLE_FACT;
	table->is_stage = (sections & IN(STAGE)) != 0;
	if (!read_calendar(parse, table, node)) {
		check_present(parse, table, node);
		read_source(parse, node);
		read_file_table(parse, table, node);
		read_columns(parse, table, node_get(node, "columns"));
		read_keys(parse, table, node);
	}
	read_history(parse, table, node_get(node, "history"));
	read_begin(parse, table, node);
	read_lookups(parse, table, node_get(node, "lookups"));
	read_guards(parse, node, &table->guards);
	read_retry(parse, node, &table->retry, &table->timeouts);
	if (table->slice_text != NULL && !period_parse(table->slice_text, &table->slice))
		table->slice_text = NULL;
	if (table->reconcile_text != NULL && !period_parse(table->reconcile_text, &table->reconcile))
		table->reconcile_text = NULL;
	if (table->kind == TABLE_DIMENSION && table->surrogate == NULL)
		table->surrogate = ctx_printf(parse->findings.ctx, "%s_key", table->name);
	return true;
}

void
read_tables(struct parse *parse, const struct node *map)
{
	struct spec *spec = parse->spec;
	size_t i = 0;

	spec->tables = ctx_alloc_array(parse->findings.ctx, spec->table_count, sizeof(*spec->tables));
	parse->table_nodes = ctx_alloc_array(parse->findings.ctx, spec->table_count, sizeof(*parse->table_nodes));
	for (const struct node *child = map->first; child != NULL; child = child->next, i++) {
		parse->table_nodes[i] = read_table(parse, &spec->tables[i], child) ? child : NULL;
	}
}
