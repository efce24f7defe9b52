/*
 * coverage_files: of a table that is fed by files, its batches: as the file ledger has them, as they lie in the folder now, and as steps work
 * on them. Files without batches are one.
 *
 * missing: nothing of it is loaded; open: it is, but files came or changed since, which the next run in mode auto loads. A folder that cannot
 * be listed is told, and the rest is answered without it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fail.h"
#include "base/text.h"
#include "etl/coverage_room.h"
#include "etl/file_ledger.h"
#include "etl/generate.h"
#include "etl/warehouse.h"
#include "sql/run_store.h"

enum batch_column { BATCH, BATCH_AT, FILES, FAILED, ROWS, LOAD_ID, RUN_ID, COMMITTED_AT, SPEC_HASH, DECLARATION };

/* What one of the three says of a batch; folded into one a batch. */
struct batch {
	const char *name; /* NULL: the files have none */
	int64_t at_us;    /* CLOCK_MINUS_INFINITY: no date */
	int row;          /* of the ledger's; -1: it has none */
	int64_t unseen, changed;
	const struct step_mark *mark; /* the running one, or the newest that failed */
};

struct batches {
	struct batch *items;
	size_t count;
};

/* A question being answered. */
struct survey {
	struct ctx *ctx;
	const struct coverage_question *question;
	struct pg_rows ledger;
	struct step_mark *marks;
	struct file_entries entries;
	struct file_seen *seen;
	size_t mark_count;
	json_t *source_error; /* why the folder could not be listed, or null */
};

static bool
list_folder(struct survey *survey, struct pg *warehouse)
{
	const struct coverage_question *question = survey->question;
	const struct spec_source *source = question->table->source;
	struct slice_job job = {.spec = question->spec, .table = question->table};
	struct ctx *ctx = survey->ctx;
	const char *root;

	survey->source_error = json_null();
	if (!files_root(ctx, question->config, question->spec->pipeline, source, &root) ||
	    !files_list(ctx, root, source, NULL, &survey->entries)) {
		survey->source_error = error_to_json(ctx, ctx_failure(ctx), NULL, question->table->name, NULL);
		survey->entries.count = 0;
		fail_clear(ctx);
	}
	/* dates in paths are the pipeline's */
	return pg_run(ctx, warehouse, ctx_printf(ctx, "SET TIME ZONE %s", pg_literal(ctx, question->spec->timezone))) &&
	       file_ledger_look(ctx, warehouse, &job, &survey->entries, &survey->seen);
}

static bool
ask_ledger(struct survey *survey, struct pg *warehouse)
{
	const struct coverage_question *question = survey->question;
	struct ctx *ctx = survey->ctx;

	return warehouse_query(ctx, warehouse, "ledger_batches",
		   PG_PARAMS(generate_table_name(ctx, question->spec, question->table->name),
		       clock_format(ctx, question->from_us != 0 ? question->from_us : CLOCK_MINUS_INFINITY),
		       clock_format(ctx, question->to_us != 0 ? question->to_us : CLOCK_INFINITY)),
		   &survey->ledger) ||
	       warehouse_has_none_yet(ctx);
}

static bool
is_asked_for(const struct survey *survey, int64_t at_us)
{
	const struct coverage_question *question = survey->question;

	return at_us == CLOCK_MINUS_INFINITY || ((question->from_us == 0 || at_us >= question->from_us) &&
						    (question->to_us == 0 || at_us < question->to_us));
}

static struct batches
gather(const struct survey *survey)
{
	size_t most = (size_t)survey->ledger.count + survey->entries.count + survey->mark_count;
	struct batches list = {.items = ctx_alloc_array(survey->ctx, most + 1, sizeof(*list.items))};

	for (int i = 0; i < survey->ledger.count; i++)
		list.items[list.count++] = (struct batch){.name = pg_value(&survey->ledger, i, BATCH),
		    .at_us = pg_value(&survey->ledger, i, BATCH_AT) != NULL ? pg_time_us(&survey->ledger, i, BATCH_AT)
									    : CLOCK_MINUS_INFINITY,
		    .row = i};
	for (size_t i = 0; i < survey->entries.count; i++) {
		const struct file_seen *seen = &survey->seen[i];
		const struct file_entry *file = &survey->entries.items[i];

		if (is_asked_for(survey, seen->batch_us))
			list.items[list.count++] = (struct batch){.name = file->batch,
			    .at_us = seen->batch_us,
			    .row = -1,
			    .unseen = seen->etag == NULL,
			    .changed = seen->etag != NULL && !text_equal(seen->etag, file->etag)};
	}
	for (size_t i = 0; i < survey->mark_count; i++)
		if (is_asked_for(survey, survey->marks[i].batch_us))
			list.items[list.count++] = (struct batch){.name = survey->marks[i].batch,
			    .at_us = survey->marks[i].batch_us,
			    .row = -1,
			    .mark = &survey->marks[i]};
	return list;
}

static int
compare_names(const void *a, const void *b)
{
	const char *x = ((const struct batch *)a)->name, *y = ((const struct batch *)b)->name;

	return x == NULL || y == NULL ? (x != NULL) - (y != NULL) : strcmp(x, y);
}

static int
compare_batches(const void *a, const void *b)
{
	int64_t x = ((const struct batch *)a)->at_us, y = ((const struct batch *)b)->at_us;

	return x != y ? (x > y) - (x < y) : compare_names(a, b);
}

static bool
counts_more(const struct step_mark *mark, const struct step_mark *than)
{
	if (mark == NULL || than == NULL)
		return mark != NULL;
	return mark->running != than->running ? mark->running : mark->load_number > than->load_number;
}

