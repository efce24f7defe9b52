#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/run_store.h"

/* Members of an object shared as they are, null when there is none. */
static void
put_value(json_t *object, const char *key, json_t *value)
{
	if (value == NULL)
		json_put_null(object, key);
	else
		json_put(object, key, value);
}

static json_t *
trigger_of(struct ctx *ctx, const struct run *run)
{
	json_t *trigger = json_new_object(ctx);

	json_put_string(ctx, trigger, "kind", run->trigger_kind);
	json_put_string(ctx, trigger, "ref", run->trigger_ref);
	return trigger;
}

/* Seconds left at the rate of the steps so far, as of the run's last change: one version, one answer. Null until two
 * steps are done. */
static void
put_eta(json_t *progress, const struct run *run)
{
	int64_t spent_us = run->changed_us - run->started_us;
	int64_t left = run->steps_total - run->steps_done;

	if (run->steps_done < 2 || left < 0 || run->started_us == 0 || spent_us < 0 || run_status_is_final(run->status))
		json_put_null(progress, "eta_seconds");
	else
		json_put_int(progress, "eta_seconds", spent_us / CLOCK_SECOND_US * left / run->steps_done);
}

static json_t *
progress_of(struct ctx *ctx, const struct run *run)
{
	json_t *progress = json_new_object(ctx);

	if (run->steps_total < 0)
		json_put_null(progress, "steps_total");
	else
		json_put_int(progress, "steps_total", run->steps_total);
	json_put_int(progress, "steps_done", run->steps_done);
	json_put_int(progress, "rows_read", run->rows_read);
	json_put_int(progress, "rows_written", run->rows_written);
	json_put_int(progress, "rows_rejected", run->rows_rejected);
	json_put_int(progress, "bytes_read", run->bytes_read);
	put_eta(progress, run);
	return progress;
}

static json_t *
quality_of(struct ctx *ctx, const struct run *run)
{
	json_t *quality = json_new_object(ctx);

	json_put_int(quality, "passed", run->checks_passed);
	json_put_int(quality, "warned", run->checks_warned);
	json_put_int(quality, "failed", run->checks_failed);
	json_put_int(quality, "errored", run->checks_errored);
	return quality;
}

static json_t *
links_of(struct ctx *ctx, const struct run *run)
{
	static const char *const parts[] = {"steps", "logs", "quality", "rejects"};
	json_t *links = json_new_object(ctx);

	json_put_string(ctx, links, "self", ctx_printf(ctx, "/v1/runs/%s", run->id));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		json_put_string(ctx, links, parts[i], ctx_printf(ctx, "/v1/runs/%s/%s", run->id, parts[i]));
	return links;
}

static void
put_request(struct ctx *ctx, json_t *object, const struct run *run)
{
	json_put_time(ctx, object, "from", run->from_us);
	json_put_time(ctx, object, "to", run->to_us);
	json_put_string(ctx, object, "slice", run->slice);
	put_value(object, "tables", run->tables);
	put_value(object, "params", run->params);
	put_value(object, "labels", run->labels);
	json_put_string(ctx, object, "note", run->note);
	json_put_string(ctx, object, "requested_by", run->requested_by);
	json_put(object, "trigger", trigger_of(ctx, run));
	json_put_string(ctx, object, "spec_version", run->spec_version);
}

json_t *
run_to_json(struct ctx *ctx, const struct run *run)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "id", run->id);
	json_put_string(ctx, object, "pipeline", run->pipeline);
	json_put_string(ctx, object, "type", run->type);
	json_put_string(ctx, object, "mode", run->mode);
	json_put_string(ctx, object, "status", run_status_name(run->status));
	json_put_int(object, "attempt", run->attempt);
	put_request(ctx, object, run);
	json_put_time(ctx, object, "created_at", run->created_us);
	json_put_time(ctx, object, "started_at", run->started_us);
	json_put_time(ctx, object, "finished_at", run->finished_us);
	json_put(object, "progress", progress_of(ctx, run));
	json_put(object, "quality", quality_of(ctx, run));
	put_value(object, "error", run->error);
	json_put(object, "links", links_of(ctx, run));
	return object;
}

json_t *
error_to_json(struct ctx *ctx, const struct failure *failure, const char *step_id, const char *table,
    const json_t *slice)
{
	const struct fail_kind *kind = fail_kind(failure->code);
	json_t *error = json_new_object(ctx);

	json_put_string(ctx, error, "code", kind->name);
	json_put_string(ctx, error, "message", failure->message);
	json_put_string(ctx, error, "class", fail_class_name(kind->class));
	json_put_bool(error, "retryable", kind->retryable);
	json_put_string(ctx, error, "step_id", step_id);
	json_put_string(ctx, error, "table", table);
	if (slice == NULL)
		json_put_null(error, "slice");
	else
		json_put(error, "slice", json_trusted(ctx, json_text(ctx, slice)));
	json_put_null(error, "file");
	json_put_null(error, "line");
	json_put_string(ctx, error, "hint", kind->hint);
	return error;
}
