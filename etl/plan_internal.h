/* plan_internal: what the files of the planner share. Private to etl/plan*.c. */
#ifndef ETL_PLAN_INTERNAL_H
#define ETL_PLAN_INTERNAL_H

#include "etl/plan.h"

/* A plan in the making. */
struct planning {
	struct ctx *ctx;
	const struct slice_job *job; /* the plan step's: without a table */
	struct pool *control;
	struct plan *plan;
	size_t capacity; /* of plan->steps */
};

struct step_plan plan_new_step(struct ctx *ctx, const char *kind, int64_t wave);

/* A step that loads the whole table, to be narrowed. */
struct step_plan plan_table_step(struct ctx *ctx, const struct spec_table *table);
void plan_add_step(struct planning *planning, struct step_plan step);

/* The run says why it loads nothing here. */
void plan_add_skipped(struct planning *planning, const struct spec_table *table, enum step_skip reason);

/* plan_checks.c: the first wave after all tables; the step that asks a table's checks of the scope table, where it has any and one of the
 * steps from `first` on loads something; and that of the gate run: one step, so that all its checks see one snapshot and one failure hides no other. */
int64_t plan_wave_after_tables(const struct spec *spec);
void plan_add_table_checks(struct planning *planning, const struct spec_table *table, size_t first);
void plan_add_run_checks(struct planning *planning);

/* The steps of a table that is fed by files. */
bool plan_files(struct planning *planning, const struct spec_table *table) MUST_CHECK;

#endif
