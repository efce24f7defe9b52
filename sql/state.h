/*
 * state: what runs and steps can be, and how they get there. run_states.def and step_states.def are the tables: from,
 * event, to, why. The UPDATE of each transition repeats its guard; tests compare the names with the CHECK constraints of the
 * control database and print the diagram of docs/states.md from the tables.
 */
#ifndef SQL_STATE_H
#define SQL_STATE_H

#include "base/ctx.h"

enum run_status {
	RUN_QUEUED,
	RUN_RUNNING,
	RUN_PAUSED,
	RUN_CANCELLING,
	RUN_SUCCEEDED,
	RUN_PARTIAL,
	RUN_FAILED,
	RUN_CANCELLED,
	RUN_STATUS_COUNT
};
enum step_status {
	STEP_WAITING, /* an earlier wave is not finished */
	STEP_QUEUED,  /* a worker may take it (from retry_at on) */
	STEP_RUNNING,
	STEP_SUCCEEDED,
	STEP_FAILED,
	STEP_SKIPPED,
	STEP_CANCELLED,
	STEP_STATUS_COUNT
};

const char *run_status_name(enum run_status status);
bool run_status_find(const char *name, enum run_status *status) MUST_CHECK;
bool run_status_is_final(enum run_status status);
const char *step_status_name(enum step_status status);
bool step_status_find(const char *name, enum step_status *status) MUST_CHECK;
bool step_status_is_final(enum step_status status);

struct state_change {
	int from;
	const char *event;
	int to;
	const char *why;
};
extern const struct state_change run_changes[];
extern const size_t run_changes_count;
/* True when the table of runs has the row. */
bool run_change_is_known(enum run_status from, const char *event, enum run_status to) MUST_CHECK;

extern const struct state_change step_changes[];
extern const size_t step_changes_count;

#endif
