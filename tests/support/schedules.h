/* schedules: a pipeline `shop` with a schedule in the stores' database, and a clock that tests walk. */
#ifndef TESTS_SUPPORT_SCHEDULES_H
#define TESTS_SUPPORT_SCHEDULES_H

#include "etl/catalog.h"
#include "sql/pg.h"

/* Applies a version of the pipeline with these top-level keys, such as "schedule: { cron: '0 3 * * *' }\n". */
void schedules_apply(struct ctx *ctx, struct pg *db, const char *keys);

/* From the first call on the clock says what was said last: "2024-01-31T03:00:00Z". */
void schedules_set_clock(const char *now);
void schedules_free_clock(void);

#endif
