/* rejects: rows that loads refused, asked of the warehouse's quarantine. */
#include "base/fail.h"
#include "base/text.h"
#include "etl/warehouse.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"

static bool
is_state(const char *s)
{
	static const char *const states[] = {"open", "superseded", "aborted", "replayed", "closed"};

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (text_equal(states[i], s))
			return true;
	return false;
}

/* Where the page before ended; NULL for the first. */
static const char *
read_cursor(struct ctx *ctx, const struct request *request)
{
	int64_t place[1];

	return cursor_read(ctx, request, place, 1, NULL) ? text_from_i64(ctx, place[0]) : NULL;
}

/* Rows of (id, document), one more than the page holds if there are more. */
static bool
reply_rejects(struct ctx *ctx, const struct request *request, struct reply *reply, const struct pg_rows *rows,
    int64_t limit)
{
	json_t *items = json_new_array(ctx);
	const char *next = NULL;

	for (int i = 0; i < rows->count && i < limit; i++)
		json_add(items, json_trusted(ctx, pg_value(rows, i, 1)));
	if (rows->count > limit)
		next = cursor_make(ctx, request, (int64_t[]){pg_i64(rows, (int)limit - 1, 0)}, 1, NULL);
	return reply_page(ctx, reply, items, next);
}

/* A warehouse that was never loaded has refused nothing. */
static bool
ask(struct ctx *ctx, const struct app *app, const struct spec *spec, const char *statement, struct pg_params params,
    struct pg_rows *rows)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *pg;

	*rows = (struct pg_rows){0};
	return warehouse_open_reader(tmp, app->config, spec, "rejects", &pg) &&
	       (warehouse_query(ctx, pg, statement, params, rows) || warehouse_has_none_yet(ctx));
}

/* GET /v1/runs/{id}/rejects: what the run refused, in the order it was kept. */
bool
rejects_of_run(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *after = read_cursor(ctx, request);
	int64_t limit = param_limit(ctx, request);
	const struct board_page *page;
	const struct spec *spec;
	struct pg_rows rows;

	if (ctx_failed(ctx) || !access_run_page(ctx, app, request, SCOPE_DATA_READ, &page) ||
	    !access_spec(ctx, app, page->pipeline, &spec) ||
	    !ask(ctx, app, spec, "rejects_of_run",
		PG_PARAMS(request->path_values[0], after != NULL ? after : "0", text_from_i64(ctx, limit + 1)), &rows))
		return false;
	return reply_rejects(ctx, request, reply, &rows, limit);
}

/* GET /v1/quarantine: what a pipeline refused, newest first. */
bool
rejects_of_pipeline(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *pipeline = param_one(ctx, request, "pipeline", text_is_name);
	const char *table = param_one(ctx, request, "table", text_is_name);
	const char *state = param_one(ctx, request, "state", is_state);
	const char *before = read_cursor(ctx, request);
	int64_t limit = param_limit(ctx, request);
	const struct spec *spec;
	struct pg_rows rows;

	if (pipeline == NULL && !ctx_failed(ctx))
		return fail_field(ctx, "?pipeline", "is required: rejected rows lie in a pipeline's warehouse");
	if (ctx_failed(ctx) || !access_pipeline(ctx, request, SCOPE_DATA_READ, pipeline) ||
	    !access_spec(ctx, app, pipeline, &spec) ||
	    !ask(ctx, app, spec, "rejects_of_pipeline",
		PG_PARAMS(pipeline, table, state, before, text_from_i64(ctx, limit + 1)), &rows))
		return false;
	return reply_rejects(ctx, request, reply, &rows, limit);
}
