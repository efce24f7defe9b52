#include "handlers/dry_run.h"

#include "base/clock.h"
#include "base/uuid.h"
#include "etl/plan.h"

/* The plan step that the run would have. */
static struct step_claim
stand_in(struct ctx *ctx, const struct run_request *want)
{
	const struct run *run = &want->run;

	return (struct step_claim){
	    .id = uuid_make(ctx),
	    .run_id = uuid_make(ctx),
	    .pipeline = want->pipeline,
	    .kind = "plan",
	    .attempt = 1,
	    .tries = 1,
	    .run_type = run->type,
	    .mode = run->mode,
	    .run_slice = run->slice,
	    .spec_version = run->spec_version,
	    .run_from_us = run->from_us,
	    .run_to_us = run->to_us,
	    .run_attempt = 1,
	    .tables = run->tables,
	    .params = run->params,
	    .allow = run->allow,
	    .descending = run->descending,
	    .run_created_us = clock_now_us(),
	};
}

/* Nobody keeps the log of a run that does not exist. */
static void
drop_line(void *arg, struct ctx *ctx, enum log_level level, const char *message, json_t *fields)
{
	(void)arg;
	(void)ctx;
	(void)level;
	(void)message;
	(void)fields;
}

bool
dry_run_plan(struct ctx *ctx, const struct app *app, const struct spec *spec, const struct run_request *want,
    struct reply *reply)
{
	struct step_claim claim = stand_in(ctx, want);
	struct slice_job job = {
	    .config = app->config,
	    .spec = spec,
	    .claim = &claim,
	    .control_id = app->control_id,
	    .epoch = app->epoch,
	    .log = {.write = drop_line},
	};
	struct plan plan;
	json_t *json;

	return plan_make(ctx, &job, app->control, &plan) && plan_to_json(ctx, &job, &plan, &json) &&
	       reply_json(ctx, reply, 200, json);
}
