/*
 * embedded: a private PostgreSQL cluster under the home, for one service.
 *
 * Socket only, trust within its 0700 folder, in a session of its own (a Ctrl-C does not reach it), fsync on. Started when it is
 * not running; a postmaster that outlived a killed service is adopted. Databases: loadstar (control), warehouse, and
 * <pipeline>_source filled once from the pipeline's sample/0*.sql. Before threads start.
 */
#ifndef SERVER_EMBEDDED_H
#define SERVER_EMBEDDED_H

#include "server/home.h"

struct embedded {
	const struct home *home;
	pid_t postmaster;
	bool adopted;    /* it ran already */
	const char *cwd; /* its working directory in /proc */
};

bool embedded_start(struct ctx *ctx, const struct home *home, struct embedded *embedded) MUST_CHECK;

/* Fast shutdown; waits until it is gone. */
void embedded_stop(const struct embedded *embedded);

/* The databases, and their connections added to the config: database_url, warehouse, <pipeline>_source. */
bool embedded_databases(struct ctx *ctx, const struct home *home, struct config *config) MUST_CHECK;

/* URL of a database of the cluster, whether it runs or not. */
char *embedded_url(struct ctx *ctx, const struct home *home, const char *database);

#endif
