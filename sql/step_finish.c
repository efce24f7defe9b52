/* step_finish: how an attempt ends. Every write repeats id, boot_id and load_number; no row: the step is not ours. */
#include "base/clock.h"
#include "base/text.h"
#include "sql/audit_store.h"
#include "sql/change.h"
#include "sql/quality_store.h"
#include "sql/run_row.h"
#include "sql/statement.h"
#include "sql/step_store.h"

enum { REVOKE_AGAIN_MS = 5000 };

struct ending {
	const char *status;  /* of the step */
	const char *attempt; /* of the attempt */
	const struct step_result *result;
	const char *error, *reason; /* JSON texts or NULL */
	const json_t *checks;       /* of a step that ends badly */
};

static bool
finish(struct change *change, const struct step_claim *claim, const char *boot_id, const struct ending *ending,
    struct pg_rows *rows)
{
	const struct step_result *result = ending->result;
	struct ctx *ctx = change->ctx;

	return sql_run(ctx, change->db, SQL_STEP_FINISH,
	    PG_PARAMS(claim->id, boot_id, text_from_i64(ctx, claim->load_number), ending->status, ending->attempt,
		result == NULL ? NULL : run_row_json(ctx, result->rows),
		result == NULL ? NULL : run_row_json(ctx, result->effects), ending->error,
		text_from_i64(ctx, result == NULL ? 0 : result->bytes_read),
		result == NULL ? NULL : run_row_time(ctx, result->committed_us), ending->reason),
	    rows);
}

static void
add_rows(struct run *run, const struct step_result *result)
{
	run->rows_read += json_int_or(result->rows, "read", 0);
	run->rows_written += json_int_or(result->rows, "inserted", 0) + json_int_or(result->rows, "updated", 0) +
			     json_int_or(result->rows, "closed", 0);
	run->rows_rejected += json_int_or(result->rows, "rejected", 0);
	run->bytes_read += result->bytes_read;
}

static json_t *
claim_fields(struct ctx *ctx, const struct step_claim *claim)
{
	json_t *fields = json_new_object(ctx);

	json_put_string(ctx, fields, "kind", claim->kind);
	json_put_string(ctx, fields, "table", claim->table);
	json_put_string(ctx, fields, "slice", claim->slice);
	json_put_int(fields, "attempt", claim->attempt);
	return fields;
}

static json_t *
error_fields(struct ctx *ctx, const struct step_claim *claim, const json_t *error)
{
	json_t *fields = claim_fields(ctx, claim);

	json_put_string(ctx, fields, "code", json_string_or(error, "code", NULL));
	json_put_string(ctx, fields, "message", json_string_or(error, "message", NULL));
	return fields;
}

/* What the run allows somebody asked for: whom it was that a guard let pass, and what. */
static bool
audit_guards(struct change *change, const struct step_claim *claim, const json_t *guards)
{
	json_t *guard, *detail;
	size_t i;

	json_array_foreach(guards, i, guard) {
		if (!text_equal(json_string_or(guard, "passed", NULL), "allowed"))
			continue;
		detail = json_new_object(change->ctx);
		json_put_string(change->ctx, detail, "step_id", claim->id);
		json_put_string(change->ctx, detail, "table", claim->table);
		json_put_string(change->ctx, detail, "slice", claim->slice);
		(void)json_object_update(detail, guard);
		if (!audit_write(change->ctx, change->db,
			&(struct audit_entry){.action = "guard.pass",
			    .pipeline = claim->pipeline,
			    .target = claim->run_id,
			    .subject = change->run.requested_by,
			    .detail = detail}))
			return false;
	}
	return true;
}

bool
step_succeed(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    const struct step_result *result, bool *mine)
{
	struct ending ending = {.status = "succeeded", .attempt = "succeeded", .result = result};
	struct change change;
	struct pg_rows rows;
	json_t *fields;

	if (!change_begin(ctx, db, claim->run_id, &change))
		return false;
	if (!finish(&change, claim, boot_id, &ending, &rows))
		return change_end(&change, false);
	*mine = rows.count > 0;
	if (!*mine) {
		change_drop(&change);
		return true;
	}
	fields = claim_fields(ctx, claim);
	if (json_is_object(result->rows))
		json_put(fields, "rows", result->rows);
	change_log(&change, LOG_INFO, claim->id, "step succeeded", fields);
	change.step_id = claim->id;
	change.run.steps_done++;
	add_rows(&change.run, result);
	return change_end(&change, audit_guards(&change, claim, result->guards) &&
				       quality_write(&change, claim, result->checks) && change_settle(&change, false));
}

/* An attempt that asked nothing leaves what an earlier one was told. */
static bool
write_evidence(struct change *change, const struct step_claim *claim, const json_t *checks)
{
	return json_array_size(checks) == 0 || quality_write(change, claim, checks);
}

/* Ends the holder's step other than by a load, as ending says. */
static bool
end_badly(struct change *change, const struct step_claim *claim, const char *boot_id, const struct ending *ending,
    bool *mine)
{
	struct ctx *ctx = change->ctx;
	bool failed = text_equal(ending->status, "failed");
	struct pg_rows rows;

	if (!finish(change, claim, boot_id, ending, &rows))
		return change_end(change, false);
	*mine = rows.count > 0;
	if (!*mine) {
		change_drop(change);
		return true;
	}
	change_log(change, failed ? LOG_ERROR : LOG_INFO, claim->id, ctx_printf(ctx, "step %s", ending->status),
	    error_fields(ctx, claim, json_trusted(ctx, pg_value(&rows, 0, 1))));
	change->step_id = claim->id;
	change->run.steps_done++;
	return change_end(change,
	    write_evidence(change, claim, ending->checks) && change_settle(change, failed && pg_bool(&rows, 0, 0)));
}

