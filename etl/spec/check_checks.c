/* check_checks: what checks say about tables, columns and gates. */
#include <string.h>

#include "base/bug.h"
#include "base/text.h"
#include "etl/spec/parse.h"
#include "etl/template.h"

#define AT(gate) (1U << GATE_##gate)

/* The kinds, as enum check_kind has them: gates they can be asked at, the default one, keys they must have, and may. */
static const struct kind {
	const char *name;
	enum check_gate gate;
	unsigned gates;
	const char *needs, *takes; /* names with blanks around them */
} kinds[] = {
    {"completeness", GATE_STAGING, AT(STAGING) | AT(PUBLISHED) | AT(RUN), " columns ", " where at_least "},
    {"validity", GATE_STAGING, AT(STAGING) | AT(PUBLISHED) | AT(RUN), " rule ", " where at_least "},
    {"freshness", GATE_RUN, AT(PUBLISHED) | AT(RUN), " column max_age ", " where "},
    {"uniqueness", GATE_STAGING, AT(STAGING) | AT(PUBLISHED) | AT(RUN), " columns ", " where at_least "},
    {"referential", GATE_PUBLISHED, AT(STAGING) | AT(PUBLISHED) | AT(RUN), " columns ",
	" references allow_unknown where at_least "},
    {"volume", GATE_STAGING, AT(STAGING) | AT(PUBLISHED) | AT(RUN), " ",
	" min max least_of_previous most_of_previous where "},
    {"sql", GATE_RUN, AT(STAGING) | AT(PUBLISHED) | AT(RUN), " query expect ", " tolerance "},
};
static const char common_keys[] = " name kind table severity gate scope comment retry retry_wait ";
static const char *const gate_names[] = {"staging", "published", "run"};

const char *
check_kind_name(enum check_kind kind)
{
	return kinds[kind].name;
}

const char *
check_gate_name(enum check_gate gate)
{
	return gate_names[gate];
}

bool
spec_check_is_after(const struct spec_check *check)
{
	return check->gate == GATE_PUBLISHED && check->whole && check->table != NULL &&
	       (check->table->time != NULL || spec_table_is_fed_by_files(check->table));
}

const char *
check_severity_name(const struct spec_check *check)
{
	return check->warn ? "warn" : "error";
}

static bool
has_word(struct ctx *ctx, const char *words, const char *word)
{
	return strstr(words, ctx_printf(ctx, " %s ", word)) != NULL;
}

/* Keys of other kinds are refused, missing ones told. */
static void
check_keys(struct parse *parse, const struct kind *kind, const struct node *map)
{
	struct ctx *ctx = parse->findings.ctx;
	const char *at = kind->needs + 1;

	for (const struct node *child = map->first; child != NULL; child = child->next)
		if (!has_word(ctx, common_keys, child->key) && !has_word(ctx, kind->needs, child->key) &&
		    !has_word(ctx, kind->takes, child->key))
			for (size_t i = 0; i < spec_keys_count; i++)
				if (spec_keys[i].section == SECTION_CHECK && strcmp(spec_keys[i].key, child->key) == 0)
					(void)finding(&parse->findings, &child->key_place,
					    "'%s' is no key of %s checks", child->key, kind->name);
	while (*at != '\0') {
		size_t length = strcspn(at, " ");
		char *key = ctx_strndup(ctx, at, length);

		if (node_get(map, key) == NULL)
			(void)finding(&parse->findings, &map->place, "a %s check needs '%s'", kind->name, key);
		at += length + 1;
	}
}

