/*
 * plan: what a run means, as steps in waves: ddl, then dimensions, then facts slice by slice, then post_load, then views, then checks. Checks of
 * a whole table are a wave of their own between it and what is built on it.
 *
 * Slices lie on the grid of their period (clock.h); a range that is not on the grid gets a shorter first or last slice. The
 * last slice of `full` and `facts` holds now − lag: its end is not over, so that it is committed `open` and done again.
 */
#include "etl/plan_internal.h"

#include "base/bug.h"
#include "base/clock.h"
#include "base/text.h"
#include "base/uuid.h"

struct intervals {
	struct slice_interval *items;
	size_t count, capacity;
};

char *
plan_slice_name(struct ctx *ctx, int64_t from_us, int64_t to_us)
{
	return ctx_printf(ctx, "%s/%s", clock_format(ctx, from_us), clock_format(ctx, to_us));
}

static bool
is_named(const json_t *names, const char *name)
{
	const json_t *item;
	size_t i;

	if (json_array_size(names) == 0)
		return true;
	json_array_foreach(names, i, item) {
		if (text_equal(json_string_value(item), name))
			return true;
	}
	return false;
}

static bool
fits_type(const char *run_type, enum table_kind kind)
{
	if (text_equal(run_type, "full"))
		return true;
	return text_equal(run_type, "dimensions") == (kind == TABLE_DIMENSION);
}

/* A range is of slices: what has none is left as it is. Who names such a table was told so before the run was accepted. */
static bool
is_out_of_range(const struct step_claim *claim, const struct spec_table *table)
{
	return text_equal(claim->run_type, "range") && !spec_table_has_slices(table);
}

/* Staging is loaded with what it feeds, or when it is named. */
static bool
is_meant(const struct spec *spec, const struct step_claim *claim, const struct spec_table *table)
{
	if (!table->is_stage)
		return fits_type(claim->run_type, table->kind) && is_named(claim->tables, table->name) &&
		       !is_out_of_range(claim, table);
	for (size_t i = 0; i < spec->table_count; i++)
		if (spec->tables[i].stage == table && is_meant(spec, claim, &spec->tables[i]))
			return true;
	return json_array_size(claim->tables) > 0 && is_named(claim->tables, table->name);
}

void
plan_tables(struct ctx *ctx, const struct spec *spec, const struct step_claim *claim, const struct spec_table ***tables,
    size_t *count)
{
	*tables = ctx_alloc_array(ctx, spec->table_count, sizeof(**tables));
	*count = 0;
	for (int64_t wave = 0, left = (int64_t)spec->table_count; left > 0; wave++) {
		for (size_t i = 0; i < spec->table_count; i++) {
			const struct spec_table *table = &spec->tables[i];

			if (table->wave != wave)
				continue;
			left--;
			if (is_meant(spec, claim, table))
				(*tables)[(*count)++] = table;
		}
	}
}

static void
add_interval(struct ctx *ctx, struct intervals *list, int64_t from_us, int64_t to_us)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
		struct slice_interval *more = ctx_alloc_array(ctx, capacity, sizeof(*more));

		for (size_t i = 0; i < list->count; i++)
			more[i] = list->items[i];
		list->items = more;
		list->capacity = capacity;
	}
	list->items[list->count++] = (struct slice_interval){.from_us = from_us, .to_us = to_us};
}

/* Cuts [from, end) on the grid; with whole_last the last slice keeps its grid end. */
static void
cut(struct ctx *ctx, struct intervals *list, const struct period *period, int64_t from_us, int64_t end_us,
    bool whole_last)
{
	int64_t at_us = from_us;

	while (at_us < end_us) {
		int64_t next_us = period_add(period_floor(at_us, period), period, 1);

		if (next_us > end_us && !whole_last)
			next_us = end_us;
		add_interval(ctx, list, at_us, next_us);
		at_us = next_us;
	}
}