/* One item a batch, in order of their dates. The ledger's date counts, where it has one. */
static void
fold(struct batches *list)
{
	size_t kept = 0;

	qsort(list->items, list->count, sizeof(*list->items), compare_names);
	for (size_t i = 0; i < list->count; i++) {
		struct batch *item = &list->items[i], *into = kept > 0 ? &list->items[kept - 1] : NULL;

		if (into == NULL || compare_names(into, item) != 0) {
			list->items[kept++] = *item;
			continue;
		}
		if (item->row >= 0) {
			into->row = item->row;
			into->at_us = item->at_us;
		}
		into->unseen += item->unseen;
		into->changed += item->changed;
		if (counts_more(item->mark, into->mark))
			into->mark = item->mark;
	}
	list->count = kept;
	qsort(list->items, list->count, sizeof(*list->items), compare_batches);
}

static bool
is_stale(const struct survey *survey, const struct batch *batch, const char *fingerprint)
{
	return coverage_is_stale(survey->question->spec, fingerprint, pg_value(&survey->ledger, batch->row, SPEC_HASH),
	    pg_value(&survey->ledger, batch->row, DECLARATION));
}

/* A mark that does not count is forgotten. */
static const char *
judge(const struct survey *survey, struct batch *batch, const char *fingerprint)
{
	bool there = batch->row >= 0, loaded = there && pg_value(&survey->ledger, batch->row, LOAD_ID) != NULL;
	int64_t load_id = loaded ? pg_i64(&survey->ledger, batch->row, LOAD_ID) : 0;

	if (batch->mark != NULL && batch->mark->running)
		return "running";
	if (batch->mark != NULL && (survey->question->epoch << 40) + batch->mark->load_number < load_id)
		batch->mark = NULL;
	if (batch->mark != NULL || (there && pg_i64(&survey->ledger, batch->row, FAILED) > 0))
		return "failed";
	if (!loaded)
		return "missing";
	if (batch->unseen > 0 || batch->changed > 0)
		return "open";
	return is_stale(survey, batch, fingerprint) ? "stale" : "loaded";
}

static const char *
value_of(const struct survey *survey, const struct batch *batch, enum batch_column column)
{
	return batch->row >= 0 ? pg_value(&survey->ledger, batch->row, (int)column) : NULL;
}

static int64_t
number_of(const struct survey *survey, const struct batch *batch, enum batch_column column)
{
	return value_of(survey, batch, column) != NULL ? pg_i64(&survey->ledger, batch->row, (int)column) : 0;
}

static json_t *
batch_to_json(const struct survey *survey, const struct batch *batch, const char *state)
{
	struct ctx *ctx = survey->ctx;
	json_t *object = json_new_object(ctx);
	bool loaded = value_of(survey, batch, LOAD_ID) != NULL;

	json_put_time(ctx, object, "from", batch->at_us);
	json_put_null(object, "to");
	json_put_string(ctx, object, "state", state);
	json_put_string(ctx, object, "batch", batch->name);
	json_put_int(object, "files", number_of(survey, batch, FILES));
	json_put_int(object, "files_failed", number_of(survey, batch, FAILED));
	json_put_int(object, "files_missing", batch->unseen);
	json_put_int(object, "files_changed", batch->changed);
	json_put_string(ctx, object, "run_id", value_of(survey, batch, RUN_ID));
	json_put_string(ctx, object, "load_id", value_of(survey, batch, LOAD_ID));
	json_put(object, "rows", json_trusted(ctx, value_of(survey, batch, ROWS)));
	json_put_time(ctx, object, "committed_at", loaded ? pg_time_us(&survey->ledger, batch->row, COMMITTED_AT) : 0);
	json_put_string(ctx, object, "spec_version", value_of(survey, batch, SPEC_HASH));
	json_put(object, "step", coverage_mark_to_json(ctx, batch->mark));
	return object;
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

static bool
to_json(const struct survey *survey, struct batches *list, json_t **answer)
{
	const struct coverage_question *question = survey->question;
	struct ctx *ctx = survey->ctx;
	const char *fingerprint = spec_table_fingerprint(ctx, question->spec, question->table);
	json_t *items = json_new_array(ctx);

	if (list->count > COVERAGE_MOST_ITEMS)
		return fail(ctx, FAIL_INVALID_REQUEST, "there are %zu items: ask for less with from and to",
		    list->count);
	for (size_t i = 0; i < list->count; i++) {
		const char *state = judge(survey, &list->items[i], fingerprint);

		json_add(items, batch_to_json(survey, &list->items[i], state));
	}
	*answer = json_new_object(ctx);
	json_put_string(ctx, *answer, "pipeline", question->spec->pipeline);
	json_put_string(ctx, *answer, "table", question->table->name);
	json_put_time(ctx, *answer, "from", question->from_us);
	json_put_time(ctx, *answer, "to", question->to_us);
	json_put(*answer, "items", items);
	json_put(*answer, "spans", spans_of(ctx, items));
	json_put(*answer, "source_error", survey->source_error);
	return true;
}

bool
coverage_of_files(struct ctx *ctx, const struct coverage_question *question, struct pg *warehouse, struct pg *control,
    json_t **answer)
{
	struct survey survey = {.ctx = ctx, .question = question};
	struct batches list;

	/* steps first: what ends meanwhile is in the ledger then, as a file that is listed may be */
	if (!step_marks_of_batches(ctx, control, question->spec->pipeline, question->table->name, &survey.marks,
		&survey.mark_count) ||
	    !list_folder(&survey, warehouse) || !ask_ledger(&survey, warehouse))
		return false;
	list = gather(&survey);
	fold(&list);
	return to_json(&survey, &list, answer);
}
