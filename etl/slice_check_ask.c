/*
 * slice_check_ask: checks, asked in a loading session.
 *
 * A check is asked in a read-only subtransaction that is always rolled back: it leaves no trace whatever its SQL does, and one that cannot
 * be asked hides none of the others. Checks that one scan can answer are asked together; only when that fails is each asked by
 * itself, to know whose error it was. What a broken session leaves unasked fails the attempt as such.
 */
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/slice_checks.h"

enum { ALL_PPM = 1000000 };

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

	return code == FAIL_SQL_ERROR || code == FAIL_SQL_DATA || code == FAIL_STATEMENT_TIMEOUT ||
	       code == FAIL_LOCK_TIMEOUT;
}

/* What became of a query: why it could not be asked, NULL when it could. */
struct asked {
	const char *error;
	enum fail_code code;
};

static bool
query(const struct asking *asking, const char *sql, struct pg_rows *rows, struct asked *asked)
{
	const struct loading *loading = asking->loading;
	struct ctx *ctx = asking->ctx;
	struct pg *pg = loading->warehouse;

	*asked = (struct asked){.error = NULL};
	if (!pg_run(ctx, pg,
		ctx_printf(ctx,
		    "SAVEPOINT loadstar_check; SET LOCAL transaction_read_only = on; SET LOCAL search_path = %s",
		    pg_identifier(ctx, loading->job->spec->schema))))
		return false;
	if (!pg_query(ctx, pg, sql, PG_NO_PARAMS, rows)) {
		if (!is_of_check(ctx))
			return false;
		*asked =
		    (struct asked){.error = ctx_strdup(ctx, ctx_failure(ctx)->message), .code = ctx_failure(ctx)->code};
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
read_volume(struct ctx *ctx, const struct pg_rows *rows, int column, struct answer *answer)
{
	answer->counted = true;
	answer->rows_checked = pg_i64(rows, 0, column);
	answer->has_previous = pg_value(rows, 0, column + 1) != NULL;
	answer->previous = pg_i64(rows, 0, column + 1);
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
	int column = (int)place * 2;

	switch (answer->check->kind) {
	case CHECK_VOLUME: read_volume(ctx, rows, column, answer); return;
	case CHECK_FRESHNESS:
		answer->observed =
		    pg_value(rows, 0, column) != NULL ? clock_format(ctx, pg_time_us(rows, 0, column)) : NULL;
		answer->passed = pg_bool(rows, 0, column + 1);
		return;
	case CHECK_SQL:
		answer->observed = pg_value(rows, 0, 0);
		answer->passed = pg_bool(rows, 0, 1);
		return;
	case CHECK_COMPLETENESS:
	case CHECK_VALIDITY:
	case CHECK_UNIQUENESS:
	case CHECK_REFERENTIAL: read_rows(ctx, rows, column, answer); return;
	}
}

/* Rows to look at; a check that has an answer keeps it when there are none to be had. */
static bool
take_sample(const struct asking *asking, struct answer *answer)
{
	const struct slice_job *job = asking->loading->job;
	char *text = generate_check_sample(asking->ctx, job->spec, answer->check, asking->scope), *sql;
	struct asked asked;
	struct pg_rows rows;

	if (answer->rows_failed == 0 || text == NULL)
		return true;
	if (!fill_check(asking, answer->check, text, &sql) || !query(asking, sql, &rows, &asked))
		return false;
	if (asked.error == NULL)
		answer->sample = json_trusted(asking->ctx, pg_value(&rows, 0, 0));
	return true;
}

/* One statement for the answers, which are of one table and gate. */
static bool
ask_together(const struct asking *asking, struct answer *const *answers, size_t count, struct asked *asked)
{
	const struct spec_check **checks = ctx_alloc_array(asking->ctx, count, sizeof(*checks));
	int64_t at_us = clock_now_us(), since_us = clock_monotonic_us();
	struct pg_rows rows;
	char *sql;

	for (size_t i = 0; i < count; i++)
		checks[i] = answers[i]->check;
	sql = generate_check(asking->ctx, asking->loading->job->spec, checks, count, asking->scope);
	if (!fill_check(asking, checks[0], sql, &sql) || !query(asking, sql, &rows, asked))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct answer *answer = answers[i];

		answer->at_us = at_us;
		answer->error = asked->error;
		answer->error_code = asked->code;
		answer->asked++;
		answer->sample = NULL;
		if (asked->error == NULL) {
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
	struct asked asked;

	return ask_together(asking, &answer, 1, &asked);
}

/* The checks from `first` on that can be answered by one scan of the same table. */
static bool
ask_in_one_scan(const struct asking *asking, struct answers *answers, size_t first)
{
	struct answer **group = ctx_alloc_array(asking->ctx, answers->count, sizeof(*group));
	const struct spec_table *table = answers->items[first].check->table;
	struct asked asked;
	size_t count = 0;

	for (size_t i = first; i < answers->count; i++) {
		struct answer *answer = &answers->items[i];

		if (answer->at_us == 0 && answer->check->table == table && check_shares_scan(answer->check))
			group[count++] = answer;
	}
	if (!ask_together(asking, group, count, &asked))
		return false;
	for (size_t i = 0; asked.error != NULL && count > 1 && i < count; i++) {
		group[i]->asked--; /* asking together was nobody's try */
		if (!ask_alone(asking, group[i]))
			return false;
	}
	return true;
}

bool
checks_ask(const struct asking *asking, struct answers *answers)
{
	for (size_t i = 0; i < answers->count; i++) {
		struct answer *answer = &answers->items[i];

		if (answer->at_us != 0)
			continue;
		if (!(check_shares_scan(answer->check) ? ask_in_one_scan(asking, answers, i)
						       : ask_alone(asking, answer)))
			return false;
	}
	return true;
}
