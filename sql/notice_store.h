/*
 * notice_store: what somebody is to be told about how runs end.
 *
 * A notice commits together with the final state of its run (change.c), so that whoever ends the run need not live to tell.
 * Any replica delivers: a claim leases the notice for a while, and a deliverer that dies in between leaves it to the next, so a notice
 * may come twice, with the same id, but is not lost. One notice for each event, end of a run and target.
 */
#ifndef SQL_NOTICE_STORE_H
#define SQL_NOTICE_STORE_H

#include "sql/run_store.h"

/* Names of notice_events.def. */
bool notice_event_is_known(const char *name);
char *notice_event_list(struct ctx *ctx); /* "failed, partial, …" */

/* Within the change that ended the run. */
bool notice_write(struct ctx *ctx, struct pg *db, const struct run *run) MUST_CHECK;

struct notice {
	const char *id;
	const char *run_id, *pipeline;
	const char *event, *target;
	json_t *run;   /* as it ended */
	int64_t tries; /* this one included */
	int64_t created_us;
	bool stale; /* tried for a day */
};
bool notice_claim(struct ctx *ctx, struct pg *db, int64_t lease_ms, struct notice *notice, bool *found) MUST_CHECK;

/* state: pending (again after wait_ms), delivered, given_up. mine false: another replica has claimed it since. */
bool notice_finish(struct ctx *ctx, struct pg *db, const struct notice *notice, const char *state, int64_t wait_ms,
    bool *mine) MUST_CHECK;

/* No notice that is due goes to the target before wait_ms are over. */
bool notice_postpone(struct ctx *ctx, struct pg *db, const char *target, int64_t wait_ms) MUST_CHECK;

/* Removes what was delivered or given up long ago. */
bool notice_sweep(struct ctx *ctx, struct pg *db) MUST_CHECK;

#endif
