/*
 * slice_checks: the gates: which checks are asked where, and how often.
 *
 * All checks of a gate are asked before one of them stops the slice, so that the evidence is whole.
 */
#include "etl/slice_checks.h"
#include "base/clock.h"
#include "base/fail.h"

enum { RETRY_POLL_MS = 50 };

static struct asking
begin_asking(struct ctx *ctx, struct loading *loading)
{
	loading->asked_at = clock_format(ctx, clock_now_us());
	return (struct asking){.ctx = ctx, .loading = loading, .scope = loading->job->claim->scope};
}

static void
find_checks(const struct loading *loading, enum check_gate gate, struct answers *answers, struct ctx *ctx)
{
	const struct spec *spec = loading->job->spec;

	answers->count = 0;
	answers->items = ctx_alloc_array(ctx, spec->check_count + 1, sizeof(*answers->items));
	for (size_t i = 0; i < spec->check_count; i++)
		if (spec->checks[i].gate == gate && spec->checks[i].table == loading->job->table &&
		    !spec_check_is_after(&spec->checks[i]))
			answers->items[answers->count++] = (struct answer){.check = &spec->checks[i]};
}

bool
check_published(struct ctx *ctx, struct loading *loading)
{
	struct asking asking = begin_asking(ctx, loading);
	struct answers answers;

	find_checks(loading, GATE_PUBLISHED, &answers, ctx);
	return checks_ask(&asking, &answers) && checks_judge(&asking, &answers);
}

bool
check_staged(struct ctx *ctx, struct loading *loading)
{
	struct asking asking = begin_asking(ctx, loading);
	struct answers answers;
	bool ok;

	find_checks(loading, GATE_STAGING, &answers, ctx);
	if (answers.count == 0)
		return true;
	ok = pg_begin(ctx, loading->warehouse) && checks_ask(&asking, &answers);
	pg_rollback(loading->warehouse);
	return ok && checks_judge(&asking, &answers);
}

/* One snapshot for all. */
static bool
ask_run(const struct asking *asking, struct answers *answers)
{
	struct pg *pg = asking->loading->warehouse;
	bool ok = pg_begin(asking->ctx, pg) &&
		  pg_run(asking->ctx, pg, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY") &&
		  checks_ask(asking, answers);

	pg_rollback(pg);
	return ok;
}

static void
log_again(const struct asking *asking, const struct answer *answer)
{
	const struct spec_check *check = answer->check;
	json_t *fields = json_new_object(asking->ctx);

	json_put_string(asking->ctx, fields, "check", check->name);
	json_put_string(asking->ctx, fields, "table", check->table != NULL ? check->table->name : NULL);
	json_put_string(asking->ctx, fields, "observed", answer->error == NULL ? answer->observed : NULL);
	json_put_string(asking->ctx, fields, "expected", spec_check_expected(asking->ctx, check));
	json_put_string(asking->ctx, fields, "error", answer->error);
	json_put_int(fields, "try", answer->asked);
	json_put_int(fields, "retry", check->retry);
	json_put_int(fields, "wait_ms", check->retry_wait_ms);
	log_event(asking->ctx, asking->loading->job, LOG_WARN, "check did not pass, asked again later", fields);
}

/* Which of the new answers are not to count yet. When the first of all that wait is due; 0: none is. */
static int64_t
plan_again(const struct asking *asking, struct answers *answers)
{
	int64_t now_us = clock_monotonic_us(), first_us = 0;

	for (size_t i = 0; i < answers->count; i++) {
		struct answer *answer = &answers->items[i];
		const struct spec_check *check = answer->check;

		if (answer->again_us == 0 && (answer->error != NULL || !answer->passed) &&
		    answer->asked <= check->retry) {
			answer->again_us = now_us + check->retry_wait_ms * 1000;
			log_again(asking, answer);
		}
		if (answer->again_us != 0 && (first_us == 0 || answer->again_us < first_us))
			first_us = answer->again_us;
	}
	return first_us;
}

/* Waiting ends at once when the step is to stop: the next statement then says why. */
static void
wait_until(struct ctx *ctx, int64_t at_us)
{
	while (clock_monotonic_us() < at_us && ctx_cancelled(ctx) == CANCEL_NONE)
		clock_sleep_ms(RETRY_POLL_MS);
}

/* Forgets the answers whose time it is. */
static void
forget_due(struct answers *answers)
{
	int64_t now_us = clock_monotonic_us();

	for (size_t i = 0; i < answers->count; i++)
		if (answers->items[i].again_us != 0 && answers->items[i].again_us <= now_us)
			answers->items[i].at_us = answers->items[i].again_us = 0;
}

bool
slice_ask_checks(struct ctx *ctx, const struct slice_job *job, const struct spec_check *const *checks, size_t count,
    struct slice_outcome *outcome)
{
	CTX_SCOPE(own, ctx);
	struct answers answers = {.items = ctx_alloc_array(own, count + 1, sizeof(*answers.items)), .count = count};
	struct loading loading;
	struct asking asking;
	int64_t again_us;

	loading_init(own, &loading, job, outcome);
	outcome->checks = json_new_array(ctx);
	asking = begin_asking(own, &loading);
	asking.scope = "table";
	for (size_t i = 0; i < count; i++)
		answers.items[i].check = checks[i];
	if (!open_warehouse(own, job, &loading.warehouse) || !ask_run(&asking, &answers))
		return false;
	while ((again_us = plan_again(&asking, &answers)) != 0) {
		wait_until(own, again_us);
		forget_due(&answers);
		loading.asked_at = clock_format(own, clock_now_us());
		if (!ask_run(&asking, &answers))
			return false;
	}
	log_trace(own, &loading, "checks asked");
	return checks_judge(&asking, &answers);
}
