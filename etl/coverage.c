#include "etl/coverage_room.h"

#include "base/fail.h"
#include "base/text.h"
#include "etl/canvas.h"
#include "etl/generate.h"
#include "etl/warehouse.h"

/* A committed load: a row of ledger_intervals.sql. */
struct load {
	int64_t from_us, to_us, load_id, committed_us;
	bool open, stale;
	const char *run_id, *spec_hash, *rows;
};

/* A question being answered. */
struct survey {
	struct ctx *ctx;
	const struct coverage_question *question;
	int64_t from_us, to_us;         /* what is shown */
	int64_t wanted_us, wanted_till; /* what should be there */
	struct load *loads;
	size_t load_count;
	struct step_mark *marks;
	size_t mark_count;
};

/* A segment, or several of the same. */
struct item {
	int64_t from_us, to_us;
	const char *state;
	const struct load *load;
	const struct step_mark *mark;
};

bool
coverage_is_stale(const struct spec *spec, const char *fingerprint, const char *spec_hash, const char *declaration)
{
	return declaration != NULL ? !text_equal(declaration, fingerprint) : !text_equal(spec_hash, spec->hash);
}

static bool
read_loads(struct survey *survey, struct pg *warehouse)
{
	const struct coverage_question *question = survey->question;
	struct ctx *ctx = survey->ctx;
	const char *name = generate_table_name(ctx, question->spec, question->table->name);
	const char *fingerprint = spec_table_fingerprint(ctx, question->spec, question->table);
	struct pg_rows rows = {0};

	if (!warehouse_query(ctx, warehouse, "ledger_intervals",
		PG_PARAMS(name, clock_format(ctx, survey->from_us), clock_format(ctx, survey->to_us)), &rows) &&
	    !warehouse_has_none_yet(ctx))
		return false;
	survey->loads = ctx_alloc_array(ctx, (size_t)rows.count + 1, sizeof(*survey->loads));
	for (int i = 0; i < rows.count; i++)
		survey->loads[survey->load_count++] = (struct load){.from_us = pg_time_us(&rows, i, 0),
		    .to_us = pg_time_us(&rows, i, 1),
		    .open = text_equal(pg_value(&rows, i, 2), "open"),
		    .load_id = pg_i64(&rows, i, 3),
		    .run_id = pg_value(&rows, i, 4),
		    .committed_us = pg_time_us(&rows, i, 5),
		    .spec_hash = pg_value(&rows, i, 6),
		    .stale =
			coverage_is_stale(question->spec, fingerprint, pg_value(&rows, i, 6), pg_value(&rows, i, 7)),
		    .rows = pg_value(&rows, i, 8)};
	return true;
}

static bool
read_marks(struct survey *survey, struct pg *control)
{
	const struct coverage_question *question = survey->question;
	struct step_span span = {.from_us = survey->from_us, .to_us = survey->to_us};

	return step_marks(survey->ctx, control, question->spec->pipeline, question->table->name, &span, &survey->marks,
	    &survey->mark_count);
}

/* From the declared begin to the end of the slice that holds now − lag, and to whatever was loaded beyond; or what is asked. */
static void
choose_window(struct survey *survey)
{
	const struct coverage_question *question = survey->question;
	int64_t from_us = survey->wanted_us, to_us = survey->wanted_till;

	for (size_t i = 0; i < survey->load_count; i++) {
		const struct load *load = &survey->loads[i];

		if (load->from_us != CLOCK_MINUS_INFINITY && load->from_us < from_us)
			from_us = load->from_us;
		if (load->to_us != CLOCK_INFINITY && load->to_us > to_us)
			to_us = load->to_us;
	}
	survey->from_us = question->from_us != 0 ? question->from_us : from_us;
	survey->to_us = question->to_us != 0 ? question->to_us : to_us;
}

static int64_t
clip(const struct survey *survey, int64_t at_us)
{
	return at_us < survey->from_us ? survey->from_us : at_us > survey->to_us ? survey->to_us : at_us;
}

