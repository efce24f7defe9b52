/* slice_check_result: what checks came to, as results, and what that means for the step. */
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_checks.h"

static const char *
status_of(const struct answer *answer)
{
	if (answer->error != NULL)
		return "error";
	return answer->passed ? "passed" : answer->check->warn ? "warned" : "failed";
}

static void
put_count(json_t *object, const char *key, bool known, int64_t count)
{
	if (known)
		json_put_int(object, key, count);
	else
		json_put_null(object, key);
}

/* A quality result as the contract has it, but for the run and the pipeline; and the attempt that asked. */
static json_t *
result_of(const struct asking *asking, const struct answer *answer)
{
	const struct spec_check *check = answer->check;
	struct ctx *ctx = asking->ctx;
	json_t *object = json_new_object(ctx);
	bool whole = check->gate == GATE_RUN || check->kind == CHECK_FRESHNESS || text_equal(asking->scope, "table");

	json_put_string(ctx, object, "table", check->table != NULL ? check->table->name : NULL);
	json_put_string(ctx, object, "check", check->name);
	json_put_string(ctx, object, "kind", check_kind_name(check->kind));
	json_put_string(ctx, object, "severity", check_severity_name(check));
	json_put_string(ctx, object, "gate", check_gate_name(check->gate));
	json_put_string(ctx, object, "scope", whole ? "table" : "slice");
	json_put_string(ctx, object, "status", status_of(answer));
	json_put_string(ctx, object, "expected", spec_check_expected(ctx, check));
	json_put_string(ctx, object, "observed", answer->error == NULL ? answer->observed : NULL);
	put_count(object, "rows_checked", answer->counted && answer->error == NULL, answer->rows_checked);
	put_count(object, "rows_failed", answer->counted && answer->error == NULL && check->kind != CHECK_VOLUME,
	    answer->rows_failed);
	json_put(object, "sample", answer->sample != NULL ? answer->sample : json_null());
	json_put_time(ctx, object, "at", answer->at_us);
	json_put_int(object, "duration_ms", answer->duration_ms);
	json_put_string(ctx, object, "error", answer->error);
	json_put_int(object, "attempt", asking->loading->job->claim->attempt);
	return object;
}

static bool
stops(const struct answer *answer)
{
	return !answer->check->warn && (answer->error != NULL || !answer->passed);
}

/* Of two that stop the slice, the one whose say counts: what failed says more of the rows than what could not be asked, and what could
 * not be asked now less than what never can be. */
static int
weight(const struct answer *answer)
{
	if (answer->error == NULL)
		return 2;
	return fail_kind(answer->error_code)->retryable ? 0 : 1;
}

static bool
stop(const struct asking *asking, const struct answer *first, size_t stopped)
{
	const struct spec_check *check = first->check;
	const char *more = stopped == 1 ? "" : ctx_printf(asking->ctx, "; %zu more checks stop it, too", stopped - 1);

	if (first->error != NULL)
		return fail(asking->ctx, fail_kind(first->error_code)->retryable ? first->error_code : FAIL_CHECK_ERROR,
		    "the check %s could not be asked: %s%s", check->name, first->error, more);
	return fail(asking->ctx, FAIL_QUALITY_FAILED, "the check %s failed: %s, expected %s%s", check->name,
	    first->observed != NULL ? first->observed : "null", spec_check_expected(asking->ctx, check), more);
}

bool
checks_judge(const struct asking *asking, const struct answers *answers)
{
	const struct answer *first = NULL;
	size_t stopped = 0;

	for (size_t i = 0; i < answers->count; i++) {
		const struct answer *answer = &answers->items[i];

		json_add(asking->loading->outcome->checks, result_of(asking, answer));
		if (!stops(answer))
			continue;
		stopped++;
		if (first == NULL || weight(answer) > weight(first))
			first = answer;
	}
	return first == NULL || stop(asking, first, stopped);
}
