/*
 * step_store: steps and attempts in the control database; the queue.
 *
 * A step is one node of a run: waves order them (all steps of a wave must be final before the next wave is queued; a failed step with
 * on_error "fail" ends the run: later waves are skipped, reason upstream_failed). A claim gives a step to a replica: status
 * running, boot_id, the next number of sequence load_number as load_number, an attempt row. Every later write repeats
 * id, boot_id and load_number in its WHERE: no row means the step is not ours any more, which is no failure
 * (*mine = false) but the end of our say in it.
 *
 * end_as: how a step is to be ended once its slice is revoked (protocol rule 12): set by cancel, by a final failure, by
 * the third lost attempt and by deadlines. Such a step is claimable at once, even while its old attempt still runs (that attempt
 * becomes `superseded`): the claim is a revocation, and the constraint on overlapping running steps leaves it out.
 */
#ifndef SQL_STEP_STORE_H
#define SQL_STEP_STORE_H

#include "base/json.h"
#include "sql/pg.h"
#include "sql/state.h"

/* Why a step is skipped: skip_reasons.def. */
enum step_skip {
#define SKIP(id, name, why) SKIP_##id,
#include "sql/skip_reasons.def"
#undef SKIP
	SKIP_COUNT
};
extern const char *const step_skip_reasons[SKIP_COUNT];

/* As planned. */
struct step_plan {
	const char *id;          /* UUIDv7 */
	const char *kind;        /* plan ddl stage dimension fact repoint check export sql view */
	const char *table;       /* NULL for plan, ddl */
	int64_t wave;            /* 0 is the plan step itself */
	const char *scope;       /* table time key files; NULL: touches no slice */
	const char *slice;       /* canonical key: "table", or "2024-01-01T00:00:00Z/2024-02-01T00:00:00Z" */
	int64_t from_us, to_us;  /* infinite for scope table; both the earliest time for scope files */
	json_t *files;           /* scope files: {batch, files: [{path, etag, size}]}; NULL for others */
	int64_t ordinal;         /* order of execution within wave and priority */
	bool fail_run;           /* on_error: fail */
	const char *skip_reason; /* not NULL: inserted as skipped with this code of step_skip_reasons */
};

/* A claimed step: what a worker needs. */
struct step_claim {
	const char *id, *run_id, *pipeline, *kind, *table, *scope, *slice;
	int64_t from_us, to_us;
	json_t *files;       /* of scope files, as planned; else null */
	const char *boot_id; /* of the replica that claimed it */
	int64_t load_number; /* of sequence load_number; load_id = epoch · 2^40 + this */
	int64_t epoch;       /* of the pipeline, when it was claimed */
	int64_t attempt;     /* number of this attempt, from 1 */
	int64_t tries;       /* executions that count against the retry policy, this one included; lost and handed back
	                         * ones do not count */
	const char *end_as;  /* NULL: execute; "cancelled" or "failed": revoke, then end so */
	const char *previous_boot_id; /* of the attempt before, NULL: none */
	int64_t ready_us;             /* since when it could have run */
	/* of the run */
	const char *run_type, *mode, *run_slice, *spec_version;
	int64_t run_from_us, run_to_us, run_attempt;
	json_t *tables, *params, *allow;
	bool descending;
	int64_t run_created_us;
};
struct step_claims {
	struct step_claim *items;
	size_t count;
};

/* Claims up to limit ready steps: queued, retry_at passed, the run neither paused nor over its max_parallel, no
 * overlapping step of the table running; highest run priority, then oldest run, then ordinal. Starts the run when it is its first
 * step. revocations_only: steps with end_as alone (a slot that loads never take). A claim that breaks the exclusion
 * constraint (23P01) is left and the next taken. A replica that is not registered, or whose lease is over, gets none. */
bool step_claim(struct ctx *ctx, struct pg *db, const char *boot_id, bool revocations_only, int limit,
    struct step_claims *claims) MUST_CHECK;

/* The plan step's end: inserts the plan's steps, sets steps_total, finishes the plan step, queues the first wave; a run
 * with no steps ends. One transaction. deadline_us 0: none. */
bool step_finish_plan(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    const struct step_plan *steps, size_t count, int64_t deadline_us, bool *mine) MUST_CHECK;

/* How an attempt went. */
struct step_result {
	json_t
	    *rows; /* contract: read inserted updated unchanged closed deduplicated filtered rejected; null for none */
	json_t *effects; /* contract; null for none */
	int64_t bytes_read;
	int64_t committed_us; /* warehouse time of the ledger row; 0: none */
	const json_t *checks; /* results as quality_write takes them; NULL or null for none */
	const json_t
	    *guards; /* what guards let pass (etl/slice.h); those that the run allowed are audited; NULL for none */
};
bool step_succeed(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    const struct step_result *result, bool *mine) MUST_CHECK;

