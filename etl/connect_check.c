#include "etl/connect_check.h"

#include <string.h>

#include "etl/connect_check_room.h"

#include "base/bug.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/difference.h"
#include "etl/generate.h"
#include "etl/spec/parse.h"
#include "sql/pg.h"

enum { STATEMENT_MS = 30 * 1000 };

void
connect_blame(struct connect_check *check, const struct spec_place *place, const char *what)
{
	(void)finding(&check->findings, place, "%s: %s", what, ctx_failure(check->ctx)->message);
	fail_clear(check->ctx);
}

/* Where a place of the document stands in its text; NULL: nowhere. */
static const char *
find_in_document(const struct spec *spec, const struct spec_place *place)
{
	const char *at = NULL;

	for (size_t i = 0; i < spec->files.count; i++)
		if (text_equal(spec->files.items[i].path, place->file))
			at = spec->files.items[i].text;
	for (int line = 1; at != NULL && line < place->line; line++)
		at = (at = strchr(at, '\n')) != NULL ? at + 1 : NULL;
	for (int column = 1; at != NULL && column < place->column && *at != '\0'; column++)
		for (at++; (*at & 0xc0) == 0x80; at++)
			;
	return at;
}

/* A scalar that is written in one line, as it means, has its characters where they are; of others only the start is known. */
static bool
is_as_written(const struct connect_check *check, const struct connect_text *text)
{
	const char *at = find_in_document(check->spec, &text->place);

	return at != NULL && strchr(text->text, '\n') == NULL && strncmp(at, text->text, strlen(text->text)) == 0;
}

/* The place of a character of the filled text, the place of its start when the database points to none. */
static struct spec_place
place_of(struct connect_check *check, const struct connect_text *text, int position)
{
	struct spec_place place = text->place;
	int line, column;

	if (position <= 0 || (text->in_document && !is_as_written(check, text)) ||
	    !template_place(check->ctx, text->text, check->values, check->value_count, position, &line, &column))
		return place;
	place.column = line == 1 ? place.column + column - 1 : column;
	place.line += line - 1;
	return place;
}

static int
characters(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* Syntax errors and unknown columns. */
static bool
is_certain(const char *sqlstate)
{
	return text_equal(sqlstate, "42601") || text_equal(sqlstate, "42703");
}

void
connect_blame_text(struct connect_check *check, const struct connect_text *text, int before)
{
	const struct failure *failure = ctx_failure(check->ctx);
	struct spec_place place = place_of(check, text, failure->position - before);

	if (!text->makes_tables || is_certain(failure->sqlstate))
		connect_blame(check, &place, text->what);
	fail_clear(check->ctx);
}

bool
connect_describe(struct connect_check *check, struct pg *pg, const struct connect_text *text,
    const char *const around[2], struct pg_column **columns, int *count)
{
	struct ctx *ctx = check->ctx;
	char *sql;

	if (template_fill(ctx, text->place.file, text->text, check->values, check->value_count, &sql) &&
	    pg_describe(ctx, pg, ctx_printf(ctx, "%s%s%s", around[0], sql, around[1]), columns, count))
		return true;
	connect_blame_text(check, text, characters(around[0]));
	return false;
}

/* Of parameters without a default: SQL is only described, so any value will do. */
static json_t *
sample_params(struct connect_check *check)
{
	static const char *const samples[] = {"x", "0", "0", "0", "true", "0", "0", "2000-01-01", "2000-01-01",
	    "2000-01-01", "00000000-0000-0000-0000-000000000000", "{}"};
	json_t *params = json_new_object(check->ctx);

	for (size_t i = 0; i < check->spec->param_count; i++) {
		const struct spec_param *param = &check->spec->params[i];

		json_put_string(check->ctx, params, param->name,
		    param->default_text != NULL ? param->default_text : samples[param->type.kind]);
	}
	return params;
}

static void
make_values(struct connect_check *check)
{
	static const struct template_value fixed[] = {
	    {"from", "timestamp with time zone", "2000-01-01T00:00:00Z"},
	    {"to", "timestamp with time zone", "2000-02-01T00:00:00Z"},
	    {"now", "timestamp with time zone", "2000-02-01T00:00:00Z"},
	    {"run_id", "uuid", "00000000-0000-0000-0000-000000000000"},
	    {"load_id", "bigint", "0"},
	};

	check->values =
	    ctx_alloc_array(check->ctx, LENGTH_OF(fixed) + check->spec->param_count, sizeof(*check->values));
	memcpy(check->values, fixed, sizeof(fixed));
	generate_params(check->ctx, check->spec, sample_params(check), check->values + LENGTH_OF(fixed));
	check->value_count = LENGTH_OF(fixed) + check->spec->param_count;
}

static bool
is_one_of(const char *type, const char *const *types)
{
	for (; *types != NULL; types++)
		if (text_equal(type, *types))
			return true;
	return false;
}

/* Whether a column can hold what a query gives: every value is one of the type, or becomes one without a loss. */
static bool
holds(const struct spec_type *declared, const char *given)
{
	static const char *const floats[] = {"real", "double precision", "smallint", "integer", NULL};
	static const char *const times[] = {"date", "timestamp without time zone", "timestamp with time zone", NULL};
	static const char *const documents[] = {"json", "jsonb", NULL};
	struct spec_type type;
	bool known = spec_type_parse(given, &type);

	switch (declared->kind) {
	case TYPE_TEXT: return true;
	case TYPE_DOUBLE: return is_one_of(given, floats);
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ: return is_one_of(given, times);
	case TYPE_JSONB: return is_one_of(given, documents);
	case TYPE_NUMERIC: return known && (type.kind == TYPE_NUMERIC || type_widens(&type, declared));
	default: return known && (type.kind == declared->kind || type_widens(&type, declared));
	}
}

void
connect_compare(struct connect_check *check, const struct spec_table *table, const struct pg_column *given, int count)
{
	const char **names = ctx_alloc_array(check->ctx, (size_t)count + 1, sizeof(*names));

	for (int i = 0; i < count; i++)
		names[i] = given[i].name;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct spec_column *column = &table->columns[i];
		const char *nearest;
		int found = 0;

		while (found < count && !text_equal(names[found], column->name))
			found++;
		if (found < count && !holds(&column->type, given[found].type))
			(void)finding(&check->findings, &column->place, "%s gives '%s' as %s, which is declared %s",
			    table->query_path, column->name, given[found].type,
			    spec_type_name(check->ctx, &column->type));
		if (found < count)
			continue;
		nearest = text_nearest(column->name, names, (size_t)count);
		(void)finding(&check->findings, &column->place, "%s gives no column '%s'%s%s%s", table->query_path,
		    column->name, nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
		    nearest != NULL ? "'?" : "");
	}
}

