/* views: rows of a declared view, asked of the warehouse in a session of the request's own. */
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/warehouse.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/pg.h"

static bool
find_view(struct ctx *ctx, struct app *app, const struct request *request, const struct spec **spec,
    const struct spec_view **view)
{
	const char *pipeline = request->path_values[0], *name = request->path_values[1];

	if (!access_pipeline(ctx, request, SCOPE_DATA_READ, pipeline) || !access_spec(ctx, app, pipeline, spec))
		return false;
	*view = spec_find_view(*spec, name);
	return *view != NULL || fail(ctx, FAIL_NOT_FOUND, "pipeline %s declares no view of this name", pipeline);
}

/* The one statement is a read-only transaction of its own. */
static bool
ask(struct ctx *ctx, const struct app *app, const struct spec *spec, const char *sql, int64_t limit,
    struct pg_rows *rows)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *pg;

	if (!warehouse_open_reader(tmp, app->config, spec, "view", &pg))
		return false;
	if (pg_query(ctx, pg, sql, PG_PARAMS(text_from_i64(ctx, limit)), rows))
		return true;
	return warehouse_has_none_yet(ctx) &&
	       fail(ctx, FAIL_NOT_FOUND, "the view is not in the warehouse yet: the next run makes it");
}

/* RFC 4180. NULL is nothing, an empty text is "". */
static void
add_field(struct text *out, const char *value)
{
	if (value == NULL)
		return;
	if (*value != '\0' && strpbrk(value, ",\"\r\n") == NULL) {
		text_add(out, value);
		return;
	}
	text_add(out, "\"");
	for (; *value != '\0'; value++) {
		if (*value == '"')
			text_add(out, "\"");
		text_add_bytes(out, value, 1);
	}
	text_add(out, "\"");
}

static const char *
to_csv(struct ctx *ctx, const struct pg_rows *rows)
{
	struct text out;

	text_init(&out, ctx);
	for (int row = -1; row < rows->count; row++) {
		for (int i = 0; i < rows->columns; i++) {
			text_add(&out, i > 0 ? "," : "");
			add_field(&out, row < 0 ? pg_column_name(rows, i) : pg_value(rows, row, i));
		}
		text_add(&out, "\r\n");
	}
	return out.data;
}

/* The warehouse writes the JSON, so that numbers stay as exact as it has them. */
static const char *
to_json(struct ctx *ctx, const struct pg_rows *rows)
{
	return ctx_printf(ctx, "{\"items\":%s,\"next_cursor\":null}", pg_value(rows, 0, 0));
}

static bool
wants_csv(const struct request *request)
{
	return (request_asks_for(request, "text/csv") && !request_asks_for(request, "application/json")) ||
	       !request_accepts(request, "application/json");
}

/* GET /v1/pipelines/{pipeline}/views/{view}: its first rows, in its own order. */
bool
views_get(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	int64_t limit = param_limit(ctx, request);
	bool csv = wants_csv(request);
	const struct spec_view *view;
	const struct spec *spec;
	const char *select;
	struct pg_rows rows;

	if (!text_is_name(request->path_values[0]))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (ctx_failed(ctx) || !find_view(ctx, app, request, &spec, &view))
		return false;
	select = ctx_printf(ctx, "SELECT * FROM %s.%s LIMIT $1::bigint", pg_identifier(ctx, spec->schema),
	    pg_identifier(ctx, view->name));
	if (!csv)
		select = ctx_printf(ctx, "SELECT coalesce(json_agg(row_to_json(v)), '[]') FROM (%s) AS v", select);
	if (!ask(ctx, app, spec, select, limit, &rows))
		return false;
	if (csv)
		return reply_text(reply, 200, "text/csv; charset=utf-8; header=present", to_csv(ctx, &rows));
	return reply_text(reply, 200, "application/json", to_json(ctx, &rows));
}
