/*
 * step_waits: for what steps wait that are not final. Told when it is asked, from what is there then (step_waits.sql), so that it is
 * never stale; only what a worker waits for in another database is written down, by step_wait_for. wait_kinds.def is the table
 * of kinds, and docs/errors.md shows it.
 */
#ifndef SQL_STEP_WAITS_H
#define SQL_STEP_WAITS_H

#include "base/json.h"
#include "sql/pg.h"

enum wait_kind {
#define WAIT(id, name, status, for) WAIT_##id,
#include "sql/wait_kinds.def"
#undef WAIT
	WAIT_KIND_COUNT
};
const char *wait_kind_name(enum wait_kind kind);

/* An object of {kind, detail, since} by step id, of those among the run's steps given that wait. */
bool step_waits(struct ctx *ctx, struct pg *db, const char *run_id, const char **ids, size_t count,
    json_t *by_step) MUST_CHECK;

#endif
