/* overview_make: the tables of a pipeline, asked of both databases. */
#include "base/fail.h"
#include "base/text.h"
#include "etl/generate.h"
#include "etl/overview_room.h"
#include "etl/warehouse.h"
#include "sql/run_store.h"
#include "sql/step_store.h"

enum ledger_column { RUN_ID, LOAD_ID, SLICE, SCOPE, FROM, TO, STATE, COMMITTED_AT, ROWS, REJECTS, UNDONE };

struct view {
	struct ctx *ctx;
	const struct overview_question *question;
	struct pg *warehouse;
	struct step_mark *marks;
	size_t mark_count;
	bool *counts;         /* by mark: it runs, or it failed and nothing newer is there */
	struct pg_rows loads; /* by table; no rows before the first run */
};

/* The column that tells how new a table is, and how old its newest value may be; 0: nobody said. */
static const char *
freshness_column(const struct spec *spec, const struct spec_table *table, int64_t *limit_ms)
{
	const char *column = table->time;

	*limit_ms = 0;
	for (size_t i = 0; i < spec->check_count; i++) {
		const struct spec_check *check = &spec->checks[i];

		if (check->kind == CHECK_FRESHNESS && check->table == table &&
		    (*limit_ms == 0 || check->max_age_ms < *limit_ms)) {
			*limit_ms = check->max_age_ms;
			column = check->column;
		}
	}
	return column;
}

static bool
ask_ledger(struct view *view)
{
	const struct spec *spec = view->question->spec;
	const char **names = ctx_alloc_array(view->ctx, spec->table_count, sizeof(*names));

	for (size_t i = 0; i < spec->table_count; i++)
		names[i] = generate_table_name(view->ctx, spec, spec->tables[i].name);
	return warehouse_query(view->ctx, view->warehouse, "ledger_tables",
		   PG_PARAMS(pg_text_array(view->ctx, names, spec->table_count)), &view->loads) ||
	       warehouse_has_none_yet(view->ctx);
}

/* Which of the failures still stand. */
static bool
ask_failures(struct view *view)
{
	struct ctx *ctx = view->ctx;
	const char **lists[4];
	size_t *places = ctx_alloc_array(ctx, view->mark_count + 1, sizeof(*places)), count = 0;
	struct pg_rows rows;

	view->counts = ctx_alloc_array(ctx, view->mark_count + 1, sizeof(*view->counts));
	for (size_t k = 0; k < 4; k++)
		lists[k] = ctx_alloc_array(ctx, view->mark_count + 1, sizeof(char *));
	for (size_t i = 0; i < view->mark_count; i++) {
		const struct step_mark *mark = &view->marks[i];

		view->counts[i] = mark->running || view->loads.count == 0;
		if (view->counts[i])
			continue;
		lists[0][count] = generate_table_name(ctx, view->question->spec, mark->table);
		lists[1][count] = clock_format(ctx, mark->span.from_us);
		lists[2][count] = clock_format(ctx, mark->span.to_us);
		lists[3][count] = text_from_i64(ctx, (view->question->epoch << 40) + mark->load_number);
		places[count++] = i;
	}
	if (count == 0)
		return true;
	if (!warehouse_query(ctx, view->warehouse, "ledger_still_failed",
		PG_PARAMS(pg_text_array(ctx, lists[0], count), pg_text_array(ctx, lists[1], count),
		    pg_text_array(ctx, lists[2], count), pg_text_array(ctx, lists[3], count)),
		&rows))
		return false;
	for (int i = 0; i < rows.count; i++)
		view->counts[places[pg_i64(&rows, i, 0) - 1]] = true;
	return true;
}

/* The same load as in the picture before, and nothing was undone since: its newest row is known. */
static const char *
known_newest(const struct view *view, size_t table, const char *load_id)
{
	const json_t *before = json_array_get(view->question->before, table);

	if (pg_bool(&view->loads, (int)table, UNDONE) ||
	    !text_equal(json_string_or(json_object_get(before, "last_load"), "load_id", NULL), load_id))
		return NULL;
	return json_string_or(before, "newest_row", NULL);
}

static bool
ask_newest(struct view *view, const struct spec_table *table, const char *column, const char **newest)
{
	const struct spec *spec = view->question->spec;
	struct pg_rows rows = {0};
	const char *sql = ctx_printf(view->ctx, "SELECT max(%s)::timestamptz FROM %s WHERE %s < 'infinity'",
	    pg_identifier(view->ctx, column), generate_table_identifier(view->ctx, spec, table->name),
	    pg_identifier(view->ctx, column));

	if (!pg_query(view->ctx, view->warehouse, sql, PG_NO_PARAMS, &rows) && !warehouse_has_none_yet(view->ctx))
		return false;
	*newest =
	    rows.count > 0 && pg_value(&rows, 0, 0) != NULL ? clock_format(view->ctx, pg_time_us(&rows, 0, 0)) : NULL;
	return true;
}

