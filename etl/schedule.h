/*
 * schedule: decides fires. One look at every pipeline: what is due since the last decision is fired, skipped or merged as the schedule
 * says, each fire exactly once over any number of replicas (sql/schedule_store.h). What the clock said decides, not who looks.
 */
#ifndef ETL_SCHEDULE_H
#define ETL_SCHEDULE_H

#include "etl/catalog.h"

/* A fire that is decided later than this was missed. */
enum { SCHEDULE_GRACE_MS = 60000 };

/* One look. A pipeline that cannot be looked at is logged and does not hold up the others. */
bool schedule_tick(struct ctx *ctx, struct catalog *catalog, struct pool *pool) MUST_CHECK;

/* What tells one schedule from another: a pipeline whose rule changes begins anew. */
char *schedule_rule(struct ctx *ctx, const struct spec_schedule *schedule);

#endif
