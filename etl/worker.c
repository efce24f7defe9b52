/*
 * worker: executes attempts and reports them.
 *
 * The attempt runs under its own ctx with its cancel flag. The report runs under another without one, and is repeated
 * until the control database took it or somebody else owns the step: what is committed in the warehouse must be told, and if we
 * die before, the next attempt finds the ledger row.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "etl/engine_room.h"
#include "etl/steps.h"
#include "sql/run_store.h"

enum { REPORT_AGAIN_MS = 500, REVOKE_AGAIN_LIMIT_MS = 5000 };

/* What one attempt came to. */
struct verdict {
	struct step_work work;
	struct step_done done;
	bool ok;
};

static void
count_rows(struct ctx *ctx, const struct step_claim *claim, const struct step_work *work,
    const struct slice_outcome *outcome)
{
	json_t *rows = slice_counts_to_json(ctx, &outcome->counts, "rows"), *count;
	const char *name;

	if (work->job.table != NULL && work->job.table->source != NULL)
		metrics_add(METRIC_BYTES_READ, METRIC_LABELS(claim->pipeline, work->job.table->source->name),
		    (double)outcome->bytes_read);

	json_object_foreach(rows, name, count) {
		if (!text_equal(name, "read") && json_integer_value(count) > 0)
			metrics_add(METRIC_ROWS, METRIC_LABELS(claim->pipeline, claim->table, name),
			    (double)json_integer_value(count));
	}
}

static bool
report_success(struct ctx *ctx, struct pg *db, struct engine *engine, const struct step_claim *claim,
    const struct step_done *done, bool *mine)
{
	const char *boot_id = engine->options.boot_id;
	struct step_result result = {.rows = json_null(), .effects = json_null()};

	if (done->revoked && done->skipped)
		return step_skip(ctx, db, claim, boot_id, SKIP_ALREADY_LOADED, mine);
	if (done->revoked)
		return step_end(ctx, db, claim, boot_id, mine);
	if (done->plan != NULL)
		return step_finish_plan(ctx, db, claim, boot_id, done->plan->steps, done->plan->count,
		    done->plan->deadline_us, mine);
	if (done->has_counts) {
		result.rows = slice_counts_to_json(ctx, &done->outcome.counts, "rows");
		result.effects = slice_counts_to_json(ctx, &done->outcome.counts, "effects");
		result.bytes_read = done->outcome.bytes_read;
		result.committed_us = done->outcome.committed_us;
	}
	result.checks = done->outcome.checks;
	result.guards = done->outcome.guards;
	return step_succeed(ctx, db, claim, boot_id, &result, mine);
}

/* The slice as the contract's object, for the error. */
static json_t *
slice_to_json(struct ctx *ctx, const struct step_claim *claim)
{
	json_t *slice;

	if (!text_equal(claim->scope, "time"))
		return json_null();
	slice = json_new_object(ctx);
	json_put_time(ctx, slice, "from", claim->from_us);
	json_put_time(ctx, slice, "to", claim->to_us);
	return slice;
}

static bool
report_failure(struct ctx *ctx, struct pg *db, struct engine *engine, const struct step_claim *claim,
    const struct verdict *verdict, const struct failure *failure, bool *mine)
{
	static const struct retry_policy no_spec_yet = {.attempts = 4, .backoff_ms = 2000, .limit_ms = 60000};
	const struct retry_policy *retry = verdict->work.retry != NULL ? verdict->work.retry : &no_spec_yet;
	const char *boot_id = engine->options.boot_id;
	static const struct retry_policy revoke_retry = {.attempts = INT64_MAX,
	    .backoff_ms = 1000,
	    .limit_ms = REVOKE_AGAIN_LIMIT_MS};
	json_t *error = error_to_json(ctx, failure, claim->id, claim->table, slice_to_json(ctx, claim));
	const struct step_done *done = &verdict->done;

	/* A ghost whose step is still its own was passed by a newer registration: again with a newer number, at no cost. */
	if (failure->code == FAIL_HANDED_BACK || failure->code == FAIL_FENCED)
		return step_hand_back(ctx, db, claim, boot_id, mine);
	if (claim->end_as != NULL) /* a revocation goes on until it is done: no step is stuck, none ends unrevoked */
		return step_retry_later(ctx, db, claim, boot_id, error,
		    retry_wait_ms(&revoke_retry, claim->attempt + 1), mine);
	if (!retry_again(retry, failure->code, claim->tries))
		return step_give_up(ctx, db, claim, boot_id,
		    &(struct step_failure){.error = error,
			.checks = done->outcome.checks,
			.rows = done->has_counts ? slice_counts_to_json(ctx, &done->outcome.counts, "rows") : NULL},
		    mine);
	metrics_add(METRIC_STEP_RETRIES,
	    METRIC_LABELS(claim->pipeline, fail_class_name(fail_kind(failure->code)->class)), 1);
	return step_retry_later(ctx, db, claim, boot_id, error, retry_wait_ms(retry, claim->tries + 1), mine);
}

