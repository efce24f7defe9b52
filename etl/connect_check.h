/*
 * connect_check: what only the databases know about a specification.
 *
 * Each extract is described by its source, not run: it must be right, and give the declared columns with types whose values they can
 * hold. Views and questions are tried in the warehouse against empty temporary tables of the declared shape, in a
 * transaction that is rolled back: nothing that is there is touched or locked.
 */
#ifndef ETL_CONNECT_CHECK_H
#define ETL_CONNECT_CHECK_H

#include "base/config.h"
#include "etl/spec.h"

/* *errors: every finding in order of place; NULL: none. A connection that is missing or cannot be reached is a finding, too. */
bool connect_check(struct ctx *ctx, const struct config *config, const struct spec *spec,
    struct spec_error **errors) MUST_CHECK;

#endif
