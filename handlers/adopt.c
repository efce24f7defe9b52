/* adopt: a pipeline's tables are taken over, or intervals of one marked as loaded. */
#include "etl/adopt.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "base/zone.h"
#include "handlers/access.h"
#include "handlers/params.h"
#include "handlers/routes.h"

struct mark {
	const struct spec_table *table;
	int64_t from_us, to_us;
};

/* A time on the table's grid. */
static void
read_time(struct ctx *ctx, const struct spec *spec, const struct mark *mark, const json_t *body, const char *name,
    int64_t *at_us)
{
	const char *text = json_string_or(body, name, NULL), *pointer = ctx_printf(ctx, "/mark/%s", name);

	if (text == NULL || !clock_parse(text, at_us) || *at_us == CLOCK_INFINITY || *at_us == CLOCK_MINUS_INFINITY)
		(void)fail_field(ctx, pointer, "must be a date or an RFC 3339 time");
	else if (clock_is_date(text))
		*at_us = zone_instant(spec->zone, *at_us / CLOCK_SECOND_US) * CLOCK_SECOND_US;
	if (!ctx_failed(ctx) && mark->table != NULL && period_floor(*at_us, &mark->table->slice) != *at_us)
		(void)fail_field(ctx, pointer, "must be where a slice of %s begins: slices are %s", mark->table->name,
		    mark->table->slice_text);
}

static bool
read_mark(struct ctx *ctx, const struct spec *spec, const json_t *body, struct mark *mark)
{
	const char *table = json_string_or(body, "table", NULL);

	*mark = (struct mark){.table = table != NULL ? spec_find_table(spec, table) : NULL};
	if (!json_is_object(body) || json_object_size(body) != 3)
		return fail_field(ctx, "/mark", "must be an object of table, from and to");
	if (mark->table == NULL)
		(void)fail_field(ctx, "/mark/table", "must be a table of the pipeline");
	else if (mark->table->kind != TABLE_FACT || mark->table->time == NULL ||
		 spec_table_is_fed_by_files(mark->table)) {
		mark->table = NULL;
		(void)fail_field(ctx, "/mark/table",
		    "must be a fact that is loaded by time: others are loaded whole, or by file");
	}
	read_time(ctx, spec, mark, body, "from", &mark->from_us);
	read_time(ctx, spec, mark, body, "to", &mark->to_us);
	if (!ctx_failed(ctx) && mark->from_us >= mark->to_us)
		(void)fail_field(ctx, "/mark/to", "must be later than from");
	return !ctx_failed(ctx);
}

static bool
reply_mark(struct ctx *ctx, const struct adoption *adoption, const json_t *body, struct reply *reply)
{
	json_t *object = json_new_object(ctx);
	const char *state;
	struct mark mark;

	if (!read_mark(ctx, adoption->spec, body, &mark) || mark.table == NULL ||
	    !adopt_mark(ctx, adoption, mark.table, mark.from_us, mark.to_us, &state))
		return false;
	json_put_string(ctx, object, "pipeline", adoption->spec->pipeline);
	json_put_string(ctx, object, "table", mark.table->name);
	json_put_time(ctx, object, "from", mark.from_us);
	json_put_time(ctx, object, "to", mark.to_us);
	json_put_string(ctx, object, "state", state);
	return reply_json(ctx, reply, 200, object);
}

static bool
reply_adoption(struct ctx *ctx, const struct adoption *adoption, struct reply *reply)
{
	json_t *object = json_new_object(ctx), *before = json_new_object(ctx);
	struct adopted adopted;

	if (!adopt_pipeline(ctx, adoption, &adopted))
		return false;
	json_put_string(ctx, object, "pipeline", adoption->spec->pipeline);
	json_put_string(ctx, object, "control_id", adoption->control_id);
	json_put_int(object, "epoch", adopted.epoch);
	json_put_bool(object, "changed", adopted.changed);
	json_put_int(object, "sessions_ended", adopted.sessions_ended);
	json_put_string(ctx, before, "control_id", adopted.before_id);
	json_put_int(before, "epoch", adopted.before_epoch);
	if (adopted.before_id != NULL)
		json_put(object, "before", before);
	else
		json_put_null(object, "before");
	return reply_json(ctx, reply, 200, object);
}

/* POST /v1/pipelines/{pipeline}/adopt: {} or {"force": true}, or {"mark": {"table", "from", "to"}}. */
bool
adopt_post(struct ctx *ctx, struct app *app, const struct request *request, struct reply *reply)
{
	const char *pipeline = request->path_values[0];
	struct adoption adoption = {.config = app->config, .control_id = app->control_id, .by = request->who->subject};
	const json_t *mark, *force;
	json_t *body;

	if (!text_is_name(pipeline))
		return fail(ctx, FAIL_NOT_FOUND, "there is no pipeline of this name");
	if (!access_pipeline(ctx, request, SCOPE_ADMIN, pipeline) || !param_body(ctx, request, "force mark", &body) ||
	    !access_spec(ctx, app, pipeline, &adoption.spec) || !pool_take(ctx, app->control, &adoption.control))
		return false;
	mark = json_object_get(body, "mark");
	force = json_object_get(body, "force");
	if (force != NULL && !json_is_boolean(force))
		return fail_field(ctx, "/force", "must be true or false");
	adoption.force = json_is_true(force);
	return mark != NULL ? reply_mark(ctx, &adoption, mark, reply) : reply_adoption(ctx, &adoption, reply);
}
