/* parse_files: sources of files, and what tables say of them. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"

enum { MOST_FIELDS = 1000, MOST_REJECTS = 10000, MOST_PERMIL = 100 };

/* One byte that can stand between fields or around them. */
static void
read_csv_byte(struct parse *parse, const struct node *csv, const char *key, char *byte)
{
	const struct node *node = node_get(csv, key);

	if (node == NULL || node->kind != NODE_SCALAR || node->text[0] == '\0')
		return;
	if (node->text[1] != '\0' || strchr("\r\n", node->text[0]) != NULL || (node->text[0] & 0x80) != 0)
		(void)finding(&parse->findings, &node->place, "'%s' must be one ASCII character", key);
	else
		*byte = node->text[0];
}

void
read_files_source(struct parse *parse, struct spec_source *source, const struct node *map)
{
	const struct node *csv = node_get(map, "csv"), *batch = node_get(map, "batch");

	source->bad_fails = true;
	source->csv_delimiter = ',';
	source->csv_quote = '"';
	(void)read_section(parse, IN(SOURCE) | IN(FILES_SOURCE), map, source);
	if (batch != NULL && batch->kind == NODE_MAP)
		(void)read_section(parse, IN(BATCH), batch, source);
	if (csv == NULL || csv->kind != NODE_MAP)
		return;
	(void)read_section(parse, IN(CSV), csv, source);
	read_csv_byte(parse, csv, "delimiter", &source->csv_delimiter);
	read_csv_byte(parse, csv, "quote", &source->csv_quote);
	if (source->csv_delimiter == source->csv_quote)
		(void)finding(&parse->findings, &csv->place, "'delimiter' and 'quote' are the same");
	if (source->format != FORMAT_CSV)
		(void)finding(&parse->findings, &csv->key_place, "'csv' belongs to format csv");
}

static void
read_fields(struct parse *parse, struct spec_table *table, const struct node *map)
{
	struct spec_field *field;

	if (map == NULL || map->kind != NODE_MAP)
		return;
	if (map->count == 0 || map->count > MOST_FIELDS) {
		(void)finding(&parse->findings, &map->key_place, "a file has 1 to %d fields", MOST_FIELDS);
		return;
	}
	table->field_count = map->count;
	table->fields = field = ctx_alloc_array(parse->findings.ctx, map->count, sizeof(*field));
	for (const struct node *child = map->first; child != NULL; child = child->next, field++) {
		field->name = child->key;
		field->place = child->key_place;
		if (child->kind != NODE_SCALAR)
			(void)read_section(parse, IN(FILE_FIELD), child, field);
		else if (!spec_type_parse(child->text, &field->type))
			(void)finding(&parse->findings, &child->place, "'%s' is no type", child->text);
	}
}

/* "2.5%" as 25 thousandths. */
static bool
read_share(const char *text, int64_t *permil)
{
	char *end;
	double percent = strtod(text, &end);

	if (end == text || strcmp(end, "%") != 0 || strspn(text, "0123456789.") != (size_t)(end - text) ||
	    percent > 100)
		return false;
	*permil = (int64_t)(percent * 10 + 0.5);
	return true;
}

static void
read_rejects(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *share = node_get(map, "share");

	table->rejects_rows = MOST_REJECTS;
	table->rejects_permil = MOST_PERMIL;
	if (map == NULL || map->kind != NODE_MAP)
		return;
	(void)read_section(parse, IN(REJECTS), map, table);
	if (share != NULL && share->kind == NODE_SCALAR && !read_share(share->text, &table->rejects_permil))
		(void)finding(&parse->findings, &share->place, "'share' is '%s', but must be a share such as 5%%",
		    share->text);
}

void
read_file_table(struct parse *parse, struct spec_table *table, const struct node *map)
{
	const struct node *source = node_get(map, "source");

	if (source != NULL && source->kind == NODE_MAP)
		read_fields(parse, table, node_get(source, "fields"));
	read_rejects(parse, table, node_get(map, "rejects"));
}
