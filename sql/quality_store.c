#include "sql/quality_store.h"

#include "base/text.h"
#include "sql/run_row.h"
#include "sql/statement.h"
#include "sql/step_json.h"

enum column {
	ID,
	RUN_ID,
	STEP_ID,
	ATTEMPT,
	PIPELINE,
	TABLE,
	CHECK,
	KIND,
	SEVERITY,
	GATE,
	CHECK_SCOPE,
	STATUS,
	EXPECTED,
	OBSERVED,
	ROWS_CHECKED,
	ROWS_FAILED,
	SAMPLE,
	ERROR,
	AT,
	DURATION_MS,
	SCOPE, /* and slice, slice_from, slice_to: see step_json_slice */
	FILES = SCOPE + 4
};

/* Values that are told as they are, in the contract's order. */
static const struct {
	const char *name;
	enum column column;
} texts[] = {
    {"table", TABLE},
    {"check", CHECK},
    {"kind", KIND},
    {"severity", SEVERITY},
    {"gate", GATE},
    {"scope", CHECK_SCOPE},
    {"status", STATUS},
    {"expected", EXPECTED},
    {"observed", OBSERVED},
};

/* A line for each result that did not pass. */
static void
log_results(struct change *change, const struct step_claim *claim, const json_t *checks)
{
	static const char *const told[] = {"check", "table", "gate", "expected", "observed", "error"};
	json_t *result;
	size_t i;

	json_array_foreach(checks, i, result) {
		const char *status = json_string_or(result, "status", "");
		bool warn = text_equal(json_string_or(result, "severity", ""), "warn");
		json_t *fields;

		if (text_equal(status, "passed"))
			continue;
		fields = json_new_object(change->ctx);
		for (size_t k = 0; k < sizeof(told) / sizeof(*told); k++)
			json_put_string(change->ctx, fields, told[k], json_string_or(result, told[k], NULL));
		change_log(change, warn ? LOG_WARN : LOG_ERROR, claim->id,
		    text_equal(status, "error") ? "check could not be asked" : "check failed", fields);
	}
}

bool
quality_write(struct change *change, const struct step_claim *claim, const json_t *checks)
{
	struct run *run = &change->run;
	struct pg_rows rows;

	if (!json_is_array(checks) || (json_array_size(checks) == 0 && claim->attempt <= 1))
		return true;
	if (!sql_run(change->ctx, change->db, SQL_QUALITY_WRITE,
		PG_PARAMS(claim->run_id, claim->id, claim->pipeline, json_text(change->ctx, checks)), &rows))
		return false;
	run->checks_passed += pg_i64(&rows, 0, 0);
	run->checks_warned += pg_i64(&rows, 0, 1);
	run->checks_failed += pg_i64(&rows, 0, 2);
	run->checks_errored += pg_i64(&rows, 0, 3);
	log_results(change, claim, checks);
	change->checks = checks;
	return true;
}

static void
put_count(json_t *object, const char *key, const struct pg_rows *rows, int row, int column)
{
	if (pg_value(rows, row, column) == NULL)
		json_put_null(object, key);
	else
		json_put_int(object, key, pg_i64(rows, row, column));
}

static json_t *
result_of(struct ctx *ctx, const struct pg_rows *rows, int row)
{
	json_t *result = json_new_object(ctx), *slice = step_json_slice(ctx, rows, row, SCOPE);
	const char *files = pg_value(rows, row, FILES);

	if (files != NULL)
		slice = step_json_files(ctx, json_trusted(ctx, files));
	json_put_string(ctx, result, "run_id", pg_value(rows, row, RUN_ID));
	json_put_string(ctx, result, "pipeline", pg_value(rows, row, PIPELINE));
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		json_put_string(ctx, result, texts[i].name, pg_value(rows, row, (int)texts[i].column));
	put_count(result, "rows_checked", rows, row, ROWS_CHECKED);
	put_count(result, "rows_failed", rows, row, ROWS_FAILED);
	json_put(result, "sample", json_trusted(ctx, pg_value(rows, row, SAMPLE)));
	json_put_time(ctx, result, "at", pg_time_us(rows, row, AT));
	json_put_int(result, "duration_ms", pg_i64(rows, row, DURATION_MS));
	json_put_string(ctx, result, "error", pg_value(rows, row, ERROR));
	json_put_string(ctx, result, "step_id", pg_value(rows, row, STEP_ID));
	json_put_int(result, "attempt", pg_i64(rows, row, ATTEMPT));
	json_put(result, "slice", slice == NULL ? json_null() : slice);
	return result;
}

bool
quality_of_run(struct ctx *ctx, struct pg *db, const char *run_id, int64_t after_id, int64_t limit, json_t *items,
    int64_t *next_id)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_QUALITY_OF_RUN,
		PG_PARAMS(run_id, text_from_i64(ctx, after_id), text_from_i64(ctx, limit + 1)), &rows))
		return false;
	for (int i = 0; i < rows.count && i < limit; i++)
		json_add(items, result_of(ctx, &rows, i));
	*next_id = rows.count > limit ? pg_i64(&rows, (int)limit - 1, ID) : 0;
	return true;
}

static const char *
array_of(struct ctx *ctx, const char *const *items)
{
	size_t count = 0;

	if (items == NULL)
		return NULL;
	while (items[count] != NULL)
		count++;
	return pg_text_array(ctx, items, count);
}

bool
quality_list(struct ctx *ctx, struct pg *db, const struct quality_filter *filter, json_t *items, bool *more,
    struct quality_filter *next)
{
	bool few = filter->status != NULL && !text_equal(filter->status, "passed");
	bool paged = filter->before_id != 0;
	struct pg_rows rows;
	int count;

	if (!sql_run(ctx, db, few ? SQL_QUALITY_LIST_NOT_PASSED : SQL_QUALITY_LIST,
		PG_PARAMS(array_of(ctx, filter->pipelines), filter->table, filter->check, filter->status,
		    run_row_time(ctx, filter->since_us), run_row_time(ctx, filter->until_us),
		    paged ? run_row_time(ctx, filter->before_us) : NULL, text_from_i64(ctx, filter->before_id),
		    text_from_i64(ctx, filter->limit + 1)),
		&rows))
		return false;
	*more = rows.count > filter->limit;
	count = *more ? (int)filter->limit : rows.count;
	for (int i = 0; i < count; i++)
		json_add(items, result_of(ctx, &rows, i));
	*next = *filter;
	if (count > 0) {
		next->before_us = pg_time_us(&rows, count - 1, AT);
		next->before_id = pg_i64(&rows, count - 1, ID);
	}
	return true;
}

bool
quality_freshness(struct ctx *ctx, struct pg *db, struct pg_rows *rows)
{
	return sql_run(ctx, db, SQL_TABLE_FRESHNESS, PG_NO_PARAMS, rows);
}
