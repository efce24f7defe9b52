/* replica_store: running processes, known by boot id, each with one lease that covers all its work; and who we are. */
#ifndef SQL_REPLICA_STORE_H
#define SQL_REPLICA_STORE_H

#include "sql/pg.h"

bool replica_register(struct ctx *ctx, struct pg *db, const char *boot_id, const char *host,
    int64_t lease_ms) MUST_CHECK;
/* Extends the lease by database time; alive false: somebody declared us dead (the row is gone): stop side effects. */
bool replica_heartbeat(struct ctx *ctx, struct pg *db, const char *boot_id, int64_t lease_ms, bool *alive) MUST_CHECK;
bool replica_leave(struct ctx *ctx, struct pg *db, const char *boot_id) MUST_CHECK;

/* The identity of this control database, made once by the first migration: a UUID and the epoch of load ids. */
bool control_identity(struct ctx *ctx, struct pg *db, const char **control_id, int64_t *epoch) MUST_CHECK;

/* The next number of sequence load_number (revocations outside a claim, tests). */
bool control_next_load_number(struct ctx *ctx, struct pg *db, int64_t *number) MUST_CHECK;

#endif
