/*
 * retention_store: what is not kept for ever leaves the control database, in small batches that each stand alone.
 *
 * Whoever sweeps holds the lock of its session (retention_lock); the statements are right without it, too, and a batch that was
 * broken off has done nothing. Nothing of a run that has not ended goes. The order of enum retention_kind is that of a sweep: a run
 * goes once its lines are gone. The audit log keeps its chain: it begins after an anchor (009_retention.sql).
 */
#ifndef SQL_RETENTION_STORE_H
#define SQL_RETENTION_STORE_H

#include "sql/pg.h"

enum retention_kind {
	RETENTION_LOGS,    /* lines of runs that ended so long ago */
	RETENTION_QUALITY, /* results by their own age */
	RETENTION_RUNS,    /* with steps, attempts, results and idempotency keys */
	RETENTION_OUTBOX,  /* a day, whatever is set */
	RETENTION_AUDIT,   /* entries before the anchor */
	RETENTION_AUDIT_SEALS,
	RETENTION_KIND_COUNT
};

/* Milliseconds; 0: for ever. */
struct retention {
	int64_t runs_ms, logs_ms, quality_ms, audit_ms;
};

/* For the metrics: runs, logs, … */
const char *retention_kind_name(enum retention_kind kind);

/* One sweeper a control database. mine: the session has the lock, until it is closed. */
bool retention_lock(struct ctx *ctx, struct pg *db, bool *mine) MUST_CHECK;

/* One batch in a transaction of its own; how many rows went (of runs: runs). 0: nothing is left to sweep of the kind. */
bool retention_sweep(struct ctx *ctx, struct pg *db, enum retention_kind kind, const struct retention *keep,
    int64_t *rows) MUST_CHECK;

/* Lets the audit log begin later, where it is old enough and intact, and writes that down in it. Fails when what would go is not
 * intact: somebody must look. */
bool retention_move_audit(struct ctx *ctx, struct pg *db, const struct retention *keep, bool *moved) MUST_CHECK;

#endif
