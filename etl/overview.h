/*
 * overview: how every table of a pipeline is, for those who poll.
 *
 * Made from the warehouse's ledger and quarantine and from the control database's steps, kept for 5 s a pipeline: however many ask, a
 * warehouse is asked once in that time, by one of them, while the others get the picture there is. The newest row of a table is
 * asked for only after a load. A warehouse that cannot be reached leaves the last picture, or says so with each table.
 * Threads: any.
 */
#ifndef ETL_OVERVIEW_H
#define ETL_OVERVIEW_H

#include "base/config.h"
#include "etl/spec.h"
#include "sql/pool.h"

struct overview;

/* config and control must outlive it. epoch: of this control database's load ids. */
struct overview *overview_new(const struct config *config, struct pool *control, int64_t epoch);
void overview_free(struct overview *overview);

/* One object a table, in declared order. */
bool overview_tables(struct ctx *ctx, struct overview *overview, const struct spec *spec, json_t **tables) MUST_CHECK;

#endif
