/* plan_print: a plan for people: its steps, and the SQL of one slice of each table. */
#include "base/clock.h"
#include "base/text.h"
#include "etl/generate_check.h"
#include "etl/plan.h"
#include "sql/step_json.h"

static void
add_statements(struct ctx *ctx, json_t *list, const char *phase, const struct load_statements *statements)
{
	for (size_t i = 0; i < statements->count; i++) {
		json_t *item = json_new_object(ctx);

		json_put_string(ctx, item, "phase", phase);
		json_put_string(ctx, item, "name", statements->items[i].name);
		json_put_string(ctx, item, "sql", statements->items[i].sql);
		json_add(list, item);
	}
}

static void
add_text(struct ctx *ctx, json_t *list, const char *phase, const char *name, const char *sql)
{
	struct load_statement one = {.name = name, .sql = sql};
	struct load_statements statements = {.items = &one, .count = 1};

	add_statements(ctx, list, phase, &statements);
}

/* What a child process does with the files. */
static char *
files_text(struct ctx *ctx, const struct spec_table *table)
{
	return ctx_printf(ctx, "-- the files %s of %s%s%s", table->source->path, table->source->connection,
	    table->transform != NULL ? "\n" : "", table->transform != NULL ? table->transform : "");
}

static void
add_check(struct ctx *ctx, json_t *list, const struct spec *spec, const struct spec_check *check, const char *scope)
{
	add_text(ctx, list, ctx_printf(ctx, "check %s", check_gate_name(check->gate)), check->name,
	    generate_check(ctx, spec, &check, 1, scope));
}

/* Checks of a gate of slices, each as it is asked by itself; those of the whole table, which a step of its own asks, come last. */
static void
add_checks(struct ctx *ctx, json_t *list, const struct slice_job *job, const struct spec_table *table,
    enum check_gate gate, const char *scope)
{
	for (size_t i = 0; i < job->spec->check_count; i++)
		if (job->spec->checks[i].gate == gate && job->spec->checks[i].table == table)
			add_check(ctx, list, job->spec, &job->spec->checks[i],
			    spec_check_is_after(&job->spec->checks[i]) ? "table" : scope);
}

/* What the plan itself asks the source about slices that are loaded, here about one of them. */
static bool
planning_sql(struct ctx *ctx, const struct slice_job *job, const struct spec_table *table, const struct step_plan *step,
    json_t *list)
{
	char *sql;

	if (!text_equal(job->claim->mode, "auto") || !text_equal(step->scope, "time"))
		return true;
	if (table->changed_by != NULL) {
		if (!generate_source_changed(ctx, job->spec, table, step->from_us, step->to_us, job->claim->params,
			&sql))
			return false;
		add_text(ctx, list, "plan", "look for rows that changed since", sql);
	}
	if (!period_is_zero(&table->reconcile)) {
		if (!generate_source_content(ctx, job->spec, table, step->from_us, step->to_us, job->claim->params,
			&sql))
			return false;
		add_text(ctx, list, "plan", "reconcile with the source", sql);
	}
	return true;
}

/* Everything that would run for one slice, in order, with the load's own values still as :placeholders. */
static bool
table_sql(struct ctx *ctx, const struct slice_job *job, const struct spec_table *table, const struct step_plan *step,
    json_t *list)
{
	const char *scope = spec_table_is_fed_by_files(table) ? "files" : step->scope;
	struct load_statements statements = {0};
	char *extract, *create, *copy_from;

	if (!planning_sql(ctx, job, table, step, list) || !generate_ddl(ctx, job->spec, table, &statements))
		return false;
	add_statements(ctx, list, "ddl", &statements);
	if (spec_table_is_fed_by_files(table))
		extract = files_text(ctx, table);
	else if (!generate_extract(ctx, job->spec, table, step->from_us, step->to_us, job->claim->params, &extract))
		return false;
	add_text(ctx, list, "extract", "source query", extract);
	generate_stage_table(ctx, table, &create, &copy_from);
	add_text(ctx, list, "stage", "create the staging table", create);
	add_text(ctx, list, "stage", "copy into staging", copy_from);
	if (!period_is_zero(&table->reconcile) && text_equal(scope, "time"))
		add_text(ctx, list, "stage", "note what was extracted", generate_staged_content(ctx, table));
	if (!generate_stage_checks(ctx, job->spec, table, &statements))
		return false;
	add_statements(ctx, list, "stage", &statements);
	add_checks(ctx, list, job, table, GATE_STAGING, scope);
	if (!generate_publish(ctx, job->spec, table, scope, &statements))
		return false;
	add_statements(ctx, list, "publish", &statements);
	add_checks(ctx, list, job, table, GATE_PUBLISHED, scope);
	return true;
}

