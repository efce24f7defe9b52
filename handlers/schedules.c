#include "handlers/schedules.h"

#include <string.h>

#include "base/text.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"

enum { NEXT_FIRES = 10 };

void
schedules_put_pause(struct ctx *ctx, json_t *object, int64_t paused_us, const char *paused_by)
{
	json_put_bool(object, "paused", paused_us != 0);
	json_put_time(ctx, object, "paused_at", paused_us);
	json_put_string(ctx, object, "paused_by", paused_by);
}

int64_t
schedules_next(const struct spec *spec)
{
	int64_t next_us;

	if (spec->schedule == NULL || !cron_next(&spec->schedule->cron, spec->schedule->zone, clock_now_us(), &next_us))
		return 0;
	return next_us;
}

static json_t *
next_fires(struct ctx *ctx, const struct spec_schedule *schedule)
{
	json_t *list = json_new_array(ctx);
	int64_t at_us = clock_now_us();

	for (int i = 0; i < NEXT_FIRES && cron_next(&schedule->cron, schedule->zone, at_us, &at_us); i++)
		json_add_string(ctx, list, clock_format(ctx, at_us));
	return list;
}

static json_t *
fire_to_json(struct ctx *ctx, const struct fire *fire)
{
	json_t *object = json_new_object(ctx);

	json_put_time(ctx, object, "scheduled_at", fire->scheduled_us);
	json_put_time(ctx, object, "decided_at", fire->decided_us);
	json_put_string(ctx, object, "outcome", fire->reason == NULL ? "run" : "skipped");
	json_put_string(ctx, object, "reason", fire->reason);
	json_put_string(ctx, object, "detail", fire->detail);
	json_put_string(ctx, object, "run_id", fire->run_id);
	json_put_int(object, "fires", fire->fires);
	return object;
}

bool
schedules_put_fires(struct ctx *ctx, struct pg *db, const struct spec *spec, json_t *schedule)
{
	json_t *list = json_new_array(ctx);
	struct fire *last, *skipped;
	size_t count;

	if (!schedule_fires(ctx, db, spec->pipeline, &last, &skipped, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		json_add(list, fire_to_json(ctx, &skipped[i]));
	json_put(schedule, "next", next_fires(ctx, spec->schedule));
	if (last != NULL)
		json_put(schedule, "last_fire", fire_to_json(ctx, last));
	else
		json_put_null(schedule, "last_fire");
	json_put(schedule, "skipped", list);
	return true;
}

static json_t *
schedule_to_json(struct ctx *ctx, const struct schedule_row *row, const struct spec *spec)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "pipeline", row->pipeline);
	schedules_put_pause(ctx, object, row->paused_us, row->paused_by);
	(void)json_object_update(object, spec_schedule_to_json(ctx, spec));
	return object;
}

/* GET /v1/schedules: by pipeline; few enough that a page is cut from all of them. */
bool
schedules_list(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *const *reached = auth_pipelines(ctx, request->who, SCOPE_RUNS_READ);
	const char *after = param_one(ctx, request, "cursor", text_is_name), *next = NULL, *last = NULL;
	int64_t limit = param_limit(ctx, request), taken = 0;
	json_t *items = json_new_array(ctx);
	struct schedule_row *rows;
	struct pg *db;
	size_t count;

	if (ctx_failed(ctx) || !pool_take(ctx, app->control, &db) || !schedule_list(ctx, db, &rows, &count))
		return false;
	for (size_t i = 0; i < count && next == NULL; i++) {
		const struct spec *spec;
		json_t *item;

		if (!access_reaches(reached, rows[i].pipeline) ||
		    (after != NULL && strcmp(rows[i].pipeline, after) <= 0))
			continue;
		if (!catalog_find(ctx, app->catalog, db, rows[i].pipeline, rows[i].hash, &spec))
			return false;
		if (spec->schedule == NULL)
			continue;
		if (taken++ == limit) {
			next = last;
			continue;
		}
		item = schedule_to_json(ctx, &rows[i], spec);
		if (!schedules_put_fires(ctx, db, spec, item))
			return false;
		last = rows[i].pipeline;
		json_add(items, item);
	}
	return reply_page(ctx, reply, items, next);
}
