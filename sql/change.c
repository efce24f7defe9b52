#include "sql/change.h"

#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/metrics.h"
#include "base/text.h"
#include "sql/notice_store.h"
#include "sql/run_row.h"
#include "sql/statement.h"

bool
change_begin(struct ctx *ctx, struct pg *db, const char *run_id, struct change *change)
{
	struct pg_rows rows;

	*change = (struct change){.ctx = ctx, .db = db};
	if (!pg_begin(ctx, db))
		return false;
	if (!sql_run(ctx, db, SQL_RUN_LOCK, PG_PARAMS(run_id), &rows)) {
		pg_rollback(db);
		return false;
	}
	if (rows.count == 0) {
		pg_rollback(db);
		return fail(ctx, FAIL_NOT_FOUND, "there is no run %s", run_id);
	}
	run_row_read(ctx, &rows, 0, &change->run);
	return true;
}

void
change_log(struct change *change, enum log_level level, const char *step_id, const char *message, json_t *fields)
{
	if (change->line_count == change->line_capacity) {
		size_t capacity = change->line_capacity == 0 ? 8 : change->line_capacity * 2;
		struct log_entry *lines = ctx_alloc_array(change->ctx, capacity, sizeof(*lines));

		if (change->line_count > 0)
			memcpy(lines, change->lines, change->line_count * sizeof(*lines));
		change->lines = lines;
		change->line_capacity = capacity;
	}
	change->lines[change->line_count++] =
	    (struct log_entry){.level = level, .step_id = step_id, .message = message, .fields = fields};
}

void
change_status(struct change *change, const char *event, enum run_status status)
{
	ASSERT(run_change_is_known(change->run.status, event, status));
	change->run.status = status;
	change->finished = run_status_is_final(status);
	change_log(change, status == RUN_FAILED ? LOG_ERROR : LOG_INFO, NULL,
	    ctx_printf(change->ctx, "run %s", run_status_name(status)), NULL);
}

static bool
write_run(struct change *change)
{
	struct ctx *ctx = change->ctx;
	const struct run *run = &change->run;
	struct pg_rows rows;

	if (!sql_run(ctx, change->db, SQL_RUN_CHANGE,
		PG_PARAMS(run->id, run_status_name(run->status), text_from_i64(ctx, run->attempt),
		    text_from_i64(ctx, run->wave), run->spec_version, run_row_time(ctx, run->deadline_us),
		    text_from_i64(ctx, run->steps_total), text_from_i64(ctx, run->steps_done),
		    text_from_i64(ctx, run->rows_read), text_from_i64(ctx, run->rows_written),
		    text_from_i64(ctx, run->rows_rejected), text_from_i64(ctx, run->bytes_read),
		    run_row_json(ctx, run->error), change->step_id, change->step_id == NULL ? "run" : "step",
		    text_from_bool(change->work), text_from_i64(ctx, run->checks_passed),
		    text_from_i64(ctx, run->checks_warned), text_from_i64(ctx, run->checks_failed),
		    text_from_i64(ctx, run->checks_errored)),
		&rows))
		return false;
	run_row_read(ctx, &rows, 0, &change->run);
	return true;
}

static bool
write_lines(struct change *change)
{
	const char **run_ids = ctx_alloc_array(change->ctx, change->line_count + 1, sizeof(char *));

	for (size_t i = 0; i < change->line_count; i++)
		run_ids[i] = change->run.id;
	return log_write_runs(change->ctx, change->db, run_ids, change->lines, change->line_count, false);
}

/* Once committed, by the replica that did it. */
static void
count_run(const struct run *run)
{
	metrics_add(METRIC_RUNS, METRIC_LABELS(run->pipeline, run->type, run_status_name(run->status)), 1);
	if (run->started_us != 0 && run->finished_us >= run->started_us)
		metrics_observe(METRIC_RUN_DURATION, METRIC_LABELS(run->pipeline, run->type),
		    (double)(run->finished_us - run->started_us) / (double)CLOCK_SECOND_US);
}

static void
count_checks(const char *pipeline, const json_t *checks)
{
	json_t *result;
	size_t i;

	json_array_foreach(checks, i, result) {
		metrics_add(METRIC_CHECK_RESULTS,
		    METRIC_LABELS(pipeline, json_string_or(result, "table", ""), json_string_or(result, "status", "")),
		    1);
	}
}

bool
change_end(struct change *change, bool ok)
{
	if (!ok || !write_lines(change) || !write_run(change) ||
	    (change->finished && !notice_write(change->ctx, change->db, &change->run))) {
		pg_rollback(change->db);
		return false;
	}
	if (!pg_commit(change->ctx, change->db))
		return false;
	count_checks(change->run.pipeline, change->checks);
	if (change->finished)
		count_run(&change->run);
	return true;
}

void
change_drop(struct change *change)
{
	pg_rollback(change->db);
}

static bool
skip_rest(struct change *change)
{
	struct pg_rows rows;

	if (!sql_run(change->ctx, change->db, SQL_STEPS_SKIP,
		PG_PARAMS(change->run.id, "{\"code\":\"upstream_failed\",\"detail\":null}"), &rows))
		return false;
	if (rows.count == 0)
		return true;
	change->run.steps_done += rows.count;
	change_log(change, LOG_WARN, NULL,
	    ctx_printf(change->ctx, "%d steps skipped: a step that must not fail did", rows.count), NULL);
	return true;
}

/* How a run whose steps are all final ends. */
static bool
finish(struct change *change, bool failed, bool stopped)
{
	struct run *run = &change->run;
	bool cancelled, loaded;
	struct pg_rows rows;

	if (!sql_run(change->ctx, change->db, SQL_RUN_OUTCOME, PG_PARAMS(run->id), &rows))
		return false;
	cancelled = pg_bool(&rows, 0, 0);
	loaded = pg_bool(&rows, 0, 1);
	if (run->status == RUN_CANCELLING && json_is_object(run->error)) {
		change_status(change, "finish", RUN_FAILED); /* its deadline wrote the error */
		return true;
	}
	if (failed)
		run->error = json_trusted(change->ctx, pg_value(&rows, 0, 2));
	if (run->status == RUN_CANCELLING && cancelled)
		change_status(change, "finish", RUN_CANCELLED);
	else if (stopped || (failed && !loaded))
		change_status(change, "finish", RUN_FAILED);
	else
		change_status(change, "finish", failed ? RUN_PARTIAL : RUN_SUCCEEDED);
	return true;
}

bool
change_settle(struct change *change, bool stop)
{
	struct ctx *ctx = change->ctx;
	struct run *run = &change->run;
	const char *next;
	struct pg_rows rows;

	if (stop && run->status != RUN_CANCELLING && !skip_rest(change))
		return false;
	if (!sql_run(ctx, change->db, SQL_WAVE_STATE, PG_PARAMS(run->id, text_from_i64(ctx, run->wave)), &rows))
		return false;
	next = pg_value(&rows, 0, 1);
	if (pg_bool(&rows, 0, 0))
		return true;
	if (next == NULL)
		return finish(change, pg_bool(&rows, 0, 2), pg_bool(&rows, 0, 3));
	run->wave = pg_i64(&rows, 0, 1);
	change->work = true;
	return sql_run(ctx, change->db, SQL_WAVE_OPEN, PG_PARAMS(run->id, next), NULL);
}
