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

/* A step that loads the whole table, to be narrowed. */
struct step_plan plan_table_step(struct ctx *ctx, const struct spec_table *table);
void plan_add_step(struct planning *planning, struct step_plan step);

/* The run says why it loads nothing here. */
void plan_add_skipped(struct planning *planning, const struct spec_table *table, enum step_skip reason);

/* The steps of a table that is fed by files. */
bool plan_files(struct planning *planning, const struct spec_table *table) MUST_CHECK;

#endif
