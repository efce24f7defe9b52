/* parse_lists: files that a list of the document names: found, in order, each once. */
#include <string.h>

#include "base/text.h"
#include "etl/spec/parse.h"
#include "etl/template.h"

static const char glob[] = "/*.sql";

/* True for a file right in the folder that DIR/<star>.sql names. */
static bool
is_matched(const char *path, const char *pattern)
{
	size_t folder = (size_t)(strrchr(pattern, '/') + 1 - pattern);

	return strncmp(path, pattern, folder) == 0 && strchr(path + folder, '/') == NULL &&
	       text_ends_with(path, ".sql");
}

static void
list_file(struct parse *parse, const struct node *item, const struct spec_file *file, struct parse_listed *listed)
{
	for (size_t i = 0; i < listed->count; i++)
		if (listed->files[i] == file) {
			(void)finding(&parse->findings, &item->place, "'%s' is here twice", file->path);
			return;
		}
	listed->files[listed->count++] = file;
}

static void
list_item(struct parse *parse, const struct node *item, struct parse_listed *listed)
{
	const struct spec_files *files = parse->files;
	const char *star;
	bool found = false;

	if (item->kind != NODE_SCALAR || node_is_null(item) || !text_ends_with(item->text, ".sql")) {
		(void)finding(&parse->findings, &item->place, "the path of a .sql file is needed here");
		return;
	}
	star = strchr(item->text, '*');
	if (star != NULL && (star == item->text || strcmp(star - 1, glob) != 0)) {
		(void)finding(&parse->findings, &item->place,
		    "'%s': a star may only stand for all files of a folder, as in dir/*.sql", item->text);
		return;
	}
	for (size_t i = 0; i < files->count; i++) {
		const char *path = files->items[i].path;

		if (star != NULL ? !is_matched(path, item->text) : strcmp(path, item->text) != 0)
			continue;
		found = true;
		list_file(parse, item, &files->items[i], listed);
	}
	if (!found)
		(void)finding(&parse->findings, &item->place, "there is no file '%s' in the pipeline's folder",
		    item->text);
}

/* Files in the order they are named; those of a star in the order of their paths. */
struct parse_listed
parse_list_files(struct parse *parse, const char *key)
{
	const struct node *list = node_get(parse->root, key);
	struct parse_listed listed = {0};

	if (list == NULL || list->kind != NODE_LIST)
		return listed;
	listed.files = ctx_alloc_array(parse->findings.ctx, parse->files->count + 1, sizeof(*listed.files));
	if (list->count == 0)
		(void)finding(&parse->findings, &list->place, "the list is empty");
	for (const struct node *item = list->first; item != NULL; item = item->next)
		list_item(parse, item, &listed);
	return listed;
}

struct refusal {
	struct parse *parse;
	const char *path;
};

static bool
refuse_placeholder(void *arg, const char *name, int line, int column)
{
	struct refusal *refusal = arg;
	struct spec_place place = {.file = refusal->path, .line = line, .column = column};

	return finding(&refusal->parse->findings, &place, "':%s': nothing fills placeholders here", name);
}

void
parse_refuse_placeholders(struct parse *parse, const struct spec_file *file)
{
	struct refusal refusal = {.parse = parse, .path = file->path};

	(void)template_scan(file->text, refuse_placeholder, &refusal);
}

const char *
parse_stem(struct ctx *ctx, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;

	return ctx_strndup(ctx, base, strlen(base) - strlen(".sql"));
}
