/* coverage_room: private to etl/coverage*.c. */
#ifndef ETL_COVERAGE_ROOM_H
#define ETL_COVERAGE_ROOM_H

#include "etl/coverage.h"

/* The answer for a table that is fed by files. */
bool coverage_of_files(struct ctx *ctx, const struct coverage_question *question, struct pg *warehouse,
    json_t **answer) MUST_CHECK;

#endif
