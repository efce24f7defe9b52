/* warehouse: the statements of sql/warehouse/postgres, and sessions of those who only look. */
#ifndef ETL_WAREHOUSE_H
#define ETL_WAREHOUSE_H

#include "base/config.h"
#include "etl/spec.h"
#include "sql/pg.h"

/* A statement by its name. */
const char *warehouse_sql(const char *name);
bool warehouse_query(struct ctx *ctx, struct pg *pg, const char *name, struct pg_params params,
    struct pg_rows *rows) MUST_CHECK;

/* A read-only session of the spec's warehouse for an answer to somebody who waits: a statement ends after the pipeline's
 * statement timeout, and after 30 s at most. what: as its application_name has it, "loadstar/<what>". */
bool warehouse_open_reader(struct ctx *ctx, const struct config *config, const struct spec *spec, const char *what,
    struct pg **pg) MUST_CHECK;

/* A look into bookkeeping that no ddl step has made yet: clears the failure. False: it failed for another reason. */
bool warehouse_has_none_yet(struct ctx *ctx);

#endif
