#include <string.h>

#include "base/text.h"
#include "sql/statement.h"
#include "sql/step_json.h"
#include "sql/step_store.h"
#include "sql/step_waits.h"

enum column {
	ID,
	RUN_ID,
	KIND,
	TABLE,
	SCOPE,
	SLICE,
	FROM,
	TO,
	STATUS,
	REASON,
	RETRY_AT,
	STARTED_AT,
	FINISHED_AT,
	ROWS,
	EFFECTS,
	ERROR,
	WAVE,
	ORDINAL,
	END_AS,
	FILES,
	MATCHED,
	LAST
};

enum { READS = 5000 }; /* of a page, whatever its filters throw away */

json_t *
step_json_slice(struct ctx *ctx, const struct pg_rows *rows, int row, int column)
{
	const char *scope = pg_value(rows, row, column);
	json_t *slice;

	if (scope == NULL || text_equal(scope, "table"))
		return NULL;
	slice = json_new_object(ctx);
	if (text_equal(scope, "time")) {
		json_put_time(ctx, slice, "from", pg_time_us(rows, row, column + 2));
		json_put_time(ctx, slice, "to", pg_time_us(rows, row, column + 3));
	} else {
		json_put_string(ctx, slice, "batch", pg_value(rows, row, column + 1));
		json_put_null(slice, "files");
	}
	return slice;
}

/* Without etags, which nobody outside can do anything with. */
json_t *
step_json_files(struct ctx *ctx, const json_t *planned)
{
	json_t *slice = json_new_object(ctx), *files = json_new_array(ctx), *file;
	size_t i;

	json_array_foreach(json_object_get(planned, "files"), i, file) {
		json_t *item = json_new_object(ctx);

		json_put_string(ctx, item, "path", json_string_or(file, "path", ""));
		json_put_int(item, "size", json_int_or(file, "size", 0));
		json_add(files, item);
	}
	json_put_string(ctx, slice, "batch", json_string_or(planned, "batch", NULL));
	json_put(slice, "files", files);
	return slice;
}

static void
put_document(struct ctx *ctx, json_t *object, const char *key, const char *text)
{
	json_put(object, key, json_trusted(ctx, text));
}

static json_t *
attempt_of(struct ctx *ctx, const struct pg_rows *rows, int row)
{
	json_t *attempt = json_new_object(ctx);

	json_put_int(attempt, "n", pg_i64(rows, row, 1));
	json_put_string(ctx, attempt, "status", pg_value(rows, row, 2));
	json_put_string(ctx, attempt, "worker", pg_value(rows, row, 3));
	json_put_time(ctx, attempt, "started_at", pg_time_us(rows, row, 4));
	json_put_time(ctx, attempt, "finished_at", pg_time_us(rows, row, 5));
	put_document(ctx, attempt, "error", pg_value(rows, row, 6));
	put_document(ctx, attempt, "rows", pg_value(rows, row, 7));
	return attempt;
}

static json_t *
step_of(struct ctx *ctx, const struct pg_rows *rows, int row, json_t *attempts, json_t *waits)
{
	json_t *step = json_new_object(ctx), *slice = step_json_slice(ctx, rows, row, SCOPE);

	if (pg_value(rows, row, FILES) != NULL)
		slice = step_json_files(ctx, json_trusted(ctx, pg_value(rows, row, FILES)));
	json_put_string(ctx, step, "id", pg_value(rows, row, ID));
	json_put_string(ctx, step, "run_id", pg_value(rows, row, RUN_ID));
	json_put_string(ctx, step, "kind", pg_value(rows, row, KIND));
	json_put_string(ctx, step, "table", pg_value(rows, row, TABLE));
	json_put(step, "slice", slice == NULL ? json_null() : slice);
	json_put_string(ctx, step, "status", pg_value(rows, row, STATUS));
	json_put(step, "waiting_for", waits != NULL ? waits : json_null());
	put_document(ctx, step, "reason", pg_value(rows, row, REASON));
	json_put_time(ctx, step, "retry_at", pg_time_us(rows, row, RETRY_AT));
	json_put(step, "attempts", attempts);
	json_put_time(ctx, step, "started_at", pg_time_us(rows, row, STARTED_AT));
	json_put_time(ctx, step, "finished_at", pg_time_us(rows, row, FINISHED_AT));
	put_document(ctx, step, "rows", pg_value(rows, row, ROWS));
	put_document(ctx, step, "effects", pg_value(rows, row, EFFECTS));
	put_document(ctx, step, "error", pg_value(rows, row, ERROR));
	return step;
}

