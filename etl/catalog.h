/* catalog: specs by pipeline and hash, parsed once a process, from the control database. Immutable; they live until
 * catalog_free. Threads: any. */
#ifndef ETL_CATALOG_H
#define ETL_CATALOG_H

#include "etl/spec.h"
#include "sql/pool.h"

struct catalog;
struct catalog *catalog_new(void);
void catalog_free(struct catalog *catalog);

/* hash NULL: the active version. FAIL_NOT_FOUND names the pipeline. */
bool catalog_find(struct ctx *ctx, struct catalog *catalog, struct pg *db, const char *pipeline, const char *hash,
    const struct spec **spec) MUST_CHECK;

#endif
