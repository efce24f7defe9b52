/* step_overview: what steps say about tables: who loads one now, and who failed to. */
#include "base/clock.h"
#include "base/text.h"
#include "sql/statement.h"
#include "sql/step_store.h"

enum column { ID, RUN_ID, STATUS, MARK_COLUMNS };

static void
read_mark(struct ctx *ctx, const struct pg_rows *rows, int row, int load_number, struct step_mark *mark)
{
	mark->id = pg_value(rows, row, ID);
	mark->run_id = pg_value(rows, row, RUN_ID);
	mark->running = text_equal(pg_value(rows, row, STATUS), "running");
	mark->load_number = pg_i64(rows, row, load_number);
	mark->started_us = pg_time_us(rows, row, load_number + 1);
	mark->error = json_trusted(ctx, pg_value(rows, row, load_number + 2));
}

bool
step_marks(struct ctx *ctx, struct pg *db, const char *pipeline, const char *table, const struct step_span *span,
    struct step_mark **marks, size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_STEP_COVERAGE,
		PG_PARAMS(pipeline, table, clock_format(ctx, span->from_us), clock_format(ctx, span->to_us)), &rows))
		return false;
	*count = (size_t)rows.count;
	*marks = ctx_alloc_array(ctx, *count + 1, sizeof(**marks));
	for (int i = 0; i < rows.count; i++) {
		(*marks)[i].span = (struct step_span){.from_us = pg_time_us(&rows, i, MARK_COLUMNS),
		    .to_us = pg_time_us(&rows, i, MARK_COLUMNS + 1)};
		read_mark(ctx, &rows, i, MARK_COLUMNS + 2, &(*marks)[i]);
	}
	return true;
}

bool
step_marks_of_tables(struct ctx *ctx, struct pg *db, const char *pipeline, struct step_mark **marks, size_t *count)
{
	struct pg_rows rows;

	if (!sql_run(ctx, db, SQL_STEP_TABLES, PG_PARAMS(pipeline), &rows))
		return false;
	*count = (size_t)rows.count;
	*marks = ctx_alloc_array(ctx, *count + 1, sizeof(**marks));
	for (int i = 0; i < rows.count; i++) {
		read_mark(ctx, &rows, i, MARK_COLUMNS, &(*marks)[i]);
		(*marks)[i].table = pg_value(&rows, i, MARK_COLUMNS + 3);
	}
	return true;
}
