/*
 * slice_checks: quality checks, asked in a loading session.
 *
 * DESIGN. A check is asked in a read-only subtransaction that is always rolled back: it leaves no trace whatever its SQL does, and one
 * that cannot be asked hides none of the others. Checks that look at row after row are asked together, in one pass; only when
 * that fails is each asked by itself, to know whose error it was. All checks of a gate are asked before one of them stops the
 * slice, so that the evidence is whole. What a broken session or a timeout leaves unasked fails the attempt as such, and is tried again.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/generate_check.h"
#include "etl/slice_internal.h"

enum { RETRY_MS = 1000, RETRY_POLL_MS = 50, ALL_PPM = 1000000 };

/* A check and what came of it. */
struct answer {
	const struct spec_check *check;
	const char *error; /* it could not be asked */
	int64_t rows_checked, rows_failed, previous;
	bool counted, has_previous; /* the numbers above were asked for */
	const char *observed;
	bool passed;
	json_t *sample;
	int64_t at_us, duration_ms;
	int64_t asked; /* times */
};

struct answers {
	struct answer *items;
	size_t count;
};

/* Texts live in ctx, which is that of the results, too. */
struct asking {
	struct ctx *ctx;
	struct loading *loading;
	const char *scope;
};

static bool
fill_check(const struct asking *asking, const struct spec_check *check, const char *text, char **sql)
{
	struct load_statement statement = {.name = check->query_path != NULL ? check->query_path : check->name,
	    .sql = text};

	return fill_statement(asking->ctx, asking->loading, &statement, sql);
}

/* A failure that the check's own SQL made; the others say nothing about it. */
static bool
is_of_check(struct ctx *ctx)
{
	enum fail_code code = ctx_failure(ctx)->code;

	return code == FAIL_SQL_ERROR || code == FAIL_SQL_DATA;
}

/* error: why it could not be asked, NULL when it could. */
static bool
query(const struct asking *asking, const char *sql, struct pg_rows *rows, const char **error)
{
	const struct loading *loading = asking->loading;
	struct ctx *ctx = asking->ctx;
	struct pg *pg = loading->warehouse;

	*error = NULL;
	if (!pg_run(ctx, pg,
		ctx_printf(ctx,
		    "SAVEPOINT loadstar_check; SET LOCAL transaction_read_only = on; SET LOCAL search_path = %s",
		    pg_identifier(ctx, loading->job->spec->schema))))
		return false;
	if (!pg_query(ctx, pg, sql, PG_NO_PARAMS, rows)) {
		if (!is_of_check(ctx))
			return false;
		*error = ctx_strdup(ctx, ctx_failure(ctx)->message);
		fail_clear(ctx);
	}
	return pg_run(ctx, pg, "ROLLBACK TO SAVEPOINT loadstar_check; RELEASE SAVEPOINT loadstar_check");
}

static bool
is_volume_right(const struct spec_check *check, const struct answer *answer)
{
	int64_t rows = answer->rows_checked;

	if ((check->min_rows >= 0 && rows < check->min_rows) || (check->max_rows >= 0 && rows > check->max_rows))
		return false;
	if (!answer->has_previous)
		return true;
	return (check->least_of_previous_ppm < 0 ||
		   rows * ALL_PPM >= answer->previous * check->least_of_previous_ppm) &&
	       (check->most_of_previous_ppm < 0 || rows * ALL_PPM <= answer->previous * check->most_of_previous_ppm);
}

static void
read_volume(struct ctx *ctx, const struct pg_rows *rows, struct answer *answer)
{
	answer->counted = true;
	answer->rows_checked = pg_i64(rows, 0, 0);
	answer->has_previous = pg_value(rows, 0, 1) != NULL;
	answer->previous = pg_i64(rows, 0, 1);
	answer->passed = is_volume_right(answer->check, answer);
	answer->observed = answer->has_previous ? ctx_printf(ctx, "%lld rows, %lld before",
						      (long long)answer->rows_checked, (long long)answer->previous)
						: ctx_printf(ctx, "%lld rows", (long long)answer->rows_checked);
}

