/*
 * schedule_store: schedules and their fires in the control database.
 *
 * Every fire is decided once, whichever replica does it: under the lock of the schedule's row, in one transaction with the run it
 * causes, and only while `decided_until` is what the decider has seen. The fire's key (pipeline, scheduled_at) keeps a clock that is set
 * back from firing again.
 */
#ifndef SQL_SCHEDULE_STORE_H
#define SQL_SCHEDULE_STORE_H

#include "sql/run_store.h"

/* Every pipeline, by name; rule NULL: its schedule is not armed. */
struct schedule_row {
	const char *pipeline, *hash; /* and its active version */
	int64_t paused_us;           /* 0: not paused */
	const char *paused_by;
	const char *rule;
	int64_t decided_until_us;
};
bool schedule_list(struct ctx *ctx, struct pg *db, struct schedule_row **rows, size_t *count) MUST_CHECK;

/* From now on fires of the rule after at_us are due. rule NULL: none is. Nothing happens when somebody else changed the row meanwhile. */
bool schedule_arm(struct ctx *ctx, struct pg *db, const struct schedule_row *seen, const char *rule,
    int64_t at_us) MUST_CHECK;

struct fire {
	int64_t scheduled_us;
	int64_t fires;      /* it stands for that many */
	const char *reason; /* why it is skipped; NULL: it is to cause a run */
	const char *detail; /* may be NULL */
	const char *run_id; /* of the run it caused, or that was in its way; NULL: none */
	int64_t decided_us;
};

/* A fire that is to cause the run `want`: unless `most` unfinished runs of the schedule are there (then it is skipped with the reason
 * `too_many`). want NULL: it is skipped. mine false: another replica decided it, or this time has fired before. */
struct fire_rule {
	const struct run *want;
	int64_t most;
	const char *too_many;
};
bool schedule_fire(struct ctx *ctx, struct pg *db, const struct schedule_row *seen, const struct fire_rule *rule,
    struct fire *fire, bool *mine) MUST_CHECK;

/* Ids of unfinished runs that fires before scheduled_us caused. */
bool schedule_unfinished(struct ctx *ctx, struct pg *db, const char *pipeline, int64_t scheduled_us, const char ***ids,
    size_t *count) MUST_CHECK;

/* The last fire first, then the last ones that were skipped; outcome `run` has no reason. */
bool schedule_fires(struct ctx *ctx, struct pg *db, const char *pipeline, struct fire **last, struct fire **skipped,
    size_t *skipped_count) MUST_CHECK;

/* found false: there is no such pipeline. Pausing twice keeps who paused first. */
bool schedule_pause(struct ctx *ctx, struct pg *db, const char *pipeline, bool pause, const char *by,
    bool *found) MUST_CHECK;

/* Removes what is too old to matter. */
bool schedule_sweep(struct ctx *ctx, struct pg *db) MUST_CHECK;

#endif
