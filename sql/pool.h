/*
 * pool: sessions of the control database, shared by all threads.
 *
 * A session is taken for one short piece of work and goes back when the taking ctx dies; a broken or mid-transaction one
 * is thrown away. Sessions are opened on demand up to the limit; takers wait at most 5 s (FAIL_DATABASE_UNREACHABLE).
 */
#ifndef SQL_POOL_H
#define SQL_POOL_H

#include "sql/pg.h"

struct pool;

/* Opens nothing yet. url must outlive the pool. */
struct pool *pool_new(const struct secret *url, int limit);
void pool_free(struct pool *pool); /* every session must be back */

bool pool_take(struct ctx *ctx, struct pool *pool, struct pg **db) MUST_CHECK;

/* The control database's URL, for threads that keep a session of their own (LISTEN). */
const struct secret *pool_url(const struct pool *pool);

#endif
