#include <stdio.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "sql/audit_store.h"
#include "sql/change.h"
#include "sql/statement.h"

static json_t *
fields_by(struct ctx *ctx, const char *by)
{
	json_t *fields = json_new_object(ctx);

	json_put_string(ctx, fields, "by", by);
	return fields;
}

static bool
note(struct change *change, const char *action, const char *by, const json_t *detail)
{
	return audit_write(change->ctx, change->db,
	    &(struct audit_entry){.action = action,
		.pipeline = change->run.pipeline,
		.target = change->run.id,
		.subject = by,
		.detail = detail});
}

static const char *
reason_text(struct ctx *ctx, const char *code, const char *detail)
{
	json_t *reason = json_new_object(ctx);

	json_put_string(ctx, reason, "code", code);
	json_put_string(ctx, reason, "detail", detail);
	return json_text(ctx, reason);
}

/* Ends every unfinished step as `as`: untouched ones now, the others by revocations. The run is cancelling until then. */
static bool
end_steps(struct change *change, const char *event, const char *as, const char *reason)
{
	const char *error = json_is_object(change->run.error) ? json_text(change->ctx, change->run.error) : NULL;
	bool deadline = error != NULL;
	struct pg_rows rows;

	if (!sql_run(change->ctx, change->db, SQL_STEPS_END, PG_PARAMS(change->run.id, as, reason, error), &rows))
		return false;
	change->run.steps_done += pg_i64(&rows, 0, 0);
	change->work = pg_i64(&rows, 0, 1) > 0;
	if (pg_i64(&rows, 0, 1) > 0 || pg_i64(&rows, 0, 2) > 0)
		change_status(change, event, RUN_CANCELLING);
	else
		change_status(change, event, deadline ? RUN_FAILED : RUN_CANCELLED);
	return true;
}

bool
run_cancel(struct ctx *ctx, struct pg *db, const char *id, const char *by, struct run *run)
{
	struct change change;
	bool ok = true;

	if (!change_begin(ctx, db, id, &change))
		return false;
	if (run_status_is_final(change.run.status)) {
		ok = fail(ctx, FAIL_RUN_FINISHED, "the run is %s", run_status_name(change.run.status));
	} else if (change.run.status == RUN_CANCELLING) {
		*run = change.run;
		change_drop(&change);
		return true;
	}
	if (ok) {
		change_log(&change, LOG_INFO, NULL, ctx_printf(ctx, "cancel asked for by %s", by), fields_by(ctx, by));
		ok = end_steps(&change, "cancel", "cancelled",
			 reason_text(ctx, "cancelled", ctx_printf(ctx, "asked for by %s", by))) &&
		     note(&change, "run.cancel", by, NULL);
	}
	if (!change_end(&change, ok))
		return false;
	*run = change.run;
	return true;
}

static bool
reopen(struct change *change, const char *spec_version)
{
	struct ctx *ctx = change->ctx;
	struct run *run = &change->run;
	int64_t wave, opened;
	struct pg_rows rows;

	if (!sql_run(ctx, change->db, SQL_STEPS_REOPEN, PG_PARAMS(run->id), &rows))
		return false;
	wave = pg_i64(&rows, 0, 0);
	opened = pg_i64(&rows, 0, 1);
	if (opened == 0)
		return fail(ctx, FAIL_CONFLICT, "the run has no unfinished step");
	if (run->deadline_us != 0 && run->deadline_us < clock_now_us())
		run->deadline_us = clock_now_us() + (run->deadline_us - run->created_us);
	if (spec_version != NULL)
		run->spec_version = spec_version;
	run->wave = wave;
	run->steps_done -= opened;
	run->attempt++;
	run->error = NULL;
	change->work = true;
	change_status(change, "retry", RUN_QUEUED);
	return true;
}

static bool
note_retry(struct change *change, const char *by)
{
	json_t *detail = json_new_object(change->ctx);

	json_put_int(detail, "attempt", change->run.attempt);
	json_put_string(change->ctx, detail, "spec_version", change->run.spec_version);
	return note(change, "run.retry", by, detail);
}

bool
run_retry(struct ctx *ctx, struct pg *db, const char *id, const char *spec_version, const char *by, struct run *run)
{
	struct change change;
	bool ok;

	if (!change_begin(ctx, db, id, &change))
		return false;
	change_log(&change, LOG_INFO, NULL, ctx_printf(ctx, "retry asked for by %s", by), fields_by(ctx, by));
	if (!run_status_is_final(change.run.status))
		ok = fail(ctx, FAIL_RUN_ACTIVE, "the run is %s", run_status_name(change.run.status));
	else if (change.run.status == RUN_SUCCEEDED)
		ok = fail(ctx, FAIL_CONFLICT, "the run succeeded");
	else
		ok = reopen(&change, spec_version) && note_retry(&change, by);
	if (!change_end(&change, ok))
		return false;
	*run = change.run;
	return true;
}

bool
run_pause(struct ctx *ctx, struct pg *db, const char *id, bool pause, struct run *run)
{
	struct change change;
	enum run_status status;
	bool ok = true;

	if (!change_begin(ctx, db, id, &change))
		return false;
	status = change.run.status;
	if (run_status_is_final(status) || status == RUN_CANCELLING) {
		ok = fail(ctx, FAIL_RUN_FINISHED, "the run is %s", run_status_name(status));
	} else if (pause == (status == RUN_PAUSED)) {
		*run = change.run;
		change_drop(&change);
		return true;
	} else if (pause) {
		change_status(&change, "pause", RUN_PAUSED);
		ok = note(&change, "run.pause", NULL, NULL);
	} else {
		change.work = true;
		change_status(&change, "resume", change.run.started_us == 0 ? RUN_QUEUED : RUN_RUNNING);
		ok = note(&change, "run.resume", NULL, NULL);
	}
	if (!change_end(&change, ok))
		return false;
	*run = change.run;
	return true;
}

static bool
expire(struct ctx *ctx, struct pg *db, const char *id, bool *expired)
{
	struct failure overdue = {.code = FAIL_RUN_DEADLINE};
	struct change change;
	enum run_status status;

	if (!change_begin(ctx, db, id, &change))
		return false;
	status = change.run.status;
	*expired = !run_status_is_final(status) && status != RUN_CANCELLING;
	if (!*expired) {
		change_drop(&change);
		return true;
	}
	(void)snprintf(overdue.message, sizeof(overdue.message), "the run was to end by %s",
	    clock_format(ctx, change.run.deadline_us));
	change.run.error = error_to_json(ctx, &overdue, NULL, NULL, NULL);
	change_log(&change, LOG_ERROR, NULL, overdue.message, NULL);
	return change_end(&change,
	    end_steps(&change, "deadline", "failed", reason_text(ctx, "run_deadline", overdue.message)));
}

bool
run_expire_deadlines(struct ctx *ctx, struct pg *db, int64_t *expired)
{
	struct pg_rows rows;

	*expired = 0;
	if (!sql_run(ctx, db, SQL_RUN_OVERDUE, PG_NO_PARAMS, &rows))
		return false;
	for (int i = 0; i < rows.count; i++) {
		bool one;

		if (!expire(ctx, db, pg_value(&rows, i, 0), &one))
			return false;
		*expired += one ? 1 : 0;
	}
	return true;
}