/* The attempts of a page's steps, by step id: an object of arrays. */
static bool
attempts_of(struct ctx *ctx, struct pg *db, const char **ids, size_t count, json_t *by_step)
{
	struct pg_rows rows;

	for (size_t i = 0; i < count; i++)
		json_put(by_step, ids[i], json_new_array(ctx));
	if (!sql_run(ctx, db, SQL_STEP_ATTEMPTS, PG_PARAMS(pg_text_array(ctx, ids, count)), &rows))
		return false;
	for (int i = 0; i < rows.count; i++)
		json_add(json_object_get(by_step, pg_value(&rows, i, 0)), attempt_of(ctx, &rows, i));
	return true;
}

bool
step_list(struct ctx *ctx, struct pg *db, const struct step_filter *filter, json_t *items, bool *more,
    struct step_filter *next)
{
	json_t *attempts = json_new_object(ctx), *waits = json_new_object(ctx);
	bool paged = filter->after_id != NULL;
	struct pg_rows rows;
	const char **ids;
	int count;

	if (!sql_run(ctx, db, SQL_STEP_LIST,
		PG_PARAMS(filter->run_id, filter->status, filter->table,
		    paged ? text_from_i64(ctx, filter->after_wave) : NULL,
		    paged ? text_from_i64(ctx, filter->after_ordinal) : NULL, filter->after_id,
		    text_from_i64(ctx, filter->limit + 1), text_from_i64(ctx, READS)),
		&rows))
		return false;
	*more = rows.count > filter->limit;
	count = *more ? (int)filter->limit : rows.count;
	*more = *more || (count > 0 && pg_bool(&rows, count - 1, LAST));
	ids = ctx_alloc_array(ctx, (size_t)count + 1, sizeof(char *));
	for (int i = 0; i < count; i++)
		ids[i] = pg_value(&rows, i, ID);
	if (!attempts_of(ctx, db, ids, (size_t)count, attempts) ||
	    !step_waits(ctx, db, filter->run_id, ids, (size_t)count, waits))
		return false;
	for (int i = 0; i < count; i++)
		if (pg_bool(&rows, i, MATCHED))
			json_add(items,
			    step_of(ctx, &rows, i, json_object_get(attempts, ids[i]), json_object_get(waits, ids[i])));
	*next = *filter;
	if (count > 0) {
		next->after_wave = pg_i64(&rows, count - 1, WAVE);
		next->after_ordinal = pg_i64(&rows, count - 1, ORDINAL);
		next->after_id = pg_value(&rows, count - 1, ID);
	}
	return true;
}

bool
step_queue_depth(struct ctx *ctx, struct pg *db, struct pg_rows *rows)
{
	return sql_run(ctx, db, SQL_STEP_QUEUE_DEPTH, PG_NO_PARAMS, rows);
}

bool
step_failed_slices(struct ctx *ctx, struct pg *db, const char *pipeline, const char *table, struct step_span **spans,
    size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_STEP_FAILED, PG_PARAMS(pipeline, table), &rows))
		return false;
	*count = (size_t)rows.count;
	*spans = ctx_alloc_array(ctx, *count + 1, sizeof(**spans));
	for (int i = 0; i < rows.count; i++)
		(*spans)[i] = (struct step_span){.from_us = pg_time_us(&rows, i, 0), .to_us = pg_time_us(&rows, i, 1)};
	return true;
}
