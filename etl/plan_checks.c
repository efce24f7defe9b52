/* plan_checks: the steps that ask checks after what was loaded is committed, and what each of them asks. */
#include "base/text.h"
#include "etl/plan_internal.h"

static bool
is_loaded(const struct spec_table *table, const struct spec_table *const *tables, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (tables[i] == table)
			return true;
	return false;
}

void
plan_checks(struct ctx *ctx, const struct spec *spec, const struct step_claim *claim, const struct spec_check ***checks,
    size_t *count)
{
	const struct spec_table **tables;
	size_t table_count;

	plan_tables(ctx, spec, claim, &tables, &table_count);
	*checks = ctx_alloc_array(ctx, spec->check_count + 1, sizeof(**checks));
	*count = 0;
	for (size_t i = 0; i < spec->check_count; i++) {
		const struct spec_check *check = &spec->checks[i];
		bool due;

		if (claim->table != NULL)
			due = spec_check_is_after(check) && text_equal(check->table->name, claim->table);
		else
			due = check->gate == GATE_RUN &&
			      (check->table == NULL || is_loaded(check->table, tables, table_count));
		if (due)
			(*checks)[(*count)++] = check;
	}
}

int64_t
plan_wave_after_tables(const struct spec *spec)
{
	int64_t wave = 2;

	for (size_t i = 0; i < spec->table_count; i++) {
		int64_t last = spec->tables[i].wave + (spec->tables[i].checked_after ? 1 : 0);

		if (wave <= last)
			wave = last + 1;
	}
	return wave;
}

void
plan_add_table_checks(struct planning *planning, const struct spec_table *table, size_t first)
{
	struct step_plan step = plan_new_step(planning->ctx, "check", table->wave + 1);
	bool loads = false;

	for (size_t i = first; i < planning->plan->count; i++)
		loads = loads || planning->plan->steps[i].skip_reason == NULL;
	if (!table->checked_after || !loads)
		return;
	step.table = table->name;
	step.fail_run = table->fail_run;
	plan_add_step(planning, step);
}

void
plan_add_run_checks(struct planning *planning)
{
	const struct spec *spec = planning->job->spec;
	const struct spec_check **checks;
	size_t count;

	plan_checks(planning->ctx, spec, planning->job->claim, &checks, &count);
	if (count > 0)
		plan_add_step(planning, plan_new_step(planning->ctx, "check",
					    plan_wave_after_tables(spec) + (int64_t)spec->script_count + 1));
}