static bool
period_of(struct ctx *ctx, const struct spec_table *table, const struct step_claim *claim, struct period *period)
{
	*period = table->slice;
	if (claim->run_slice == NULL)
		return true;
	if (!period_parse(claim->run_slice, period) || !period_is_grid(period))
		return fail(ctx, FAIL_INVALID_REQUEST, "slice %s is not a period that makes a grid", claim->run_slice);
	return true;
}

static bool
find_failed(struct planning *planning, const struct slice_job *job, struct step_span **failed, size_t *count)
{
	CTX_SCOPE(tmp, planning->ctx);
	struct pg *db;

	return pool_take(tmp, planning->control, &db) &&
	       step_failed_slices(planning->ctx, db, job->spec->pipeline, job->table->name, failed, count);
}

static bool
has_failed(const struct slice_interval *interval, const struct step_span *failed, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (failed[i].from_us < interval->to_us && failed[i].to_us > interval->from_us)
			return true;
	return false;
}

/* mode auto: the open slice at the end does not count as one of the last `lookback` ones. */
static bool
is_due(const struct slice_interval *interval, size_t from_end, int64_t lookback)
{
	return !interval->loaded || interval->open || interval->touched ||
	       (int64_t)(from_end == 0 ? 0 : from_end - 1) < lookback;
}

/* Keeps the intervals that the mode wants. */
static bool
choose(struct planning *planning, const struct slice_job *job, struct intervals *list)
{
	const char *mode = job->claim->mode;
	bool only_failed = text_equal(mode, "failed"), automatic = text_equal(mode, "auto");
	struct step_span *failed = NULL;
	size_t kept = 0, failed_count = 0;

	if (text_equal(mode, "all"))
		return true;
	if (!slice_coverage(planning->ctx, job, list->items, list->count, automatic) ||
	    (only_failed && !find_failed(planning, job, &failed, &failed_count)))
		return false;
	for (size_t i = 0; i < list->count; i++) {
		const struct slice_interval *interval = &list->items[i];
		bool wanted = automatic
				  ? is_due(interval, list->count - 1 - i, job->table->lookback)
				  : !interval->loaded && (!only_failed || has_failed(interval, failed, failed_count));

		if (wanted)
			list->items[kept++] = *interval;
	}
	list->count = kept;
	return true;
}

static bool
resolve(struct planning *planning, const struct slice_job *job, struct intervals *list)
{
	struct ctx *ctx = planning->ctx;
	const struct spec_table *table = job->table;
	const struct step_claim *claim = job->claim;
	int64_t now_us = claim->run_created_us; /* a retry of the plan means the same range */
	struct period period;

	if (!period_of(ctx, table, claim, &period))
		return false;
	if (text_equal(claim->run_type, "range"))
		cut(ctx, list, &period, claim->run_from_us, claim->run_to_us, false);
	else
		cut(ctx, list, &period, spec_begin(table, now_us), now_us - table->lag_ms * 1000, true);
	return choose(planning, job, list);
}

struct step_plan
plan_new_step(struct ctx *ctx, const char *kind, int64_t wave)
{
	return (struct step_plan){.id = uuid_make(ctx), .kind = kind, .wave = wave, .fail_run = true};
}

static void
whole_table(struct step_plan *step, const char *table)
{
	step->table = table;
	step->scope = "table";
	step->slice = "table";
	step->from_us = CLOCK_MINUS_INFINITY;
	step->to_us = CLOCK_INFINITY;
}

struct step_plan
plan_table_step(struct ctx *ctx, const struct spec_table *table)
{
	struct step_plan step = plan_new_step(ctx,
	    table->is_stage                  ? "stage"
	    : table->kind == TABLE_DIMENSION ? "dimension"
					     : "fact",
	    table->wave);

	whole_table(&step, table->name);
	step.fail_run = table->fail_run;
	return step;
}

