/* parse_views: the SQL files that `views` and `queries` name: found, cut into statements, understood as far as names go. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "etl/spec/parse.h"
#include "etl/template.h"

enum { MOST_VIEWS = 500 };

static const char glob[] = "/*.sql";
static const char beginning[] = "CREATE OR REPLACE VIEW";

struct listed {
	const struct spec_file **files;
	size_t count;
};

/* True for a file right in the folder that DIR/<star>.sql names. */
static bool
is_matched(const char *path, const char *pattern)
{
	size_t folder = (size_t)(strrchr(pattern, '/') + 1 - pattern);

	return strncmp(path, pattern, folder) == 0 && strchr(path + folder, '/') == NULL &&
	       text_ends_with(path, ".sql");
}

static void
list_file(struct parse *parse, const struct node *item, const struct spec_file *file, struct listed *listed)
{
	for (size_t i = 0; i < listed->count; i++)
		if (listed->files[i] == file) {
			(void)finding(&parse->findings, &item->place, "'%s' is here twice", file->path);
			return;
		}
	listed->files[listed->count++] = file;
}

static void
list_item(struct parse *parse, const struct node *item, struct listed *listed)
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
static struct listed
list_files(struct parse *parse, const char *key)
{
	const struct node *list = node_get(parse->root, key);
	struct listed listed = {0};

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

/* Past words that must follow, in any case and spacing; NULL when something else does. */
static const char *
skip_words(const char *s, const char *words)
{
	static const char space[] = " \t\r\n";

	while (*words != '\0') {
		size_t length = strcspn(words, " ");

		if (strncasecmp(s, words, length) != 0 || strspn(s + length, space) == 0)
			return NULL;
		s += length;
		s += strspn(s, space);
		words += length + (words[length] == ' ');
	}
	return s;
}

static bool
name_is_free(struct parse *parse, const struct spec_view *view)
{
	if (spec_find_table(parse->spec, view->name) != NULL)
		return finding(&parse->findings, &view->place, "'%s' is a table", view->name);
	if (spec_find_view(parse->spec, view->name) != NULL)
		return finding(&parse->findings, &view->place, "the view '%s' is here twice", view->name);
	return true;
}

struct reading {
	struct parse *parse;
	const struct spec_file *file;
};

static bool
read_view(void *arg, const struct template_statement *statement)
{
	struct reading *reading = arg;
	struct parse *parse = reading->parse;
	struct ctx *ctx = parse->findings.ctx;
	struct spec_view view = {
	    .path = reading->file->path,
	    .statement = ctx_strndup(ctx, statement->at, statement->length),
	    .place = {reading->file->path, statement->line, statement->column},
	};
	const char *name = skip_words(view.statement, beginning);
	size_t length = name == NULL ? 0 : strcspn(name, " \t\r\n(");

	if (statement->open)
		return finding(&parse->findings, &view.place,
		    "a literal, name or comment in this statement has no end");
	if (name == NULL)
		return finding(&parse->findings, &view.place, "only %s statements may stand here", beginning);
	view.name = ctx_strndup(ctx, name, length);
	if (!text_is_name(view.name))
		return finding(&parse->findings, &view.place,
		    "'%s' must be a name, without a schema: a to z, 0 to 9 and _, a letter first, at most 63",
		    view.name);
	if (parse->spec->view_count == MOST_VIEWS)
		return finding(&parse->findings, &view.place, "more than %d views", MOST_VIEWS);
	if (!name_is_free(parse, &view))
		return false;
	parse->spec->views[parse->spec->view_count++] = view;
	return true;
}

void
read_views(struct parse *parse)
{
	struct listed listed = list_files(parse, "views");
	struct spec *spec = parse->spec;

	if (listed.count == 0)
		return;
	spec->views = ctx_alloc_array(parse->findings.ctx, MOST_VIEWS, sizeof(*spec->views));
	for (size_t i = 0; i < listed.count; i++) {
		struct reading reading = {.parse = parse, .file = listed.files[i]};
		struct refusal refusal = {.parse = parse, .path = reading.file->path};
		struct spec_place start = {.file = refusal.path, .line = 1, .column = 1};
		size_t before = spec->view_count;

		if (template_split(reading.file->text, read_view, &reading) && spec->view_count == before)
			(void)finding(&parse->findings, &start, "the file declares no view");
		(void)template_scan(reading.file->text, refuse_placeholder, &refusal);
	}
}

/* "-- What is asked?": the first line, when it is a comment. */
static const char *
question_of(struct ctx *ctx, const char *text)
{
	if (!text_starts_with(text, "--"))
		return NULL;
	text += strspn(text, "- \t");
	return ctx_strndup(ctx, text, strcspn(text, "\r\n"));
}

static const char *
stem_of(struct ctx *ctx, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash != NULL ? slash + 1 : path;

	return ctx_strndup(ctx, base, strlen(base) - strlen(".sql"));
}

void
read_queries(struct parse *parse)
{
	struct listed listed = list_files(parse, "queries");
	struct ctx *ctx = parse->findings.ctx;
	struct spec *spec = parse->spec;

	if (listed.count == 0)
		return;
	spec->queries = ctx_alloc_array(ctx, listed.count, sizeof(*spec->queries));
	for (size_t i = 0; i < listed.count; i++) {
		const struct spec_file *file = listed.files[i];
		struct refusal refusal = {.parse = parse, .path = file->path};
		struct spec_place place = {.file = file->path};
		const char *fault = template_fault(file->text, &place.line, &place.column);

		if (fault != NULL)
			(void)finding(&parse->findings, &place, "%s", fault);
		(void)template_scan(file->text, refuse_placeholder, &refusal);
		spec->queries[spec->query_count++] = (struct spec_query){
		    .name = stem_of(ctx, file->path),
		    .path = file->path,
		    .question = question_of(ctx, file->text),
		    .text = file->text,
		};
	}
}
