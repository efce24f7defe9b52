/* plan: what a run means: its steps, in waves. */
#ifndef ETL_PLAN_H
#define ETL_PLAN_H

#include "etl/slice.h"
#include "sql/pool.h"

struct plan {
	struct step_plan *steps;
	size_t count;
	int64_t deadline_us; /* of the run: created + timeouts.run */
};

/* Tables the run's type and its `tables` name, in order of wave. */
void plan_tables(struct ctx *ctx, const struct spec *spec, const struct step_claim *claim,
    const struct spec_table ***tables, size_t *count);

/* What a check step asks: that of a table (claim->table) its checks of the scope table, the run's own the checks of the gate run that
 * follow the run's tables. */
void plan_checks(struct ctx *ctx, const struct spec *spec, const struct step_claim *claim,
    const struct spec_check ***checks, size_t *count);

/* Canonical name of an interval: "2024-01-01T00:00:00Z/2024-02-01T00:00:00Z". */
char *plan_slice_name(struct ctx *ctx, int64_t from_us, int64_t to_us);

/* job->claim is the plan step (or a dry run's stand-in). What the mode needs to know is asked here: coverage of the
 * warehouse, touched slices of the source, failed ones of the control database. */
bool plan_make(struct ctx *ctx, const struct slice_job *job, struct pool *control, struct plan *plan) MUST_CHECK;

/* The plan with the SQL of one slice per table: dry_run and `loadstar plan`. */
bool plan_to_json(struct ctx *ctx, const struct slice_job *job, const struct plan *plan, json_t **json) MUST_CHECK;

#endif
