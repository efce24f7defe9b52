/* files: what the tables of a pipeline have seen of its files, asked of the ledger in its warehouse. */
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/warehouse.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"

static bool
is_status(const char *s)
{
	return text_equal(s, "loaded") || text_equal(s, "failed") || text_equal(s, "superseded");
}

/* A warehouse into which no file was ever loaded has an empty ledger. */
static bool
ask(struct ctx *ctx, const struct app *app, const struct spec *spec, struct pg_params params, struct pg_rows *rows)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *pg;

	*rows = (struct pg_rows){0};
	return warehouse_open_reader(tmp, app->config, spec, "files", &pg) &&
	       (warehouse_query(ctx, pg, "files_of_pipeline", params, rows) || warehouse_has_none_yet(ctx));
}

static bool
reply_files(struct ctx *ctx, const struct request *request, struct reply *reply, const struct pg_rows *rows,
    int64_t limit)
{
	json_t *items = json_new_array(ctx);
	const char *next = NULL;

	for (int i = 0; i < rows->count && i < limit; i++)
		json_add(items, json_trusted(ctx, pg_value(rows, i, 2)));
	if (rows->count > limit)
		next = cursor_make(ctx, request,
		    (int64_t[]){pg_i64(rows, (int)limit - 1, 0), pg_i64(rows, (int)limit - 1, 1)}, 2, NULL);
	return reply_page(ctx, reply, items, next);
}

/* GET /v1/pipelines/{pipeline}/files: newest load first. */
bool
files_list_of_pipeline(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *pipeline = request->path_values[0];
	const char *source = param_one(ctx, request, "source", text_is_name);
	const char *table = param_one(ctx, request, "table", text_is_name);
	const char *status = param_one(ctx, request, "status", is_status);
	int64_t since_us = param_time_us(ctx, request, "since"), limit = param_limit(ctx, request), place[2];
	bool later = cursor_read(ctx, request, place, 2, NULL);
	const struct spec *spec;
	struct pg_rows rows;

	if (!text_is_name(pipeline))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (ctx_failed(ctx) || !access_pipeline(ctx, request, SCOPE_RUNS_READ, pipeline) ||
	    !access_spec(ctx, app, pipeline, &spec) ||
	    !ask(ctx, app, spec,
		PG_PARAMS(pipeline, source, table, status, since_us == 0 ? NULL : clock_format(ctx, since_us),
		    later ? text_from_i64(ctx, place[0]) : NULL, later ? text_from_i64(ctx, place[1]) : NULL,
		    text_from_i64(ctx, limit + 1)),
		&rows))
		return false;
	return reply_files(ctx, request, reply, &rows, limit);
}
