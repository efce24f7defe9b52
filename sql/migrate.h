/* migrate: brings the control database to this binary's schema. Under an advisory lock, each migration in a transaction,
 * its checksum kept; a database that is newer than the binary is refused. Idempotent. */
#ifndef SQL_MIGRATE_H
#define SQL_MIGRATE_H

#include "sql/pg.h"

bool migrate_run(struct ctx *ctx, struct pg *db, int *applied) MUST_CHECK;

#endif