static bool
report_once(struct engine *engine, const struct attempt *attempt, const struct verdict *verdict,
    const struct failure *failure, bool *mine)
{
	struct ctx *ctx = ctx_new("report", 0);
	struct pg *db;
	bool told;

	told = pool_take(ctx, engine->options.pool, &db) &&
	       (verdict->ok ? report_success(ctx, db, engine, attempt->claim, &verdict->done, mine)
			    : report_failure(ctx, db, engine, attempt->claim, verdict, failure, mine));
	if (!told)
		log_failure(ctx, "an attempt's end could not be reported yet");
	else if (!*mine)
		log_line(ctx, LOG_INFO, "the step belongs to another attempt now", "step_id", attempt->claim->id, NULL);
	ctx_free(ctx);
	return told;
}

static void
report(struct ctx *ctx, struct engine *engine, const struct attempt *attempt, const struct verdict *verdict,
    const struct failure *failure)
{
	bool mine = true;

	while (!report_once(engine, attempt, verdict, failure, &mine)) {
		if (atomic_load(&engine->stopping))
			return; /* the lease will tell */
		clock_sleep_ms(REPORT_AGAIN_MS);
	}
	if (mine && verdict->ok && verdict->done.has_counts)
		count_rows(ctx, attempt->claim, &verdict->work, &verdict->done.outcome);
}

/* The cancel flag decides what a failure means: a connection that broke because somebody took the step is no failure. */
static bool
worth_reporting(struct ctx *ctx, const struct attempt *attempt, struct failure *failure)
{
	enum cancel_reason reason = (enum cancel_reason)atomic_load(&attempt->cancel.reason);

	*failure = *ctx_failure(ctx);
	if (reason == CANCEL_REQUESTED)
		return false; /* end_as is set: a revocation is on its way and ends this attempt, too */
	if (reason == CANCEL_SHUTDOWN)
		failure->code = FAIL_HANDED_BACK;
	if (reason == CANCEL_SUPERSEDED)
		failure->code = FAIL_FENCED; /* no news when it is taken; queued again when it was a false alarm */
	return true;
}

struct waiting {
	struct engine *engine;
	struct attempt *attempt;
};

static void
tell_wait(void *arg, const char *kind, const char *detail)
{
	struct waiting *waiting = arg;
	struct attempt_wait *wait = &waiting->attempt->wait;

	(void)pthread_mutex_lock(&waiting->engine->lock);
	wait->kind = kind;
	wait->since_us = kind != NULL ? clock_monotonic_us() : 0;
	(void)snprintf(wait->detail, sizeof(wait->detail), "%s", detail != NULL ? detail : "");
	(void)pthread_mutex_unlock(&waiting->engine->lock);
}

static void
execute(struct engine *engine, struct attempt *attempt)
{
	const struct step_claim *claim = attempt->claim;
	struct ctx_tags tags = {.run_id = claim->run_id, .step_id = claim->id};
	struct ctx *ctx = ctx_new("attempt", 0);
	struct verdict verdict = {0};
	struct failure failure = {.code = FAIL_NONE};
	struct waiting waiting = {.engine = engine, .attempt = attempt};

	ctx_set_tags(ctx, &tags);
	ctx_watch_cancel(ctx, &attempt->cancel);
	verdict.ok = step_prepare(ctx, &engine->options, claim, &verdict.work);
	if (verdict.ok) {
		atomic_store(&attempt->deadline_us, clock_monotonic_us() + verdict.work.timeouts->step_ms * 1000);
		verdict.work.job.waits = (struct slice_waits){.tell = tell_wait, .arg = &waiting};
		verdict.ok = step_execute(ctx, &verdict.work, &verdict.done);
	}
	if (!verdict.ok)
		log_failure(ctx, "attempt failed");
	if (verdict.ok || worth_reporting(ctx, attempt, &failure))
		report(ctx, engine, attempt, &verdict, &failure);
	ctx_free(ctx);
}

void *
worker_main(void *arg)
{
	struct engine *engine = arg;
	struct attempt *attempt;

	while ((attempt = engine_next(engine)) != NULL) {
		execute(engine, attempt);
		engine_forget(engine, attempt);
	}
	return NULL;
}
