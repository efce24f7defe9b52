#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "sql/pipeline_store.h"

static bool
is_reached(const char *const *reached, const char *name)
{
	if (reached == NULL)
		return true;
	for (; *reached != NULL; reached++)
		if (text_equal(*reached, name))
			return true;
	return false;
}

static json_t *
pipeline_to_json(struct ctx *ctx, const struct pipeline_row *row)
{
	json_t *pipeline = json_new_object(ctx);
	json_t *links = json_new_object(ctx);

	json_put_string(ctx, pipeline, "name", row->name);
	json_put_string(ctx, pipeline, "version", row->hash);
	json_put_time(ctx, pipeline, "applied_at", row->applied_us);
	json_put_string(ctx, links, "self", ctx_printf(ctx, "/v1/pipelines/%s", row->name));
	json_put_string(ctx, links, "runs", ctx_printf(ctx, "/v1/runs?pipeline=%s", row->name));
	json_put(pipeline, "links", links);
	return pipeline;
}

/* GET /v1/pipelines: by name; few enough that a page is cut from all of them. */
bool
pipelines_list(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *const *reached = auth_pipelines(ctx, request->who, SCOPE_RUNS_READ);
	const char *after = param_one(ctx, request, "cursor", text_is_name), *next = NULL, *last = NULL;
	int64_t limit = param_limit(ctx, request), taken = 0;
	json_t *items = json_new_array(ctx);
	struct pipeline_row *rows;
	struct pg *db;
	size_t count;

	if (ctx_failed(ctx) || !pool_take(ctx, app->control, &db) || !pipeline_list(ctx, db, &rows, &count))
		return false;
	for (size_t i = 0; i < count && next == NULL; i++) {
		if (!is_reached(reached, rows[i].name) || (after != NULL && strcmp(rows[i].name, after) <= 0))
			continue;
		if (taken++ == limit) {
			next = last;
			continue;
		}
		last = rows[i].name;
		json_add(items, pipeline_to_json(ctx, &rows[i]));
	}
	return reply_page(ctx, reply, items, next);
}

/* GET /v1/pipelines/{pipeline}: the active specification as understood. */
bool
pipelines_get(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *name = request->path_values[0];
	const struct spec *spec;
	struct pg *db;

	if (!text_is_name(name))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (!access_pipeline(ctx, request, SCOPE_RUNS_READ, name) || !pool_take(ctx, app->control, &db) ||
	    !catalog_find(ctx, app->catalog, db, name, NULL, &spec))
		return false;
	return reply_json(ctx, reply, 200, spec_to_json(ctx, spec));
}
