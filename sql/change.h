/*
 * change: one transaction that changes one run and its steps.
 *
 *	if (!change_begin(ctx, db, run_id, &change))
 *		return false;
 *	… statements, change_log, change_status, members of change.run …
 *	return change_end(&change, ok);
 *
 * change_begin locks the run's row: changes of a run happen one after the other. change_end writes the log lines, the run
 * with its next version, the outbox row and the notifications, and commits; when not ok it rolls back. The members of
 * change.run that change_end writes are those of run_change.sql.
 */
#ifndef SQL_CHANGE_H
#define SQL_CHANGE_H

#include "sql/log_store.h"
#include "sql/run_store.h"

struct change {
	struct ctx *ctx;
	struct pg *db;
	struct run run;       /* as locked, then as it is to be; after change_end as it is */
	const char *step_id;  /* of the outbox row; NULL: the run */
	bool work;            /* something became claimable: wake the workers */
	bool finished;        /* the run reached a final state */
	const json_t *checks; /* results written with the change, counted once committed; NULL: none */
	struct log_entry *lines;
	size_t line_count, line_capacity;
};

/* FAIL_NOT_FOUND when there is no such run. */
bool change_begin(struct ctx *ctx, struct pg *db, const char *run_id, struct change *change) MUST_CHECK;

/* In a transaction that is begun: a new run with its plan step and its first line, to be ended by change_end(change, true). On failure the
 * transaction is still the caller's to roll back. */
bool change_new_run(struct ctx *ctx, struct pg *db, const char *run_id, const struct run *want,
    struct change *change) MUST_CHECK;

/* A line of the run's log, written with the change. message and fields live as long as the change's ctx. */
void change_log(struct change *change, enum log_level level, const char *step_id, const char *message, json_t *fields);

/* The one place that assigns a run's status: the table of run_states.def must have the row. */
void change_status(struct change *change, const char *event, enum run_status status);

/* Commits, or rolls back and returns false. */
bool change_end(struct change *change, bool ok) MUST_CHECK;

/* Rolls back; nothing happened. */
void change_drop(struct change *change);

/* After steps became final (steps_done has them): skips what a failed step stops, opens the next wave, or ends the run. */
bool change_settle(struct change *change, bool stop) MUST_CHECK;

#endif
