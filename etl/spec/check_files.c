/* check_files: what sources of files and the tables they feed say about each other. */
#include <string.h>

#include "base/text.h"
#include "etl/files_path.h"
#include "etl/spec/parse.h"
#include "etl/template.h"

static const struct node *
source_node(const struct parse *parse, const struct spec_source *source)
{
	return node_get(node_get(parse->root, "sources"), source->name);
}

/* The parameter that picks one batch: as `batch` says, or the one of that name. */
static void
check_batch_param(struct parse *parse, struct spec_source *source, const struct node *map)
{
	const struct node *param = node_get(node_get(map, "batch"), "param");
	struct spec *spec = parse->spec;

	for (size_t i = 0; i < spec->param_count; i++) {
		if (!text_equal(spec->params[i].name, source->batch_param != NULL ? source->batch_param : "batch"))
			continue;
		source->batch_param = spec->params[i].name;
		spec->params[i].picks_batch = true;
		if (spec->params[i].type.kind != TYPE_TEXT)
			(void)finding(&parse->findings, &spec->params[i].place,
			    "'%s' picks a batch of files and so must be text", spec->params[i].name);
		return;
	}
	if (param != NULL)
		(void)finding(&parse->findings, &param->place, "there is no parameter '%s'", source->batch_param);
}

void
check_files_source(struct parse *parse, struct spec_source *source)
{
	const struct node *map = source_node(parse, source), *path = node_get(map, "path");
	const struct node *batch = node_get(map, "batch"), *date = node_get(batch, "date");
	bool has_batch;
	const char *fault;

	if (path == NULL || source->path == NULL)
		return;
	fault = path_template_fault(source->path);
	if (fault != NULL)
		(void)finding(&parse->findings, &path->place, "the path %s", fault);
	has_batch = strstr(source->path, "{batch}") != NULL;
	if (batch != NULL && !has_batch)
		(void)finding(&parse->findings, &batch->key_place, "'batch' needs {batch} in the path");
	if (source->batch_date != NULL && (fault = path_date_fault(source->batch_date)) != NULL)
		(void)finding(&parse->findings, &date->place, "the date %s", fault);
	if (has_batch)
		check_batch_param(parse, source, map);
}

static struct spec_field *
find_field(struct spec_table *table, const char *name)
{
	for (size_t i = 0; i < table->field_count; i++)
		if (text_equal(table->fields[i].name, name))
			return &table->fields[i];
	return NULL;
}

/* Without a transform what is read are the columns; `fields` says which are called otherwise. */
static void
complete_fields(struct parse *parse, struct spec_table *table, const struct node *map)
{
	struct spec_field *fields = ctx_alloc_array(parse->findings.ctx, table->column_count + 1, sizeof(*fields));

	for (size_t i = 0; i < table->field_count; i++) {
		const struct spec_field *field = &table->fields[i];
		const struct spec_column *column = spec_find_column(table, field->name);
		const struct node *node = node_get(node_get(node_get(map, "source"), "fields"), field->name);

		if (column == NULL)
			(void)finding(&parse->findings, &field->place,
			    "'%s' is no column of '%s': without a transform fields are columns", field->name,
			    table->name);
		else if (node->kind == NODE_SCALAR || node_get(node, "type") != NULL)
			(void)finding(&parse->findings, &field->place, "the type of '%s' is said by the column already",
			    field->name);
	}
	for (size_t i = 0; i < table->column_count; i++) {
		const struct spec_field *field = find_field(table, table->columns[i].name);

		fields[i] = (struct spec_field){.name = table->columns[i].name,
		    .from = field != NULL ? field->from : NULL,
		    .type = table->columns[i].type,
		    .place = table->columns[i].place};
	}
	table->fields = fields;
	table->field_count = table->column_count;
}

static void
check_fields(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *source = node_get(map, "source"), *fields = node_get(source, "fields");

	if (fields == NULL)
		(void)finding(&parse->findings, node_blame(source),
		    "'source' lacks the key 'fields': a transform needs to know what is in the files");
	for (size_t i = 0; i < table->field_count; i++) {
		const struct spec_field *field = &table->fields[i];
		const struct node *node = node_get(fields, field->name);

		if (!text_is_name(field->name) || text_starts_with(field->name, "loadstar_"))
			(void)finding(&parse->findings, &field->place, "'%s' cannot be the name of a field",
			    field->name);
		if (node->kind == NODE_MAP && node_get(node, "type") == NULL)
			(void)finding(&parse->findings, &field->place, "'%s' lacks the key 'type'", field->name);
	}
}

