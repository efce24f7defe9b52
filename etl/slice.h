/*
 * slice: the slice protocol (docs/protocol.md) against a PostgreSQL warehouse: OPEN, STAGE, PUBLISH, REVOKE.
 *
 * slice_load executes one slice in a warehouse session of its own and says what happened; slice_revoke makes sure that
 * the slice is not and will not be published by an older attempt, and says whether it was. Both may be called again at
 * any time by anybody with a higher load_id. Neither writes to the control database.
 */
#ifndef ETL_SLICE_H
#define ETL_SLICE_H

#include "base/config.h"
#include "base/log.h"
#include "etl/generate.h"
#include "sql/step_store.h"

/* Where a run's log lines go: called from the worker's thread between statements, never inside PUBLISH's locks. */
struct slice_log {
	void (*write)(void *arg, struct ctx *ctx, enum log_level level, const char *message, json_t *fields);
	void *arg;
};

/* The control database's next load number. NULL: none can be had. */
struct slice_numbers {
	bool (*next)(void *arg, struct ctx *ctx, int64_t *number);
	void *arg;
};

/* For what the worker waits in another database, told to whoever asks the control database: called before and, with NULL, after. Never
 * blocks. detail is copied. */
struct slice_waits {
	void (*tell)(void *arg, const char *kind, const char *detail);
	void *arg;
};

struct slice_job {
	const struct config *config;
	const struct spec *spec;
	const struct spec_table *table;
	const struct spec_script *script; /* instead of a table: SQL of somebody's own */
	const struct step_claim *claim;
	const char *control_id; /* of this control database */
	int64_t epoch;
	int64_t load_id; /* epoch · 2^40 + claim->load_number */
	struct slice_log log;
	struct slice_numbers numbers;
	struct slice_waits waits;
};

struct slice_outcome {
	struct load_counts counts;
	int64_t bytes_read;
	int64_t committed_us;
	bool found; /* the ledger had the step already (an earlier attempt committed it) */
	json_t *
	    checks; /* quality results (sql/quality_store.h), of a slice that failed, too; lives as long as the caller's ctx */
	json_t *
	    guards; /* what guards said of a slice and let pass: {guard, count, held, limit_percent, passed}; as checks */
};

/* Failures: FAIL_FENCED when a newer registration exists (drop the work silently), FAIL_COMMIT_UNKNOWN is resolved inside
 * (rule 11) unless the warehouse cannot be reached, then it is reported and retried like any transient failure. */
bool slice_load(struct ctx *ctx, const struct slice_job *job, struct slice_outcome *outcome) MUST_CHECK;

/* SQL run after the facts: the file in one transaction with a ledger row of its own, so that it happens once a step, as a slice does.
 * Nothing is staged. FAIL_SQL_ERROR names file and line. */
bool slice_run_script(struct ctx *ctx, const struct slice_job *job, struct slice_outcome *outcome) MUST_CHECK;

/* One section of a load's counts: "rows" or "effects" as the contract has them, "slice" for what the laws need. */
json_t *slice_counts_to_json(struct ctx *ctx, const struct load_counts *counts, const char *section);

/* REVOKE: higher registration, end the old session, lock, read. committed: the ledger has the step. job->table may be NULL: the
 * spec does not declare claim->table any more. */
bool slice_revoke(struct ctx *ctx, const struct slice_job *job, struct slice_outcome *outcome,
    bool *committed) MUST_CHECK;

/* Ends sessions on the warehouse and on the sources of this step's older attempts (application_name
 * loadstar/<run>/<step>/<attempt>): orphans of a dead worker. */
bool slice_end_orphans(struct ctx *ctx, const struct slice_job *job, int64_t *ended) MUST_CHECK;

/* The ddl step: bookkeeping schema, owner (FAIL_FOREIGN_OWNER), then each table of the run. */
bool slice_apply_ddl(struct ctx *ctx, const struct slice_job *job, const struct spec_table *const *tables,
    size_t count) MUST_CHECK;

/* The view step: every declared view, in one transaction. A view that cannot be replaced in place is dropped, with the declared
 * ones after it, and made again. FAIL_SQL_ERROR names the view and its place. */
bool slice_apply_views(struct ctx *ctx, const struct slice_job *job) MUST_CHECK;

/* The check step: checks of whole tables, asked in one snapshot, and those with `retry` again. FAIL_QUALITY_FAILED when one of severity
 * error did not pass, FAIL_CHECK_ERROR or a timeout when one could not be asked; results are in the outcome either way. */
bool slice_ask_checks(struct ctx *ctx, const struct slice_job *job, const struct spec_check *const *checks,
    size_t count, struct slice_outcome *outcome) MUST_CHECK;

/* What the ledger says about a table, for planning: which of the intervals given are wholly covered by committed `loaded` slices,
 * and when the newest of each was committed. touched: intervals whose rows in the source changed since their last load
 * (asks the source by changed_by). */
struct slice_interval {
	int64_t from_us, to_us;
	bool loaded;
	bool open; /* committed before its end was over */
	bool touched;
	int64_t loaded_us;          /* commit time of the newest load that covers it; 0: none */
	const char *source_content; /* what the one load that covers it noted of the source; NULL: none did */
};
bool slice_coverage(struct ctx *ctx, const struct slice_job *job, struct slice_interval *intervals, size_t count,
    bool ask_source) MUST_CHECK;

/* At start: removes what readers of files left under LOADSTAR_HOME when they died. */
void slice_sweep(struct ctx *ctx, const struct config *config);

/* application_name of an attempt's sessions: "loadstar/<run>/<step>/<attempt>" cut to 63 bytes: run and step by their
 * last 12 characters. */
char *slice_application_name(struct ctx *ctx, const struct step_claim *claim, int64_t attempt);

#endif
