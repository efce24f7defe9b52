/* step_overview: what steps say about tables: who loads one now, and who failed to. */
#include "base/clock.h"
#include "base/text.h"
#include "sql/statement.h"
#include "sql/step_store.h"

enum column { ID, RUN_ID, STATUS, FROM, TO, LOAD_NUMBER, STARTED_AT, ERROR, TABLE, BATCH, BATCH_AT };

static void
read_marks(struct ctx *ctx, const struct pg_rows *rows, struct step_mark **marks, size_t *count)
{
	*count = (size_t)rows->count;
	*marks = ctx_alloc_array(ctx, *count + 1, sizeof(**marks));
	for (int i = 0; i < rows->count; i++)
		(*marks)[i] = (struct step_mark){.id = pg_value(rows, i, ID),
		    .run_id = pg_value(rows, i, RUN_ID),
		    .table = rows->columns > TABLE ? pg_value(rows, i, TABLE) : NULL,
		    .running = text_equal(pg_value(rows, i, STATUS), "running"),
		    .span = {.from_us = pg_time_us(rows, i, FROM), .to_us = pg_time_us(rows, i, TO)},
		    .load_number = pg_i64(rows, i, LOAD_NUMBER),
		    .started_us = pg_time_us(rows, i, STARTED_AT),
		    .error = json_trusted(ctx, pg_value(rows, i, ERROR))};
}

bool
step_marks(struct ctx *ctx, struct pg *db, const char *pipeline, const char *table, const struct step_span *span,
    struct step_mark **marks, size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_STEP_COVERAGE,
		PG_PARAMS(pipeline, table, clock_format(ctx, span->from_us), clock_format(ctx, span->to_us)), &rows))
		return false;
	read_marks(ctx, &rows, marks, count);
	return true;
}

bool
step_marks_of_tables(struct ctx *ctx, struct pg *db, const char *pipeline, struct step_mark **marks, size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_STEP_TABLES, PG_PARAMS(pipeline), &rows))
		return false;
	read_marks(ctx, &rows, marks, count);
	return true;
}

bool
step_marks_of_batches(struct ctx *ctx, struct pg *db, const char *pipeline, const char *table, struct step_mark **marks,
    size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_STEP_BATCHES, PG_PARAMS(pipeline, table), &rows))
		return false;
	read_marks(ctx, &rows, marks, count);
	for (int i = 0; i < rows.count; i++) {
		struct step_mark *mark = &(*marks)[i];

		mark->batch = pg_value(&rows, i, BATCH);
		if (pg_value(&rows, i, BATCH_AT) == NULL || !clock_parse(pg_value(&rows, i, BATCH_AT), &mark->batch_us))
			mark->batch_us = CLOCK_MINUS_INFINITY;
	}
	return true;
}