/* Loads and steps on the points of both, cut to what is shown. */
static void
paint(struct survey *survey, struct canvas *loads, struct canvas *marks)
{
	int64_t *points =
	    ctx_alloc_array(survey->ctx, 2 * (survey->load_count + survey->mark_count) + 4, sizeof(*points));
	size_t count = 0;

	for (size_t i = 0; i < survey->load_count; i++) {
		points[count++] = clip(survey, survey->loads[i].from_us);
		points[count++] = clip(survey, survey->loads[i].to_us);
	}
	for (size_t i = 0; i < survey->mark_count; i++) {
		points[count++] = clip(survey, survey->marks[i].span.from_us);
		points[count++] = clip(survey, survey->marks[i].span.to_us);
	}
	points[count++] = survey->from_us;
	points[count++] = survey->to_us;
	points[count++] = clip(survey, survey->wanted_us);
	points[count++] = clip(survey, survey->wanted_till);
	*loads = canvas_make(survey->ctx, points, count);
	*marks = canvas_again(survey->ctx, loads);
	for (size_t i = 0; i < survey->load_count; i++)
		canvas_paint(loads, clip(survey, survey->loads[i].from_us), clip(survey, survey->loads[i].to_us),
		    &survey->loads[i]);
	for (size_t i = 0; i < survey->mark_count; i++)
		canvas_paint(marks, clip(survey, survey->marks[i].span.from_us),
		    clip(survey, survey->marks[i].span.to_us), &survey->marks[i]);
}

/* What a segment is; NULL: nothing is there, and nothing should be. A mark that does not count is forgotten. */
static const char *
judge(const struct survey *survey, struct item *item)
{
	const struct load *load = item->load;

	if (item->mark != NULL && item->mark->running)
		return "running";
	if (item->mark != NULL &&
	    (load == NULL || (survey->question->epoch << 40) + item->mark->load_number > load->load_id))
		return "failed";
	item->mark = NULL;
	if (load != NULL)
		return load->open ? "open" : load->stale ? "stale" : "loaded";
	return item->from_us >= survey->wanted_us && item->to_us <= survey->wanted_till ? "missing" : NULL;
}

static size_t
collect(const struct survey *survey, const struct canvas *loads, const struct canvas *marks, struct item *items)
{
	size_t count = 0;

	for (size_t i = 0; i + 1 < loads->count; i++) {
		struct item item = {.from_us = loads->points[i],
		    .to_us = loads->points[i + 1],
		    .load = loads->painted[i],
		    .mark = marks->painted[i]};
		struct item *last = count > 0 ? &items[count - 1] : NULL;

		item.state = judge(survey, &item);
		if (item.state == NULL)
			continue;
		if (last != NULL && last->to_us == item.from_us && text_equal(last->state, item.state) &&
		    last->load == item.load && last->mark == item.mark)
			last->to_us = item.to_us;
		else
			items[count++] = item;
	}
	return count;
}

json_t *
coverage_mark_to_json(struct ctx *ctx, const struct step_mark *mark)
{
	json_t *object = json_new_object(ctx);

	if (mark == NULL)
		return json_null();
	json_put_string(ctx, object, "id", mark->id);
	json_put_string(ctx, object, "run_id", mark->run_id);
	json_put_time(ctx, object, "started_at", mark->started_us);
	json_put(object, "error", mark->error);
	return object;
}

static json_t *
item_to_json(struct ctx *ctx, const struct item *item)
{
	const struct load *load = item->load;
	json_t *object = json_new_object(ctx);

	json_put_time(ctx, object, "from", item->from_us);
	json_put_time(ctx, object, "to", item->to_us);
	json_put_string(ctx, object, "state", item->state);
	json_put_string(ctx, object, "run_id", load != NULL ? load->run_id : NULL);
	json_put_string(ctx, object, "load_id", load != NULL ? text_from_i64(ctx, load->load_id) : NULL);
	json_put(object, "rows", load != NULL ? json_trusted(ctx, load->rows) : json_null());
	json_put_time(ctx, object, "committed_at", load != NULL ? load->committed_us : 0);
	json_put_string(ctx, object, "spec_version", load != NULL ? load->spec_hash : NULL);
	json_put(object, "step", coverage_mark_to_json(ctx, item->mark));
	return object;
}