static bool
no_placeholder(void *arg, const char *name, int line, int column)
{
	struct parse *parse = ((void **)arg)[0];
	const struct spec_table *table = ((void **)arg)[1];
	struct spec_place place = {.file = table->transform_path, .line = line, .column = column};

	(void)finding(&parse->findings, &place, "':%s': a transform has no placeholders", name);
	return true;
}

static void
check_transform(struct parse *parse, struct spec_table *table, const struct node *node)
{
	void *visitor[] = {parse, table};
	struct spec_place place;
	const char *fault;

	if (node->kind != NODE_SCALAR || node_is_null(node) ||
	    !find_sql_file(parse, node, &table->transform_path, &table->transform))
		return;
	place.file = table->transform_path;
	fault = template_fault(table->transform, &place.line, &place.column);
	if (fault != NULL)
		(void)finding(&parse->findings, &place, "%s", fault);
	else
		(void)template_scan(table->transform, no_placeholder, visitor);
	if (strstr(table->transform, "loadstar_file") == NULL)
		(void)finding(&parse->findings, &node->place,
		    "'%s' must return loadstar_file: the file each row comes from", table->transform_path);
	table->transform_lines = strstr(table->transform, "loadstar_line") != NULL;
}

/* What only makes sense for sources that are asked for slices of time. */
static void
refuse_keys(struct parse *parse, const struct spec_table *table, const struct node *map)
{
	static const char *const of_time[] = {"begin", "slice", "lag", "lookback", "changed_by", "reconcile"};
	const struct node *write = node_get(map, "write"), *deletes = node_get(node_get(map, "history"), "deletes");
	const struct node *query = node_get(node_get(map, "source"), "query");

	if (query != NULL)
		(void)finding(&parse->findings, &query->key_place, "files have no 'query'; 'transform' is theirs");
	for (size_t i = 0; i < sizeof(of_time) / sizeof(*of_time); i++)
		if (node_get(map, of_time[i]) != NULL)
			(void)finding(&parse->findings, &node_get(map, of_time[i])->key_place,
			    "'%s' is not for files: they are the slices of '%s'", of_time[i], table->name);
	if (table->kind == TABLE_FACT && table->write != WRITE_REPLACE_RANGE &&
	    !(table->write == WRITE_APPEND && table->key_count == 0))
		(void)finding(&parse->findings, &write->place,
		    "'write: %s' is not for files: what a file held is replaced by what it holds", write->text);
	if (table->deletes == DELETES_CLOSE)
		(void)finding(&parse->findings, &deletes->place,
		    "'deletes: close' is not for files: none of them is the whole");
	if (table->kind == TABLE_DIMENSION && table->scd != 1)
		(void)finding(&parse->findings, node_blame(map), "scd %d from files is not available yet; use scd 1",
		    table->scd);
	if (table->dimension_write == DIMENSION_REPLACE)
		(void)finding(&parse->findings, &write->place,
		    "'write: replace' is not for files: none of them is the whole");
}

/* file_id is a column like any other from here on: ddl, staging and differences need not know where it comes from. */
static void
add_file_id(struct parse *parse, struct spec_table *table)
{
	struct spec_column *columns = ctx_alloc_array(parse->findings.ctx, table->column_count + 1, sizeof(*columns));

	memcpy(columns, table->columns, table->column_count * sizeof(*columns));
	columns[table->column_count++] = (struct spec_column){.name = "file_id",
	    .type = {.kind = TYPE_BIGINT},
	    .implicit = true,
	    .comment = "the file the row comes from: file_id of loadstar.file_ledger",
	    .place = table->place};
	table->columns = columns;
}

void
check_file_table(struct parse *parse, struct spec_table *table, const struct node *map)
{
	static const char *const of_files[] = {"transform", "rejects"};
	const struct node *transform = node_get(map, "transform"), *source = node_get(map, "source");

	if (table->source == NULL || map == NULL)
		return;
	if (!spec_table_is_fed_by_files(table)) {
		for (size_t i = 0; i < sizeof(of_files) / sizeof(*of_files); i++)
			if (node_get(map, of_files[i]) != NULL)
				(void)finding(&parse->findings, &node_get(map, of_files[i])->key_place,
				    "'%s' is for tables that are fed by files", of_files[i]);
		if (node_get(source, "fields") != NULL)
			(void)finding(&parse->findings, &node_get(source, "fields")->key_place,
			    "'fields' is for tables that are fed by files");
		return;
	}
	refuse_keys(parse, table, map);
	if (transform != NULL) {
		check_fields(parse, table, map);
		check_transform(parse, table, transform);
	} else {
		complete_fields(parse, table, map);
	}
	add_file_id(parse, table);
}
