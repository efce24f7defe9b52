/* check_stage: shared staging, and the tables it feeds. */
#include "base/text.h"
#include "etl/spec/parse.h"

void
check_stage(struct parse *parse, struct spec_table *table, const struct node *map)
{
	static const char *const of_others[] = {"lookups", "surrogate"};

	for (size_t i = 0; i < sizeof(of_others) / sizeof(*of_others); i++)
		if (node_get(map, of_others[i]) != NULL)
			(void)finding(&parse->findings, &node_get(map, of_others[i])->key_place,
			    "'%s' is not for staging", of_others[i]);
	if (node_get(node_get(map, "source"), "stage") != NULL)
		(void)finding(&parse->findings, &node_get(node_get(map, "source"), "stage")->key_place,
		    "staging is not fed by staging");
	if (table->key_count == 0 && spec_table_is_fed_by_files(table))
		(void)finding(&parse->findings, node_blame(map), "'%s' lacks the key 'grain': it is fed by files",
		    table->name);
	table->write = table->key_count > 0 ? WRITE_REPLACE_RANGE : WRITE_APPEND;
	table->slice_text = NULL;
	table->slice = (struct period){0};
}

static const struct spec_table *
find_stage(struct parse *parse, const struct node *node)
{
	const struct spec *spec = parse->spec;
	const char **names = ctx_alloc_array(parse->findings.ctx, spec->table_count + 1, sizeof(*names));
	const char *nearest;
	size_t count = 0;

	for (size_t i = 0; i < spec->table_count; i++) {
		if (!spec->tables[i].is_stage)
			continue;
		if (text_equal(spec->tables[i].name, node->text))
			return &spec->tables[i];
		names[count++] = spec->tables[i].name;
	}
	nearest = text_nearest(node->text, names, count);
	(void)finding(&parse->findings, &node->place, "there is no staging '%s'%s%s%s", node->text,
	    nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "");
	return NULL;
}

bool
check_stage_source(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *source = node_get(map, "source"), *stage = node_get(source, "stage");
	struct spec_source *from;

	if (stage == NULL || stage->kind != NODE_SCALAR || !text_is_name(stage->text))
		return false;
	if (node_get(source, "from") != NULL)
		(void)finding(&parse->findings, &node_get(source, "from")->key_place,
		    "'from' and 'stage' exclude each other");
	if (node_get(map, "reconcile") != NULL)
		(void)finding(&parse->findings, &node_get(map, "reconcile")->key_place,
		    "'reconcile' is not for tables fed by staging: they are compared with what is staged by every load");
	if (node_get(map, "changed_by") != NULL)
		(void)finding(&parse->findings, &node_get(map, "changed_by")->key_place,
		    "'changed_by' is not for tables fed by staging: it tells what is new");
	table->stage = find_stage(parse, stage);
	if (table->stage == NULL)
		return true;
	from = ctx_alloc(parse->findings.ctx, sizeof(*from));
	*from = (struct spec_source){.name = table->stage->name,
	    .type = "postgres",
	    .connection = parse->spec->warehouse,
	    .place = stage->place};
	table->source = from;
	return true;
}
