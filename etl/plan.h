/* plan: what a run means: its steps, in waves. Pure but for slice_coverage, which the caller asks for. */
#ifndef ETL_PLAN_H
#define ETL_PLAN_H

#include "etl/slice.h"

struct plan {
	struct step_plan *steps;
	size_t count;
};

/* job->claim is the plan step (or a dry run's stand-in); coverage is asked of the warehouse when the mode needs it. */
bool plan_make(struct ctx *ctx, const struct slice_job *job, struct plan *plan) MUST_CHECK;

/* The plan with the SQL of one slice per table: dry_run and `loadstar plan`. */
json_t *plan_to_json(struct ctx *ctx, const struct slice_job *job, const struct plan *plan);

#endif