/* The attempt failed and is tried again after wait_ms. */
bool step_retry_later(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    const json_t *error, int64_t wait_ms, bool *mine) MUST_CHECK;

/* The attempt failed for good: end_as = failed with this error; a revocation follows for steps with a scope, others
 * are failed at once. */
struct step_failure {
	const json_t *error;
	const json_t *checks; /* as in step_result: evidence of what stopped it */
	const json_t *rows;   /* as far as the attempt came; NULL for none */
};
bool step_give_up(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    const struct step_failure *failure, bool *mine) MUST_CHECK;

/* A revocation is done and nothing was committed: the step ends as claim->end_as. (Something was: step_succeed.) */
bool step_end(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    bool *mine) MUST_CHECK;

/* Somebody else loaded what was asked for as missing, and this step is revoked: it ends as skipped. */
bool step_skip(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id, enum step_skip why,
    bool *mine) MUST_CHECK;

/* SIGTERM: queued again at once, attempt handed_back, no try used. */
bool step_hand_back(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *boot_id,
    bool *mine) MUST_CHECK;

/* Says for what a running step waits in another database (a name of step_waits.h); NULL kind clears. */
bool step_wait_for(struct ctx *ctx, struct pg *db, const struct step_claim *claim, const char *kind,
    const char *detail) MUST_CHECK;

/* Takes running steps from replicas whose lease is over: attempt lost; the third loss sets end_as failed / worker_lost. */
bool step_expire_leases(struct ctx *ctx, struct pg *db, int64_t *lost) MUST_CHECK;

/* Steps this replica runs, as the control database sees them: still ours and wanted? For the lease keeper, and for the claimer,
 * who looks for claims it never heard of. */
struct step_holding {
	const char *id, *run_id;
	int64_t load_number;
	bool wanted; /* false: superseded or end_as was set by a cancel */
};
bool step_holdings(struct ctx *ctx, struct pg *db, const char *boot_id, struct step_holding **items,
    size_t *count) MUST_CHECK;

/* Slices of a table that some step failed to load, in order of time. */
struct step_span {
	int64_t from_us, to_us;
};
bool step_failed_slices(struct ctx *ctx, struct pg *db, const char *pipeline, const char *table,
    struct step_span **spans, size_t *count) MUST_CHECK;

/* A step that loads a table now, or failed to. Whether a newer load is there since, the ledger knows. */
struct step_mark {
	const char *id, *run_id;
	const char *table; /* step_marks_of_tables and _of_batches alone */
	const char *batch; /* step_marks_of_batches alone; NULL: the files have none */
	int64_t batch_us;  /* CLOCK_MINUS_INFINITY: it has no date */
	bool running;
	struct step_span span;
	int64_t load_number; /* of its last attempt; 0: none was made */
	int64_t started_us;
	json_t *error; /* error object of the contract, or null */
};

/* Those of a table that touch an interval: running ones, then failed ones, newest first, at most 10,000. */
bool step_marks(struct ctx *ctx, struct pg *db, const char *pipeline, const char *table, const struct step_span *span,
    struct step_mark **marks, size_t *count) MUST_CHECK;

/* Of all tables of a pipeline: the running ones, and of each slice the last one that failed. */
bool step_marks_of_tables(struct ctx *ctx, struct pg *db, const char *pipeline, struct step_mark **marks,
    size_t *count) MUST_CHECK;

/* Of each batch of files of a table the step that loads it now, and the last one that failed to. */
bool step_marks_of_batches(struct ctx *ctx, struct pg *db, const char *pipeline, const char *table,
    struct step_mark **marks, size_t *count) MUST_CHECK;

/* A page of a run's steps in order of wave, ordinal, id; each an object of the contract. */
struct step_filter {
	const char *run_id;
	const char *status, *table; /* NULL: any */
	int64_t after_wave, after_ordinal;
	const char *after_id; /* NULL: from the start */
	int64_t limit;
};
bool step_list(struct ctx *ctx, struct pg *db, const struct step_filter *filter, json_t *items, bool *more,
    struct step_filter *next) MUST_CHECK;

/* For the metrics: per pipeline the number of queued steps and the age of the oldest. */
bool step_queue_depth(struct ctx *ctx, struct pg *db, struct pg_rows *rows) MUST_CHECK;

#endif
