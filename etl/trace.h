/* trace: where the versions of one row come from. */
#ifndef ETL_TRACE_H
#define ETL_TRACE_H

#include "etl/spec.h"
#include "sql/pg.h"

/* values: one text for each of table->keys, of its type. {pipeline, table, key, versions, observations}: each version with the load, run,
 * slice, file and checks that it came by; for a dimension with history also the observations it was made from. */
bool trace_row(struct ctx *ctx, struct pg *warehouse, const struct spec *spec, const struct spec_table *table,
    const char *const *values, json_t **answer) MUST_CHECK;

/* The statement that asks for the versions; $1 the names of the pipeline's tables, $2 the table's, then the key. */
char *trace_versions_sql(struct ctx *ctx, const struct spec *spec, const struct spec_table *table);

#endif
