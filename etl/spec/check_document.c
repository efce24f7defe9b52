#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"
#include "etl/template.h"

/* Names that a query or the engine's own SQL means something else by. */
static const char *const reserved_params[] = {"from", "to", "load_id", "step_id", "run_id", "snapshot_at", "file_ids"};

struct query_check {
	struct parse *parse;
	const struct spec_table *table;
	bool *params_used;
	bool from, to;
};

static bool
report_unknown(struct query_check *check, const struct spec_place *place, const char *name)
{
	const struct spec *spec = check->parse->spec;
	const char **names = ctx_alloc_array(check->parse->findings.ctx, spec->param_count + 2, sizeof(*names));
	const char *nearest;

	names[0] = "from";
	names[1] = "to";
	for (size_t i = 0; i < spec->param_count; i++)
		names[i + 2] = spec->params[i].name;
	nearest = text_nearest(name, names, spec->param_count + 2);
	return finding(&check->parse->findings, place, "unknown placeholder ':%s'%s%s%s", name,
	    nearest != NULL ? "; did you mean ':" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

static bool
visit_slice_bound(struct query_check *check, const struct spec_place *place, const char *name)
{
	if (check->table->time == NULL)
		return finding(&check->parse->findings, place, "':%s' needs 'time': '%s' is loaded whole", name,
		    check->table->name);
	if (strcmp(name, "from") == 0)
		check->from = true;
	else
		check->to = true;
	return true;
}

/* A parameter narrows what is read. Where rows that are not read are taken away, that would lose what other values
 * loaded. */
static bool
visit_param(struct query_check *check, const struct spec_place *place, size_t i)
{
	const struct spec_param *param = &check->parse->spec->params[i];
	const struct spec_table *table = check->table;

	check->params_used[i] = true;
	if (table->kind == TABLE_FACT)
		return finding(&check->parse->findings, place,
		    "':%s' is not available yet in a fact, whose slices count as loaded whatever the parameter was",
		    param->name);
	if (table->deletes == DELETES_CLOSE || table->dimension_write == DIMENSION_REPLACE)
		return finding(&check->parse->findings, place,
		    "':%s' is not available yet where rows that are not read are taken away (%s)", param->name,
		    table->deletes == DELETES_CLOSE ? "deletes: close" : "write: replace");
	if (param->column != NULL && table->column_count > 0 && spec_find_column(table, param->column) == NULL)
		return finding(&check->parse->findings, place,
		    "':%s' narrows the column '%s', which '%s' does not have", param->name, param->column, table->name);
	return true;
}

static bool
visit(void *arg, const char *name, int line, int column)
{
	struct query_check *check = arg;
	struct spec_place place = {.file = check->table->query_path, .line = line, .column = column};
	const struct spec *spec = check->parse->spec;

	if (strcmp(name, "from") == 0 || strcmp(name, "to") == 0) {
		(void)visit_slice_bound(check, &place, name);
		return true;
	}
	for (size_t i = 0; i < spec->param_count; i++) {
		if (strcmp(spec->params[i].name, name) == 0) {
			(void)visit_param(check, &place, i);
			return true;
		}
	}
	(void)report_unknown(check, &place, name);
	return true;
}

bool
find_sql_file(struct parse *parse, const struct node *node, const char **path, const char **text)
{
	const struct spec_files *files = parse->files;
	const char **paths = ctx_alloc_array(parse->findings.ctx, files->count + 1, sizeof(*paths));
	const char *nearest;

	for (size_t i = 0; i < files->count; i++) {
		paths[i] = files->items[i].path;
		if (strcmp(paths[i], node->text) == 0 && text_ends_with(paths[i], ".sql")) {
			*path = paths[i];
			*text = files->items[i].text;
			return true;
		}
	}
	nearest = text_nearest(node->text, paths, files->count);
	return finding(&parse->findings, &node->place, "there is no SQL file '%s'%s%s%s", node->text,
	    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
}

void
check_query(struct parse *parse, struct spec_table *table, const struct node *map, bool *params_used)
{
	const struct node *query = node_get(node_get(map, "source"), "query");
	struct query_check check = {.parse = parse, .table = table, .params_used = params_used};
	struct spec_place place;
	const char *fault;

	if (query == NULL && table->query == NULL && table->source != NULL && !spec_table_is_fed_by_files(table))
		(void)finding(&parse->findings, node_blame(node_get(map, "source")), "'source' lacks the key 'query'");
	if (query == NULL || query->kind != NODE_SCALAR || node_is_null(query) || spec_table_is_fed_by_files(table) ||
	    !find_sql_file(parse, query, &table->query_path, &table->query))
		return;
	place.file = table->query_path;
	fault = template_fault(table->query, &place.line, &place.column);
	if (fault != NULL)
		(void)finding(&parse->findings, &place, "%s", fault);
	(void)template_scan(table->query, visit, &check);
	if (table->time != NULL && !(check.from && check.to))
		(void)finding(&parse->findings, &query->place,
		    "the query must keep to the slice: '%s' has 'time', so '%s' must use :from and :to", table->name,
		    table->query_path);
}

static void
check_param(struct parse *parse, const struct spec_param *param)
{
	const struct node *map = node_get(node_get(parse->root, "params"), param->name);
	const struct node *pattern = node_get(map, "pattern"), *value = node_get(map, "default");
	bool pattern_good = true;
	const char *why;

	for (size_t i = 0; i < sizeof(reserved_params) / sizeof(*reserved_params); i++)
		if (strcmp(param->name, reserved_params[i]) == 0)
			(void)finding(&parse->findings, &param->place, "the name '%s' is reserved", param->name);
	if (text_starts_with(param->name, "loadstar_"))
		(void)finding(&parse->findings, &param->place, "names that begin with loadstar_ are reserved");
	if (param->type.kind == TYPE_JSONB)
		(void)finding(&parse->findings, &param->place, "a parameter cannot be jsonb");
	if (param->pattern != NULL && !spec_pattern_is_sane(param->pattern, &why))
		pattern_good = finding(&parse->findings, &pattern->place, "the pattern %s", why);
	if (param->default_text != NULL && pattern_good &&
	    !spec_param_accepts(parse->findings.ctx, param, param->default_text))
		(void)finding(&parse->findings, &value->place, "the default '%s' is no %s%s", param->default_text,
		    spec_type_name(parse->findings.ctx, &param->type),
		    param->pattern != NULL ? " that matches the pattern" : "");
}

void
check_document(struct parse *parse)
{
	struct spec *spec = parse->spec;
	const struct node *tables = node_get(parse->root, "tables");
	bool *used = ctx_alloc_array(parse->findings.ctx, spec->param_count + 1, sizeof(*used));

	if (tables != NULL && tables->kind == NODE_MAP && spec->table_count == 0 && tables->count == 0)
		(void)finding(&parse->findings, &tables->key_place, "'tables' is empty");
	for (size_t i = 0; i < spec->param_count; i++)
		check_param(parse, &spec->params[i]);
	for (size_t i = 0; i < spec->source_count; i++)
		if (spec->sources[i].kind == SOURCE_FILES)
			check_files_source(parse, &spec->sources[i]);
	for (size_t i = 0; i < spec->table_count; i++)
		check_table(parse, &spec->tables[i], parse->table_nodes[i]);
	for (size_t i = 0; i < spec->table_count; i++)
		check_file_table(parse, &spec->tables[i], parse->table_nodes[i]);
	for (size_t i = 0; i < spec->table_count; i++) {
		check_lookups(parse, &spec->tables[i], parse->table_nodes[i]);
		check_query(parse, &spec->tables[i], parse->table_nodes[i], used);
	}
	check_checks(parse);
	check_waves(parse);
	for (size_t i = 0; i < spec->param_count; i++) {
		spec->params[i].in_query = spec->params[i].in_query || used[i]; /* one of post_load may */
		if (!spec->params[i].in_query && !spec->params[i].picks_batch && parse->findings.count == 0)
			(void)finding(&parse->findings, &spec->params[i].place, "no query uses ':%s'",
			    spec->params[i].name);
	}
	check_schedule_params(parse);
}
