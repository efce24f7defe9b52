#include <string.h>

#include "base/bug.h"
#include "base/crypto.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/spec/parse.h"

static const char main_file[] = "pipeline.yaml";

enum { MOST_TABLES = 500 };

/* A map whose keys are names: false, with findings, for one that is not, or has entries of other names. */
static size_t
count_entries(struct parse *parse, const struct node *map)
{
	if (map == NULL || map->kind != NODE_MAP)
		return 0;
	for (const struct node *child = map->first; child != NULL; child = child->next)
		if (!text_is_name(child->key))
			(void)finding(&parse->findings, &child->key_place,
			    "'%s' must be a name: a to z, 0 to 9 and _, a letter first, at most 63", child->key);
	return map->count;
}

void
read_retry(struct parse *parse, const struct node *map, struct retry_policy *retry, struct spec_timeouts *timeouts)
{
	const struct node *node;

	if ((node = node_get(map, "retry")) != NULL && node->kind == NODE_MAP)
		(void)read_section(parse, IN(RETRY), node, retry);
	if ((node = node_get(map, "timeouts")) != NULL && node->kind == NODE_MAP)
		(void)read_section(parse, IN(TIMEOUTS), node, timeouts);
}

static void
read_defaults(struct parse *parse)
{
	const struct node *node = node_get(parse->root, "defaults");
	struct spec_table *defaults = &parse->defaults;

	defaults->retry = (struct retry_policy){.attempts = 4, .backoff_ms = 2000, .limit_ms = 60000};
	defaults->timeouts =
	    (struct spec_timeouts){.statement_ms = 600000, .step_ms = 3600000, .run_ms = 86400000, .lock_ms = 30000};
	defaults->guards = guards_unless_said;
	if (node != NULL && node->kind == NODE_MAP) {
		(void)read_section(parse, IN(DEFAULTS), node, defaults);
		read_guards(parse, node, &defaults->guards);
		read_retry(parse, node, &defaults->retry, &defaults->timeouts);
	}
	parse->spec->timeouts = defaults->timeouts;
	parse->spec->retry = defaults->retry;
}

static void
read_params(struct parse *parse)
{
	const struct node *map = node_get(parse->root, "params");
	struct spec *spec = parse->spec;
	struct spec_param *param;

	spec->param_count = count_entries(parse, map);
	if (spec->param_count == 0)
		return;
	spec->params = param = ctx_alloc_array(parse->findings.ctx, spec->param_count, sizeof(*param));
	for (const struct node *child = map->first; child != NULL; child = child->next, param++) {
		param->name = child->key;
		param->place = child->key_place;
		if (child->kind != NODE_SCALAR)
			(void)read_section(parse, IN(PARAM), child, param);
		else if (!spec_type_parse(child->text, &param->type))
			(void)finding(&parse->findings, &child->place, "'%s' is no type", child->text);
	}
}

static void
read_sources(struct parse *parse)
{
	const struct node *map = node_get(parse->root, "sources");
	struct spec *spec = parse->spec;
	struct spec_source *source;

	spec->source_count = count_entries(parse, map);
	if (spec->source_count == 0)
		return;
	spec->sources = source = ctx_alloc_array(parse->findings.ctx, spec->source_count, sizeof(*source));
	for (const struct node *child = map->first; child != NULL; child = child->next, source++) {
		source->name = child->key;
		source->place = child->key_place;
		source->type = node_text(child, "type");
		if (text_equal(source->type, "files"))
			read_files_source(parse, source, child);
		else
			(void)read_section(parse, IN(SOURCE), child, source);
	}
}

/* What is PostgreSQL's, or where the ledger is, which the SQL of a load would then overwrite. */
static void
check_schema(struct parse *parse)
{
	const char *schema = parse->spec->schema;

	if (text_equal(schema, "loadstar") || text_equal(schema, "information_schema") ||
	    text_starts_with(schema, "pg_"))
		(void)finding(&parse->findings, &node_get(parse->root, "schema")->place,
		    "'schema' is '%s', which is reserved", schema);
}

void
read_document(struct parse *parse)
{
	struct spec *spec = parse->spec;
	const struct node *tables;

	spec->schema = "public";
	spec->timezone = "UTC";
	if (parse->root->kind != NODE_MAP) {
		(void)finding(&parse->findings, &parse->root->place, "the document must be a mapping (key: value)");
		return;
	}
	(void)read_section(parse, IN(TOP), parse->root, spec);
	check_schema(parse);
	read_defaults(parse);
	read_zone(parse);
	read_params(parse);
	read_schedule(parse);
	read_notify(parse);
	read_sources(parse);
	tables = node_get(parse->root, "tables");
	spec->table_count = count_entries(parse, tables);
	if (spec->table_count > MOST_TABLES) {
		(void)finding(&parse->findings, &tables->key_place, "more than %d tables", MOST_TABLES);
		spec->table_count = 0;
	}
	if (spec->table_count > 0)
		read_tables(parse, tables);
	read_post_load(parse);
	read_checks(parse);
	read_views(parse);
	read_queries(parse);
	check_document(parse);
}

static const char *
find_main(const struct spec_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->items[i].path, main_file) == 0)
			return files->items[i].text;
	return NULL;
}

static bool
refuse(struct ctx *ctx, struct findings *findings, struct spec_error **errors)
{
	const struct spec_error *first = *errors = findings_sorted(findings);

	return fail(ctx, FAIL_SPEC_INVALID, "%s:%d:%d: %s", first->place.file, first->place.line, first->place.column,
	    first->message);
}

bool
spec_parse(struct ctx *ctx, const struct spec_files *files, struct spec **spec, struct spec_error **errors)
{
	struct spec_place start = {.file = main_file, .line = 1, .column = 1};
	struct parse parse = {.findings = {.ctx = ctx}, .files = files};
	const char *text = find_main(files);

	*errors = NULL;
	parse.spec = *spec = ctx_alloc(ctx, sizeof(**spec));
	parse.spec->files = *files;
	parse.spec->hash = spec_files_hash(ctx, files);
	if (text == NULL)
		(void)finding(&parse.findings, &start, "the pipeline has no file %s", main_file);
	else if ((parse.root = yaml_read(&parse.findings, main_file, text)) != NULL)
		read_document(&parse);
	if (parse.findings.count > 0)
		return refuse(ctx, &parse.findings, errors);
	return !ctx_failed(ctx);
}
