/* coverage_files: of a table that is fed by files, its batches as the file ledger has them. What lies in the folder and was never seen is
 * the next plan's to find. */
#include "base/text.h"
#include "etl/coverage_room.h"
#include "etl/generate.h"
#include "etl/warehouse.h"

enum batch_column { BATCH, BATCH_AT, FILES, FAILED, ROWS, LOAD_ID, RUN_ID, COMMITTED_AT, SPEC_HASH, DECLARATION };

static json_t *
batch_to_json(struct ctx *ctx, const struct pg_rows *rows, int row, const char *state)
{
	json_t *object = json_new_object(ctx);

	json_put_time(ctx, object, "from", pg_time_us(rows, row, BATCH_AT));
	json_put_null(object, "to");
	json_put_string(ctx, object, "state", state);
	json_put_string(ctx, object, "batch", pg_value(rows, row, BATCH));
	json_put_int(object, "files", pg_i64(rows, row, FILES));
	json_put_int(object, "files_failed", pg_i64(rows, row, FAILED));
	json_put_string(ctx, object, "run_id", pg_value(rows, row, RUN_ID));
	json_put_string(ctx, object, "load_id", pg_value(rows, row, LOAD_ID));
	json_put(object, "rows", json_trusted(ctx, pg_value(rows, row, ROWS)));
	json_put_time(ctx, object, "committed_at", pg_time_us(rows, row, COMMITTED_AT));
	json_put_string(ctx, object, "spec_version", pg_value(rows, row, SPEC_HASH));
	json_put_null(object, "step");
	return object;
}

static const char *
state_of(const struct coverage_question *question, const char *fingerprint, const struct pg_rows *rows, int row)
{
	if (pg_i64(rows, row, FAILED) > 0)
		return "failed";
	return coverage_is_stale(question->spec, fingerprint, pg_value(rows, row, SPEC_HASH),
		   pg_value(rows, row, DECLARATION))
		   ? "stale"
		   : "loaded";
}

/* Neighbours of one state. */
static json_t *
spans_of(struct ctx *ctx, const json_t *items)
{
	json_t *spans = json_new_array(ctx), *span = NULL, *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const char *state = json_string_or(item, "state", "");

		if (span == NULL || !text_equal(json_string_or(span, "state", ""), state)) {
			span = json_new_object(ctx);
			json_put(span, "from", json_object_get(item, "from"));
			json_put_string(ctx, span, "state", state);
			json_put_int(span, "items", 0);
			json_put_int(span, "loads", 0);
			json_add(spans, span);
		}
		json_put(span, "to", json_object_get(item, "from"));
		json_put_int(span, "items", json_int_or(span, "items", 0) + 1);
		json_put_int(span, "loads",
		    json_int_or(span, "loads", 0) + !json_is_null(json_object_get(item, "load_id")));
		json_put(span, "committed_at", json_object_get(item, "committed_at"));
	}
	return spans;
}

bool
coverage_of_files(struct ctx *ctx, const struct coverage_question *question, struct pg *warehouse, json_t **answer)
{
	const char *fingerprint = spec_table_fingerprint(ctx, question->spec, question->table);
	const char *name = generate_table_name(ctx, question->spec, question->table->name);
	json_t *items = json_new_array(ctx);
	struct pg_rows rows = {0};

	if (!warehouse_query(ctx, warehouse, "ledger_batches",
		PG_PARAMS(name, clock_format(ctx, question->from_us != 0 ? question->from_us : CLOCK_MINUS_INFINITY),
		    clock_format(ctx, question->to_us != 0 ? question->to_us : CLOCK_INFINITY)),
		&rows) &&
	    !warehouse_has_none_yet(ctx))
		return false;
	for (int i = 0; i < rows.count; i++)
		json_add(items, batch_to_json(ctx, &rows, i, state_of(question, fingerprint, &rows, i)));
	*answer = json_new_object(ctx);
	json_put_string(ctx, *answer, "pipeline", question->spec->pipeline);
	json_put_string(ctx, *answer, "table", question->table->name);
	json_put_time(ctx, *answer, "from", question->from_us);
	json_put_time(ctx, *answer, "to", question->to_us);
	json_put(*answer, "items", items);
	json_put(*answer, "spans", spans_of(ctx, items));
	return true;
}
