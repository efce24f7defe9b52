/*
 * pg_cluster: a private PostgreSQL for a test, in a temporary folder (in memory, where that is), reached by a socket alone.
 *
 * One a process, started at first use and stopped at exit, also when a test fails. As root the
 * server runs as the user postgres. The first use is the main thread's, for the server dies with
 * the thread that started it. Binaries are looked for in PG_BIN, then in Debian's folders, then in
 * PATH. A failure to start ends the process.
 */
#ifndef TESTS_SUPPORT_PG_CLUSTER_H
#define TESTS_SUPPORT_PG_CLUSTER_H

#include "base/ctx.h"
#include "base/secret.h"
#include "sql/pg.h"

/* The URL of a database of the cluster, made when it is not there. */
struct secret pg_cluster_url(struct ctx *ctx, const char *database);

/* A session without timeouts; fails the test when it cannot be opened. */
struct pg *pg_cluster_open(struct ctx *ctx, const char *database);

/* A fresh database with the control schema of this binary. */
struct secret pg_cluster_control(struct ctx *ctx, const char *database);

/* Stops and starts the server at once (pg_ctl -m immediate): every session breaks. */
void pg_cluster_restart(void);

/* Folder of the socket; its file is .s.PGSQL.5432. */
const char *pg_cluster_folder(void);

#endif