static json_t *
load_to_json(struct ctx *ctx, const struct pg_rows *rows, int row)
{
	json_t *object = json_new_object(ctx);

	json_put_string(ctx, object, "run_id", pg_value(rows, row, RUN_ID));
	json_put_string(ctx, object, "load_id", pg_value(rows, row, LOAD_ID));
	json_put_string(ctx, object, "slice", pg_value(rows, row, SLICE));
	json_put_string(ctx, object, "scope", pg_value(rows, row, SCOPE));
	json_put_string(ctx, object, "state", pg_value(rows, row, STATE));
	json_put(object, "rows", json_trusted(ctx, pg_value(rows, row, ROWS)));
	json_put_time(ctx, object, "committed_at", pg_time_us(rows, row, COMMITTED_AT));
	return object;
}

/* The newest failure that stands, and the steps that run. */
static const struct step_mark *
find_marks(const struct view *view, const struct spec_table *table, int64_t *running)
{
	const struct step_mark *failed = NULL;

	*running = 0;
	for (size_t i = 0; i < view->mark_count; i++) {
		const struct step_mark *mark = &view->marks[i];

		if (!view->counts[i] || !text_equal(mark->table, table->name))
			continue;
		*running += mark->running;
		if (!mark->running && (failed == NULL || mark->load_number > failed->load_number))
			failed = mark;
	}
	return failed;
}

static const char *
state_of(bool loaded, const struct step_mark *failed, const char *newest, int64_t limit_ms)
{
	int64_t newest_us = 0;

	if (failed != NULL)
		return "failed";
	if (!loaded)
		return "never";
	if (limit_ms == 0 ||
	    (newest != NULL && clock_parse(newest, &newest_us) && clock_now_us() - newest_us <= limit_ms * 1000))
		return "ok";
	return "late";
}

static bool
add_table(struct view *view, size_t place, json_t *tables)
{
	const struct spec *spec = view->question->spec;
	const struct spec_table *table = &spec->tables[place];
	struct ctx *ctx = view->ctx;
	json_t *object = json_new_object(ctx);
	bool seen = view->loads.count > 0, loaded = seen && pg_value(&view->loads, (int)place, LOAD_ID) != NULL;
	const char *newest = NULL, *column;
	const struct step_mark *failed;
	int64_t limit_ms, running;

	column = freshness_column(spec, table, &limit_ms);
	failed = find_marks(view, table, &running);
	if (loaded && column != NULL) {
		newest = known_newest(view, place, pg_value(&view->loads, (int)place, LOAD_ID));
		if (newest == NULL && !ask_newest(view, table, column, &newest))
			return false;
	}
	json_put_string(ctx, object, "pipeline", spec->pipeline);
	json_put_string(ctx, object, "table", table->name);
	json_put_string(ctx, object, "state", state_of(loaded, failed, newest, limit_ms));
	json_put(object, "last_load", loaded ? load_to_json(ctx, &view->loads, (int)place) : json_null());
	json_put_string(ctx, object, "newest_row", newest);
	json_put(object, "freshness_limit_seconds",
	    limit_ms > 0 ? json_trusted(ctx, text_from_i64(ctx, limit_ms / 1000)) : json_null());
	json_put_int(object, "running", running);
	json_put_int(object, "open_rejects", seen ? pg_i64(&view->loads, (int)place, REJECTS) : 0);
	json_put(object, "last_error", failed != NULL ? failed->error : json_null());
	json_put_string(ctx, object, "failed_run_id", failed != NULL ? failed->run_id : NULL);
	json_add(tables, object);
	return true;
}

static bool
ask_control(struct view *view)
{
	CTX_SCOPE(tmp, view->ctx);
	struct pg *control;

	return pool_take(tmp, view->question->control, &control) &&
	       step_marks_of_tables(view->ctx, control, view->question->spec->pipeline, &view->marks,
		   &view->mark_count);
}

/* Steps first: one that ends meanwhile is in the ledger then. */
bool
overview_make(struct ctx *ctx, const struct overview_question *question, json_t **tables)
{
	struct view view = {.ctx = ctx, .question = question};

	*tables = json_new_array(ctx);
	if (!ask_control(&view) ||
	    !warehouse_open_reader(ctx, question->config, question->spec, "overview", &view.warehouse) ||
	    !ask_ledger(&view) || !ask_failures(&view))
		return false;
	for (size_t i = 0; i < question->spec->table_count; i++)
		if (!add_table(&view, i, *tables))
			return false;
	return true;
}

json_t *
overview_of_failure(struct ctx *ctx, const struct spec *spec)
{
	json_t *tables = json_new_array(ctx);
	json_t *error = error_to_json(ctx, ctx_failure(ctx), NULL, NULL, NULL);

	for (size_t i = 0; i < spec->table_count; i++) {
		json_t *object = json_new_object(ctx);

		json_put_string(ctx, object, "pipeline", spec->pipeline);
		json_put_string(ctx, object, "table", spec->tables[i].name);
		json_put_string(ctx, object, "state", "failed");
		json_put_null(object, "last_load");
		json_put_null(object, "newest_row");
		json_put_null(object, "freshness_limit_seconds");
		json_put_int(object, "running", 0);
		json_put_int(object, "open_rejects", 0);
		json_put(object, "last_error", error);
		json_put_null(object, "failed_run_id");
		json_add(tables, object);
	}
	return tables;
}
