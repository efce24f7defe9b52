/* schedules: a pipeline's pause and schedule as documents, for the resources that show them. */
#ifndef HANDLERS_SCHEDULES_H
#define HANDLERS_SCHEDULES_H

#include "etl/spec.h"
#include "sql/schedule_store.h"

/* "paused", "paused_at", "paused_by". */
void schedules_put_pause(struct ctx *ctx, json_t *object, int64_t paused_us, const char *paused_by);

/* When the schedule fires next; 0: it has none. */
int64_t schedules_next(const struct spec *spec);

/* "next", the coming fires, "last_fire" and "skipped", as the schedule's own members. */
bool schedules_put_fires(struct ctx *ctx, struct pg *db, const struct spec *spec, json_t *schedule) MUST_CHECK;

#endif
