/*
 * run_store: runs in the control database.
 *
 * Every change of a run or of its steps happens in one transaction that first locks the run's row (run_lock.sql),
 * increases run.version, and writes an outbox row; that serialises changes of one run and orders what readers see.
 * Statuses change nowhere else. Times are microseconds since 1970 in UTC, 0 for none.
 */
#ifndef SQL_RUN_STORE_H
#define SQL_RUN_STORE_H

#include "base/json.h"
#include "sql/pg.h"
#include "sql/state.h"

struct run {
	const char *id; /* UUIDv7 */
	const char *pipeline;
	const char *type; /* full dimensions facts range */
	const char *mode; /* auto all missing failed */
	enum run_status status;
	int64_t attempt;        /* 1, +1 by each retry */
	int64_t from_us, to_us; /* range only; 0: none */
	const char *slice;      /* ISO 8601 period; NULL: the table's */
	json_t *tables;         /* array of names, or null: all */
	json_t *params;         /* object */
	json_t *labels;         /* object */
	json_t *allow;          /* array */
	const char *note;
	const char *requested_by;
	const char *trigger_kind; /* api schedule arrival after replay undo */
	const char *trigger_ref;
	const char *spec_version; /* "sha256:…" */
	int64_t priority;
	bool descending;      /* order of slices */
	int64_t max_parallel; /* 0: no own limit */
	int64_t wave;         /* of steps, the one now open */
	int64_t created_us, started_us, finished_us, deadline_us;
	int64_t changed_us;  /* when version last grew */
	int64_t steps_total; /* -1 until planned */
	int64_t steps_done;  /* in a final state */
	int64_t rows_read, rows_written, rows_rejected, bytes_read;
	int64_t checks_passed, checks_warned, checks_failed, checks_errored;
	json_t *error;   /* error object of the contract, or null */
	int64_t version; /* grows with every visible change; the ETag */
};

/* The run object of the contract. */
json_t *run_to_json(struct ctx *ctx, const struct run *run);

/* The error object of the contract for a ctx's failure. step_id, table, slice may be NULL. */
json_t *error_to_json(struct ctx *ctx, const struct failure *failure, const char *step_id, const char *table,
    const json_t *slice);

/* Accepts a run: the run (queued), its plan step (queued) and the idempotency key in one transaction, then NOTIFY.
 * key may be NULL. A known key of the same subject and fingerprint gives the run made then and *existed = true; another
 * fingerprint FAIL_IDEMPOTENCY_MISMATCH. fingerprint: SHA-256 of the canonical request. on_duplicate "return" or
 * "reject" look for an unfinished run that means the same: pipeline, version, type, mode, tables, range, slice, params. */
struct run_acceptance {
	const char *idempotency_key;
	const char *fingerprint;
	const char *on_duplicate; /* queue return reject */
};
bool run_accept(struct ctx *ctx, struct pg *db, const struct run *want, const struct run_acceptance *how,
    struct run *run, bool *existed) MUST_CHECK;

bool run_find(struct ctx *ctx, struct pg *db, const char *id, struct run *run, bool *found) MUST_CHECK;

/* Newest first (created_at, id). NULL filters do not filter; lists are arrays of texts. */
struct run_filter {
	const char *const *pipelines; /* NULL terminated; also the token's restriction */
	const char *const *types;
	const char *const *statuses;
	const char *table;
	const char *label_key, *label_value;
	const char *requested_by;
	int64_t since_us, until_us; /* created, half open; 0: none */
	int64_t before_us;          /* cursor: the last row's created_us … */
	const char *before_id;      /* … and id; NULL: from the start */
	int64_t limit;
};
/* A page may hold fewer than limit, even none, though there is more: a statement reads about RUN_LIST_READS runs of what its index
 * finds for one filter, whatever the others throw away. */
enum { RUN_LIST_READS = 5000 };
struct run_list {
	struct run *items;
	size_t count;
	bool more;
	int64_t next_us;     /* more: the cursor of the next page */
	const char *next_id; /* NULL: there is no more */
};
bool run_list(struct ctx *ctx, struct pg *db, const struct run_filter *filter, struct run_list *list) MUST_CHECK;

/* Asks for the end: steps without an attempt are cancelled at once; steps with one get end_as = cancelled, so that a
 * worker revokes them first. The run is cancelling, or cancelled when nothing had started. FAIL_RUN_FINISHED,
 * FAIL_NOT_FOUND. Cancelling twice is fine. */
bool run_cancel(struct ctx *ctx, struct pg *db, const char *id, const char *by, struct run *run) MUST_CHECK;

/* The same run goes on: failed, cancelled and skipped steps become waiting or queued again with their identity, ranges and
 * parameters; attempt + 1. spec_version NULL keeps the pinned one. FAIL_RUN_ACTIVE when not finished, FAIL_CONFLICT when
 * it succeeded. */
bool run_retry(struct ctx *ctx, struct pg *db, const char *id, const char *spec_version, const char *by,
    struct run *run) MUST_CHECK;

bool run_pause(struct ctx *ctx, struct pg *db, const char *id, bool pause, struct run *run) MUST_CHECK;

/* Ends runs that passed their deadline: error run_deadline, unfinished steps end as cancel does, as failed. Returns how
 * many. */
bool run_expire_deadlines(struct ctx *ctx, struct pg *db, int64_t *expired) MUST_CHECK;

/* For the metrics: per pipeline the age of its oldest unfinished run and when one last succeeded; NULL: none. */
bool run_gauges(struct ctx *ctx, struct pg *db, struct pg_rows *rows) MUST_CHECK;

#endif
