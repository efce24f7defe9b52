/*
 * slice_reconcile: what changed_by cannot see: rows that were deleted or moved in the source, or changed without saying so.
 *
 * A load notes what it extracted, as a count and a sum over whole rows. For the slices of the last `reconcile` one pass over the source
 * says the same of now; those that differ are loaded again. A slice that several loads made has no one note, nor has one that was
 * loaded before it was declared: it is loaded again, once.
 */
#include <stdlib.h>

#include "base/bug.h"
#include "base/text.h"
#include "etl/slice_internal.h"

bool
note_source(struct ctx *ctx, struct loading *loading)
{
	const struct slice_job *job = loading->job;
	struct load_statement statement = {.name = "note what was extracted"};
	struct pg_rows rows;
	char *sql;

	if (period_is_zero(&job->table->reconcile) || !text_equal(job->claim->scope, "time"))
		return true;
	statement.sql = generate_staged_content(ctx, job->table);
	if (!fill_statement(ctx, loading, &statement, &sql) ||
	    !pg_query(ctx, loading->warehouse, sql, PG_NO_PARAMS, &rows))
		return false;
	loading->source_content = ctx_strdup(ctx, pg_value(&rows, 0, 0));
	return true;
}

static int
compare_intervals(const void *a, const void *b)
{
	int64_t x = (*(struct slice_interval *const *)a)->from_us, y = (*(struct slice_interval *const *)b)->from_us;

	return (x > y) - (x < y);
}

static char *
array_of_times(struct ctx *ctx, struct slice_interval *const *intervals, size_t count, bool ends)
{
	const char **times = ctx_alloc_array(ctx, count, sizeof(*times));

	for (size_t i = 0; i < count; i++)
		times[i] = clock_format(ctx, ends ? intervals[i]->to_us : intervals[i]->from_us);
	return pg_text_array(ctx, times, count);
}

static bool
compare_with_source(struct ctx *ctx, const struct slice_job *job, struct slice_interval **intervals, size_t count)
{
	struct pg_rows rows;
	struct pg *source;
	char *sql;

	qsort(intervals, count, sizeof(*intervals), compare_intervals);
	if (!generate_source_content(ctx, job->spec, job->table, intervals[0]->from_us, intervals[count - 1]->to_us,
		job->claim->params, &sql) ||
	    !open_source(ctx, job, &source) ||
	    !pg_query(ctx, source, sql,
		PG_PARAMS(array_of_times(ctx, intervals, count, false), array_of_times(ctx, intervals, count, true)),
		&rows))
		return false;
	ASSERT((size_t)rows.count == count);
	for (size_t i = 0; i < count; i++)
		intervals[i]->touched = !text_equal(intervals[i]->source_content, pg_value(&rows, (int)i, 1));
	pg_close(source);
	return true;
}

bool
reconcile_slices(struct ctx *ctx, const struct slice_job *job, struct slice_interval *intervals, size_t count)
{
	struct slice_interval **asked = ctx_alloc_array(ctx, count + 1, sizeof(struct slice_interval *));
	int64_t since_us;
	size_t n = 0;

	if (period_is_zero(&job->table->reconcile))
		return true;
	since_us = period_add(job->claim->run_created_us, &job->table->reconcile, -1);
	for (size_t i = 0; i < count; i++) {
		struct slice_interval *interval = &intervals[i];

		if (!interval->loaded || interval->touched || interval->to_us <= since_us)
			continue;
		if (interval->source_content == NULL)
			interval->touched = true;
		else
			asked[n++] = interval;
	}
	return n == 0 || compare_with_source(ctx, job, asked, n);
}
