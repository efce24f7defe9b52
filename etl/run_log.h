/* run_log: lines for a run's log from a worker's thread. A line that cannot be stored goes to the service log instead: a
 * load never fails for its log. */
#ifndef ETL_RUN_LOG_H
#define ETL_RUN_LOG_H

#include "etl/slice.h"
#include "sql/pool.h"

struct slice_log run_log_to(struct ctx *ctx, struct pool *pool, const struct step_claim *claim);

#endif
