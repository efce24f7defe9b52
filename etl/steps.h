/*
 * steps: what a claimed step does, by its kind. steps.c is the whole business on one screen.
 *
 * A step is executed under the attempt's ctx (its cancel flag, its failure) and says what it did in a step_done; worker.c
 * reports it to the control database.
 */
#ifndef ETL_STEPS_H
#define ETL_STEPS_H

#include "etl/engine.h"
#include "etl/plan.h"

struct step_work {
	const struct engine_options *options;
	const struct step_claim *claim;
	struct slice_job job; /* spec, table (NULL for plan, ddl, view and check), load_id, log */
	const struct spec_timeouts *timeouts;
	const struct retry_policy *retry;
};

struct step_done {
	struct slice_outcome outcome;
	bool has_counts;   /* of a slice; its checks count in any case */
	bool revoked;      /* a revocation that found nothing committed: the step ends as claim->end_as */
	bool skipped;      /* revoked, because somebody else loaded what was asked for as missing */
	struct plan *plan; /* the plan step's result; NULL for others */
};

/* Finds spec and table. */
bool step_prepare(struct ctx *ctx, const struct engine_options *options, const struct step_claim *claim,
    struct step_work *work) MUST_CHECK;

/* Executes, or revokes when claim->end_as is set. */
bool step_execute(struct ctx *ctx, const struct step_work *work, struct step_done *done) MUST_CHECK;

#endif