static const struct spec_table *
find_table(struct parse *parse, const struct node *node)
{
	const struct spec *spec = parse->spec;
	const char **names = ctx_alloc_array(parse->findings.ctx, spec->table_count + 1, sizeof(*names));
	const struct spec_table *table = spec_find_table(spec, node->text);
	const char *nearest;

	if (table != NULL)
		return table;
	for (size_t i = 0; i < spec->table_count; i++)
		names[i] = spec->tables[i].name;
	nearest = text_nearest(node->text, names, spec->table_count);
	(void)finding(&parse->findings, &node->place, "there is no table '%s'%s%s%s", node->text,
	    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
	return NULL;
}

static const struct spec_lookup *
find_lookup(const struct spec_table *table, const char *column)
{
	for (size_t i = 0; i < table->lookup_count; i++)
		if (text_equal(table->lookups[i].column, column))
			return &table->lookups[i];
	return NULL;
}

/* Staged rows have the declared columns; written ones also their keys. */
static bool
check_column(struct parse *parse, const struct spec_check *check, const char *name, const struct spec_place *place)
{
	const struct spec_table *table = check->table;
	bool key = find_lookup(table, name) != NULL || text_equal(table->surrogate, name);
	const char **names, *nearest;

	if (spec_find_column(table, name) != NULL || (key && check->gate != GATE_STAGING))
		return true;
	if (key)
		return finding(&parse->findings, place,
		    "'%s' is found when rows are written: staged rows do not have it yet", name);
	names = ctx_alloc_array(parse->findings.ctx, table->column_count + 1, sizeof(*names));
	for (size_t i = 0; i < table->column_count; i++)
		names[i] = table->columns[i].name;
	nearest = text_nearest(name, names, table->column_count);
	return finding(&parse->findings, place, "'%s' has no column '%s'%s%s%s", table->name, name,
	    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static bool
check_columns(struct parse *parse, const struct spec_check *check, const struct node *map)
{
	const struct node *node = node_get(map, "columns"), *item = node;
	bool good = true;

	if (node != NULL && node->kind == NODE_LIST)
		item = node->first;
	for (size_t i = 0; item != NULL && i < check->column_count; i++, item = item->next)
		good = check_column(parse, check, check->columns[i], &item->place) && good;
	return good;
}

static void
check_freshness(struct parse *parse, const struct spec_check *check, const struct node *map)
{
	const struct node *node = node_get(map, "column");
	const struct spec_column *column;

	if (check->column == NULL || !check_column(parse, check, check->column, &node->place))
		return;
	column = spec_find_column(check->table, check->column);
	if (column == NULL || (column->type.kind != TYPE_DATE && column->type.kind != TYPE_TIMESTAMP &&
				  column->type.kind != TYPE_TIMESTAMPTZ))
		(void)finding(&parse->findings, &node->place,
		    "'%s' must be a date, timestamp or timestamptz to tell the age", check->column);
}

/* A column that a lookup fills is held against surrogate keys, others against the key of the table that is named. */
static void
check_references(struct parse *parse, struct spec_check *check, const struct node *map)
{
	const struct node *node = node_get(map, "references"), *unknown = node_get(map, "allow_unknown");
	const struct spec_lookup *lookup =
	    check->column_count == 1 ? find_lookup(check->table, check->columns[0]) : NULL;

	if (!check_columns(parse, check, map) || check->column_count == 0)
		return;
	if (lookup != NULL && lookup->dimension != NULL && node == NULL) {
		check->references = lookup->dimension;
		check->referenced = ctx_alloc_array(parse->findings.ctx, 1, sizeof(char *));
		check->referenced[0] = lookup->dimension->surrogate;
		return;
	}
	if (lookup != NULL && node != NULL)
		(void)finding(&parse->findings, &node->key_place,
		    "'%s' is filled by a lookup: that says what it refers to", check->columns[0]);
	else if (node == NULL)
		(void)finding(&parse->findings, &map->place, "a referential check of these columns needs 'references'");
	else if (node->kind == NODE_SCALAR)
		check->references = find_table(parse, node);
	if (unknown != NULL && lookup == NULL)
		(void)finding(&parse->findings, &unknown->key_place,
		    "'allow_unknown' is for columns that a lookup fills: no business key is the unknown member's");
	if (check->references == NULL)
		return;
	check->referenced = check->references->keys;
	if (check->column_count != check->references->key_count)
		(void)finding(&parse->findings, &map->place, "'%s' has a key of %zu columns, the check names %zu",
		    check->references->name, check->references->key_count, check->column_count);
}

static void
check_volume(struct parse *parse, const struct spec_check *check, const struct node *map)
{
	if (check->min_rows < 0 && check->max_rows < 0 && check->least_of_previous_ppm < 0 &&
	    check->most_of_previous_ppm < 0)
		(void)finding(&parse->findings, &map->place,
		    "a volume check needs min, max, least_of_previous or most_of_previous");
	if (check->max_rows >= 0 && check->min_rows > check->max_rows)
		(void)finding(&parse->findings, &map->place, "'min' is above 'max'");
	if ((check->gate == GATE_RUN || check->whole) &&
	    (check->least_of_previous_ppm >= 0 || check->most_of_previous_ppm >= 0))
		(void)finding(&parse->findings, &map->place,
		    "shares of the previous load are of a slice: use the gate staging or published%s",
		    check->whole ? " with the scope slice" : "");
	if ((check->least_of_previous_ppm >= 0 || check->most_of_previous_ppm >= 0) && check->where != NULL)
		(void)finding(&parse->findings, &node_get(map, "where")->key_place,
		    "'where' does not go with shares of the previous load, which was not counted by it");
}

struct scan {
	struct parse *parse;
	const struct spec_check *check;
	const struct spec_place *place; /* of the text in the document; NULL: the file's own */
};

static bool
visit(void *arg, const char *name, int line, int column)
{
	struct scan *scan = arg;
	struct spec_place place = {.file = scan->check->query_path, .line = line, .column = column};
	const struct spec_check *check = scan->check;
	struct findings *findings = &scan->parse->findings;

	if (scan->place != NULL)
		place = *scan->place;
	if (strcmp(name, "now") == 0)
		return true;
	if (strcmp(name, "from") != 0 && strcmp(name, "to") != 0)
		(void)finding(findings, &place, "unknown placeholder ':%s'; a check has :from, :to and :now", name);
	else if (check->gate == GATE_RUN || check->whole)
		(void)finding(findings, &place, "':%s' is of a slice: the %s has none", name,
		    check->whole ? "scope table" : "gate run");
	else if (check->table != NULL && check->table->time == NULL)
		(void)finding(findings, &place, "':%s' needs 'time': '%s' is loaded whole", name, check->table->name);
	return true;
}

static void
check_text(struct parse *parse, const struct spec_check *check, const struct node *map, const char *key)
{
	const struct node *node = node_get(map, key);
	struct scan scan = {.parse = parse, .check = check};
	const char *fault;

	if (node == NULL || node->kind != NODE_SCALAR || node_is_null(node))
		return;
	scan.place = &node->place;
	fault = template_expression_fault(node->text);
	if (fault != NULL)
		(void)finding(&parse->findings, &node->place, "'%s' must be one SQL expression: %s", key, fault);
	(void)template_scan(node->text, visit, &scan);
}

/* "checks/q1.sql" is a file; everything else is the query itself. */
static void
check_query_text(struct parse *parse, struct spec_check *check, const struct node *map)
{
	const struct node *node = node_get(map, "query");
	struct scan scan = {.parse = parse, .check = check};
	struct spec_place place = {0};
	const char *fault;

	if (node == NULL || node->kind != NODE_SCALAR || node_is_null(node))
		return;
	check->query = node->text;
	if (!text_ends_with(node->text, ".sql") || strpbrk(node->text, " \t\r\n") != NULL) {
		check_text(parse, check, map, "query");
		return;
	}
	for (size_t i = 0; i < parse->files->count; i++)
		if (strcmp(parse->files->items[i].path, node->text) == 0) {
			place.file = check->query_path = parse->files->items[i].path;
			check->query = parse->files->items[i].text;
		}
	if (place.file == NULL) {
		(void)finding(&parse->findings, &node->place, "there is no SQL file '%s'", node->text);
		return;
	}
	fault = template_fault(check->query, &place.line, &place.column);
	if (fault != NULL)
		(void)finding(&parse->findings, &place, "%s", fault);
	else if ((fault = template_expression_fault(check->query)) != NULL)
		(void)finding(&parse->findings, &node->place, "'query' must be one SELECT: %s", fault);
	(void)template_scan(check->query, visit, &scan);
}

static void
check_retry(struct parse *parse, const struct spec_check *check, const struct node *map)
{
	const struct node *retry = node_get(map, "retry"), *wait = node_get(map, "retry_wait");

	if (retry != NULL && check->gate != GATE_RUN)
		(void)finding(&parse->findings, &retry->key_place,
		    "'retry' needs the gate run: within a slice the answer stays the same");
	if (wait != NULL && check->retry == 0)
		(void)finding(&parse->findings, &wait->key_place, "'retry_wait' needs 'retry'");
}

/* How fresh a table is, no slice of it says. */
static void
check_scope(struct parse *parse, struct spec_check *check, const struct node *map)
{
	const struct node *scope = node_get(map, "scope");

	if (scope != NULL && check->gate != GATE_PUBLISHED)
		(void)finding(&parse->findings, &scope->key_place,
		    "'scope' is of the gate published: staging looks at a slice, run at whole tables");
	if (check->gate != GATE_PUBLISHED || check->kind != CHECK_FRESHNESS)
		return;
	if (scope != NULL && !check->whole)
		(void)finding(&parse->findings, &scope->place,
		    "freshness is of a whole table: a slice of the past says nothing of it");
	check->whole = true;
}

static bool
check_gate(struct parse *parse, struct spec_check *check, const struct kind *kind, const struct node *map)
{
	const struct node *gate = node_get(map, "gate");

	if (gate == NULL)
		check->gate = kind->gate;
	else if ((kind->gates >> check->gate & 1) == 0)
		return finding(&parse->findings, &gate->place, "a %s check cannot be asked at the gate %s", kind->name,
		    gate_names[check->gate]);
	check_retry(parse, check, map);
	check_scope(parse, check, map);
	return true;
}

static void
check_check(struct parse *parse, struct spec_check *check, const struct node *map)
{
	const struct node *table = node_get(map, "table"), *where = node_get(map, "where");
	const struct kind *kind = &kinds[check->kind];

	check_keys(parse, kind, map);
	if (check->rule != NULL)
		check->rule_place = node_get(map, "rule")->place;
	if (check->where != NULL)
		check->where_place = where->place;
	if (!check_gate(parse, check, kind, map))
		return;
	if (node_text(map, "table") != NULL && (check->table = find_table(parse, table)) == NULL)
		return;
	check_text(parse, check, map, "rule");
	check_query_text(parse, check, map);
	if (table == NULL && (check->kind != CHECK_SQL || check->gate != GATE_RUN)) {
		(void)finding(&parse->findings, &map->place, "the check needs 'table'%s",
		    check->kind == CHECK_SQL ? ": only the gate run goes across tables" : "");
		return;
	}
	if (check->table == NULL || check->table->column_count == 0)
		return;
	if (where != NULL)
		check_text(parse, check, map, "where");
	switch (check->kind) {
	case CHECK_COMPLETENESS:
	case CHECK_UNIQUENESS: (void)check_columns(parse, check, map); return;
	case CHECK_FRESHNESS: check_freshness(parse, check, map); return;
	case CHECK_REFERENTIAL: check_references(parse, check, map); return;
	case CHECK_VOLUME: check_volume(parse, check, map); return;
	case CHECK_VALIDITY:
	case CHECK_SQL: return;
	}
}

void
check_checks(struct parse *parse)
{
	struct spec *spec = parse->spec;

	_Static_assert(LENGTH_OF(kinds) == CHECK_SQL + 1, "a row for each kind");
	for (size_t i = 0; i < spec->check_count; i++) {
		const struct node *map = parse->check_nodes[i];

		if (map->kind != NODE_MAP || node_text(map, "kind") == NULL || node_text(map, "name") == NULL)
			continue;
		check_check(parse, &spec->checks[i], map);
		for (size_t k = 0; k < i; k++)
			if (text_equal(spec->checks[k].name, spec->checks[i].name))
				(void)finding(&parse->findings, &node_get(map, "name")->place,
				    "there is a check '%s' already", spec->checks[i].name);
	}
}
