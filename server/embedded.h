/*
 * embedded: a private PostgreSQL cluster under the home, for one service.
 *
 * Socket only, trust within its 0700 folder, in a session of its own (a Ctrl-C does not reach it), fsync on. Started when it is
 * not running; a postmaster that outlived a killed service is adopted; one that is killed while the service runs is started
 * again by a thread, the keeper. Databases: loadstar (control), warehouse, and <pipeline>_source filled once from the pipeline's
 * sample/0*.sql. A pipeline with sample/files has a folder of files, too: <pipeline>_files, in files/<pipeline> of the home.
 */
#ifndef SERVER_EMBEDDED_H
#define SERVER_EMBEDDED_H

#include <pthread.h>

#include "server/home.h"
#include "sql/pg.h"

#define EMBEDDED_SUPERUSER "postgres"

struct embedded {
	const struct home *home;
	const char *programs; /* folder of the server programs */
	pid_t postmaster;     /* the keeper's while it runs */
	bool adopted;         /* it ran already */
	pthread_t keeper;
	bool is_kept;       /* the keeper runs */
	atomic_bool ending; /* the keeper's end */
};

bool embedded_start(struct ctx *ctx, const struct home *home, struct embedded *embedded) MUST_CHECK;

/* Fast shutdown; waits until it is gone. */
void embedded_stop(struct embedded *embedded);

/* The role loadstar, which owns all databases and is no superuser; the cluster must run and not have it yet. */
bool embedded_role(struct ctx *ctx, const struct home *home) MUST_CHECK;

/* The databases, and their connections added to the config: database_url, warehouse, <pipeline>_source, <pipeline>_files. */
bool embedded_databases(struct ctx *ctx, const struct home *home, struct config *config) MUST_CHECK;

/* The same connections of a cluster that runs already, without making anything. Those that the settings name stay. */
bool embedded_connections(struct ctx *ctx, const struct home *home, struct config *config) MUST_CHECK;

/* Files that the queries in a folder of a sample describe, made once below `folder` from the sample's database. */
bool embedded_files(struct ctx *ctx, struct pg *pg, const char *queries, const char *folder) MUST_CHECK;

/* URL of a database of the cluster, whether it runs or not. */
char *embedded_url(struct ctx *ctx, const struct home *home, const char *database);

#endif
