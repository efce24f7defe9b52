/* slice_internal: what the files of the slice protocol share. Private to etl/slice*.c. */
#ifndef ETL_SLICE_INTERNAL_H
#define ETL_SLICE_INTERNAL_H

#include "etl/slice.h"
#include "etl/warehouse.h"
#include "sql/pg.h"

/* One execution of a slice. Texts live in its ctx. */
struct loading {
	const struct slice_job *job;
	struct slice_outcome *outcome;
	struct pg *warehouse;
	const char *table; /* name in ledger, fence and locks: schema.table */
	const char *from, *to, *load_id;
	const char *pid, *started;  /* of the session that is registered */
	const char *snapshot_at;    /* the source's time just before the extraction */
	const char *input_load;     /* of the staging it is fed by, before it was asked; NULL: none */
	const char *file_ids;       /* of a slice of files, as an array; NULL: no such slice */
	const char *asked_at;       /* the time :now of checks; NULL: none were asked */
	json_t *changes;            /* of tables, made by a ddl step; logged when they are committed */
	json_t *views_dropped;      /* by a ddl step, which makes them again: their grants; NULL: none was */
	const char *source_content; /* of a table with `reconcile`, else NULL */
	json_t *trace;              /* what was done; logged when no lock is held */
	int64_t since_us;           /* monotonic: start of the phase being traced */
};

/* slice_session.c */

/* application_name of a step's sessions up to the attempt, slash included. */
char *application_prefix(struct ctx *ctx, const struct step_claim *claim);

/* Sessions of this attempt. */
bool open_warehouse(struct ctx *ctx, const struct slice_job *job, struct pg **pg) MUST_CHECK;
bool open_source(struct ctx *ctx, const struct slice_job *job, struct pg **pg) MUST_CHECK;

/* Of the job's table, or of the pipeline. */
const struct spec_timeouts *slice_timeouts(const struct slice_job *job);

void loading_init(struct ctx *ctx, struct loading *loading, const struct slice_job *job, struct slice_outcome *outcome);

/* False before the first ddl step. */
bool bookkeeping_exists(struct ctx *ctx, struct pg *pg, bool *exists) MUST_CHECK;

/*
 * A registration above mine is either a step that was claimed after this one, or comes from a sequence that was further than
 * ours is: a control database that was restored, or another one. A number drawn now, after the registration was read, tells
 * which: ours are all below.
 */
bool is_claimed_since(struct ctx *ctx, const struct slice_job *job, int64_t highest, bool *since) MUST_CHECK;

/* OPEN and REVOKE: FAIL_FENCED when a higher registration is there, FAIL_FOREIGN_OWNER when none of ours can be higher. */
bool register_slice(struct ctx *ctx, struct loading *loading) MUST_CHECK;

/* The step's ledger row, if it is there: fills the outcome. Under the table's lock this is final. */
bool find_committed(struct ctx *ctx, struct loading *loading, bool *found) MUST_CHECK;

/* Ends a session and waits until it is gone (30 s, else FAIL_SQL_CONFLICT). pid NULL: nothing to end. */
bool end_session(struct ctx *ctx, struct pg *pg, const char *pid, const char *started) MUST_CHECK;

/* The protocol's locks, each in its turn. Who is before me publishes: that is no lock that somebody forgot, so it is waited for as
 * long as a statement may take, and lock_timeout is for what comes after. */
bool take_locks(struct ctx *ctx, struct loading *loading, const struct load_lock *locks, size_t count) MUST_CHECK;

/* BEGIN, the table's exclusive lock, is it committed? ROLLBACK. */
bool read_under_lock(struct ctx *ctx, struct loading *loading, bool *found) MUST_CHECK;

/* slice_stage.c, slice_publish.c */
bool stage_slice(struct ctx *ctx, struct loading *loading) MUST_CHECK;
bool publish_slice(struct ctx *ctx, struct loading *loading) MUST_CHECK;

/* slice_files.c, for tables fed by files (others: nothing happens). check_files: under the table's lock, nobody loaded other versions;
 * keep_failed_files: after a failure that trying again would not mend. */
/* slice_input.c: which load the staging that feeds this table holds; that it still does, under the locks. */
bool note_input(struct ctx *ctx, struct loading *loading) MUST_CHECK;
bool check_input(struct ctx *ctx, struct loading *loading) MUST_CHECK;