bool
step_end(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id, bool *mine)
{
	struct ending ending = {.status = claim->end_as};
	struct change change;

	ending.attempt = text_equal(claim->end_as, "failed") ? "failed" : "superseded";
	return change_begin(ctx, db, claim->run_id, &change) && end_badly(&change, claim, boot_id, &ending, mine);
}

bool
step_skip(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id, enum step_skip why,
    bool *mine)
{
	json_t *reason = json_new_object(ctx);
	struct ending ending = {.status = "skipped", .attempt = "succeeded"};
	struct change change;

	json_put_string(ctx, reason, "code", step_skip_reasons[why]);
	json_put(reason, "detail", json_null());
	ending.reason = json_text(ctx, reason);
	return change_begin(ctx, db, claim->run_id, &change) && end_badly(&change, claim, boot_id, &ending, mine);
}

struct release {
	const char *attempt;  /* status of the attempt */
	const json_t *error;  /* or NULL */
	const json_t *checks; /* or NULL */
	const json_t *rows;   /* or NULL */
	int64_t wait_ms;
	bool free;          /* costs no try */
	const char *end_as; /* or NULL */
	const char *reason;
	enum log_level level;
	const char *message;
};

static bool
release(struct change *change, const struct step_claim *claim, const char *boot_id, const struct release *how,
    bool *mine)
{
	struct ctx *ctx = change->ctx;
	struct pg_rows rows;
	json_t *fields;

	if (!sql_run(ctx, change->db, SQL_STEP_RELEASE,
		PG_PARAMS(claim->id, boot_id, text_from_i64(ctx, claim->load_number), how->attempt,
		    run_row_json(ctx, how->error), text_from_i64(ctx, how->wait_ms), text_from_bool(how->free),
		    how->end_as, how->reason, run_row_json(ctx, how->rows)),
		&rows))
		return change_end(change, false);
	*mine = rows.count > 0;
	if (!*mine) {
		change_drop(change);
		return true;
	}
	fields = error_fields(ctx, claim, how->error);
	if (how->wait_ms > 0)
		json_put_time(ctx, fields, "retry_at", pg_time_us(&rows, 0, 0));
	change_log(change, how->level, claim->id, how->message, fields);
	change->step_id = claim->id;
	change->work = how->wait_ms == 0 || pg_value(&rows, 0, 1) != NULL;
	return change_end(change, write_evidence(change, claim, how->checks));
}

bool
step_retry_later(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    const json_t *error, int64_t wait_ms, bool *mine)
{
	struct release how = {.attempt = "failed", .error = error, .wait_ms = wait_ms, .level = LOG_WARN};
	struct change change;

	how.message =
	    claim->end_as == NULL ? "attempt failed, tried again later" : "revocation failed, tried again later";
	return change_begin(ctx, db, claim->run_id, &change) && release(&change, claim, boot_id, &how, mine);
}

bool
step_hand_back(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id, bool *mine)
{
	struct release how = {.attempt = "handed_back",
	    .free = true,
	    .level = LOG_INFO,
	    .message = "attempt handed back"};
	struct change change;

	return change_begin(ctx, db, claim->run_id, &change) && release(&change, claim, boot_id, &how, mine);
}

static const char *
reason_of(struct ctx *ctx, const json_t *error)
{
	json_t *reason = json_new_object(ctx);

	json_put_string(ctx, reason, "code", json_string_or(error, "code", "internal"));
	json_put_string(ctx, reason, "detail", json_string_or(error, "message", NULL));
	return json_text(ctx, reason);
}

/* A step without a slice: whether a cancel came meanwhile decides how it ends. */
static bool
give_up_at_once(struct change *change, const struct step_claim *claim, const char *boot_id,
    const struct step_failure *failure, bool *mine)
{
	struct ctx *ctx = change->ctx;
	bool cancelling = change->run.status == RUN_CANCELLING && !json_is_object(change->run.error);
	struct ending ending = {
	    .status = cancelling ? "cancelled" : "failed",
	    .attempt = "failed",
	    .error = run_row_json(ctx, failure->error),
	    .reason = reason_of(ctx, failure->error),
	    .checks = failure->checks,
	};

	return end_badly(change, claim, boot_id, &ending, mine);
}

bool
step_give_up(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    const struct step_failure *failure, bool *mine)
{
	struct release how = {.attempt = "failed",
	    .error = failure->error,
	    .checks = failure->checks,
	    .rows = failure->rows,
	    .end_as = "failed",
	    .level = LOG_ERROR,
	    .message = "attempt failed for good, its slice is revoked next"};
	struct change change;

	if (claim->end_as != NULL) /* a revocation goes on until it is done */
		return step_retry_later(ctx, db, claim, boot_id, failure->error, REVOKE_AGAIN_MS, mine);
	if (!change_begin(ctx, db, claim->run_id, &change))
		return false;
	if (claim->scope == NULL)
		return give_up_at_once(&change, claim, boot_id, failure, mine);
	how.reason = reason_of(ctx, failure->error);
	return release(&change, claim, boot_id, &how, mine);
}
