/* slice_coverage: what is loaded, computed from the ledger whenever it is asked. At each point of time the committed load with the
 * highest load_id counts. */
#include <stdlib.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fail.h"
#include "base/text.h"
#include "etl/canvas.h"
#include "etl/slice_internal.h"

struct load {
	int64_t from_us, to_us;
	bool open;
	int64_t committed_us, snapshot_us;
	const char *source_content; /* NULL: not noted */
};

static int
compare_points(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static struct canvas
make_canvas(struct ctx *ctx, const struct load *loads, size_t load_count, const struct slice_interval *intervals,
    size_t count)
{
	int64_t *points = ctx_alloc_array(ctx, 2 * (load_count + count) + 1, sizeof(*points));
	struct canvas canvas;
	size_t n = 0;

	for (size_t i = 0; i < load_count; i++) {
		points[n++] = loads[i].from_us;
		points[n++] = loads[i].to_us;
	}
	for (size_t i = 0; i < count; i++) {
		points[n++] = intervals[i].from_us;
		points[n++] = intervals[i].to_us;
	}
	canvas = canvas_make(ctx, points, n);
	for (size_t i = 0; i < load_count; i++)
		canvas_paint(&canvas, loads[i].from_us, loads[i].to_us, &loads[i]);
	return canvas;
}

/* One load made all of the interval, and nothing else. */
static bool
is_one_load(const struct canvas *canvas, size_t from, size_t to, const struct slice_interval *interval)
{
	const struct load *load = canvas->painted[from];

	for (size_t i = from + 1; i < to; i++)
		if (canvas->painted[i] != load)
			return false;
	return load->from_us == interval->from_us && load->to_us == interval->to_us;
}

/* since_us: the oldest extraction among the loads that count in the interval. */
static void
judge(const struct canvas *canvas, struct slice_interval *interval, int64_t *since_us)
{
	size_t from = canvas_find(canvas, interval->from_us), to = canvas_find(canvas, interval->to_us);
	bool covered = from < to;

	interval->open = interval->loaded = interval->touched = false;
	interval->loaded_us = 0;
	interval->source_content = NULL;
	*since_us = CLOCK_INFINITY;
	for (size_t i = from; i < to; i++) {
		const struct load *load = canvas->painted[i];

		if (load == NULL) {
			covered = false;
			continue;
		}
		interval->open = interval->open || load->open;
		if (load->committed_us > interval->loaded_us)
			interval->loaded_us = load->committed_us;
		if (load->snapshot_us < *since_us)
			*since_us = load->snapshot_us;
	}
	if (covered && is_one_load(canvas, from, to, interval))
		interval->source_content = ((const struct load *)canvas->painted[from])->source_content;
	interval->open = interval->open && covered;
	interval->loaded = covered && !interval->open;
}

static bool
read_loads(struct ctx *ctx, struct pg *pg, const char *table, int64_t from_us, int64_t to_us, struct load **loads,
    size_t *count)
{
	struct pg_rows rows;
	bool exists;

	*count = 0;
	*loads = NULL;
	if (!bookkeeping_exists(ctx, pg, &exists))
		return false;
	if (!exists)
		return true;
	if (!warehouse_query(ctx, pg, "ledger_coverage",
		PG_PARAMS(table, clock_format(ctx, from_us), clock_format(ctx, to_us)), &rows))
		return false;
	*loads = ctx_alloc_array(ctx, (size_t)rows.count + 1, sizeof(**loads));
	for (int i = 0; i < rows.count; i++) {
		struct load *load = &(*loads)[(*count)++];

		*load = (struct load){.from_us = pg_time_us(&rows, i, 0),
		    .to_us = pg_time_us(&rows, i, 1),
		    .open = pg_bool(&rows, i, 2),
		    .committed_us = pg_time_us(&rows, i, 3),
		    .snapshot_us = pg_time_us(&rows, i, 4),
		    .source_content = pg_value(&rows, i, 5)};
	}
	return true;
}

struct asked {
	struct slice_interval *interval;
	int64_t since_us;
};

static int
compare_asked(const void *a, const void *b)
{
	return compare_points(&((const struct asked *)a)->interval->from_us,
	    &((const struct asked *)b)->interval->from_us);
}

static char *
array_of_times(struct ctx *ctx, const struct asked *asked, size_t count, int which)
{
	struct text out;

	text_init(&out, ctx);
	text_add(&out, "{");
	for (size_t i = 0; i < count; i++) {
		int64_t at = which == 0   ? asked[i].interval->from_us
			     : which == 1 ? asked[i].interval->to_us
					  : asked[i].since_us;

		text_addf(&out, "%s%s", i == 0 ? "" : ",", clock_format(ctx, at));
	}
	text_add(&out, "}");
	return out.data;
}

/* One pass over the source: each row's interval by binary search, and whether the row changed after that was extracted. */
static bool
ask_source_rows(struct ctx *ctx, const struct slice_job *job, struct asked *asked, size_t count)
{
	struct pg *source;
	struct pg_rows rows;
	char *sql;

	qsort(asked, count, sizeof(*asked), compare_asked);
	if (!generate_source_changed(ctx, job->spec, job->table, asked[0].interval->from_us,
		asked[count - 1].interval->to_us, job->claim->params, &sql) ||
	    !open_source(ctx, job, &source) ||
	    !pg_query(ctx, source, sql,
		PG_PARAMS(array_of_times(ctx, asked, count, 0), array_of_times(ctx, asked, count, 1),
		    array_of_times(ctx, asked, count, 2)),
		&rows))
		return false;
	for (int i = 0; i < rows.count; i++) {
		int64_t place = pg_i64(&rows, i, 0);

		ASSERT(place >= 1 && (size_t)place <= count);
		asked[place - 1].interval->touched = true;
	}
	return true;
}

/* The span of all intervals. */
static void
span(const struct slice_interval *intervals, size_t count, int64_t *from_us, int64_t *to_us)
{
	*from_us = intervals[0].from_us;
	*to_us = intervals[0].to_us;
	for (size_t i = 1; i < count; i++) {
		if (intervals[i].from_us < *from_us)
			*from_us = intervals[i].from_us;
		if (intervals[i].to_us > *to_us)
			*to_us = intervals[i].to_us;
	}
}

bool
slice_coverage(struct ctx *ctx, const struct slice_job *job, struct slice_interval *intervals, size_t count,
    bool ask_source)
{
	CTX_SCOPE(own, ctx);
	struct asked *asked = ctx_alloc_array(own, count + 1, sizeof(*asked));
	struct canvas canvas;
	struct load *loads;
	struct pg *pg;
	size_t load_count, asked_count = 0;
	int64_t from_us, to_us, since_us;

	if (count == 0)
		return true;
	span(intervals, count, &from_us, &to_us);
	if (!open_warehouse(own, job, &pg) ||
	    !read_loads(own, pg, generate_table_name(own, job->spec, job->table->name), from_us, to_us, &loads,
		&load_count))
		return false;
	canvas = make_canvas(own, loads, load_count, intervals, count);
	for (size_t i = 0; i < count; i++) {
		judge(&canvas, &intervals[i], &since_us);
		if (intervals[i].loaded || intervals[i].open)
			asked[asked_count++] = (struct asked){.interval = &intervals[i], .since_us = since_us};
		if (intervals[i].source_content != NULL) /* outlives the ledger's rows */
			intervals[i].source_content = ctx_strdup(ctx, intervals[i].source_content);
	}
	if (!ask_source || asked_count == 0 || job->table->time == NULL)
		return true;
	return (job->table->changed_by == NULL || ask_source_rows(own, job, asked, asked_count)) &&
	       reconcile_slices(own, job, intervals, count);
}