bool stage_files(struct ctx *ctx, struct loading *loading) MUST_CHECK;
bool check_files(struct ctx *ctx, struct loading *loading) MUST_CHECK;
bool publish_files(struct ctx *ctx, struct loading *loading) MUST_CHECK;
void keep_failed_files(struct ctx *ctx, struct loading *loading);

/* slice_rejects.c: loadstar_rejects is made, and moved to the quarantine (counted as rejected). */
bool stage_rejects(struct ctx *ctx, struct loading *loading) MUST_CHECK;
bool publish_rejects(struct ctx *ctx, struct loading *loading) MUST_CHECK;

/* slice_evidence.c. keep_evidence: after a failure that says something of the rows, what was refused, counted and found by checks; it
 * ends the transaction, if there is one, and leaves the failure as it is. supersede_evidence: within PUBLISH. */
void keep_evidence(struct ctx *ctx, struct loading *loading);
bool supersede_evidence(struct ctx *ctx, struct loading *loading) MUST_CHECK;

/* slice_script.c: the job's script. */
bool write_script(struct ctx *ctx, struct loading *loading) MUST_CHECK;

/* slice_statement.c: fills the placeholders, runs, counts, traces. */
bool fill_statement(struct ctx *ctx, const struct loading *loading, const struct load_statement *statement,
    char **sql) MUST_CHECK;
bool run_statements(struct ctx *ctx, struct loading *loading, const struct load_statements *statements) MUST_CHECK;

/* slice_reconcile.c: after COPY; and which of the loaded intervals have another source now, as touched. */
bool note_source(struct ctx *ctx, struct loading *loading) MUST_CHECK;
bool reconcile_slices(struct ctx *ctx, const struct slice_job *job, struct slice_interval *intervals,
    size_t count) MUST_CHECK;

/* slice_guards.c: before COMMIT, FAIL_GUARD_STOPPED; after it, what was let pass goes to the run's log. */
bool ask_guards(struct ctx *ctx, struct loading *loading) MUST_CHECK;
void log_guards(struct ctx *ctx, struct loading *loading);

/* Notes a statement for the run's log. */
void trace_statement(struct ctx *ctx, struct loading *loading, const char *name, int64_t since_us, int64_t rows);

/* slice_checks.c: the gates. FAIL_QUALITY_FAILED when a check of severity error did not pass, FAIL_CHECK_ERROR or a timeout when one
 * could not be asked; results go to the outcome. */
bool check_staged(struct ctx *ctx, struct loading *loading) MUST_CHECK;
bool check_published(struct ctx *ctx, struct loading *loading) MUST_CHECK;

/* Writes what was traced to the run's log, and forgets it. */
void log_trace(struct ctx *ctx, struct loading *loading, const char *message);
void log_event(struct ctx *ctx, const struct slice_job *job, enum log_level level, const char *message, json_t *fields);

/* slice_ddl_change.c: the table is made, or becomes as it is declared. */
bool change_table(struct ctx *ctx, struct loading *loading, const struct spec_table *table) MUST_CHECK;

/* slice_views.c: the declared views go, and come, in a transaction of a ddl step. grants: who may read them, by name. */
bool slice_drop_views(struct ctx *ctx, const struct slice_job *job, struct pg *pg, json_t **grants) MUST_CHECK;
bool slice_create_views(struct ctx *ctx, const struct slice_job *job, struct pg *pg, json_t *grants) MUST_CHECK;

/* slice_view_grants.c: view is a quoted name with its schema. grants NULL: there is no such view, and nothing to be given. */
bool read_view_grants(struct ctx *ctx, struct pg *pg, const char *view, json_t **grants) MUST_CHECK;
bool give_view_grants(struct ctx *ctx, struct pg *pg, const char *view, const json_t *grants) MUST_CHECK;

/* slice_ddl.c: the schema loadstar, under the lock of ddl steps. */
bool slice_create_bookkeeping(struct ctx *ctx, struct pg *pg) MUST_CHECK;

/* slice_ddl.c: the pipeline's tables are this control database's, in this epoch, or nobody's yet. */
bool claim_pipeline(struct ctx *ctx, const struct slice_job *job, struct pg *pg) MUST_CHECK;

/* slice_result.c */
bool check_laws(struct ctx *ctx, const struct load_counts *counts) MUST_CHECK;
bool add_count(struct load_counts *counts, const char *field, int64_t value); /* false: no such field */
json_t *result_to_json(struct ctx *ctx, const struct loading *loading, const char *inputs);
void result_from_json(const json_t *result, struct slice_outcome *outcome);

#endif