static json_t *
spans_to_json(struct ctx *ctx, const struct item *items, size_t count)
{
	json_t *spans = json_new_array(ctx), *span;

	for (size_t i = 0; i < count;) {
		int64_t committed_us = 0, loads = 0;
		size_t first = i;

		for (; i < count && text_equal(items[i].state, items[first].state) &&
		       (i == first || items[i].from_us == items[i - 1].to_us);
		     i++) {
			loads += items[i].load != NULL;
			if (items[i].load != NULL && items[i].load->committed_us > committed_us)
				committed_us = items[i].load->committed_us;
		}
		span = json_new_object(ctx);
		json_put_time(ctx, span, "from", items[first].from_us);
		json_put_time(ctx, span, "to", items[i - 1].to_us);
		json_put_string(ctx, span, "state", items[first].state);
		json_put_int(span, "items", (int64_t)(i - first));
		json_put_int(span, "loads", loads);
		json_put_time(ctx, span, "committed_at", committed_us);
		json_add(spans, span);
	}
	return spans;
}

static bool
to_json(struct survey *survey, const struct item *items, size_t count, json_t **answer)
{
	struct ctx *ctx = survey->ctx;
	json_t *list = json_new_array(ctx);

	if (count > COVERAGE_MOST_ITEMS)
		return fail(ctx, FAIL_INVALID_REQUEST, "there are %zu items: ask for less with from and to", count);
	for (size_t i = 0; i < count; i++)
		json_add(list, item_to_json(ctx, &items[i]));
	*answer = json_new_object(ctx);
	json_put_string(ctx, *answer, "pipeline", survey->question->spec->pipeline);
	json_put_string(ctx, *answer, "table", survey->question->table->name);
	json_put_time(ctx, *answer, "from", survey->from_us);
	json_put_time(ctx, *answer, "to", survey->to_us);
	json_put(*answer, "items", list);
	json_put(*answer, "spans", spans_to_json(ctx, items, count));
	json_put_null(*answer, "source_error");
	return true;
}

static void
survey_init(struct ctx *ctx, const struct coverage_question *question, struct survey *survey)
{
	const struct spec_table *table = question->table;
	int64_t now_us = clock_now_us();

	*survey = (struct survey){.ctx = ctx,
	    .question = question,
	    .from_us = question->from_us != 0 ? question->from_us : CLOCK_MINUS_INFINITY,
	    .to_us = question->to_us != 0 ? question->to_us : CLOCK_INFINITY,
	    .wanted_us = CLOCK_MINUS_INFINITY,
	    .wanted_till = CLOCK_INFINITY};
	if (table->time == NULL)
		return;
	survey->wanted_us = spec_begin(table, now_us);
	survey->wanted_till = period_add(period_floor(now_us - table->lag_ms * 1000, &table->slice), &table->slice, 1);
	if (survey->wanted_till < survey->wanted_us)
		survey->wanted_till = survey->wanted_us;
}

bool
coverage_answer(struct ctx *ctx, const struct coverage_question *question, struct pg *warehouse, struct pg *control,
    json_t **answer)
{
	struct canvas loads, marks;
	struct survey survey;
	struct item *items;
	size_t count;

	if (spec_table_is_fed_by_files(question->table))
		return coverage_of_files(ctx, question, warehouse, control, answer);
	survey_init(ctx, question, &survey);
	/* steps first: one that ends meanwhile is in the ledger then */
	if (!read_marks(&survey, control) || !read_loads(&survey, warehouse))
		return false;
	choose_window(&survey);
	if (survey.from_us >= survey.to_us)
		return to_json(&survey, NULL, 0, answer);
	paint(&survey, &loads, &marks);
	items = ctx_alloc_array(ctx, loads.count + 1, sizeof(*items));
	count = collect(&survey, &loads, &marks, items);
	return to_json(&survey, items, count, answer);
}