static void
read_rows(struct ctx *ctx, const struct pg_rows *rows, int column, struct answer *answer)
{
	answer->counted = true;
	answer->rows_checked = pg_i64(rows, 0, column);
	answer->rows_failed = pg_i64(rows, 0, column + 1);
	answer->passed = answer->rows_failed * ALL_PPM <= answer->rows_checked * (ALL_PPM - answer->check->least_ppm);
	answer->observed =
	    ctx_printf(ctx, "%lld of %lld rows fail", (long long)answer->rows_failed, (long long)answer->rows_checked);
}

static void
read_answer(struct ctx *ctx, const struct pg_rows *rows, size_t place, struct answer *answer)
{
	const struct spec_check *check = answer->check;

	switch (check->kind) {
	case CHECK_VOLUME: read_volume(ctx, rows, answer); return;
	case CHECK_FRESHNESS:
		answer->observed = pg_value(rows, 0, 0) != NULL ? clock_format(ctx, pg_time_us(rows, 0, 0)) : NULL;
		answer->passed = pg_bool(rows, 0, 1);
		return;
	case CHECK_SQL:
		answer->observed = pg_value(rows, 0, 0);
		answer->passed = pg_bool(rows, 0, 1);
		return;
	case CHECK_COMPLETENESS:
	case CHECK_VALIDITY:
	case CHECK_UNIQUENESS:
	case CHECK_REFERENTIAL: read_rows(ctx, rows, (int)place * 2, answer); return;
	}
}

/* Rows to look at; a check that has an answer keeps it when there are none to be had. */
static bool
take_sample(const struct asking *asking, struct answer *answer)
{
	const struct slice_job *job = asking->loading->job;
	char *text = generate_check_sample(asking->ctx, job->spec, answer->check, asking->scope), *sql;
	const char *error;
	struct pg_rows rows;

	if (answer->rows_failed == 0 || text == NULL)
		return true;
	if (!fill_check(asking, answer->check, text, &sql) || !query(asking, sql, &rows, &error))
		return false;
	if (error == NULL)
		answer->sample = json_trusted(asking->ctx, pg_value(&rows, 0, 0));
	return true;
}

/* One statement for the answers, which are of one table and gate. */
static bool
ask_together(const struct asking *asking, struct answer *const *answers, size_t count, const char **error)
{
	const struct spec_check **checks = ctx_alloc_array(asking->ctx, count, sizeof(*checks));
	int64_t at_us = clock_now_us(), since_us = clock_monotonic_us();
	struct pg_rows rows;
	char *sql;

	for (size_t i = 0; i < count; i++)
		checks[i] = answers[i]->check;
	sql = generate_check(asking->ctx, asking->loading->job->spec, checks, count, asking->scope);
	if (!fill_check(asking, checks[0], sql, &sql) || !query(asking, sql, &rows, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct answer *answer = answers[i];

		answer->at_us = at_us;
		answer->error = *error;
		answer->asked++;
		answer->sample = NULL;
		if (*error == NULL) {
			read_answer(asking->ctx, &rows, i, answer);
			if (!take_sample(asking, answer))
				return false;
		}
		answer->duration_ms = (clock_monotonic_us() - since_us) / 1000;
	}
	trace_statement(asking->ctx, asking->loading,
	    count > 1 ? "checks" : ctx_printf(asking->ctx, "check %s", checks[0]->name), since_us, (int64_t)count);
	return true;
}

static bool
ask_alone(const struct asking *asking, struct answer *answer)
{
	const char *error;

	return ask_together(asking, &answer, 1, &error);
}

/* The checks from `first` on that look at row after row of the same table. */
static bool
ask_by_row(const struct asking *asking, struct answers *answers, size_t first)
{
	struct answer **group = ctx_alloc_array(asking->ctx, answers->count, sizeof(*group));
	const struct spec_table *table = answers->items[first].check->table;
	const char *error;
	size_t count = 0;

	for (size_t i = first; i < answers->count; i++) {
		struct answer *answer = &answers->items[i];

		if (answer->at_us == 0 && answer->check->table == table && check_is_by_row(answer->check))
			group[count++] = answer;
	}
	if (!ask_together(asking, group, count, &error))
		return false;
	for (size_t i = 0; error != NULL && count > 1 && i < count; i++)
		if (!ask_alone(asking, group[i]))
			return false;
	return true;
}

/* Those that have no answer yet (at_us 0), within a transaction. */
static bool
ask_all(const struct asking *asking, struct answers *answers)
{
	for (size_t i = 0; i < answers->count; i++) {
		struct answer *answer = &answers->items[i];

		if (answer->at_us != 0)
			continue;
		if (!(check_is_by_row(answer->check) ? ask_by_row(asking, answers, i) : ask_alone(asking, answer)))
			return false;
	}
	return true;
}

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

/* The results, and what they mean: FAIL_QUALITY_FAILED when a check of severity error did not pass. */
static bool
judge(const struct asking *asking, const struct answers *answers)
{
	const struct answer *first = NULL;
	size_t stopped = 0;
	const char *more;

	for (size_t i = 0; i < answers->count; i++) {
		const struct answer *answer = &answers->items[i];

		json_add(asking->loading->outcome->checks, result_of(asking, answer));
		if (stops(answer) && stopped++ == 0)
			first = answer;
	}
	if (first == NULL)
		return true;
	more = stopped == 1 ? "" : ctx_printf(asking->ctx, "; %zu more checks stop it, too", stopped - 1);
	if (first->error != NULL)
		return fail(asking->ctx, FAIL_QUALITY_FAILED, "the check %s could not be asked: %s%s",
		    first->check->name, first->error, more);
	return fail(asking->ctx, FAIL_QUALITY_FAILED, "the check %s failed: %s, expected %s%s", first->check->name,
	    first->observed != NULL ? first->observed : "null", spec_check_expected(asking->ctx, first->check), more);
}

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
		if (spec->checks[i].gate == gate && spec->checks[i].table == loading->job->table)
			answers->items[answers->count++] = (struct answer){.check = &spec->checks[i]};
}

