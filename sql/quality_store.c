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
	FILES = SCOPE + 4,
	MATCHED,
	LAST,
	OVER
};

enum { READS = 5000, LEAST_READS = 200 }; /* of a page, whatever its filters throw away; of each pipeline */

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

/* The statement whose index reads least of what the other filters throw away. */
static enum statement
statement_for(const struct quality_filter *filter)
{
	if (filter->check != NULL)
		return SQL_QUALITY_LIST_OF_CHECK;
	if (filter->table != NULL)
		return SQL_QUALITY_LIST_OF_TABLE;
	return filter->status != NULL && !text_equal(filter->status, "passed") ? SQL_QUALITY_LIST_NOT_PASSED
									       : SQL_QUALITY_LIST;
}

/* What matches of the page, and where the next one goes on: after the last row that is given, or that a pipeline read at most. */
static void
read_page(struct ctx *ctx, const struct pg_rows *rows, json_t *items, bool *more, struct quality_filter *next)
{
	int64_t count = 0;

	*more = false;
	for (int i = 0; i < rows->count && !*more; i++) {
		if (pg_bool(rows, i, OVER))
			return; /* this and all that come are from before `since` */
		if (count == next->limit) {
			*more = true;
			return;
		}
		if (pg_bool(rows, i, MATCHED)) {
			json_add(items, result_of(ctx, rows, i));
			count++;
		}
		next->before_us = pg_time_us(rows, i, AT);
		next->before_id = pg_i64(rows, i, ID);
		*more = pg_bool(rows, i, LAST);
	}
}

/* How much of each pipeline may be read. */
static int64_t
reads_of(const struct quality_filter *filter)
{
	int64_t count = 0;

	if (filter->pipelines == NULL)
		return LEAST_READS; /* of who knows how many */
	while (filter->pipelines[count] != NULL)
		count++;
	return count == 0 || READS / count > LEAST_READS ? READS / (count > 0 ? count : 1) : LEAST_READS;
}

bool
quality_list(struct ctx *ctx, struct pg *db, const struct quality_filter *filter, json_t *items, bool *more,
    struct quality_filter *next)
{
	/* The page ends before the cursor, or before `until` where that is earlier. */
	bool paged = filter->before_id != 0 && (filter->until_us == 0 || filter->before_us < filter->until_us);
	int64_t end_us = paged ? filter->before_us : filter->until_us;
	struct pg_rows rows;

	if (!sql_run(ctx, db, statement_for(filter),
		PG_PARAMS(array_of(ctx, filter->pipelines), filter->table, filter->check, filter->status,
		    filter->since_us != 0 ? run_row_time(ctx, filter->since_us) : "-infinity",
		    end_us != 0 ? run_row_time(ctx, end_us) : "infinity",
		    text_from_i64(ctx, paged ? filter->before_id : 0), text_from_i64(ctx, filter->limit + 1),
		    text_from_i64(ctx, reads_of(filter))),
		&rows))
		return false;
	*next = *filter;
	read_page(ctx, &rows, items, more, next);
	return true;
}

bool
quality_freshness(struct ctx *ctx, struct pg *db, struct pg_rows *rows)
{
	return sql_run(ctx, db, SQL_TABLE_FRESHNESS, PG_NO_PARAMS, rows);
}
