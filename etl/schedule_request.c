#include "base/fail.h"
#include "etl/run_request.h"

/* A run of a schedule goes ahead of what people ask for without a priority, such as a backfill, between its slices. */
enum { SCHEDULE_PRIORITY = 1 };

bool
run_request_of_schedule(struct ctx *ctx, const struct spec *spec, int64_t scheduled_us, struct run_request *request)
{
	const struct spec_schedule *schedule = spec->schedule;
	json_t *body = json_new_object(ctx);

	json_put_string(ctx, body, "pipeline", spec->pipeline);
	json_put_string(ctx, body, "type", spec_run_types[schedule->run]);
	json_put_string(ctx, body, "mode", spec_run_modes[schedule->mode]);
	json_put_int(body, "priority", SCHEDULE_PRIORITY);
	json_put(body, "params",
	    json_trusted(ctx, json_text(ctx, schedule->params))); /* the spec's is shared by threads */
	if (!run_request_parse(ctx, body, request) || !run_request_check(ctx, spec, request))
		return false;
	request->run.requested_by = "schedule";
	request->run.trigger_kind = "schedule";
	request->run.trigger_ref = clock_format(ctx, scheduled_us);
	request->run.spec_version = spec->hash;
	return true;
}
