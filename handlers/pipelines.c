#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/lineage.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"
#include "handlers/schedules.h"
#include "sql/pipeline_store.h"

static json_t *
links_of(struct ctx *ctx, const char *name)
{
	json_t *links = json_new_object(ctx);

	json_put_string(ctx, links, "self", ctx_printf(ctx, "/v1/pipelines/%s", name));
	json_put_string(ctx, links, "runs", ctx_printf(ctx, "/v1/runs?pipeline=%s", name));
	return links;
}

static json_t *
pipeline_to_json(struct ctx *ctx, const struct pipeline_row *row, const struct spec *spec)
{
	json_t *pipeline = json_new_object(ctx);

	json_put_string(ctx, pipeline, "name", row->name);
	json_put_string(ctx, pipeline, "version", row->hash);
	json_put_string(ctx, pipeline, "comment", spec->comment);
	json_put_time(ctx, pipeline, "applied_at", row->applied_us);
	schedules_put_pause(ctx, pipeline, row->paused_us, row->paused_by);
	json_put_string(ctx, pipeline, "cron", spec->schedule != NULL ? spec->schedule->cron_text : NULL);
	json_put_time(ctx, pipeline, "next_fire_at", schedules_next(spec));
	json_put_int(pipeline, "tables", (int64_t)spec->table_count);
	json_put(pipeline, "links", links_of(ctx, row->name));
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
	const struct spec *spec;
	struct pg *db;
	size_t count;

	if (ctx_failed(ctx) || !pool_take(ctx, app->control, &db) || !pipeline_list(ctx, db, &rows, &count))
		return false;
	for (size_t i = 0; i < count && next == NULL; i++) {
		if (!access_reaches(reached, rows[i].name) || (after != NULL && strcmp(rows[i].name, after) <= 0))
			continue;
		if (taken++ == limit) {
			next = last;
			continue;
		}
		if (!catalog_find(ctx, app->catalog, db, rows[i].name, rows[i].hash, &spec))
			return false;
		last = rows[i].name;
		json_add(items, pipeline_to_json(ctx, &rows[i], spec));
	}
	return reply_page(ctx, reply, items, next);
}

/* The row of a pipeline that the scope reaches, and its active version. */
static bool
find(struct ctx *ctx, struct app *app, struct pg *db, const char *name, struct pipeline_row *row,
    const struct spec **spec)
{
	bool found;

	return pipeline_find_row(ctx, db, name, row, &found) &&
	       (found || fail(ctx, FAIL_NOT_FOUND, "there is no pipeline %s", name)) &&
	       catalog_find(ctx, app->catalog, db, name, row->hash, spec);
}

static bool
may(struct ctx *ctx, const struct request *request, enum scope scope)
{
	if (!text_is_name(request->path_values[0]))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	return access_pipeline(ctx, request, scope, request->path_values[0]);
}

/* GET /v1/pipelines/{pipeline}: the active specification as understood, and how it stands. */
bool
pipelines_get(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	struct pipeline_row row;
	const struct spec *spec;
	json_t *pipeline;
	struct pg *db;

	if (!may(ctx, request, SCOPE_RUNS_READ) || !pool_take(ctx, app->control, &db) ||
	    !find(ctx, app, db, request->path_values[0], &row, &spec))
		return false;
	pipeline = spec_to_json(ctx, spec);
	json_put_time(ctx, pipeline, "applied_at", row.applied_us);
	schedules_put_pause(ctx, pipeline, row.paused_us, row.paused_by);
	if (spec->schedule != NULL && !schedules_put_fires(ctx, db, spec, json_object_get(pipeline, "schedule")))
		return false;
	json_put(pipeline, "params_schema", spec_params_schema(ctx, spec));
	json_put(pipeline, "lineage", lineage_to_json(ctx, spec));
	json_put(pipeline, "links", links_of(ctx, row.name));
	return reply_json(ctx, reply, 200, pipeline);
}

/* Nothing, or an object without members. */
static bool
take_nothing(struct ctx *ctx, const struct request *request)
{
	const char *name;
	json_t *body, *value;

	if (request->body_length == 0)
		return true;
	if (!request_json(ctx, request, &body))
		return false;
	if (!json_is_object(body))
		return fail_field(ctx, "", "must be an object");
	json_object_foreach(body, name, value)
		(void)fail_field(ctx, json_pointer(ctx, "", name), "is not a known field");
	return !ctx_failed(ctx);
}

static bool
set_paused(struct ctx *ctx, struct app *app, const struct request *request, bool pause, struct reply *reply)
{
	const char *name = request->path_values[0];
	struct pipeline_row row;
	const struct spec *spec;
	struct pg *db;
	bool found;

	if (!take_nothing(ctx, request) || !may(ctx, request, SCOPE_ADMIN) || !pool_take(ctx, app->control, &db) ||
	    !schedule_pause(ctx, db, name, pause, request->who->subject, &found) ||
	    !find(ctx, app, db, name, &row, &spec))
		return false;
	return reply_json(ctx, reply, 200, pipeline_to_json(ctx, &row, spec));
}

/* POST /v1/pipelines/{pipeline}/pause: its schedule causes no runs, until it is resumed. Runs go on, and people may ask for more. */
bool
pipelines_pause(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	return set_paused(ctx, app, request, true, reply);
}

bool
pipelines_resume(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	return set_paused(ctx, app, request, false, reply);
}