void
plan_add_step(struct planning *planning, struct step_plan step)
{
	struct plan *plan = planning->plan;

	if (plan->count == planning->capacity) {
		size_t more = planning->capacity == 0 ? 64 : planning->capacity * 2;
		struct step_plan *steps = ctx_alloc_array(planning->ctx, more, sizeof(*steps));

		for (size_t i = 0; i < plan->count; i++)
			steps[i] = plan->steps[i];
		plan->steps = steps;
		planning->capacity = more;
	}
	plan->steps[plan->count++] = step;
}

void
plan_add_skipped(struct planning *planning, const struct spec_table *table, enum step_skip reason)
{
	struct step_plan step = plan_table_step(planning->ctx, table);

	step.scope = step.slice = NULL;
	step.skip_reason = step_skip_reasons[reason];
	plan_add_step(planning, step);
}

/* The facts that a range does not touch, so that nobody takes them for loaded. */
static void
add_out_of_range(struct planning *planning)
{
	const struct slice_job *job = planning->job;

	for (size_t i = 0; i < job->spec->table_count; i++) {
		const struct spec_table *table = &job->spec->tables[i];

		if (table->kind == TABLE_FACT && !table->is_stage && is_named(job->claim->tables, table->name) &&
		    is_out_of_range(job->claim, table))
			plan_add_skipped(planning, table, SKIP_NO_TIME);
	}
}

static bool
add_table(struct planning *planning, const struct spec_table *table)
{
	struct slice_job job = *planning->job;
	struct intervals list = {0};

	if (spec_table_is_fed_by_files(table))
		return plan_files(planning, table);
	job.table = table;
	if (table->time == NULL) {
		plan_add_step(planning, plan_table_step(planning->ctx, table));
		return true;
	}
	if (!resolve(planning, &job, &list))
		return false;
	for (size_t i = 0; i < list.count; i++) {
		size_t at = job.claim->descending ? list.count - 1 - i : i;
		const struct slice_interval *interval = &list.items[at];
		struct step_plan step = plan_table_step(planning->ctx, table);

		step.scope = "time";
		step.slice = plan_slice_name(planning->ctx, interval->from_us, interval->to_us);
		step.from_us = interval->from_us;
		step.to_us = interval->to_us;
		step.ordinal = (int64_t)i;
		plan_add_step(planning, step);
	}
	return true;
}

/* One after the other, as they are declared. What fails here does not undo what was loaded, and the others go on. */
static void
add_scripts(struct planning *planning)
{
	const struct spec *spec = planning->job->spec;

	for (size_t i = 0; i < spec->script_count; i++) {
		struct step_plan step = plan_new_step(planning->ctx, "sql", plan_wave_after_tables(spec) + (int64_t)i);

		whole_table(&step, spec->scripts[i].name);
		step.fail_run = false;
		plan_add_step(planning, step);
	}
}

/* A broken view does not undo what was loaded. */
static void
add_views(struct planning *planning)
{
	const struct spec *spec = planning->job->spec;
	struct step_plan step =
	    plan_new_step(planning->ctx, "view", plan_wave_after_tables(spec) + (int64_t)spec->script_count);

	if (spec->view_count == 0)
		return;
	step.fail_run = false;
	plan_add_step(planning, step);
}

bool
plan_make(struct ctx *ctx, const struct slice_job *job, struct pool *control, struct plan *plan)
{
	struct planning planning = {.ctx = ctx, .job = job, .control = control, .plan = plan};
	const struct spec_table **tables;
	size_t count;

	*plan = (struct plan){.deadline_us = job->claim->run_created_us + job->spec->timeouts.run_ms * 1000};
	plan_tables(ctx, job->spec, job->claim, &tables, &count);
	if (count == 0)
		return true;
	plan_add_step(&planning, plan_new_step(ctx, "ddl", 1));
	for (size_t i = 0; i < count; i++) {
		size_t before = plan->count;

		if (!add_table(&planning, tables[i]))
			return false;
		plan_add_table_checks(&planning, tables[i], before);
	}
	add_out_of_range(&planning);
	add_scripts(&planning);
	add_views(&planning);
	plan_add_run_checks(&planning);
	return !ctx_failed(ctx);
}