static void
check_extracts(struct connect_check *check, const struct spec_source *source, struct pg *pg)
{
	static const char *const nothing[] = {"", ""};

	for (size_t i = 0; i < check->spec->table_count; i++) {
		const struct spec_table *table = &check->spec->tables[i];
		struct connect_text text = {.what = table->name,
		    .place = {.file = table->query_path, .line = 1, .column = 1},
		    .text = table->query};
		struct pg_column *columns;
		int count;

		if (table->source == source && table->query != NULL && table->stage == NULL &&
		    connect_describe(check, pg, &text, nothing, &columns, &count))
			connect_compare(check, table, columns, count);
	}
}

static bool
open_session(struct connect_check *check, const char *connection, bool read_only, struct pg **pg)
{
	struct pg_options options = {.what = connection,
	    .application_name = "loadstar/check",
	    .time_zone = check->spec->timezone,
	    .statement_timeout_ms = STATEMENT_MS,
	    .lock_timeout_ms = STATEMENT_MS,
	    .read_only = read_only};
	struct secret url;

	return config_connection_of(check->ctx, check->config, check->spec->pipeline, connection, &url) &&
	       pg_open(check->ctx, &url, &options, pg);
}

static void
check_sources(struct connect_check *check)
{
	for (size_t i = 0; i < check->spec->source_count; i++) {
		const struct spec_source *source = &check->spec->sources[i];
		struct pg *pg;

		if (source->kind != SOURCE_POSTGRES)
			continue;
		if (!open_session(check, source->connection, true, &pg)) {
			connect_blame(check, &source->place, source->name);
			continue;
		}
		check_extracts(check, source, pg);
		pg_close(pg);
	}
}

bool
connect_check(struct ctx *ctx, const struct config *config, const struct spec *spec, struct spec_error **errors)
{
	struct connect_check check = {.ctx = ctx, .config = config, .spec = spec, .findings = {.ctx = ctx}};
	struct spec_place place = {.file = "pipeline.yaml", .line = 1, .column = 1};
	struct pg *pg;

	make_values(&check);
	check_sources(&check);
	if (!open_session(&check, spec->warehouse, false, &pg)) {
		connect_blame(&check, &place, "warehouse");
	} else {
		if (!connect_try_warehouse(&check, pg))
			connect_blame(&check, &place, "warehouse");
		pg_rollback(pg);
		pg_close(pg);
	}
	*errors = findings_sorted(&check.findings);
	return !ctx_failed(ctx);
}
