/* tables: how every table is: what was loaded last, what is late, what failed. Cached for a few seconds (etl/overview.h). */
#include "base/crypto.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/overview.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/pipeline_store.h"

static const char *const states[] = {"ok", "late", "failed", "never"};

static bool
is_state(const char *s)
{
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (text_equal(states[i], s))
			return true;
	return false;
}

static bool
is_in(const char *const *list, const char *s)
{
	if (list == NULL)
		return true;
	for (; *list != NULL; list++)
		if (text_equal(*list, s))
			return true;
	return false;
}

static bool
add_pipeline(struct ctx *ctx, struct app *app, const char *pipeline, const char *const *wanted, json_t *items)
{
	const struct spec *spec;
	json_t *tables, *table;
	size_t i;

	if (!access_spec(ctx, app, pipeline, &spec) || !overview_tables(ctx, app->overview, spec, &tables))
		return false;
	json_array_foreach(tables, i, table) {
		if (is_in(wanted, json_string_or(table, "state", "")))
			json_add(items, table);
	}
	return true;
}

/* The session goes back at once. */
static bool
list_pipelines(struct ctx *ctx, struct app *app, struct pipeline_row **rows, size_t *count)
{
	CTX_SCOPE(tmp, ctx);
	struct pg *db;

	return pool_take(tmp, app->control, &db) && pipeline_list(ctx, db, rows, count);
}

static bool
add_all(struct ctx *ctx, struct app *app, const struct request *request, const char *const *wanted, json_t *items)
{
	const char *const *reached = auth_pipelines(ctx, request->who, SCOPE_RUNS_READ);
	struct pipeline_row *rows;
	size_t count;

	if (!list_pipelines(ctx, app, &rows, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		if (is_in(reached, rows[i].name) && !add_pipeline(ctx, app, rows[i].name, wanted, items))
			return false;
	return true;
}

/* GET /v1/tables */
bool
tables_list(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *pipeline = param_one(ctx, request, "pipeline", text_is_name);
	const char *const *wanted = param_list(ctx, request, "status", is_state);
	json_t *items = json_new_array(ctx);
	bool ok;

	if (ctx_failed(ctx))
		return false;
	ok = pipeline != NULL ? access_pipeline(ctx, request, SCOPE_RUNS_READ, pipeline) &&
				    add_pipeline(ctx, app, pipeline, wanted, items)
			      : add_all(ctx, app, request, wanted, items);
	if (!ok || !reply_page(ctx, reply, items, NULL))
		return false;
	reply->etag = ctx_printf(ctx, "\"%.32s\"", crypto_sha256_text(ctx, reply->body));
	if (!request_has_etag(request, reply->etag))
		return true;
	return reply_text(reply, 304, NULL, "");
}
