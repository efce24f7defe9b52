/* parse_post_load: SQL that runs after the facts. Each file is one transaction of ours, so it must not have any of its own. */
#include <string.h>
#include <strings.h>

#include "base/bug.h"
#include "base/text.h"
#include "etl/spec/parse.h"
#include "etl/template.h"

/* Statements that begin or end a transaction, or cannot stand in one. */
static const char *const refused[] = {"abort", "begin", "commit", "end", "prepare", "release", "rollback", "savepoint",
    "start", "vacuum"};

struct script_check {
	struct parse *parse;
	const struct spec_file *file;
	size_t statements;
};

static bool
check_statement(void *arg, const struct template_statement *statement)
{
	struct script_check *check = arg;
	struct spec_place place = {check->file->path, statement->line, statement->column};
	size_t word = strspn(statement->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

	check->statements++;
	if (statement->open)
		return finding(&check->parse->findings, &place,
		    "a literal, name or comment in this statement has no end");
	for (size_t i = 0; i < LENGTH_OF(refused); i++)
		if (strlen(refused[i]) == word && strncasecmp(statement->at, refused[i], word) == 0)
			return finding(&check->parse->findings, &place,
			    "%s may not stand here: the file is one transaction, together with its row in the ledger",
			    refused[i]);
	return true;
}

static bool
check_placeholder(void *arg, const char *name, int line, int column)
{
	struct script_check *check = arg;
	struct spec_place place = {check->file->path, line, column};
	const struct spec *spec = check->parse->spec;

	if (text_equal(name, "run_id") || text_equal(name, "load_id"))
		return true;
	for (size_t i = 0; i < spec->param_count; i++)
		if (text_equal(spec->params[i].name, name)) {
			spec->params[i].in_query = true;
			return true;
		}
	return finding(&check->parse->findings, &place, "':%s' is neither a parameter nor run_id or load_id", name);
}

static void
check_name(struct parse *parse, const struct spec_script *script)
{
	if (!text_is_name(script->name))
		(void)finding(&parse->findings, &script->place,
		    "'%s': the file's name must be a name: a to z, 0 to 9 and _, a letter first, at most 63",
		    script->name);
	else if (spec_find_table(parse->spec, script->name) != NULL)
		(void)finding(&parse->findings, &script->place, "'%s' is a table: give the file another name",
		    script->name);
	else if (spec_find_script(parse->spec, script->name) != NULL)
		(void)finding(&parse->findings, &script->place, "two files of post_load are called '%s'", script->name);
}

void
read_post_load(struct parse *parse)
{
	struct parse_listed listed = parse_list_files(parse, "post_load");
	struct ctx *ctx = parse->findings.ctx;
	struct spec *spec = parse->spec;

	if (listed.count == 0)
		return;
	spec->scripts = ctx_alloc_array(ctx, listed.count, sizeof(*spec->scripts));
	for (size_t i = 0; i < listed.count; i++) {
		struct script_check check = {.parse = parse, .file = listed.files[i]};
		struct spec_script script = {
		    .name = parse_stem(ctx, check.file->path),
		    .path = check.file->path,
		    .text = check.file->text,
		    .place = {check.file->path, 1, 1},
		};

		check_name(parse, &script);
		(void)template_split(script.text, check_statement, &check);
		(void)template_scan(script.text, check_placeholder, &check);
		if (check.statements == 0)
			(void)finding(&parse->findings, &script.place, "the file holds no statement");
		spec->scripts[spec->script_count++] = script;
	}
}
