/* coverage_room: private to etl/coverage*.c. */
#ifndef ETL_COVERAGE_ROOM_H
#define ETL_COVERAGE_ROOM_H

#include "etl/coverage.h"
#include "sql/step_store.h"

enum { COVERAGE_MOST_ITEMS = 20000 };

/* The answer for a table that is fed by files. */
bool coverage_of_files(struct ctx *ctx, const struct coverage_question *question, struct pg *warehouse,
    struct pg *control, json_t **answer) MUST_CHECK;

/* The step that runs or failed; NULL gives null. */
json_t *coverage_mark_to_json(struct ctx *ctx, const struct step_mark *mark);

#endif