static json_t *
step_json(struct ctx *ctx, const struct step_plan *step)
{
	json_t *object = json_new_object(ctx), *slice;

	json_put_string(ctx, object, "kind", step->kind);
	json_put_string(ctx, object, "table", step->table);
	json_put_int(object, "wave", step->wave);
	if (step->files != NULL) {
		json_put(object, "slice", step_json_files(ctx, step->files));
	} else if (step->scope != NULL && step->from_us != CLOCK_MINUS_INFINITY) {
		slice = json_new_object(ctx);
		json_put_time(ctx, slice, "from", step->from_us);
		json_put_time(ctx, slice, "to", step->to_us);
		json_put(object, "slice", slice);
	} else {
		json_put_null(object, "slice");
	}
	json_put_string(ctx, object, "skipped", step->skip_reason);
	return object;
}

/* The first step of a table stands for all of them; a file of post_load is none, and a range does nothing to what has no time. */
static bool
is_first_of_table(const struct spec *spec, const struct plan *plan, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (plan->steps[i].table != NULL && plan->steps[at].table == plan->steps[i].table)
			return false;
	if (text_equal(plan->steps[at].skip_reason, step_skip_reasons[SKIP_NO_TIME]))
		return false;
	return plan->steps[at].table != NULL && spec_find_table(spec, plan->steps[at].table) != NULL;
}

/* By name: no table, file of post_load or view has the name of another. */
static void
put_scripts(struct ctx *ctx, const struct spec *spec, json_t *sql)
{
	for (size_t i = 0; i < spec->script_count; i++) {
		json_t *list = json_new_array(ctx);

		add_text(ctx, list, "post_load", spec->scripts[i].path, spec->scripts[i].text);
		json_put(sql, spec->scripts[i].name, list);
	}
}

static void
put_views(struct ctx *ctx, const struct spec *spec, json_t *sql)
{
	for (size_t i = 0; i < spec->view_count; i++) {
		json_t *list = json_new_array(ctx);

		add_text(ctx, list, "view", spec->views[i].path, spec->views[i].statement);
		json_put(sql, spec->views[i].name, list);
	}
}

/* By a name that no table and no view can have. */
static void
put_run_checks(struct ctx *ctx, const struct slice_job *job, json_t *sql)
{
	json_t *list = json_new_array(ctx);
	const struct spec_check **checks;
	size_t count;

	plan_checks(ctx, job->spec, job->claim, &checks, &count);
	for (size_t i = 0; i < count; i++)
		add_check(ctx, list, job->spec, checks[i], "table");
	if (count > 0)
		json_put(sql, "checks of the run", list);
}

bool
plan_to_json(struct ctx *ctx, const struct slice_job *job, const struct plan *plan, json_t **json)
{
	json_t *steps = json_new_array(ctx), *sql = json_new_object(ctx);

	*json = json_new_object(ctx);
	for (size_t i = 0; i < plan->count; i++) {
		json_add(steps, step_json(ctx, &plan->steps[i]));
		if (is_first_of_table(job->spec, plan, i)) {
			json_t *list = json_new_array(ctx);

			if (!table_sql(ctx, job, spec_find_table(job->spec, plan->steps[i].table), &plan->steps[i],
				list))
				return false;
			json_put(sql, plan->steps[i].table, list);
		}
	}
	if (plan->count > 0) {
		put_scripts(ctx, job->spec, sql);
		put_views(ctx, job->spec, sql);
		put_run_checks(ctx, job, sql);
	}
	json_put_string(ctx, *json, "pipeline", job->spec->pipeline);
	json_put_string(ctx, *json, "spec_version", job->spec->hash);
	json_put_int(*json, "steps_total", (int64_t)plan->count + 1);
	json_put(*json, "steps", steps);
	json_put(*json, "sql", sql);
	return true;
}
