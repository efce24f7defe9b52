/* parse_views: the SQL files that `views` and `queries` name: cut into statements, understood as far as names go. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "etl/spec/parse.h"
#include "etl/template.h"

enum { MOST_VIEWS = 500 };

static const char beginning[] = "CREATE OR REPLACE VIEW";

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
	if (spec_find_script(parse->spec, view->name) != NULL)
		return finding(&parse->findings, &view->place, "'%s' is a file of post_load", view->name);
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
	struct parse_listed listed = parse_list_files(parse, "views");
	struct spec *spec = parse->spec;

	if (listed.count == 0)
		return;
	spec->views = ctx_alloc_array(parse->findings.ctx, MOST_VIEWS, sizeof(*spec->views));
	for (size_t i = 0; i < listed.count; i++) {
		struct reading reading = {.parse = parse, .file = listed.files[i]};
		struct spec_place start = {.file = reading.file->path, .line = 1, .column = 1};
		size_t before = spec->view_count;

		if (template_split(reading.file->text, read_view, &reading) && spec->view_count == before)
			(void)finding(&parse->findings, &start, "the file declares no view");
		parse_refuse_placeholders(parse, reading.file);
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

void
read_queries(struct parse *parse)
{
	struct parse_listed listed = parse_list_files(parse, "queries");
	struct ctx *ctx = parse->findings.ctx;
	struct spec *spec = parse->spec;

	if (listed.count == 0)
		return;
	spec->queries = ctx_alloc_array(ctx, listed.count, sizeof(*spec->queries));
	for (size_t i = 0; i < listed.count; i++) {
		const struct spec_file *file = listed.files[i];
		struct spec_place place = {.file = file->path};
		const char *fault = template_fault(file->text, &place.line, &place.column);

		if (fault != NULL)
			(void)finding(&parse->findings, &place, "%s", fault);
		parse_refuse_placeholders(parse, file);
		spec->queries[spec->query_count++] = (struct spec_query){
		    .name = parse_stem(ctx, file->path),
		    .path = file->path,
		    .question = question_of(ctx, file->text),
		    .text = file->text,
		};
	}
}
