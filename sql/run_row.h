/* run_row: struct run from a row of a statement that selects all of a run's columns (run_find.sql has them in order). */
#ifndef SQL_RUN_ROW_H
#define SQL_RUN_ROW_H

#include "sql/run_store.h"

void run_row_read(struct ctx *ctx, const struct pg_rows *rows, int row, struct run *run);

/* A time as a statement parameter: NULL for 0. */
const char *run_row_time(struct ctx *ctx, int64_t at_us);

/* A JSON value as a statement parameter: NULL for none or null. */
const char *run_row_json(struct ctx *ctx, const json_t *value);

#endif