bool
check_published(struct ctx *ctx, struct loading *loading)
{
	struct asking asking = begin_asking(ctx, loading);
	struct answers answers;

	find_checks(loading, GATE_PUBLISHED, &answers, ctx);
	return ask_all(&asking, &answers) && judge(&asking, &answers);
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
	ok = pg_begin(ctx, loading->warehouse) && ask_all(&asking, &answers);
	pg_rollback(loading->warehouse);
	return ok && judge(&asking, &answers);
}

/* One snapshot for all. */
static bool
ask_run(const struct asking *asking, struct answers *answers)
{
	struct pg *pg = asking->loading->warehouse;
	bool ok = pg_begin(asking->ctx, pg) &&
		  pg_run(asking->ctx, pg, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY") &&
		  ask_all(asking, answers);

	pg_rollback(pg);
	return ok;
}

/* Forgets the answers that may be asked for once more; false: there are none. */
static bool
want_again(struct answers *answers)
{
	bool again = false;

	for (size_t i = 0; i < answers->count; i++) {
		struct answer *answer = &answers->items[i];

		if ((answer->error == NULL && answer->passed) || answer->asked > answer->check->retry)
			continue;
		answer->at_us = 0;
		again = true;
	}
	return again;
}

/* Waiting ends at once when the step is to stop: the next statement then says why. */
static void
wait_a_little(struct ctx *ctx)
{
	for (int ms = 0; ms < RETRY_MS && ctx_cancelled(ctx) == CANCEL_NONE; ms += RETRY_POLL_MS)
		clock_sleep_ms(RETRY_POLL_MS);
}

bool
slice_ask_checks(struct ctx *ctx, const struct slice_job *job, const struct spec_check *const *checks, size_t count,
    struct slice_outcome *outcome)
{
	CTX_SCOPE(own, ctx);
	struct answers answers = {.items = ctx_alloc_array(own, count + 1, sizeof(*answers.items)), .count = count};
	struct loading loading;
	struct asking asking;

	loading_init(own, &loading, job, outcome);
	outcome->checks = json_new_array(ctx);
	asking = begin_asking(own, &loading);
	asking.scope = "table";
	for (size_t i = 0; i < count; i++)
		answers.items[i].check = checks[i];
	if (!open_warehouse(own, job, &loading.warehouse) || !ask_run(&asking, &answers))
		return false;
	while (want_again(&answers)) {
		wait_a_little(own);
		loading.asked_at = clock_format(own, clock_now_us());
		if (!ask_run(&asking, &answers))
			return false;
	}
	log_trace(own, &loading, "checks asked");
	return judge(&asking, &answers);
}
