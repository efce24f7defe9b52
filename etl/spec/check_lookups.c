#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"

static const char *const kinds[] = {[TABLE_DIMENSION] = "dimension", [TABLE_FACT] = "fact"};

/* The table that `dimension: name` or `fact: name` means. */
static const struct spec_table *
find_referred(struct parse *parse, const struct spec_table *table, const struct node *node, enum table_kind kind)
{
	const struct spec *spec = parse->spec;
	const char **names = ctx_alloc_array(parse->findings.ctx, spec->table_count + 1, sizeof(*names));
	const struct spec_table *found = spec_find_table(spec, node->text);
	const char *nearest;
	size_t count = 0;

	if (found != NULL && found->kind != kind)
		(void)finding(&parse->findings, &node->place, "'%s' is a %s, not a %s", node->text, kinds[found->kind],
		    kinds[kind]);
	else if (found == table)
		(void)finding(&parse->findings, &node->place, "'%s' cannot look itself up", node->text);
	else if (found != NULL)
		return found;
	if (found != NULL)
		return NULL;
	for (size_t i = 0; i < spec->table_count; i++)
		if (spec->tables[i].kind == kind && &spec->tables[i] != table)
			names[count++] = spec->tables[i].name;
	nearest = text_nearest(node->text, names, count);
	(void)finding(&parse->findings, &node->place, "there is no %s '%s'%s%s%s", kinds[kind], node->text,
	    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
	return NULL;
}

static const struct spec_column *
find_column(struct parse *parse, const struct spec_table *table, const struct node *node)
{
	const struct spec_column *column = spec_find_column(table, node->text);
	const char **names = ctx_alloc_array(parse->findings.ctx, table->column_count + 1, sizeof(*names));
	const char *nearest;

	if (column != NULL)
		return column;
	for (size_t i = 0; i < table->column_count; i++)
		names[i] = table->columns[i].name;
	nearest = text_nearest(node->text, names, table->column_count);
	(void)finding(&parse->findings, &node->place, "'%s' has no column '%s'%s%s%s", table->name, node->text,
	    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
	return NULL;
}

static bool
types_equal(const struct spec_type *a, const struct spec_type *b)
{
	return a->kind == b->kind && a->precision == b->precision && a->scale == b->scale;
}

/* A calendar is looked up by any time that tells its day or its minute. */
static void
check_calendar_match(struct parse *parse, const struct spec_table *calendar, const struct spec_column *column,
    const struct node *node)
{
	bool date = calendar->calendar.kind == CALENDAR_DATE;

	if (column->type.kind != TYPE_TIMESTAMP && column->type.kind != TYPE_TIMESTAMPTZ &&
	    !(date && column->type.kind == TYPE_DATE))
		(void)finding(&parse->findings, &node->place,
		    "'%s' is %s; the calendar '%s' is found by a %stimestamp or timestamptz", column->name,
		    spec_type_name(parse->findings.ctx, &column->type), calendar->name, date ? "date, " : "");
}

static void
check_match(struct parse *parse, const struct spec_table *table, const struct spec_lookup *lookup,
    const struct node *match)
{
	const struct spec_table *dimension = lookup->dimension;
	const struct node *item = match->kind == NODE_LIST ? match->first : match;
	size_t count = match->kind == NODE_LIST ? match->count : 1;
	struct ctx *ctx = parse->findings.ctx;

	if (dimension != NULL && dimension->key_count > 0 && count != dimension->key_count)
		(void)finding(&parse->findings, &match->place, "'%s' has a %s of %zu columns, 'match' names %zu",
		    dimension->name, dimension->kind == TABLE_FACT ? "grain" : "key", dimension->key_count, count);
	for (size_t i = 0; i < count; i++, item = item->next) {
		const struct spec_column *column = find_column(parse, table, item), *key;

		if (column == NULL || dimension == NULL || i >= dimension->key_count)
			continue;
		if (dimension->calendar.kind != CALENDAR_NONE) {
			check_calendar_match(parse, dimension, column, item);
			continue;
		}
		key = spec_find_column(dimension, dimension->keys[i]);
		if (key != NULL && !types_equal(&column->type, &key->type))
			(void)finding(&parse->findings, &item->place, "'%s' is %s, but the key '%s' of '%s' is %s",
			    column->name, spec_type_name(ctx, &column->type), key->name, dimension->name,
			    spec_type_name(ctx, &key->type));
	}
}

static void
check_as_of(struct parse *parse, const struct spec_table *table, struct spec_lookup *lookup, const struct node *map)
{
	const struct node *node = node_get(map, "as_of"), *first = node_get(map, "before_first");
	const struct spec_column *column;

	if (node == NULL && first != NULL)
		(void)finding(&parse->findings, &first->key_place, "'before_first' needs 'as_of'");
	if (node == NULL || lookup->as_of == NULL)
		return;
	column = find_column(parse, table, node);
	if (column != NULL && column->type.kind != TYPE_DATE && column->type.kind != TYPE_TIMESTAMP &&
	    column->type.kind != TYPE_TIMESTAMPTZ)
		(void)finding(&parse->findings, &node->place,
		    "'%s' must be a date, timestamp or timestamptz to be 'as_of'", node->text);
	if (lookup->dimension != NULL && lookup->dimension->kind == TABLE_DIMENSION && lookup->dimension->scd != 2)
		(void)finding(&parse->findings, &node->key_place,
		    "'as_of' needs a dimension with scd 2; '%s' has no versions", lookup->dimension->name);
}

/* A fact is looked up by its grain, and has a key to be referred to by. */
static void
check_fact_lookup(struct parse *parse, const struct spec_lookup *lookup, const struct node *map)
{
	static const char *const of_dimensions[] = {"as_of", "before_first"};
	const struct node *missing = node_get(map, "missing");

	for (size_t i = 0; i < sizeof(of_dimensions) / sizeof(*of_dimensions); i++)
		if (node_get(map, of_dimensions[i]) != NULL)
			(void)finding(&parse->findings, &node_get(map, of_dimensions[i])->key_place,
			    "'%s' needs a dimension: a fact has no versions", of_dimensions[i]);
	if (lookup->missing == MISSING_INFER)
		(void)finding(&parse->findings, &missing->place, "'missing: infer' needs a dimension");
	if (lookup->dimension == NULL)
		return;
	if (lookup->dimension->surrogate == NULL || lookup->dimension->key_count == 0)
		(void)finding(&parse->findings, &node_get(map, "fact")->place,
		    "'%s' has no '%s', and so cannot be looked up", lookup->dimension->name,
		    lookup->dimension->surrogate == NULL ? "surrogate" : "grain");
}

static void
check_referred(struct parse *parse, const struct spec_table *table, struct spec_lookup *lookup, const struct node *map)
{
	const struct node *dimension = node_get(map, "dimension"), *fact = node_get(map, "fact");

	if (dimension == NULL && fact == NULL && map->kind == NODE_MAP)
		(void)finding(&parse->findings, &lookup->place, "'%s' lacks the key 'dimension' or 'fact'",
		    lookup->column);
	if (dimension != NULL && fact != NULL)
		(void)finding(&parse->findings, &fact->key_place, "a lookup names a dimension or a fact, not both");
	else if (dimension != NULL && node_text(map, "dimension") != NULL)
		lookup->dimension = find_referred(parse, table, dimension, TABLE_DIMENSION);
	else if (fact != NULL && node_text(map, "fact") != NULL)
		lookup->dimension = find_referred(parse, table, fact, TABLE_FACT);
	if (fact != NULL)
		check_fact_lookup(parse, lookup, map);
	if (lookup->dimension != NULL && lookup->dimension->calendar.kind != CALENDAR_NONE &&
	    lookup->missing == MISSING_INFER)
		(void)finding(&parse->findings, &node_get(map, "missing")->place,
		    "'%s' is a calendar: it has no members to be inferred", lookup->dimension->name);
}

static void
check_lookup(struct parse *parse, const struct spec_table *table, struct spec_lookup *lookup, const struct node *map)
{
	const struct spec_column *column = spec_find_column(table, lookup->column);

	if (!text_is_name(lookup->column) || text_starts_with(lookup->column, "loadstar_"))
		(void)finding(&parse->findings, &lookup->place, "'%s' cannot be the name of a column", lookup->column);
	else if (column != NULL || text_equal(lookup->column, table->surrogate))
		(void)finding(&parse->findings, &lookup->place, "'%s' is a column already; a lookup makes its own",
		    lookup->column);
	check_referred(parse, table, lookup, map);
	if (table->column_count == 0)
		return;
	if (lookup->match != NULL)
		check_match(parse, table, lookup, node_get(map, "match"));
	check_as_of(parse, table, lookup, map);
}

void
check_lookups(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *child = node_get(map, "lookups");

	if (table->lookup_count == 0)
		return;
	if (table->kind == TABLE_DIMENSION)
		(void)finding(&parse->findings, &child->key_place, "lookups of a dimension are not available yet");
	child = child->first;
	for (size_t i = 0; i < table->lookup_count; i++, child = child->next)
		check_lookup(parse, table, &table->lookups[i], child);
}

/* Of its own steps. */
static int64_t
last_wave(const struct spec_table *table)
{
	return table->wave + (table->checked_after ? 1 : 0);
}

/* Raises a table above the dimensions it looks up; false when it was already. */
static bool
raise(struct spec_table *table)
{
	bool raised = false;

	for (size_t i = 0; i < table->lookup_count; i++) {
		const struct spec_table *dimension = table->lookups[i].dimension;

		if (dimension != NULL && table->wave <= last_wave(dimension)) {
			table->wave = last_wave(dimension) + 1;
			raised = true;
		}
	}
	return raised;
}

struct circle {
	struct ctx *ctx;
	const struct spec *spec;
	const struct spec_table *start;
	bool *seen; /* by table */
};

/* The way from a table to the start along lookups of tables that are declared after it; NULL: there is none. */
static const char *
find_way(struct circle *circle, const struct spec_table *from)
{
	size_t at = (size_t)(from - circle->spec->tables);

	if (from <= circle->start || circle->seen[at])
		return from == circle->start ? from->name : NULL;
	circle->seen[at] = true;
	for (size_t i = 0; i < from->lookup_count; i++) {
		const struct spec_table *next = from->lookups[i].dimension;
		const char *rest = next != NULL ? find_way(circle, next) : NULL;

		if (rest != NULL)
			return ctx_printf(circle->ctx, "%s -> %s", from->name, rest);
	}
	return NULL;
}

/* At the first declared of its tables, where the lookup stands that leads around. */
static void
report_circles(struct parse *parse)
{
	const struct spec *spec = parse->spec;
	struct circle circle = {.ctx = parse->findings.ctx, .spec = spec};

	for (size_t i = 0; i < spec->table_count; i++) {
		const struct spec_table *table = &spec->tables[i];

		circle.start = table;
		for (size_t k = 0; k < table->lookup_count; k++) {
			const struct spec_table *next = table->lookups[k].dimension;
			const char *way = NULL;

			circle.seen = ctx_alloc_array(circle.ctx, spec->table_count, sizeof(*circle.seen));
			if (next != NULL && next != table)
				way = find_way(&circle, next);
			if (way != NULL)
				(void)finding(&parse->findings, &table->lookups[k].place,
				    "the lookups go in a circle: %s -> %s", table->name, way);
		}
	}
}

/* Raises the tables of a kind above those they look up. False: there is no end to it. */
static bool
raise_kind(struct parse *parse, enum table_kind kind)
{
	struct spec *spec = parse->spec;
	bool raised = true;

	for (size_t pass = 0; raised && pass <= spec->table_count; pass++) {
		raised = false;
		for (size_t i = 0; i < spec->table_count; i++) {
			struct spec_table *table = &spec->tables[i];

			if (table->kind != kind || !raise(table))
				continue;
			raised = true;
		}
	}
	return !raised;
}

static void
find_checked_after(struct spec *spec)
{
	for (size_t i = 0; i < spec->table_count; i++)
		for (size_t k = 0; k < spec->check_count; k++)
			if (spec->checks[k].table == &spec->tables[i] && spec_check_is_after(&spec->checks[k]))
				spec->tables[i].checked_after = true;
}

/* Staging in wave 2; dimensions after it, then the facts; each above those it looks up, and above what is asked of those. */
void
check_waves(struct parse *parse)
{
	struct spec *spec = parse->spec;
	int64_t first = 2, last;
	bool ends;

	find_checked_after(spec);
	for (size_t i = 0; i < spec->table_count; i++)
		if (spec->tables[i].is_stage && first < 3 + (spec->tables[i].checked_after ? 1 : 0))
			first = 3 + (spec->tables[i].checked_after ? 1 : 0);
	last = first;
	for (size_t i = 0; i < spec->table_count; i++)
		spec->tables[i].wave = first;
	ends = raise_kind(parse, TABLE_DIMENSION);
	for (size_t i = 0; i < spec->table_count; i++)
		if (spec->tables[i].kind == TABLE_DIMENSION && last_wave(&spec->tables[i]) > last)
			last = last_wave(&spec->tables[i]);
	for (size_t i = 0; i < spec->table_count; i++)
		if (spec->tables[i].kind == TABLE_FACT)
			spec->tables[i].wave = spec->tables[i].is_stage ? 2 : last + 1;
	if (!raise_kind(parse, TABLE_FACT) || !ends)
		report_circles(parse);
}
